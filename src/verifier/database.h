/* The verifier's database itself: the file, its schema, and one run of one of its statements. What the rows mean is state.c's. */
#ifndef SEB_VERIFIER_DATABASE_H
#define SEB_VERIFIER_DATABASE_H

#include "base/digest.h"

struct state; /* state.h */
struct sqlite3_stmt;

/* A row of `statements` (database.c) each. */
enum sql_statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_DATA_VERSION,
    SQL_FORGET_PENDING,
    SQL_ENROL,
    SQL_REPLACE_ACTIVE,
    SQL_CONFIRM,
    SQL_WITHDRAW,
    SQL_DELIVERED,
    SQL_DOMAIN_OTHERS,
    SQL_ENROLMENT,
    SQL_ENROLMENT_DOCUMENTS,
    SQL_ENROLMENT_AFTER,
    SQL_ENROLMENT_BEFORE,
    SQL_KNOWN,
    SQL_KNOW,
    SQL_RESULT_PUT,
    SQL_RESULT_SENT,
    SQL_RESULT,
    SQL_ACKNOWLEDGED,
    SQL_STATEMENTS
};

/* One run of a statement: values are bound in the order of its parameters and must live until the run ends, with its scope. What
 * fails while binding is said by sql_step. */
struct sql_run {
    struct state *s;
    struct sqlite3_stmt *st;
    int bound, rc;
};
struct sql_run sql_run(struct state *s, enum sql_statement which);
void sql_run_end(struct sql_run *r);
#define AUTO_SQL __attribute__((cleanup(sql_run_end))) struct sql_run
void sql_number(struct sql_run *r, int64_t v);
void sql_text(struct sql_run *r, struct span v);
void sql_name(struct sql_run *r, const char *v);
void sql_bytes(struct sql_run *r, struct span v);
/* *ret_row: there is one, which is read below. disk, invariant, unsupported, no_memory. */
MUST_USE result sql_step(struct sql_run *r, bool *ret_row);
/* Of a statement without rows; *ret_changed (may be NULL): how many it wrote. */
MUST_USE result sql_finish(struct sql_run *r, int *ret_changed);
MUST_USE result sql_one_number(struct sql_run *r, int64_t *ret);
int64_t sql_number_at(const struct sql_run *r, int column);
struct span sql_bytes_at(const struct sql_run *r, int column); /* until the next step */
MUST_USE result sql_text_at(const struct sql_run *r, int column, char *to, size_t room);
MUST_USE result sql_digest_at(const struct sql_run *r, int column, struct digest *ret);

#endif
