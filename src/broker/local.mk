# src/broker

pkglibexec_PROGRAMS += seb-front
seb_front_SOURCES = \
	src/broker/child.c src/broker/child.h \
	src/broker/front.c \
	src/broker/front_parse.c src/broker/front_parse.h \
	src/broker/front_state.c src/broker/front_state.h
seb_front_LDADD = libbus.a liblink.a libsebconfig.a $(BASE_LIBS) $(NNG_LIBS)
