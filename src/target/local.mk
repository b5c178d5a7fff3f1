# src/target: the pure part, and the one file that calls.
noinst_LIBRARIES += libtarget.a libcall.a
libtarget_a_SOURCES = src/target/target.c src/target/target.h src/target/kind.h src/target/http.c \
	src/target/kubernetes.c src/target/kubernetes.h src/target/kubernetes_path.c src/target/kubernetes_plan.c \
	src/target/kubernetes_claims.c src/target/kubernetes_compose.c src/target/kubernetes_answer.c
TARGET_LIBS = libtarget.a $(BASE_LIBS)
libcall_a_SOURCES = src/target/call.c src/target/call.h src/target/call_head.c src/target/call_head.h
libcall_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
CALL_LIBS = libcall.a $(BASE_LIBS) $(CURL_LIBS)
