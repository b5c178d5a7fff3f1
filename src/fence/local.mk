# What sebctl fence and sab fence are made of.
noinst_LIBRARIES += libsebctlfence.a libsabfence.a
libsebctlfence_a_SOURCES = src/sebctl/sebctl.h src/sebctl/fence.c src/sebctl/fence_check.c \
	src/fence/kubernetes_check.c src/fence/kubernetes_check.h src/fence/haproxy.c src/fence/haproxy.h \
	src/fence/files.c src/fence/files.h
libsabfence_a_SOURCES = src/sab/sab.h src/sab/fence.c src/sab/fence.h src/sab/fence_haproxy.c src/sab/fence_kubernetes.c \
	src/sab/fence_trust.c src/sab/fence_trust.h \
	src/fence/runtime.c src/fence/runtime.h src/fence/files.c src/fence/files.h
SEBCTL_FENCE_LIBS = libsebctlfence.a libsebconfig.a $(KUBE_LIBS)
SAB_FENCE_LIBS = libsabfence.a libattest.a $(MERKLE_LIBS) $(KUBE_LIBS)
