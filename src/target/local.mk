# src/target: the pure part, and the one file that calls.
noinst_LIBRARIES += libtarget.a
libtarget_a_SOURCES = src/target/target.c src/target/target.h src/target/kind.h src/target/http.c
TARGET_LIBS = libtarget.a $(BASE_LIBS)
