# Whole daemons on real parts, each with a stand of its own.
stories = \
	tests/story/advances-the-epoch \
	tests/story/approved-by-two \
	tests/story/attested-or-nothing \
	tests/story/does-a-thing-once \
	tests/story/fails-closed \
	tests/story/leaves-the-approved-state \
	tests/story/names-a-log-copied-back \
	tests/story/never-refuses-honest-work \
	tests/story/outlives-kill-9 \
	tests/story/rekeys-and-goes-on \
	tests/story/replaces-keys-without-policy \
	tests/story/refuses-by-each-predicate-alone \
	tests/story/replays-the-machines-logs \
	tests/story/survives-a-full-disk
TESTS += $(stories)
EXTRA_DIST += $(stories) tests/lib/stand.sh tests/lib/verifier.sh tests/lib/story.sh tests/lib/wiretap tests/lib/shared-tpm tests/lib/entries
EXTRA_DIST += scripts/check scripts/soak scripts/demo scripts/layers scripts/lint scripts/lib/common.sh scripts/lib/count.sh

TESTS += tests/int/powers tests/int/lint-breaks
EXTRA_DIST += tests/int/powers tests/int/lint-breaks .clang-format .ci/run README.md

check_PROGRAMS += tests/story/honest_work
tests_story_honest_work_SOURCES = tests/story/honest_work.c tests/bench/agents.c tests/bench/agents.h tests/bench/measure.c \
	tests/bench/measure.h tests/unit/testkey.c tests/unit/testkey.h
tests_story_honest_work_LDADD = $(HSM_LIBS) libbus.a $(POLICY_LIBS) $(NNG_LIBS)
