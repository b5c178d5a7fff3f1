# Evidence is read without a TPM library: seb-audit links this and base.
noinst_LIBRARIES += libattest.a
libattest_a_SOURCES = attest/quote.c attest/quote.h \
	attest/policy_digest.c attest/policy_digest.h
