# src/kube: a Kubernetes API server, for operators' and authorities' tools. No process of sebd links it.
noinst_LIBRARIES += libkube.a
libkube_a_SOURCES = \
	src/kube/apply.c \
	src/kube/client.c src/kube/client.h \
	src/kube/discover.c src/kube/discover.h \
	src/kube/kubeconfig.c src/kube/kubeconfig.h \
	src/kube/patch.c src/kube/patch.h src/kube/strategic.c \
	src/kube/trouble.c src/kube/trouble.h \
	src/kube/visible.c src/kube/visible.h src/kube/visible_defaults.c \
	src/kube/yaml.c src/kube/yaml.h
libkube_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(YAML_CFLAGS)
KUBE_LIBS = libkube.a $(BASE_LIBS) $(CURL_LIBS) $(YAML_LIBS)
