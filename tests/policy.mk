check_LIBRARIES += tests/unit/libpolicyworld.a
tests_unit_libpolicyworld_a_SOURCES = tests/unit/policy_world.c tests/unit/policy_world.h
POLICY_TEST_LIBS = tests/unit/libpolicyworld.a $(TESTKEY_LIBS) $(POLICY_LIBS)

POLICY_TESTS = tests/unit/test_policy_rules tests/unit/test_policy_judge tests/unit/test_policy_verify \
	tests/unit/test_policy_documents
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

TESTS += tests/int/sab-signs-with-hardware-keys
EXTRA_DIST += tests/int/sab-signs-with-hardware-keys
