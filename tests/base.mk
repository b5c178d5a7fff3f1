check_LIBRARIES += tests/unit/libtestkey.a
tests_unit_libtestkey_a_SOURCES = tests/unit/testkey.c tests/unit/testkey.h
TESTKEY_LIBS = tests/unit/libtestkey.a
