# src/kube, and what sab and sebctl make of a cluster: without one. With one: tests/kube/operators-tools.
check_PROGRAMS += tests/unit/test_kubeconfig
TESTS += tests/unit/test_kubeconfig
tests_unit_test_kubeconfig_SOURCES = tests/unit/test_kubeconfig.c tests/unit/check.h
tests_unit_test_kubeconfig_LDADD = $(KUBE_LIBS)
check_PROGRAMS += tests/unit/test_kube_patch
TESTS += tests/unit/test_kube_patch
tests_unit_test_kube_patch_SOURCES = tests/unit/test_kube_patch.c tests/unit/check.h
tests_unit_test_kube_patch_LDADD = $(KUBE_LIBS)
EXTRA_DIST += tests/kube/operators-tools tests/lib/fields-agree
TESTS += tests/int/kube-client
EXTRA_DIST += tests/int/kube-client tests/fake/odd_api_server.py
check_PROGRAMS += tests/unit/test_contract_kubernetes
TESTS += tests/unit/test_contract_kubernetes
tests_unit_test_contract_kubernetes_SOURCES = tests/unit/test_contract_kubernetes.c src/sab/contract_compose.c \
	src/sab/contract_kubernetes.h src/fence/kubernetes_check.c src/fence/kubernetes_check.h tests/unit/check.h
tests_unit_test_contract_kubernetes_LDADD = libpolicy.a $(KUBE_LIBS)
check_PROGRAMS += tests/fuzz/fuzz_kubeconfig
TESTS += tests/fuzz/fuzz_kubeconfig
tests_fuzz_fuzz_kubeconfig_SOURCES = tests/fuzz/fuzz_kubeconfig.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_kubeconfig_LDADD = $(KUBE_LIBS)
EXTRA_DIST += tests/fuzz/corpus/kubeconfig
