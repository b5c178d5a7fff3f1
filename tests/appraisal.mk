# Enrolment, appraisal and results (attest/).
check_LIBRARIES += tests/unit/libattestworld.a
tests_unit_libattestworld_a_SOURCES = tests/unit/attest_world.c tests/unit/attest_world.h tests/unit/ek_maker.c tests/unit/ek_maker.h
ATTEST_TEST_LIBS = tests/unit/libattestworld.a $(TESTKEY_LIBS) libattest.a libmerkle.a $(BASE_LIBS)

attest_tests = tests/unit/test_appraise tests/unit/test_appraise_rounds tests/unit/test_attest_documents tests/unit/test_enrolment
check_PROGRAMS += $(attest_tests)
TESTS += $(attest_tests)
tests_unit_test_appraise_SOURCES = tests/unit/test_appraise.c
tests_unit_test_appraise_LDADD = $(ATTEST_TEST_LIBS)
tests_unit_test_appraise_rounds_SOURCES = tests/unit/test_appraise_rounds.c
tests_unit_test_appraise_rounds_LDADD = $(ATTEST_TEST_LIBS)
tests_unit_test_attest_documents_SOURCES = tests/unit/test_attest_documents.c
tests_unit_test_attest_documents_LDADD = $(ATTEST_TEST_LIBS)
tests_unit_test_enrolment_SOURCES = tests/unit/test_enrolment.c
tests_unit_test_enrolment_LDADD = $(ATTEST_TEST_LIBS)

# Real TPMs.
check_PROGRAMS += tests/int/attest_driver
tests_int_attest_driver_SOURCES = tests/int/attest_driver.c tests/int/attest_quotes.c tests/int/attest_quotes.h
tests_int_attest_driver_LDADD = $(ATTEST_TEST_LIBS)
TESTS += tests/int/attest-credential tests/int/attest-quotes
EXTRA_DIST += tests/int/attest-credential tests/int/attest-quotes

check_PROGRAMS += tests/fuzz/fuzz_appraisal
TESTS += tests/fuzz/fuzz_appraisal
tests_fuzz_fuzz_appraisal_SOURCES = tests/fuzz/fuzz_appraisal.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_appraisal_LDADD = $(ATTEST_TEST_LIBS)
EXTRA_DIST += tests/fuzz/corpus/appraisal
