# scripts/bench. No tests: figures depend on the machine, and make check neither builds nor runs them.
EXTRA_PROGRAMS += tests/bench/bench_primitive tests/bench/bench_load tests/bench/bench_sink tests/kube/kube_bench tests/kube/drifting
EXTRA_DIST += scripts/bench scripts/lib/bench.awk scripts/lib/bench-verifier scripts/lib/bench-kubernetes
BENCH_MEASURE = tests/bench/measure.c tests/bench/measure.h
BENCH_AGENTS = tests/bench/agents.c tests/bench/agents.h $(BENCH_MEASURE) tests/kube/contracts.c tests/kube/contracts.h \
	tests/unit/testkey.c tests/unit/testkey.h
tests_bench_bench_primitive_SOURCES = tests/bench/bench_primitive.c tests/bench/primitives.h tests/bench/primitive_commit.c \
	tests/bench/primitive_crypto.c tests/bench/primitive_hops.c tests/bench/primitive_https.c tests/bench/primitive_tpm.c $(BENCH_MEASURE) \
	tests/unit/testkey.c tests/unit/testkey.h
tests_bench_bench_primitive_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
tests_bench_bench_primitive_LDADD = libattest.a $(HSM_LIBS) $(BUS_TLS_LIBS) liblink.a libstore.a libmint.a libtarget.a libentry.a libmerkle.a \
	$(CONFIG_LIBS) $(NNG_LIBS) $(SQLITE_LIBS) $(CURL_LIBS)
tests_bench_bench_load_SOURCES = tests/bench/bench_load.c $(BENCH_AGENTS)
tests_bench_bench_load_LDADD = $(HSM_LIBS) libbus.a $(POLICY_LIBS) $(NNG_LIBS)
tests_bench_bench_sink_SOURCES = tests/bench/bench_sink.c
tests_bench_bench_sink_LDADD = -lssl $(CRYPTO_LIBS)
# On a cluster: what drives its stories and its bench (scripts/check-kubernetes, scripts/bench --kubernetes).
tests_kube_drifting_SOURCES = tests/kube/drifting.c tests/kube/cluster.c tests/kube/cluster.h $(BENCH_AGENTS)
tests_kube_drifting_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
tests_kube_drifting_LDADD = $(HSM_LIBS) libbus.a $(POLICY_LIBS) $(NNG_LIBS) $(CURL_LIBS)
tests_kube_kube_bench_SOURCES = tests/kube/kube_bench.c tests/kube/cluster.c tests/kube/cluster.h tests/kube/contracts.c tests/kube/contracts.h \
	$(BENCH_MEASURE)
tests_kube_kube_bench_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
tests_kube_kube_bench_LDADD = libscope.a $(HSM_LIBS) $(POLICY_LIBS) libmint.a libtarget.a $(CONFIG_LIBS) $(CURL_LIBS)
bench: $(sbin_PROGRAMS) $(bin_PROGRAMS) $(pkglibexec_PROGRAMS) tests/bench/bench_primitive$(EXEEXT) tests/bench/bench_load$(EXEEXT) \
	tests/bench/bench_sink$(EXEEXT) tests/fake/slow_tpm$(EXEEXT) tests/fake/lying_door$(EXEEXT)
.PHONY: bench
