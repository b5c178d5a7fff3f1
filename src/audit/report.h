/* What the audit says: findings, remarks, counts. One line each as they come, or one JSON object at the end. */
#ifndef SEB_AUDIT_REPORT_H
#define SEB_AUDIT_REPORT_H

#include "base/json.h"

enum finding {
#define FINDING(name, words) FOUND_##name,
#include "audit/findings.def"
#undef FINDING
    FINDINGS
};
enum remark {
#define REMARK(name, words) REMARK_##name,
#include "audit/remarks.def"
#undef REMARK
    REMARKS
};
const char *finding_name(enum finding f);
const char *finding_words(enum finding f);
const char *remark_name(enum remark r);

/* Where: a record by its index, a checkpoint by its size, a line of another file, or neither. */
struct where {
    enum { AT_RECORD, AT_SIZE, AT_FILE, AT_LINE } kind;
    uint64_t n;
    const char *file; /* of a line: as the command line names it */
};
static inline struct where at_record(uint64_t index)
{
    return (struct where){ .kind = AT_RECORD, .n = index };
}
static inline struct where at_size(uint64_t size)
{
    return (struct where){ .kind = AT_SIZE, .n = size };
}
static inline struct where at_file(void)
{
    return (struct where){ .kind = AT_FILE };
}
static inline struct where at_line(const char *file, uint64_t number)
{
    return (struct where){ .kind = AT_LINE, .n = number, .file = file };
}

/* Of one name so many lines are printed (and listed in JSON); the rest is counted. Findings of a report that names all of them are
 * printed as they come, in JSON too, so that their number costs no memory. */
#define REPORT_LINES 20

struct report {
    /* In place of lines and lists, where it is set: each finding as it comes. */
    void (*hear)(void *ctx, enum finding f, struct where at, const char *about);
    void *hears;
    bool json, all;
    bool began; /* with all and json: a finding was printed */
    json_t *list, *remarks; /* with json */
    uint64_t found[FINDINGS], remarked[REMARKS];
    uint64_t findings;
};
MUST_USE result report_open(struct report *r, bool json, bool all);
void report_close(struct report *r);
/* `about` is more about this one case: a file's name, what was wanted; never a peer's raw bytes. */
void report_found(struct report *r, enum finding f, struct where at, const char *about, ...) __attribute__((format(printf, 4, 5)));
void report_remark(struct report *r, enum remark m, struct where at, const char *about, ...) __attribute__((format(printf, 4, 5)));

struct cover; /* audit/cover.h */

/* What the whole came to. */
struct summary {
    const struct cover *cover; /* NULL: no audit log was asked about */
    uint64_t size, quoted_size; /* entries exported; covered by the newest quote that verifies */
    bool has_quote, expected; /* expected: --expect or --at-least was given */
    uint64_t clock_ms;
    uint32_t reset_count, restart_count;
    uint64_t runs, reads, decisions, permits, outcomes, finals, open, checkpoints, quotes, noise;
    uint64_t results, enrolments, keys, rekeys;
    uint64_t without_request, without_body; /* decisions that weren't judged again, or not in all */
};
enum { AUDIT_CLEAN = 0, AUDIT_FOUND = 1, AUDIT_USAGE = 2, AUDIT_UNREADABLE = 3, AUDIT_PARTIAL = 4 };
/* cover_say.c: what an audit log came to, as lines or as a member `coverage`; and whether it doesn't reach over all that was asked.
 */
void cover_print(const struct cover *c);
MUST_USE result cover_json(const struct cover *c, json_t *o);
bool cover_is_partial(const struct cover *c);
/* Prints it and returns the exit code. */
int report_summary(struct report *r, const struct summary *s);
/* Says on stderr what is wrong with the command or this machine; returns exit_code. */
int audit_complain(int exit_code, const char *what, result r);

#endif
