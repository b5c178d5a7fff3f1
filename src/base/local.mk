noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/bytes.c src/base/bytes.h \
	src/base/clock.c src/base/clock.h \
	src/base/digest.c src/base/digest.h \
	src/base/ecdsa.c src/base/ed25519.c \
	src/base/encode.c \
	src/base/err.def src/base/result.c src/base/result.h \
	src/base/field.c src/base/field.h \
	src/base/file.c \
	src/base/json.c src/base/json.h src/base/json_canonical.c \
	src/base/jws.c src/base/jws.h \
	src/base/key_forms.c src/base/keycache.c src/base/point.h src/base/pubkey.c src/base/pubkey.h \
	src/base/log.c src/base/log.h \
	src/base/random.c src/base/random.h \
	src/base/secret.c src/base/secret.h \
	src/base/worker.c src/base/worker.h
BASE_LIBS = libbase.a $(JANSSON_LIBS) $(CRYPTO_LIBS)
