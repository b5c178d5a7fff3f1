#ifndef SEB_TESTS_FUZZ_H
#define SEB_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* A harness: libFuzzer calls it (clang -fsanitize=fuzzer), or replay.c in `make check`. It aborts where a promise is broken. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
