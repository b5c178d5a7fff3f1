# attest/: approvals and logs. Its quotes are tested with hsm/.
check_PROGRAMS += tests/int/attested_driver
tests_int_attested_driver_SOURCES = tests/int/attested_driver.c
tests_int_attested_driver_LDADD = libattest.a $(BASE_LIBS)
TESTS += tests/int/attested-by-a-tpm
EXTRA_DIST += tests/int/attested-by-a-tpm
TESTS += tests/int/sab-approves
EXTRA_DIST += tests/int/sab-approves
