# src/target, the runner, the fence.
check_PROGRAMS += tests/unit/test_target tests/unit/test_runner_plan tests/int/call_driver tests/int/runner_driver
tests_unit_test_target_SOURCES = tests/unit/test_target.c tests/unit/check.h
tests_unit_test_target_LDADD = $(TARGET_LIBS)
check_PROGRAMS += tests/unit/test_call_head
TESTS += tests/unit/test_call_head
tests_unit_test_call_head_SOURCES = tests/unit/test_call_head.c tests/unit/check.h
tests_unit_test_call_head_LDADD = $(CALL_LIBS)
tests_unit_test_runner_plan_SOURCES = tests/unit/test_runner_plan.c src/runner/plan.c src/runner/runner.h tests/unit/check.h
tests_unit_test_runner_plan_LDADD = libtarget.a liblink.a libsebconfig.a $(BASE_LIBS)
tests_int_call_driver_SOURCES = tests/int/call_driver.c
tests_int_call_driver_LDADD = $(CALL_LIBS)
tests_int_runner_driver_SOURCES = tests/int/runner_driver.c
tests_int_runner_driver_LDADD = liblink.a libsebconfig.a $(BASE_LIBS)
TESTS += tests/unit/test_target tests/unit/test_runner_plan tests/int/call-engine tests/int/call-engine-http2 tests/int/runner tests/int/runner-kubernetes tests/int/fence-attacks
EXTRA_DIST += tests/lib/fence.sh tests/lib/token.sh tests/fake/odd_server.py tests/fake/odd_http2.py \
	tests/int/call-engine tests/int/call-engine-http2 tests/int/runner tests/int/runner-kubernetes tests/int/fence-attacks

# A measurement, not a test: tests/int/call-bench.
check_PROGRAMS += tests/int/call_bench
tests_int_call_bench_SOURCES = tests/int/call_bench.c
tests_int_call_bench_LDADD = $(CALL_LIBS)
EXTRA_DIST += tests/int/call-bench

check_PROGRAMS += tests/unit/test_fence_haproxy
TESTS += tests/unit/test_fence_haproxy
tests_unit_test_fence_haproxy_SOURCES = tests/unit/test_fence_haproxy.c tests/unit/check.h
tests_unit_test_fence_haproxy_LDADD = $(TESTKEY_LIBS) $(SEBCTL_FENCE_LIBS)
check_PROGRAMS += tests/unit/test_fence_kubernetes
TESTS += tests/unit/test_fence_kubernetes
tests_unit_test_fence_kubernetes_SOURCES = tests/unit/test_fence_kubernetes.c tests/unit/check.h
tests_unit_test_fence_kubernetes_LDADD = $(TESTKEY_LIBS) $(SEBCTL_FENCE_LIBS)

kubernetes_tests = tests/unit/test_target_kubernetes tests/unit/test_target_kubernetes_texts \
	tests/unit/test_target_kubernetes_answers
check_PROGRAMS += $(kubernetes_tests)
TESTS += $(kubernetes_tests)
tests_unit_test_target_kubernetes_SOURCES = tests/unit/test_target_kubernetes.c tests/unit/check.h
tests_unit_test_target_kubernetes_LDADD = $(TARGET_LIBS)
tests_unit_test_target_kubernetes_texts_SOURCES = tests/unit/test_target_kubernetes_texts.c tests/unit/check.h
tests_unit_test_target_kubernetes_texts_LDADD = $(TARGET_LIBS)
tests_unit_test_target_kubernetes_answers_SOURCES = tests/unit/test_target_kubernetes_answers.c tests/unit/check.h
tests_unit_test_target_kubernetes_answers_LDADD = $(TARGET_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_kubernetes
TESTS += tests/fuzz/fuzz_kubernetes
tests_fuzz_fuzz_kubernetes_SOURCES = tests/fuzz/fuzz_kubernetes.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_kubernetes_LDADD = $(TARGET_LIBS)
EXTRA_DIST += tests/fuzz/corpus/kubernetes
