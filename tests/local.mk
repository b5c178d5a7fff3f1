# Each part's tests have a fragment of their own.
check_LIBRARIES =
EXTRA_PROGRAMS =
EXTRA_DIST += tests/unit/check.h
include tests/base.mk
include tests/store.mk
include tests/policy.mk
include tests/keeper.mk
include tests/core.mk
include tests/supervisor.mk
include tests/bus.mk
include tests/hsm.mk
include tests/attest.mk
include tests/target.mk
include tests/link.mk
include tests/story.mk
include tests/appraisal.mk
include tests/audit.mk
include tests/bench.mk
include tests/verifier.mk
include tests/peers.mk
include tests/kube.mk
include tests/operators.mk

# A test that hangs has failed. The longest takes half a minute on two cores, and some times that under the sanitizers.
LOG_COMPILER = timeout
AM_LOG_FLAGS = --kill-after=20 400
