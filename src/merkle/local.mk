noinst_LIBRARIES += libmerkle.a
libmerkle_a_SOURCES = \
	src/merkle/checkpoint.c src/merkle/checkpoint.h \
	src/merkle/merkle.c src/merkle/merkle.h \
	src/merkle/proof.c \
	src/merkle/tiles.c src/merkle/tiles.h
MERKLE_LIBS = libmerkle.a
