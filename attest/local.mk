# Evidence is read without a TPM library: seb-audit links this and base.
noinst_LIBRARIES += libattest.a
libattest_a_SOURCES = attest/quote.c attest/quote.h \
	attest/policy_digest.c attest/policy_digest.h attest/approval.c attest/approval_file.c attest/approval.h attest/plan.c attest/plan.h \
	attest/cel.c attest/cel.h attest/ima.c attest/ima.h attest/little.h attest/names.c attest/names.h attest/reference.c attest/reference.h \
	attest/tcg_log.c attest/tcg_log.h \
	attest/members.c attest/members.h attest/challenge.c attest/challenge.h attest/evidence.c attest/evidence.h \
	attest/key_proof.c attest/key_proof.h attest/ek.c attest/ek.h attest/tpmt_public.c attest/tpmt_public.h \
	attest/credential.c attest/credential.h attest/enrolment.c attest/enrolment.h attest/result.c attest/result.h \
	attest/appraise.c attest/appraise_quote.c attest/appraise_keys.c attest/appraise_state.c attest/appraise.h attest/verdict.h
