# src/target, the runner, the fence.
EXTRA_DIST += tests/lib/fence.sh
check_PROGRAMS += tests/int/fence_tool
tests_int_fence_tool_SOURCES = tests/int/fence_tool.c
tests_int_fence_tool_LDADD = libsebctlfence.a libsabfence.a $(CONFIG_LIBS)
EXTRA_DIST += tests/lib/token.sh tests/int/fence-attacks
TESTS += tests/int/fence-attacks
check_PROGRAMS += tests/int/call_driver
tests_int_call_driver_SOURCES = tests/int/call_driver.c
tests_int_call_driver_LDADD = $(CALL_LIBS)
EXTRA_DIST += tests/int/call-engine tests/fake/odd_server.py
TESTS += tests/int/call-engine
