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
