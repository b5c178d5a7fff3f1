# A real core, and around it a test that plays the other processes.
check_PROGRAMS += tests/int/test_core
tests_int_test_core_SOURCES = tests/int/test_core.c tests/int/core_room.c tests/int/core_room.h tests/int/core_keeper.c tests/int/core_peers.c \
	src/child/child.c
tests_int_test_core_LDADD = tests/unit/libpolicyworld.a $(TESTKEY_LIBS) libattest.a libstore.a libpolicy.a libentry.a libmerkle.a \
	liblink.a libsebconfig.a $(BASE_LIBS) $(SQLITE_LIBS)
check_PROGRAMS += tests/int/test_core_objects
tests_int_test_core_objects_SOURCES = tests/int/test_core_objects.c tests/int/core_room.c tests/int/core_room.h tests/int/core_keeper.c \
	tests/int/core_peers.c src/child/child.c
tests_int_test_core_objects_LDADD = $(tests_int_test_core_LDADD)
TESTS += tests/int/core tests/int/core-objects
EXTRA_DIST += tests/int/core tests/int/core-objects
