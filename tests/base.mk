check_LIBRARIES += tests/unit/libtestkey.a
tests_unit_libtestkey_a_SOURCES = tests/unit/testkey.c tests/unit/testkey.h
TESTKEY_LIBS = tests/unit/libtestkey.a

base_tests = tests/unit/test_base_bytes tests/unit/test_base_process tests/unit/test_base_json tests/unit/test_base_pubkey \
	tests/unit/test_base_jws tests/unit/test_base_field
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
tests_unit_test_base_bytes_SOURCES = tests/unit/test_base_bytes.c
tests_unit_test_base_bytes_LDADD = $(BASE_LIBS)
tests_unit_test_base_process_SOURCES = tests/unit/test_base_process.c
tests_unit_test_base_process_LDADD = $(BASE_LIBS)
tests_unit_test_base_json_SOURCES = tests/unit/test_base_json.c
tests_unit_test_base_json_LDADD = $(BASE_LIBS)
tests_unit_test_base_pubkey_SOURCES = tests/unit/test_base_pubkey.c
tests_unit_test_base_pubkey_LDADD = $(TESTKEY_LIBS) $(BASE_LIBS)
tests_unit_test_base_jws_SOURCES = tests/unit/test_base_jws.c
tests_unit_test_base_jws_LDADD = $(TESTKEY_LIBS) $(BASE_LIBS)
tests_unit_test_base_field_SOURCES = tests/unit/test_base_field.c
tests_unit_test_base_field_LDADD = $(BASE_LIBS)

# A harness is one file beside the driver; with clang -fsanitize=fuzzer in its place it searches on its own.
FUZZ_DRIVER = tests/fuzz/replay.c tests/fuzz/fuzz.h
base_fuzz = tests/fuzz/fuzz_json tests/fuzz/fuzz_jws
check_PROGRAMS += $(base_fuzz)
TESTS += $(base_fuzz)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_json_LDADD = $(BASE_LIBS)
tests_fuzz_fuzz_jws_SOURCES = tests/fuzz/fuzz_jws.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_jws_LDADD = $(BASE_LIBS)
EXTRA_DIST += tests/fuzz/corpus/json tests/fuzz/corpus/jws
