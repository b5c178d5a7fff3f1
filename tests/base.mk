check_LIBRARIES += tests/unit/libtestkey.a
tests_unit_libtestkey_a_SOURCES = tests/unit/testkey.c tests/unit/testkey.h
TESTKEY_LIBS = tests/unit/libtestkey.a

check_PROGRAMS += tests/unit/test_base_bytes tests/unit/test_base_process tests/unit/test_base_json
TESTS += tests/unit/test_base_bytes tests/unit/test_base_process tests/unit/test_base_json
tests_unit_test_base_bytes_SOURCES = tests/unit/test_base_bytes.c
tests_unit_test_base_bytes_LDADD = $(BASE_LIBS)
tests_unit_test_base_process_SOURCES = tests/unit/test_base_process.c
tests_unit_test_base_process_LDADD = $(BASE_LIBS)
tests_unit_test_base_json_SOURCES = tests/unit/test_base_json.c
tests_unit_test_base_json_LDADD = $(BASE_LIBS)
