noinst_LIBRARIES += libscope.a
libscope_a_SOURCES = src/scope/scope.c src/scope/scope.h
