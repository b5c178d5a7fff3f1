# hsm/ and attest/: the driver that the scripts talk to, and the scripts, each with hardware of its own.
check_PROGRAMS += tests/int/hsm_driver
tests_int_hsm_driver_SOURCES = tests/int/hsm_driver.c
tests_int_hsm_driver_CFLAGS = $(AM_CFLAGS) $(P11KIT_CFLAGS)
tests_int_hsm_driver_LDADD = libattest.a $(HSM_LIBS) $(BASE_LIBS)
check_PROGRAMS += tests/int/approved_driver
tests_int_approved_driver_SOURCES = tests/int/approved_driver.c tests/int/approved_driver.h tests/int/approved_attack.c \
	tests/int/approved_ek.c
tests_int_approved_driver_CFLAGS = $(AM_CFLAGS) $(TSS_CFLAGS)
tests_int_approved_driver_LDADD = libattest.a $(TESTKEY_LIBS) $(HSM_LIBS) $(BASE_LIBS)
hsm_tests = tests/int/hsm-tpm tests/int/hsm-approved tests/int/hsm-ek tests/int/sebctl-rekey tests/int/hsm-tpm-lost tests/int/hsm-pkcs11 tests/int/hsm-tpm2-pkcs11 tests/int/tpm-soak
TESTS += $(hsm_tests)
EXTRA_DIST += $(hsm_tests) tests/lib/hw.sh tests/lib/hsm.sh

check_PROGRAMS += tests/unit/test_attest tests/fuzz/fuzz_attest
TESTS += tests/unit/test_attest tests/fuzz/fuzz_attest
tests_unit_test_attest_SOURCES = tests/unit/test_attest.c
tests_unit_test_attest_LDADD = libattest.a $(TESTKEY_LIBS) $(BASE_LIBS)
tests_fuzz_fuzz_attest_SOURCES = tests/fuzz/fuzz_attest.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_attest_LDADD = libattest.a $(TESTKEY_LIBS) $(BASE_LIBS)
EXTRA_DIST += tests/fuzz/corpus/attest

# Not a test: tests/int/hsm-bench runs it.
check_PROGRAMS += tests/int/hsm_bench tests/int/hsm_bench_uncured
tests_int_hsm_bench_SOURCES = tests/int/hsm_bench.c
tests_int_hsm_bench_CFLAGS = $(AM_CFLAGS) $(TSS_CFLAGS)
tests_int_hsm_bench_LDADD = $(HSM_LIBS) $(BASE_LIBS)
tests_int_hsm_bench_uncured_SOURCES = tests/int/hsm_bench.c tests/fake/ossl_uncured.c
tests_int_hsm_bench_uncured_CFLAGS = $(AM_CFLAGS) $(TSS_CFLAGS)
tests_int_hsm_bench_uncured_LDADD = $(HSM_LIBS) $(BASE_LIBS)
EXTRA_DIST += tests/int/hsm-bench

check_PROGRAMS += tests/unit/test_tpm_tcti
TESTS += tests/unit/test_tpm_tcti
tests_unit_test_tpm_tcti_SOURCES = tests/unit/test_tpm_tcti.c
tests_unit_test_tpm_tcti_LDADD = $(HSM_LIBS) $(BASE_LIBS)
