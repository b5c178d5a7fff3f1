# seb-audit.
check_LIBRARIES += tests/unit/libauditworld.a
tests_unit_libauditworld_a_SOURCES = tests/unit/audit_world.c tests/unit/audit_world.h tests/unit/audit_keys.c \
	tests/unit/audit_attested.c tests/unit/audit_internal.h \
	tests/unit/audited.c tests/unit/audited.h tests/unit/audit_story.c tests/unit/audit_story.h
AUDIT_TEST_LIBS = tests/unit/libauditworld.a tests/unit/libpolicyworld.a $(TESTKEY_LIBS) libstore.a $(AUDIT_LIBS) $(SQLITE_LIBS)

audit_tests = tests/unit/test_audit_lies tests/unit/test_audit_presented tests/unit/test_audit_tampered tests/unit/test_audit_flips \
	tests/unit/test_audit_attested tests/unit/test_audit_keys tests/unit/test_audit_trace tests/unit/test_audit_cover tests/unit/test_audit_objects
check_PROGRAMS += $(audit_tests)
TESTS += $(audit_tests)
tests_unit_test_audit_lies_SOURCES = tests/unit/test_audit_lies.c
tests_unit_test_audit_lies_LDADD = $(AUDIT_TEST_LIBS)
tests_unit_test_audit_presented_SOURCES = tests/unit/test_audit_presented.c
tests_unit_test_audit_presented_LDADD = $(AUDIT_TEST_LIBS)
tests_unit_test_audit_tampered_SOURCES = tests/unit/test_audit_tampered.c
tests_unit_test_audit_tampered_LDADD = $(AUDIT_TEST_LIBS)
tests_unit_test_audit_flips_SOURCES = tests/unit/test_audit_flips.c
tests_unit_test_audit_flips_LDADD = $(AUDIT_TEST_LIBS)
tests_unit_test_audit_attested_SOURCES = tests/unit/test_audit_attested.c
tests_unit_test_audit_attested_LDADD = $(AUDIT_TEST_LIBS)
tests_unit_test_audit_keys_SOURCES = tests/unit/test_audit_keys.c
tests_unit_test_audit_keys_LDADD = $(AUDIT_TEST_LIBS)
tests_unit_test_audit_trace_SOURCES = tests/unit/test_audit_trace.c tests/unit/ek_maker.c tests/unit/ek_maker.h
tests_unit_test_audit_trace_LDADD = $(AUDIT_TEST_LIBS)
tests_unit_test_audit_cover_SOURCES = tests/unit/test_audit_cover.c tests/unit/cover_world.c tests/unit/cover_world.h
tests_unit_test_audit_cover_LDADD = $(AUDIT_TEST_LIBS)
tests_unit_test_audit_objects_SOURCES = tests/unit/test_audit_objects.c tests/unit/cover_world.c tests/unit/cover_world.h
tests_unit_test_audit_objects_LDADD = $(AUDIT_TEST_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_event
TESTS += tests/fuzz/fuzz_event
tests_fuzz_fuzz_event_SOURCES = tests/fuzz/fuzz_event.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_event_LDADD = $(AUDIT_LIBS)
EXTRA_DIST += tests/fuzz/corpus/event

TESTS += tests/int/auditing-by-hand
EXTRA_DIST += tests/int/auditing-by-hand docs/auditing.md
