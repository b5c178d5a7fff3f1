# src/tools
# sebctl fence, sab fence.
noinst_LIBRARIES += libsebctlfence.a libsabfence.a
libsebctlfence_a_SOURCES = src/tools/sebctl.h src/tools/sebctl_fence.c src/tools/fence_haproxy.c src/tools/fence_haproxy.h
libsabfence_a_SOURCES = src/tools/sab.h src/tools/sab_fence.c src/tools/runtime.c src/tools/runtime.h
SEBCTL_FENCE_LIBS = libsebctlfence.a $(CONFIG_LIBS)
SAB_FENCE_LIBS = libsabfence.a $(BASE_LIBS)
