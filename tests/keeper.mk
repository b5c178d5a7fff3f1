# src/mint and the keeper.
check_PROGRAMS += tests/unit/test_mint
TESTS += tests/unit/test_mint
tests_unit_test_mint_SOURCES = tests/unit/test_mint.c tests/unit/check.h
tests_unit_test_mint_LDADD = $(TESTKEY_LIBS) libmint.a $(BASE_LIBS)

check_PROGRAMS += tests/unit/test_scope
TESTS += tests/unit/test_scope
tests_unit_test_scope_SOURCES = tests/unit/test_scope.c tests/unit/check.h
tests_unit_test_scope_LDADD = libmint.a libscope.a libtarget.a $(POLICY_LIBS)

check_PROGRAMS += tests/unit/test_keeper_memory
TESTS += tests/unit/test_keeper_memory
tests_unit_test_keeper_memory_SOURCES = tests/unit/test_keeper_memory.c src/keeper/memory.c src/keeper/memory.h
tests_unit_test_keeper_memory_LDADD = $(BASE_LIBS)

# A real keeper, and around it a test that plays the other processes.
check_LIBRARIES += tests/int/libkeeperroom.a
tests_int_libkeeperroom_a_SOURCES = src/child/child.c tests/int/keeper_make.c tests/int/keeper_verifier.c tests/int/keeper_room.c tests/int/keeper_room.h
KEEPER_TEST_LIBS = tests/int/libkeeperroom.a tests/unit/libpolicyworld.a $(TESTKEY_LIBS) $(HSM_LIBS) libattest.a libpolicy.a libentry.a \
	libmerkle.a liblink.a libsebconfig.a $(BASE_LIBS)
check_PROGRAMS += tests/int/test_keeper_fallen_core
tests_int_test_keeper_fallen_core_SOURCES = tests/int/test_keeper_fallen_core.c tests/int/keeper_objects.c tests/int/keeper_plays.c tests/int/keeper_plays.h
tests_int_test_keeper_fallen_core_LDADD = $(KEEPER_TEST_LIBS)
check_PROGRAMS += tests/int/test_keeper_hardware tests/fake/slow_tpm
tests_int_test_keeper_hardware_SOURCES = tests/int/test_keeper_hardware.c
tests_int_test_keeper_hardware_LDADD = $(KEEPER_TEST_LIBS)
tests_fake_slow_tpm_SOURCES = tests/fake/slow_tpm.c
tests_fake_slow_tpm_LDADD = $(BASE_LIBS)
check_PROGRAMS += tests/int/test_keeper_attested
tests_int_test_keeper_attested_SOURCES = tests/int/test_keeper_attested.c tests/int/keeper_plays.c tests/int/keeper_plays.h
tests_int_test_keeper_attested_LDADD = $(KEEPER_TEST_LIBS)
check_PROGRAMS += tests/int/test_keeper_fallen
tests_int_test_keeper_fallen_SOURCES = tests/int/test_keeper_fallen.c src/keeper/approvals.c
tests_int_test_keeper_fallen_CFLAGS = $(AM_CFLAGS) $(TSS_CFLAGS)
tests_int_test_keeper_fallen_LDADD = $(KEEPER_TEST_LIBS)
keeper_tests = tests/int/keeper-fallen-core tests/int/keeper-hardware tests/int/keeper-attested tests/int/keeper-fallen
TESTS += $(keeper_tests)
EXTRA_DIST += $(keeper_tests)
