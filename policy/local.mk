noinst_LIBRARIES += libpolicy.a
libpolicy_a_SOURCES = \
	policy/acknowledge.c policy/certificate.c policy/contract.c policy/documents.h policy/epoch.c policy/fields.c policy/fields.h \
	policy/parameters.c policy/policy.c policy/request.c policy/terms.h \
	policy/verify.c policy/verify.h \
	policy/judge.c policy/judge.h policy/rules.h \
	policy/rule_sig.c policy/rule_pop.c policy/rule_time.c policy/rule_policy.c policy/rule_rev.c \
	policy/rule_match.c policy/rule_scope.c policy/rule_attest.c policy/rule_replay.c policy/rule_drift.c
POLICY_LIBS = libpolicy.a $(BASE_LIBS)
