# seb-verifier
verifier_unit_tests = tests/unit/test_verifier_settings tests/unit/test_verifier_state
check_PROGRAMS += $(verifier_unit_tests)
TESTS += $(verifier_unit_tests)
tests_unit_test_verifier_settings_SOURCES = tests/unit/test_verifier_settings.c
tests_unit_test_verifier_settings_LDADD = $(VERIFIER_LIBS)
tests_unit_test_verifier_state_SOURCES = tests/unit/test_verifier_state.c
tests_unit_test_verifier_state_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_verifier_state_LDADD = $(VERIFIER_LIBS)

# A double of the broker's third door over a real TPM; it lies when it is told to.
check_PROGRAMS += tests/fake/lying_door
tests_fake_lying_door_SOURCES = tests/fake/lying_door.c tests/fake/lying_chip.c tests/fake/lying_chip.h
tests_fake_lying_door_LDADD = libattest.a libpolicy.a libmerkle.a libsebconfig.a $(HSM_LIBS) $(BUS_TLS_LIBS) $(BASE_LIBS)
verifier_int_tests = tests/int/verifier-appraises-offline tests/int/verifier-enrolment tests/int/verifier-witnesses
TESTS += $(verifier_int_tests)
EXTRA_DIST += $(verifier_int_tests) tests/lib/door.sh
