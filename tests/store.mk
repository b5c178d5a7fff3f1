store_tests = tests/unit/test_merkle tests/unit/test_checkpoint tests/unit/test_entry \
	tests/unit/test_store tests/unit/test_store_upgrade tests/unit/test_store_crash tests/unit/test_export
check_PROGRAMS += $(store_tests)
TESTS += $(store_tests)
tests_unit_test_merkle_SOURCES = tests/unit/test_merkle.c
tests_unit_test_merkle_LDADD = $(MERKLE_LIBS) $(BASE_LIBS)
tests_unit_test_checkpoint_SOURCES = tests/unit/test_checkpoint.c
tests_unit_test_checkpoint_LDADD = $(TESTKEY_LIBS) $(MERKLE_LIBS) $(BASE_LIBS)
tests_unit_test_entry_SOURCES = tests/unit/test_entry.c
tests_unit_test_entry_LDADD = $(ENTRY_LIBS) $(BASE_LIBS)

STORE_FIXTURE = tests/unit/store_fixture.c tests/unit/store_fixture.h
STORE_TEST_LIBS = $(TESTKEY_LIBS) $(STORE_LIBS) $(MERKLE_LIBS) $(BASE_LIBS)
tests_unit_test_store_SOURCES = tests/unit/test_store.c $(STORE_FIXTURE)
tests_unit_test_store_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_store_upgrade_SOURCES = tests/unit/test_store_upgrade.c $(STORE_FIXTURE)
tests_unit_test_store_upgrade_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_store_crash_SOURCES = tests/unit/test_store_crash.c $(STORE_FIXTURE)
tests_unit_test_store_crash_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_export_SOURCES = tests/unit/test_export.c $(STORE_FIXTURE)
tests_unit_test_export_LDADD = $(STORE_TEST_LIBS)

store_fuzz = tests/fuzz/fuzz_entry tests/fuzz/fuzz_note
check_PROGRAMS += $(store_fuzz)
TESTS += $(store_fuzz)
tests_fuzz_fuzz_entry_SOURCES = tests/fuzz/fuzz_entry.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_entry_LDADD = $(ENTRY_LIBS) $(BASE_LIBS)
tests_fuzz_fuzz_note_SOURCES = tests/fuzz/fuzz_note.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_note_LDADD = $(MERKLE_LIBS) $(BASE_LIBS)
EXTRA_DIST += tests/fuzz/corpus/entry tests/fuzz/corpus/note

# Not a test: figures depend on the machine.
EXTRA_PROGRAMS += tests/bench/bench_store
tests_bench_bench_store_SOURCES = tests/bench/bench_store.c $(STORE_FIXTURE)
tests_bench_bench_store_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/unit
tests_bench_bench_store_LDADD = $(STORE_TEST_LIBS)
