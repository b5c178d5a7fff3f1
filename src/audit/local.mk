# seb-audit: no TPM, HSM, bus, database or HTTP library.
bin_PROGRAMS += seb-audit
noinst_LIBRARIES += libsebaudit.a
libsebaudit_a_SOURCES = \
	src/audit/audit.h \
	src/audit/attestation.c \
	src/audit/checks.c src/audit/checkpoints.c src/audit/claims.c src/audit/clock.c \
	src/audit/cover.c src/audit/cover.h src/audit/cover_event.c src/audit/cover_exempt.c src/audit/cover_lines.c \
	src/audit/cover_pair.c src/audit/cover_pending.c src/audit/cover_records.c src/audit/cover_say.c src/audit/cover_scan.c \
	src/audit/cover_time.c src/audit/cover_time.h src/audit/cover_words.c \
	src/audit/decisions.c src/audit/documents.c \
	src/audit/evidence.c src/audit/evidence.h \
	src/audit/files.c src/audit/files.h \
	src/audit/findings.def src/audit/remarks.def \
	src/audit/identity.c src/audit/keys.c src/audit/log.c src/audit/options.c src/audit/outcomes.c src/audit/quotes.c src/audit/reads.c \
	src/audit/report.c src/audit/report.h src/audit/runs.c src/audit/show.c src/audit/statements.c src/audit/states.c \
	src/audit/table.c src/audit/table.h \
	src/audit/trace.c src/audit/trace.h src/audit/trace_steps.c \
	src/audit/trust.c src/audit/trust.h
AUDIT_LIBS = libsebaudit.a libattest.a libmint.a libscope.a libtarget.a libpolicy.a libentry.a libmerkle.a $(BASE_LIBS)
seb_audit_SOURCES = src/audit/audit.c
seb_audit_LDADD = $(AUDIT_LIBS)
