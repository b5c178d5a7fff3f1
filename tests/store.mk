check_PROGRAMS += tests/unit/test_merkle tests/unit/test_checkpoint tests/unit/test_entry
TESTS += tests/unit/test_merkle tests/unit/test_checkpoint tests/unit/test_entry
tests_unit_test_merkle_SOURCES = tests/unit/test_merkle.c
tests_unit_test_merkle_LDADD = $(MERKLE_LIBS) $(BASE_LIBS)
tests_unit_test_checkpoint_SOURCES = tests/unit/test_checkpoint.c
tests_unit_test_checkpoint_LDADD = $(TESTKEY_LIBS) $(MERKLE_LIBS) $(BASE_LIBS)
tests_unit_test_entry_SOURCES = tests/unit/test_entry.c
tests_unit_test_entry_LDADD = $(ENTRY_LIBS) $(BASE_LIBS)
