# src/target, the runner, the fence.
EXTRA_DIST += tests/lib/fence.sh
check_PROGRAMS += tests/int/fence_tool
tests_int_fence_tool_SOURCES = tests/int/fence_tool.c
tests_int_fence_tool_LDADD = libsebctlfence.a libsabfence.a $(CONFIG_LIBS)
EXTRA_DIST += tests/lib/token.sh tests/int/fence-attacks
TESTS += tests/int/fence-attacks
