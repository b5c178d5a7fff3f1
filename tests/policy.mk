check_LIBRARIES += tests/unit/libpolicyworld.a
tests_unit_libpolicyworld_a_SOURCES = tests/unit/policy_world.c tests/unit/policy_world.h
POLICY_TEST_LIBS = tests/unit/libpolicyworld.a $(TESTKEY_LIBS) $(POLICY_LIBS)

check_PROGRAMS += tests/unit/test_policy_rules
TESTS += tests/unit/test_policy_rules
tests_unit_test_policy_rules_SOURCES = tests/unit/test_policy_rules.c
tests_unit_test_policy_rules_LDADD = $(POLICY_TEST_LIBS)
