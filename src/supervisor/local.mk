# sebd: starts the others and stops them.
sbin_PROGRAMS += sebd
sebd_SOURCES = \
	src/child/child.c src/child/child.h \
	src/supervisor/supervisor.c src/supervisor/supervisor.h \
	src/supervisor/notify.c src/supervisor/run.c src/supervisor/spawn.c src/supervisor/tpm.c
sebd_LDADD = liblink.a libsebconfig.a $(BASE_LIBS)
