# attest/: approvals and logs. Its quotes are tested with hsm/.
check_PROGRAMS += tests/int/attested_driver
tests_int_attested_driver_SOURCES = tests/int/attested_driver.c
tests_int_attested_driver_LDADD = libattest.a $(BASE_LIBS)
TESTS += tests/int/attested-by-a-tpm
EXTRA_DIST += tests/int/attested-by-a-tpm
TESTS += tests/int/sab-approves tests/int/fence-trusts-the-verifier
EXTRA_DIST += tests/int/sab-approves tests/int/fence-trusts-the-verifier

attest_log_tests = tests/unit/test_attest_logs tests/unit/test_approval
check_PROGRAMS += $(attest_log_tests)
TESTS += $(attest_log_tests)
tests_unit_test_attest_logs_SOURCES = tests/unit/test_attest_logs.c
tests_unit_test_attest_logs_LDADD = tests/unit/libvectors.a libattest.a $(BASE_LIBS)
tests_unit_test_approval_SOURCES = tests/unit/test_approval.c
tests_unit_test_approval_LDADD = tests/unit/libvectors.a libattest.a $(TESTKEY_LIBS) $(BASE_LIBS)

attest_log_fuzz = tests/fuzz/fuzz_eventlogs tests/fuzz/fuzz_approval
check_PROGRAMS += $(attest_log_fuzz)
TESTS += $(attest_log_fuzz)
tests_fuzz_fuzz_eventlogs_SOURCES = tests/fuzz/fuzz_eventlogs.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_eventlogs_LDADD = libattest.a $(BASE_LIBS)
tests_fuzz_fuzz_approval_SOURCES = tests/fuzz/fuzz_approval.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_approval_LDADD = libattest.a $(BASE_LIBS)
EXTRA_DIST += tests/fuzz/corpus/eventlogs tests/fuzz/corpus/approval

TESTS += tests/story/approves-before-the-switch
EXTRA_DIST += tests/story/approves-before-the-switch
