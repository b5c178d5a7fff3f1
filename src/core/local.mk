# seb-core: judges, keeps ledger and records.
pkglibexec_PROGRAMS += seb-core
seb_core_SOURCES = \
	src/child/child.c src/child/child.h \
	src/core/core.c src/core/core.h src/core/loop.h \
	src/core/admin.c src/core/answer.c src/core/ask.c src/core/decide.c src/core/noise.c src/core/outcome.c src/core/reconcile.c src/core/recover.c \
	src/core/reply.c src/core/request.c src/core/stages.c src/core/start.c \
	src/core/timers.c src/core/work.c \
	src/core/admin.h src/core/attest.c src/core/attest.h src/core/attested.c src/core/documents.c \
	src/core/keys.c src/core/keys.h src/core/record.c src/core/record.h src/core/rekey.c src/core/statement.c src/core/status.c \
	src/core/journal.c src/core/journal.h
seb_core_LDADD = libattest.a libstore.a libscope.a libtarget.a libpolicy.a libentry.a libmerkle.a liblink.a libsebconfig.a $(BASE_LIBS) $(SQLITE_LIBS)
