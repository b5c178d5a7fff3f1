# src/config, the supervisor and sebctl.
check_PROGRAMS += tests/unit/test_config
TESTS += tests/unit/test_config
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_LDADD = $(CONFIG_LIBS)
check_PROGRAMS += tests/fake/child_double
tests_fake_child_double_SOURCES = tests/fake/child_double.c src/child/child.c
tests_fake_child_double_LDADD = liblink.a $(CONFIG_LIBS)
EXTRA_DIST += tests/int/supervisor tests/int/sebctl tests/story/starts-stops-and-dies-as-one
TESTS += tests/int/supervisor tests/int/sebctl tests/story/starts-stops-and-dies-as-one
check_PROGRAMS += tests/fuzz/fuzz_config
TESTS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_config_LDADD = $(CONFIG_LIBS)
EXTRA_DIST += tests/fuzz/corpus/config
