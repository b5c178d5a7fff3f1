check_LIBRARIES += tests/unit/libpolicyworld.a
tests_unit_libpolicyworld_a_SOURCES = tests/unit/policy_world.c tests/unit/policy_world.h
POLICY_TEST_LIBS = tests/unit/libpolicyworld.a $(TESTKEY_LIBS) $(POLICY_LIBS)

POLICY_TESTS = tests/unit/test_policy_rules tests/unit/test_policy_judge tests/unit/test_policy_verify \
	tests/unit/test_policy_documents tests/unit/test_policy_kubernetes
check_PROGRAMS += $(POLICY_TESTS)
TESTS += $(POLICY_TESTS)
tests_unit_test_policy_rules_SOURCES = tests/unit/test_policy_rules.c
tests_unit_test_policy_rules_LDADD = $(POLICY_TEST_LIBS)
tests_unit_test_policy_judge_SOURCES = tests/unit/test_policy_judge.c
tests_unit_test_policy_judge_LDADD = $(POLICY_TEST_LIBS)
tests_unit_test_policy_verify_SOURCES = tests/unit/test_policy_verify.c
tests_unit_test_policy_verify_LDADD = $(POLICY_TEST_LIBS)
tests_unit_test_policy_documents_SOURCES = tests/unit/test_policy_documents.c
tests_unit_test_policy_documents_LDADD = $(POLICY_TEST_LIBS)
tests_unit_test_policy_kubernetes_SOURCES = tests/unit/test_policy_kubernetes.c
tests_unit_test_policy_kubernetes_LDADD = $(POLICY_TEST_LIBS)

TESTS += tests/int/sab-signs-with-hardware-keys
EXTRA_DIST += tests/int/sab-signs-with-hardware-keys

# The vectors, and that their generator makes them.
check_LIBRARIES += tests/unit/libvectors.a
tests_unit_libvectors_a_SOURCES = tests/unit/vectors.c tests/unit/vectors.h
VECTOR_TESTS = tests/unit/test_vectors_documents tests/unit/test_vectors_log tests/unit/test_vectors_attested tests/unit/test_vectors_appraisals
check_PROGRAMS += $(VECTOR_TESTS)
TESTS += $(VECTOR_TESTS) tests/vectors/check
tests_unit_test_vectors_documents_SOURCES = tests/unit/test_vectors_documents.c
tests_unit_test_vectors_documents_LDADD = tests/unit/libvectors.a $(POLICY_LIBS)
tests_unit_test_vectors_log_SOURCES = tests/unit/test_vectors_log.c
tests_unit_test_vectors_log_LDADD = tests/unit/libvectors.a libmint.a libscope.a libtarget.a $(ENTRY_LIBS) $(MERKLE_LIBS) libattest.a $(BUS_LIBS) \
	$(POLICY_LIBS)
tests_unit_test_vectors_attested_SOURCES = tests/unit/test_vectors_attested.c
tests_unit_test_vectors_attested_LDADD = tests/unit/libvectors.a libattest.a $(BASE_LIBS)
tests_unit_test_vectors_appraisals_SOURCES = tests/unit/test_vectors_appraisals.c
tests_unit_test_vectors_appraisals_LDADD = tests/unit/libvectors.a libattest.a libmerkle.a $(BASE_LIBS)
VECTORS = appraisals approvals bus canonical challenges checkpoints contracts credentials documents entries eventlogs hostile keys keystatements merkle quotes references signatures
EXTRA_DIST += tests/vectors/check tests/vectors/generate.py tests/vectors/forms.py tests/vectors/hostile.py tests/vectors/objects.py tests/vectors/p256.py \
	tests/vectors/appraisals.py tests/vectors/approvals.py tests/vectors/logs.py \
	$(VECTORS:%=tests/vectors/%.json)

policy_fuzz = tests/fuzz/fuzz_certificate tests/fuzz/fuzz_request tests/fuzz/fuzz_policy
check_PROGRAMS += $(policy_fuzz)
TESTS += $(policy_fuzz)
tests_fuzz_fuzz_certificate_SOURCES = tests/fuzz/fuzz_certificate.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_certificate_LDADD = $(POLICY_LIBS)
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_request_LDADD = $(POLICY_LIBS)
tests_fuzz_fuzz_policy_SOURCES = tests/fuzz/fuzz_policy.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_policy_LDADD = $(POLICY_LIBS)
EXTRA_DIST += tests/fuzz/corpus/certificate tests/fuzz/corpus/request tests/fuzz/corpus/policy
