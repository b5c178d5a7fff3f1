# sebctl
sbin_PROGRAMS += sebctl
sebctl_SOURCES = \
	src/sebctl/sebctl.c src/sebctl/sebctl.h src/sebctl/approve.c src/sebctl/bus.c src/sebctl/export.c src/sebctl/init.c \
	src/sebctl/pubkeys.c src/sebctl/rekey.c src/sebctl/setup.c src/sebctl/setup.h src/sebctl/status.c \
	src/sebctl/target.c
sebctl_LDADD = libsebctlfence.a $(HSM_LIBS) libbus.a libstore.a libentry.a libattest.a libmerkle.a $(CONFIG_LIBS) $(KUBE_LIBS) $(NNG_LIBS) $(SQLITE_LIBS)
