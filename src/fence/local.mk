# What sebctl fence and sab fence are made of.
noinst_LIBRARIES += libsebctlfence.a libsabfence.a
libsebctlfence_a_SOURCES = src/sebctl/sebctl.h src/sebctl/fence.c src/sebctl/fence.h src/sebctl/fence_check.c \
	src/sebctl/fence_check.h src/sebctl/fence_check_kinds.c src/sebctl/fence_haproxy.c \
	src/sebctl/fence_kubernetes.c src/fence/haproxy.c src/fence/haproxy.h src/fence/files.c src/fence/files.h \
	src/fence/kubernetes.c src/fence/kubernetes.h src/fence/kubernetes_check.c src/fence/kubernetes_check.h \
	src/fence/kubernetes_text.h src/fence/kubernetes_words.c \
	src/fence/kubernetes_words.h src/fence/template.c src/fence/template.h src/fence/words.c src/fence/words.h
nodist_libsebctlfence_a_SOURCES = src/fence/kubernetes_text.c
libsabfence_a_SOURCES = src/sab/sab.h src/sab/fence.c src/sab/fence.h src/sab/fence_haproxy.c src/sab/fence_kubernetes.c \
	src/sab/fence_trust.c src/sab/fence_trust.h \
	src/fence/runtime.c src/fence/runtime.h src/fence/files.c src/fence/files.h
SEBCTL_FENCE_LIBS = libsebctlfence.a libsebconfig.a $(KUBE_LIBS)
SAB_FENCE_LIBS = libsabfence.a libattest.a $(MERKLE_LIBS) $(KUBE_LIBS)

# The cluster's files, for people to read, as lines of C.
FENCE_KUBERNETES_FILES = authentication.yaml issuer.yaml extra.yaml groups.yaml authorization.yaml nowhere.yaml \
	nowhere.kubeconfig fence.yaml
FENCE_KUBERNETES_TEXTS = $(FENCE_KUBERNETES_FILES:%=src/fence/kubernetes/%)
EXTRA_DIST += $(FENCE_KUBERNETES_TEXTS)
CLEANFILES += src/fence/kubernetes_text.c
src/fence/kubernetes_text.c: $(FENCE_KUBERNETES_TEXTS)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && { echo '#include "fence/kubernetes_text.h"'; \
	for file in $(FENCE_KUBERNETES_FILES); do \
	  echo "const char *const kubernetes_$$(echo $$file | tr . _)[] = {"; \
	  sed 's/[\\"]/\\&/g; s/.*/    "&\\n",/' $(srcdir)/src/fence/kubernetes/$$file && echo '    0 };' || exit 1; \
	done; } >$@.new && mv $@.new $@
