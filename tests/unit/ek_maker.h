/* A manufacturer with one P-256 EK, in software: for tests of what is behind the chain. */
#ifndef SEB_TESTS_EK_MAKER_H
#define SEB_TESTS_EK_MAKER_H

#include "base/bytes.h"

#define TEST_EK_NOW INT64_C(1790000000) /* its certificates are good a day around it */

struct test_ek;
struct test_ek *test_ek_new(void); /* aborts where it can't */
void test_ek_free(struct test_ek *k);
struct span test_ek_root(const struct test_ek *k); /* PEM */
struct span test_ek_certificate(const struct test_ek *k); /* DER */
struct span test_ek_public(const struct test_ek *k); /* TPMT_PUBLIC of the TCG's template L-2 */

#endif
