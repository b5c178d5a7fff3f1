noinst_LIBRARIES += libmint.a
libmint_a_SOURCES = src/mint/mint.c src/mint/mint.h
