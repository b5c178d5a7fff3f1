# seb-front: the bus in.
pkglibexec_PROGRAMS += seb-front
seb_front_SOURCES = \
	src/child/child.c src/child/child.h \
	src/front/front.c \
	src/front/parse.c src/front/parse.h \
	src/front/state.c src/front/state.h
seb_front_LDADD = $(BUS_TLS_LIBS) liblink.a libsebconfig.a $(BASE_LIBS)
