noinst_LIBRARIES += liblink.a
liblink_a_SOURCES = \
	src/link/link.c src/link/link.h \
	src/link/messages.c src/link/messages.h
