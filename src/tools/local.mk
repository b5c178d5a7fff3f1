# src/tools
# sebctl fence, sab fence.
noinst_LIBRARIES += libsebctlfence.a libsabfence.a
libsebctlfence_a_SOURCES = src/tools/sebctl.h src/tools/sebctl_fence.c src/tools/fence_haproxy.c src/tools/fence_haproxy.h
libsabfence_a_SOURCES = src/tools/sab.h src/tools/sab_fence.c src/tools/runtime.c src/tools/runtime.h
SEBCTL_FENCE_LIBS = libsebctlfence.a $(CONFIG_LIBS)
SAB_FENCE_LIBS = libsabfence.a $(BASE_LIBS)
# sab.
bin_PROGRAMS += sab
sab_SOURCES = src/tools/sab.c src/tools/sab.h src/tools/sab_certify.c src/tools/sab_contract.c src/tools/sab_key.c \
	src/tools/sab_statement.c src/tools/signer.c src/tools/signer.h
sab_LDADD = $(SAB_FENCE_LIBS) $(HSM_LIBS) $(POLICY_LIBS)

# seb-submit
bin_PROGRAMS += seb-submit
seb_submit_SOURCES = \
	src/tools/seb_submit.c src/tools/submit_options.c src/tools/submit_options.h \
	src/tools/submit_request.c src/tools/submit_request.h \
	src/tools/submit_reply.c src/tools/submit_reply.h \
	src/tools/signer.c src/tools/signer.h
seb_submit_LDADD = libbus.a libmerkle.a $(HSM_LIBS) $(BASE_LIBS) $(NNG_LIBS)

# sebctl
sbin_PROGRAMS += sebctl
sebctl_SOURCES = \
	src/tools/sebctl.c src/tools/sebctl.h src/tools/sebctl_bus.c src/tools/sebctl_export.c src/tools/sebctl_init.c \
	src/tools/sebctl_pubkeys.c src/tools/sebctl_status.c
sebctl_LDADD = libsebctlfence.a $(HSM_LIBS) libbus.a libstore.a libentry.a libmerkle.a $(CONFIG_LIBS) $(NNG_LIBS) $(SQLITE_LIBS)

# seb-audit: no TPM, HSM, bus, database or HTTP library.
bin_PROGRAMS += seb-audit
noinst_LIBRARIES += libsebaudit.a
libsebaudit_a_SOURCES = \
	src/tools/audit.h \
	src/tools/audit_checks.c src/tools/audit_checkpoints.c src/tools/audit_claims.c src/tools/audit_clock.c \
	src/tools/audit_decisions.c src/tools/audit_documents.c \
	src/tools/audit_files.c src/tools/audit_files.h \
	src/tools/audit_findings.def src/tools/audit_remarks.def \
	src/tools/audit_keys.c src/tools/audit_log.c src/tools/audit_outcomes.c src/tools/audit_quotes.c src/tools/audit_reads.c \
	src/tools/audit_report.c src/tools/audit_report.h src/tools/audit_runs.c src/tools/audit_show.c src/tools/audit_statements.c \
	src/tools/audit_table.c src/tools/audit_table.h \
	src/tools/audit_trust.c src/tools/audit_trust.h
AUDIT_LIBS = libsebaudit.a libattest.a libmint.a libtarget.a libpolicy.a libentry.a libmerkle.a $(BASE_LIBS)
seb_audit_SOURCES = src/tools/audit.c
seb_audit_LDADD = $(AUDIT_LIBS)
