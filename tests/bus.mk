bus_tests = tests/unit/test_bus_frame tests/unit/test_bus_peers tests/unit/test_bus_sp
check_PROGRAMS += $(bus_tests)
TESTS += $(bus_tests)
tests_unit_test_bus_frame_SOURCES = tests/unit/test_bus_frame.c
tests_unit_test_bus_frame_LDADD = libbus.a $(BASE_LIBS)
tests_unit_test_bus_sp_SOURCES = tests/unit/test_bus_sp.c
tests_unit_test_bus_sp_LDADD = libbus.a $(BASE_LIBS)
tests_unit_test_bus_peers_SOURCES = tests/unit/test_bus_peers.c
tests_unit_test_bus_peers_LDADD = libbus.a $(BASE_LIBS)

check_PROGRAMS += tests/int/test_bus_server
TESTS += tests/int/test_bus_server
tests_int_test_bus_server_SOURCES = tests/int/test_bus_server.c tests/int/bus_room.c tests/int/bus_room.h
tests_int_test_bus_server_LDADD = $(BUS_TLS_LIBS) $(BASE_LIBS)

check_PROGRAMS += tests/unit/test_front_parse tests/int/test_front
TESTS += tests/unit/test_front_parse tests/int/test_front
tests_unit_test_front_parse_SOURCES = tests/unit/test_front_parse.c tests/unit/busframes.c tests/unit/busframes.h \
	src/front/parse.c src/front/parse.h
tests_unit_test_front_parse_LDADD = libbus.a liblink.a $(TESTKEY_LIBS) $(BASE_LIBS)
tests_int_test_front_SOURCES = tests/int/test_front.c tests/int/strangers.c tests/int/strangers.h tests/unit/busframes.c tests/unit/busframes.h \
	tests/fake/front_stand.c tests/fake/front_stand.h
tests_int_test_front_LDADD = $(BUS_TLS_LIBS) liblink.a libsebconfig.a $(TESTKEY_LIBS) $(BASE_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_frame
TESTS += tests/fuzz/fuzz_frame
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c $(FUZZ_DRIVER) src/front/parse.c src/front/parse.h
tests_fuzz_fuzz_frame_LDADD = libbus.a liblink.a $(BASE_LIBS)
EXTRA_DIST += tests/fuzz/corpus/frame

check_PROGRAMS += tests/unit/test_submit_reply
TESTS += tests/unit/test_submit_reply
tests_unit_test_submit_reply_SOURCES = tests/unit/test_submit_reply.c tests/unit/busframes.c tests/unit/busframes.h \
	src/submit/reply.c src/submit/reply.h
tests_unit_test_submit_reply_LDADD = libbus.a libmerkle.a $(TESTKEY_LIBS) $(BASE_LIBS)

check_PROGRAMS += tests/int/test_submit
TESTS += tests/int/test_submit tests/int/seb-submit
tests_int_test_submit_SOURCES = tests/int/test_submit.c tests/unit/busframes.c tests/unit/busframes.h \
	tests/fake/front_stand.c tests/fake/front_stand.h
tests_int_test_submit_LDADD = libbus.a liblink.a libsebconfig.a $(TESTKEY_LIBS) $(BASE_LIBS)
EXTRA_DIST += tests/int/seb-submit tests/lib/manual.sh

check_PROGRAMS += tests/int/test_bus_tls
TESTS += tests/int/test_bus_tls
tests_int_test_bus_tls_SOURCES = tests/int/test_bus_tls.c tests/int/bus_room.c tests/int/bus_room.h \
	tests/int/strangers.c tests/int/strangers.h
tests_int_test_bus_tls_LDADD = $(BUS_TLS_LIBS) $(BASE_LIBS)
EXTRA_DIST += tests/lib/tls.sh
