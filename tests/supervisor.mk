# src/config, the supervisor and sebctl.
check_PROGRAMS += tests/unit/test_config
TESTS += tests/unit/test_config
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_LDADD = $(CONFIG_LIBS)
check_PROGRAMS += tests/fake/child_double
tests_fake_child_double_SOURCES = tests/fake/child_double.c src/broker/child.c
tests_fake_child_double_LDADD = liblink.a $(CONFIG_LIBS)
EXTRA_DIST += tests/int/supervisor tests/int/sebctl
TESTS += tests/int/supervisor tests/int/sebctl
