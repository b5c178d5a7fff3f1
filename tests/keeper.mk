# src/mint and the keeper.
check_PROGRAMS += tests/unit/test_mint
TESTS += tests/unit/test_mint
tests_unit_test_mint_SOURCES = tests/unit/test_mint.c tests/unit/check.h
tests_unit_test_mint_LDADD = $(TESTKEY_LIBS) libmint.a $(BASE_LIBS)
