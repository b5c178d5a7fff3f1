/* The verifier's state: who is enrolled, what was seen, the last result. Two connections stand for the serving verifier and a
 * command. */
#include "config.h"

#include <stdlib.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "verifier/memory.h"

static char folder[] = "/tmp/seb-verifier-state.XXXXXX";
static char path[sizeof folder + 16];

static void must(result r)
{
    if (!is_ok(r))
        abort();
}

static void name_path(const char *file)
{
    AUTO_BUF text = BUF(sizeof path - 1);
    must(buf_printf(&text, "%s/%s", folder, file));
    must(span_copy_text(buf_span(&text), path, sizeof path));
}

static struct enrolment_row row_of(const char *name, const char *domain, bool local, uint8_t key)
{
    struct enrolment_row row = { .local = local, .activated = 1000 + key };
    must(span_copy_text(span_text(name), row.name, sizeof row.name));
    must(span_copy_text(span_text("seb-1"), row.instance, sizeof row.instance));
    must(span_copy_text(span_text(domain), row.domain, sizeof row.domain));
    row.ak.b[0] = row.ek.b[0] = row.record.b[0] = row.ak_name[2] = key;
    return row;
}

static result enrol(struct state *s, const struct enrolment_row *row)
{
    AUTO_ENROLMENT_DOCUMENTS d = enrolment_documents_empty();
    must(buf_text(&d.certificate, "certificate"));
    must(buf_text(&d.ak_jwk, "{}"));
    must(buf_text(&d.record_jwk, "[]"));
    must(state_begin(s));
    result r = state_enrol(s, row, &d);
    if (!is_ok(r))
        state_undo(s);
    return is_ok(r) ? state_commit(s) : r;
}

static result confirm(struct state *s, const char *name)
{
    must(state_begin(s));
    result r = state_confirm(s, name, 2000, span_text("statement"));
    if (!is_ok(r))
        state_undo(s);
    return is_ok(r) ? state_commit(s) : r;
}

static void test_enrolment(struct checks *c)
{
    AUTO_STATE *s = NULL, *command = NULL;
    struct stat st;
    struct enrolment_row row, a = row_of("a", "one.example", true, 1);
    AUTO_ENROLMENT_DOCUMENTS d = enrolment_documents_empty();
    int64_t before, after;
    name_path("enrolment.db");
    check_code(c, state_open(path, &s), E_ok, "a state is made");
    check_that(c, stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "for its owner alone");
    check_code(c, state_open(path, &command), E_ok, "a second connection opens");
    must(state_version(s, &before));
    check_code(c, enrol(command, &a), E_ok, "an instance is pending");
    must(state_version(s, &after));
    check_that(c, before != after, "the first connection sees that something changed");
    check_code(c, state_enrolment(s, "a", ENROLMENT_ACTIVE, &row), E_not_found, "it isn't active");
    check_code(c, state_enrolment(s, "a", ENROLMENT_PENDING, &row), E_ok, "but pending");
    check_that(c, row.ak.b[0] == 1 && row.activated == 1001 && row.local && !row.delivered, "as it was put");
    check_code(c, confirm(command, "b"), E_not_found, "what isn't pending can't be confirmed");
    check_code(c, confirm(command, "a"), E_ok, "it is confirmed");
    check_code(c, state_enrolment(s, "a", ENROLMENT_ACTIVE, &row), E_ok, "the first connection sees it");
    must(state_enrolment_documents(s, row.id, &d));
    check_that(c,
        span_is(buf_span(&d.statement), "statement") && span_is(buf_span(&d.certificate), "certificate") &&
            span_is(buf_span(&d.ak_jwk), "{}") && span_is(buf_span(&d.record_jwk), "[]"),
        "with its papers");
    must(state_delivered(s, row.id));
    must(state_enrolment(command, "a", ENROLMENT_ACTIVE, &row));
    check_that(c, row.delivered && row.decided == 2000, "delivered");
    check_code(c, confirm(command, "a"), E_not_found, "and not confirmed twice");
}

static void test_one_a_domain(struct checks *c)
{
    AUTO_STATE *s = NULL;
    struct enrolment_row a = row_of("a", "one.example", true, 1), b = row_of("b", "one.example", true, 2);
    struct enrolment_row shared = row_of("c", "one.example", false, 3), other = row_of("d", "two.example", true, 4), row;
    name_path("domain.db");
    must(state_open(path, &s));
    must(enrol(s, &a));
    must(enrol(s, &b));
    check_code(c, confirm(s, "a"), E_ok, "the first instance of a domain is confirmed");
    check_code(c, confirm(s, "b"), E_domain_taken, "a second one of a local ledger is refused");
    check_code(c, state_domain_free(s, "b", "one.example", true), E_domain_taken, "before it is enrolled, too");
    check_code(c, state_domain_free(s, "a", "one.example", true), E_ok, "the one itself may be enrolled anew");
    must(enrol(s, &shared));
    check_code(c, confirm(s, "c"), E_domain_taken, "and one that calls its ledger shared, beside a local one");
    must(enrol(s, &other));
    check_code(c, confirm(s, "d"), E_ok, "another domain is another matter");
    must(state_withdraw(s, "a", 3000));
    check_code(c, state_enrolment(s, "a", ENROLMENT_ACTIVE, &row), E_not_found, "the first is withdrawn");
    check_code(c, confirm(s, "b"), E_ok, "then the second is confirmed");
    check_code(c, state_withdraw(s, "a", 3001), E_not_found, "what is withdrawn can't be withdrawn");
}

static void test_replaced(struct checks *c)
{
    AUTO_STATE *s = NULL;
    bool more = true;
    unsigned n = 0, replaced = 0;
    struct enrolment_row a = row_of("a", "one.example", true, 1), again = row_of("a", "one.example", true, 2);
    struct enrolment_row third = row_of("a", "one.example", true, 3), row = { 0 };
    name_path("replaced.db");
    must(state_open(path, &s));
    must(enrol(s, &a));
    must(confirm(s, "a"));
    must(enrol(s, &again));
    must(enrol(s, &third));
    must(state_enrolment(s, "a", ENROLMENT_ACTIVE, &row));
    check_that(c, row.ak.b[0] == 1, "what is pending changes nothing");
    must(state_enrolment(s, "a", ENROLMENT_PENDING, &row));
    check_that(c, row.ak.b[0] == 3, "the last pending one counts");
    check_code(c, confirm(s, "a"), E_ok, "it takes the other's place");
    must(state_enrolment(s, "a", ENROLMENT_ACTIVE, &row));
    check_that(c, row.ak.b[0] == 3, "and is active");
    for (row.id = 0; more;) {
        must(state_enrolment_after(s, row.id, &row, &more));
        n += more;
        replaced += more && row.status == ENROLMENT_REPLACED && row.ak.b[0] == 1;
    }
    check_that(c, n == 2 && replaced == 1, "what was active is remembered");
    must(state_enrolment(s, "a", ENROLMENT_ACTIVE, &row));
    must(state_enrolment_before(s, "a", row.id, &row, &more));
    check_that(c, more && row.status == ENROLMENT_REPLACED && row.ak.b[0] == 1, "and found as the one before");
    must(state_enrolment_before(s, "a", row.id, &row, &more));
    check_that(c, !more, "which had none before it");
    must(state_enrolment(s, "a", ENROLMENT_ACTIVE, &row));
    must(state_enrolment_before(s, "other", row.id, &row, &more));
    check_that(c, !more, "nor is it another's");
}

static void test_memory(struct checks *c)
{
    AUTO_STATE *s = NULL;
    struct memory m, read;
    struct digest ak = { { 1 } }, other = { { 2 } };
    const struct log_state empty = log_state_empty();
    name_path("memory.db");
    must(state_open(path, &s));
    check_code(c, memory_read(s, "a", &ak, &m), E_ok, "nothing is known of a new one");
    check_that(c, !m.known.has_quote && m.known.log.size == 0 && digest_equal(&m.known.log.root, &empty.root), "but an empty log");
    m.policy_epoch = 7;
    m.known = (struct appraisal_known){ .has_quote = true,
        .clock = { .clock_ms = UINT64_MAX, .reset_count = 3, .restart_count = 4, .safe = true },
        .firmware = UINT64_MAX - 1,
        .run = { 5 },
        .log = { .size = 9, .root = { { 6 } } },
        .noted_by = { { 7 } },
        .ima = { .pcr = { { 8 } }, .offset = 100, .entries = 2, .violations = 1 } };
    must(memory_write(s, "a", &m));
    must(memory_read(s, "a", &ak, &read));
    check_that(c,
        read.policy_epoch == 7 && read.known.has_quote && read.known.clock.clock_ms == UINT64_MAX &&
            read.known.clock.reset_count == 3 && read.known.clock.restart_count == 4 && read.known.clock.safe &&
            read.known.firmware == UINT64_MAX - 1 && read.known.run[0] == 5 && read.known.log.size == 9 &&
            read.known.log.root.b[0] == 6 && read.known.ima.pcr.b[0] == 8 && read.known.ima.offset == 100 &&
            read.known.ima.entries == 2 && read.known.ima.violations == 1 && read.known.noted_by.b[0] == 7,
        "all of it is remembered");
    must(memory_read(s, "a", &other, &read));
    check_that(c, !read.known.has_quote && read.known.ima.offset == 0, "under another TPM its clock and logs begin anew");
    check_that(c, read.known.log.size == 9 && read.known.noted_by.b[0] == 7 && read.policy_epoch == 7,
        "the record log and the policy don't");
}

static void test_result(struct checks *c)
{
    AUTO_STATE *s = NULL;
    struct result_row row = { .at = 100, .status = "affirming", .lease = true }, read;
    AUTO_BUF jwt = BUF(STATE_RESULT_MAX);
    name_path("result.db");
    must(state_open(path, &s));
    check_code(c, state_result(s, "a", &read, NULL), E_not_found, "there is no result yet");
    must(state_result_put(s, "a", &row, span_text("x.y.z")));
    row.at = 110;
    must(state_result_put(s, "a", &row, span_text("x.y.zz")));
    must(state_result(s, "a", &read, &jwt));
    check_that(c,
        read.at == 110 && read.since == 100 && read.affirming == 2 && read.others == 0 && read.lease && !read.sent &&
            span_is(buf_span(&jwt), "x.y.zz"),
        "the last result, since when they are so, and how many");
    must(state_result_sent(s, "a", 100));
    must(state_result(s, "a", &read, NULL));
    check_that(c, !read.sent, "an older one that was sent isn't this one");
    must(state_result_sent(s, "a", 110));
    must(state_result(s, "a", &read, NULL));
    check_that(c, read.sent, "this one is");
    row = (struct result_row){ .at = 120, .status = "contraindicated", .codes = "log_forked" };
    must(state_result_put(s, "a", &row, (struct span){ NULL, 0 }));
    must(state_result(s, "a", &read, NULL));
    check_that(c, read.since == 120 && read.others == 1 && !read.sent && span_is(span_text(read.codes), "log_forked"),
        "another status begins anew");
}

/* A transaction that isn't committed leaves nothing, and another connection waits for it. */
static void test_undone(struct checks *c)
{
    AUTO_STATE *s = NULL;
    struct memory m;
    struct digest ak = { { 1 } };
    name_path("undone.db");
    must(state_open(path, &s));
    must(memory_read(s, "a", &ak, &m));
    m.known.log.size = 5;
    must(state_begin(s));
    must(memory_write(s, "a", &m));
    state_undo(s);
    must(memory_read(s, "a", &ak, &m));
    check_that(c, m.known.log.size == 0, "what is undone is as if it had never been");
    must(state_begin(s));
    must(memory_write(s, "a", &(struct memory){ .ak = ak, .known = { .log = { .size = 6 } } }));
    state_free(s);
    s = NULL;
    must(state_open(path, &s));
    must(memory_read(s, "a", &ak, &m));
    check_that(c, m.known.log.size == 0, "and what was never committed, too");
}

static void test_foreign_file(struct checks *c)
{
    AUTO_STATE *s = NULL;
    sqlite3 *db = NULL;
    name_path("foreign.db");
    if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL) != SQLITE_OK)
        abort();
    sqlite3_close(db);
    check_code(c, state_open(path, &s), E_unsupported, "another program's database is left alone");
    name_path("text.db");
    must(file_write(path, span_text("this is no database, however long one looks at it"), 0600, false));
    check_code(c, state_open(path, &s), E_unsupported, "and what is none");
}

int main(void)
{
    struct checks c = { 0 };
    if (!mkdtemp(folder))
        abort();
    test_enrolment(&c);
    test_one_a_domain(&c);
    test_replaced(&c);
    test_memory(&c);
    test_result(&c);
    test_undone(&c);
    test_foreign_file(&c);
    AUTO_BUF command = BUF(256);
    must(buf_printf(&command, "rm -rf %s", folder));
    must(buf_u8(&command, 0));
    return system((const char *)command.p) == 0 ? checks_end(&c) : 1;
}
