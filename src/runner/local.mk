# seb-runner: the calls out.
pkglibexec_PROGRAMS += seb-runner
seb_runner_SOURCES = \
	src/child/child.c src/child/child.h \
	src/runner/runner.c src/runner/runner.h \
	src/runner/errand.c src/runner/errand.h \
	src/runner/plan.c \
	src/runner/wiping.c src/runner/wiping.h
seb_runner_LDADD = libcall.a libtarget.a liblink.a libsebconfig.a $(BASE_LIBS) $(CURL_LIBS)
