/* An audit run over an export in a test, and what it found. */
#ifndef SEB_TESTS_AUDITED_H
#define SEB_TESTS_AUDITED_H

#include "tests/unit/audit_world.h"
#include "tests/unit/check.h"
#include "audit/audit.h"

struct audited {
    struct audit a;
};
/* Audits folder/name with folder/trust.json; expect: a note's file or NULL. What fails in it (not: what it finds) aborts the test.
 */
void audited_run(const struct audit_world *w, const char *name, const char *expect, uint64_t at_least, struct audited *ret);
void audited_free(struct audited *a);

/* Whether it found this, there (a record's index, a checkpoint's size; NO_INDEX: anywhere). */
bool audited_found(const struct audited *a, enum finding f, uint64_t n);
bool audited_remarked(const struct audited *a, enum remark m, uint64_t n);
/* Prints what was found, as TAP comments. */
void audited_print(const struct audited *a);

/* Exports, audits, and checks that this was found there, and nothing else (`also` FINDINGS) or nothing but it and `also`. */
void check_lie(struct checks *c, struct audit_world *w, enum finding f, uint64_t n, enum finding also, const char *name);
/* The same of an export that is there already, for a test that changed its files: other findings may come with it. */
void check_tampered(
    struct checks *c, struct audit_world *w, const char *name_of_export, enum finding f, uint64_t n, const char *name);
void check_clean(struct checks *c, struct audit_world *w, const char *name_of_export, const char *name);

#endif
