# Each part's tests have a fragment of their own.
EXTRA_DIST += tests/unit/check.h
