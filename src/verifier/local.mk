# seb-verifier: never the broker's store; its own database is opened in database.c alone.
sbin_PROGRAMS += seb-verifier
noinst_LIBRARIES += libsebverifier.a
libsebverifier_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS) -DSEB_SBINDIR='"$(sbindir)"'
libsebverifier_a_SOURCES = \
	src/verifier/appraise.c \
	src/verifier/challenges.c src/verifier/documents.c src/verifier/judge.c src/verifier/round.c \
	src/verifier/database.c src/verifier/database.h \
	src/verifier/enrol.c \
	src/verifier/keys.c src/verifier/keys.h \
	src/verifier/memory.c src/verifier/memory.h \
	src/verifier/reference.c \
	src/verifier/serve.c \
	src/verifier/settings.c src/verifier/settings.h \
	src/verifier/show.c \
	src/verifier/state.c src/verifier/state.h \
	src/verifier/subject.c src/verifier/subject.h \
	src/verifier/trusted.c src/verifier/trusted.h \
	src/verifier/verifier.h \
	src/verifier/wire.c src/verifier/wire.h \
	src/signer/signer.c src/signer/signer.h
VERIFIER_LIBS = libsebverifier.a libattest.a libpolicy.a libmerkle.a libsebconfig.a $(HSM_LIBS) $(BUS_TLS_LIBS) $(BASE_LIBS) \
	$(SQLITE_LIBS)
seb_verifier_SOURCES = src/verifier/main.c
seb_verifier_LDADD = $(VERIFIER_LIBS)
