noinst_LIBRARIES += libentry.a
libentry_a_SOURCES = \
	src/entry/entry.c src/entry/entry.h \
	src/entry/fields.c src/entry/fields.h \
	src/entry/identity.c src/entry/identity.h \
	src/entry/live.c src/entry/live.h
ENTRY_LIBS = libentry.a
