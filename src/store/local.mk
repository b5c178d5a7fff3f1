noinst_LIBRARIES += libstore.a
libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
libstore_a_SOURCES = \
	src/store/batch.c src/store/batch.h \
	src/store/export.c src/store/export.h \
	src/store/folder.c src/store/folder.h \
	src/store/reader.c \
	src/store/schema.c \
	src/store/sql.c src/store/sql.h \
	src/store/store.c src/store/store.h \
	src/store/tidy.c src/store/tidy.h
STORE_LIBS = libstore.a $(SQLITE_LIBS)
