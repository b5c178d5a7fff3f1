bus_tests = tests/unit/test_bus_frame tests/unit/test_bus_peers
check_PROGRAMS += $(bus_tests)
TESTS += $(bus_tests)
tests_unit_test_bus_frame_SOURCES = tests/unit/test_bus_frame.c
tests_unit_test_bus_frame_LDADD = libbus.a $(BASE_LIBS)
tests_unit_test_bus_peers_SOURCES = tests/unit/test_bus_peers.c
tests_unit_test_bus_peers_LDADD = libbus.a $(BASE_LIBS)

check_PROGRAMS += tests/int/test_bus_server
TESTS += tests/int/test_bus_server
tests_int_test_bus_server_SOURCES = tests/int/test_bus_server.c tests/int/bus_room.c tests/int/bus_room.h
tests_int_test_bus_server_LDADD = libbus.a $(BASE_LIBS) $(NNG_LIBS)
