/* A real core, and mutations of objects on a cluster: what of a read becomes a fact and a record, what of an answer does, and how
 * an open outcome is reconciled; before a runner that says what it likes. */
#include "config.h"

#include "tests/int/core_room.h"

#include <poll.h>

#define MAPS "/api/v1/namespaces/n/configmaps/"

/* How one object answers, by its name: before the mutation, to it, and to each look afterwards. */
struct object {
    const char *name;
    const char *uid, *version, *a, *b; /* values of /data/a and /data/b as JSON; NULL: nothing is there. No version: no object */
    int findings; /* how many fields the answer has; -1: as many as it should */
    struct answer_message answer; /* to the mutation */
    bool hangs; /* no answer at all */
    bool deletes; /* the contract deletes it; else it makes 1 of /data/a 2 */
    const char *later_uid, *later_version, *later_a; /* what each look finds; no version: nothing */
};
#define REFUSED(status_, reason_, causes_)                                                                              \
    {                                                                                                                   \
        .phase = ANSWER_WHOLE, .http_status = (status_), .reason = { (const uint8_t *)(reason_), sizeof(reason_) - 1 }, \
        .causes = {                                                                                                     \
            (const uint8_t *)(causes_),                                                                                 \
            sizeof(causes_) - 1                                                                                         \
        }                                                                                                               \
    }
#define FOUND .uid = "u-1", .version = "7", .a = "\"1\"", .findings = -1
#define NO_ANSWER .answer = { .phase = ANSWER_NONE, .code = E_no_answer }
#define CAUSES "[{\"field\":\"spec.replicas\",\"message\":\"too small\",\"reason\":\"FieldValueInvalid\"}]"
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

static const struct object objects[] = {
    { "done", FOUND,
        .answer = { .phase = ANSWER_WHOLE,
            .http_status = 200,
            .uid = { (const uint8_t *)"u-1", 3 },
            .version = { (const uint8_t *)"8", 1 } } },
    { "drifted", .uid = "u-1", .version = "7", .a = "\"9\"", .findings = -1 },
    { "gone-before", .findings = -1 },
    { "short", .uid = "u-1", .version = "7", .a = "\"1\"", .findings = 1 },
    { "many", .uid = "u-1", .version = "7", .a = "\"1\"", .findings = 3 },
    { "nameless", .uid = "u-1", .version = "7 8", .a = "\"1\"", .findings = -1 },
    { "endless", .uid = "u-1", .version = LONG, .a = "\"1\"", .findings = -1 },
    { "conflict", FOUND, .answer = REFUSED(409, "Conflict", "[{\"message\":\"the object has been modified\"}]") },
    { "invalid", FOUND, .answer = REFUSED(422, "Invalid", CAUSES) },
    { "throttled", FOUND, .answer = REFUSED(429, "TooManyRequests", "[{\"message\":\"later\"}]") },
    { "babbling", FOUND, .answer = REFUSED(422, "In\nvalid", "[{\"message\":1}]") },
    { "shouting", FOUND, .answer = REFUSED(422, LONG, "{\"message\":\"no list\"}") },
    { "rehearsed", FOUND,
        .answer = { .phase = ANSWER_NEVER_SENT,
            .code = E_dry_run_refused,
            .http_status = 422,
            .reason = { (const uint8_t *)"Invalid", 7 } } },
    { "broken", FOUND, .answer = REFUSED(500, "InternalError", ""), .later_uid = "u-1", .later_version = "9", .later_a = "\"2\"" },
    { "impossible", FOUND, .answer = REFUSED(999, "What", ""), .later_uid = "u-1", .later_version = "7", .later_a = "\"1\"" },
    { "made", FOUND, NO_ANSWER, .later_uid = "u-1", .later_version = "8", .later_a = "\"2\"" },
    { "untouched", FOUND, NO_ANSWER, .later_uid = "u-1", .later_version = "7", .later_a = "\"1\"" },
    { "other", FOUND, NO_ANSWER, .later_uid = "u-1", .later_version = "9", .later_a = "\"5\"" },
    { "replaced", FOUND, NO_ANSWER, .later_uid = "u-2", .later_version = "9", .later_a = "\"2\"" },
    { "was-so", .uid = "u-1", .version = "7", .a = "\"1\"", .b = "\"2\"", .findings = -1, NO_ANSWER, .later_uid = "u-1",
        .later_version = "9", .later_a = "\"1\"" },
    { "deleted", FOUND, NO_ANSWER, .deletes = true },
    { "deleted-and-made", FOUND, NO_ANSWER, .deletes = true, .later_uid = "u-2", .later_version = "9", .later_a = "\"1\"" },
    { "not-deleted", FOUND, NO_ANSWER, .deletes = true, .later_uid = "u-1", .later_version = "7", .later_a = "\"1\"" },
    { "crashed", FOUND, .hangs = true, .later_uid = "u-1", .later_version = "8", .later_a = "\"2\"" },
};
#define OBJECTS (sizeof objects / sizeof *objects)

static struct core_room room; /* too large for a stack frame */

static const struct object *object_named(const char *name)
{
    for (unsigned i = 0; i < OBJECTS; i++)
        if (span_is(span_text(name), objects[i].name))
            return &objects[i];
    must(false, name);
    return NULL;
}

static struct live_field found(const char *value)
{
    return (struct live_field){ .exists = value != NULL, .sha256 = value ? sha256(span_text(value)) : (struct digest){ { 0 } } };
}

/* /data/a is the contract's precondition; then come its own fields, /data/a and, of "was-so", /data/b in its place. */
static void read_answer(const struct object *o, bool later, struct answer_message *ret)
{
    const char *version = later ? o->later_version : o->version, *a = later ? o->later_a : o->a;
    *ret = (struct answer_message){ .phase = ANSWER_WHOLE, .http_status = version ? 200 : 404, .has_body = true };
    if (!version)
        return;
    ret->body_sha256 = sha256(span_text(version));
    ret->body_length = 100;
    ret->uid = span_text(later ? o->later_uid : o->uid);
    ret->version = span_text(version);
    ret->field[0] = found(a);
    ret->field[1] = o->b ? found(o->b) : found(a);
    ret->fields_n = o->findings < 0 ? (o->deletes ? 1u : 2u) : (unsigned)o->findings;
}

static bool target_calls(const struct entry *e, struct answer_message *ret)
{
    if (e->type == ENTRY_DECISION) {
        const struct object *o = object_named(e->decision.cid);
        *ret = o->answer;
        return !o->hangs;
    }
    struct span resource = span_text(e->read.resource);
    const struct object *o = object_named(e->read.resource + sizeof MAPS - 1);
    must(span_is(span_part(resource, 0, sizeof MAPS - 1), MAPS), "a resource");
    read_answer(o, e->read.purpose == READ_RECONCILE, ret);
    return true;
}

static json_t *json_from(const char *text)
{
    json_t *v = NULL;
    must_ok(json_strict(span_text(text), 4096, &v), text);
    return v;
}

/* Signed by nobody yet: a merge patch, or a deletion. */
static void contract_for(const char *name)
{
    static const char parameters[] =
        "{\"body\":{\"length\":5,\"media_type\":\"application/merge-patch+json\",\"sha256\":"
        "\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ\"},\"fields\":[{\"pointer\":\"/data/%c\",\"value\":\"2\"}]}";
    AUTO_BUF path = BUF(1024), text = BUF(1024);
    const struct object *o = object_named(name);
    json_t *contract = at_path(room.w.certificate_json, "contract");
    core_certificate(&room, name);
    must_ok(buf_printf(&path, MAPS "%s", name), "resource");
    must_ok(buf_printf(&text, parameters, o->b ? 'b' : 'a'), "parameters");
    must_ok(json_put_text(contract, "target", "cluster"), "target");
    must_ok(json_put_text(contract, "operation", o->deletes ? "delete" : "patch"), "operation");
    must_ok(json_put_span(contract, "resource", buf_span(&path)), "resource");
    must_ok(buf_u8(&text, 0), "parameters");
    json_object_set_new(contract, "parameters", o->deletes ? json_object() : json_from((const char *)text.p));
    json_object_set_new(contract, "preconditions", json_from("{\"fields\":[{\"pointer\":\"/data/a\",\"value\":\"1\"}]}"));
    json_object_set_new(contract, "constraints", json_from("{\"credential_s\":5}"));
}

static enum seb_code submit(const char *name, int64_t wait_ms)
{
    contract_for(name);
    must_ok(json_put_int(room.w.request_json, "wait_ms", wait_ms), "wait_ms");
    return core_submit(&room);
}

static const char *rule_of_reply(void)
{
    const char *rule = json_string_value(json_object_get(room.reply, "rule"));
    return rule ? rule : "";
}

static void is_refused(const char *name, enum seb_code want, const char *rule, const char *what)
{
    check_code(room.c, fail(submit(name, 5000)), want, what);
    check_that(room.c, span_is(span_text(rule_of_reply()), rule), "by this rule");
}

/* The newest outcome of the newest decision of this name; NULL where there is none. */
static const struct outcome_entry *outcome_of(const char *name)
{
    static struct entry e;
    uint64_t decision = NO_INDEX;
    const struct outcome_entry *found_ = NULL;
    for (unsigned i = 0; i < room.entries; i++) {
        struct entry one = core_entry(&room, i);
        if (one.type == ENTRY_DECISION && span_is(span_text(one.decision.cid), name))
            decision = room.first + i;
        if (one.type == ENTRY_OUTCOME && one.outcome.decision == decision) {
            e = one;
            found_ = &e.outcome;
        }
    }
    return found_;
}

static void is_outcome(
    const char *name, enum outcome_result result_, enum outcome_evidence evidence, const char *code, const char *what)
{
    const struct outcome_entry *o = outcome_of(name);
    check_that(room.c, o && o->result == result_ && o->evidence == evidence && span_is(span_text(o->code), code), what);
}

static void test_read_and_done(void)
{
    check_code(room.c, fail(submit("done", 5000)), E_ok, "an object is patched");
    struct entry d = core_newest(&room, ENTRY_DECISION, NULL);
    const struct live_state *live = &d.decision.live;
    check_that(room.c,
        d.decision.permitted && span_is(span_text(live->uid), "u-1") && span_is(span_text(live->version), "7") &&
            live->fields_n == 2,
        "the decision has its uid, its version and what was found of each field");
    struct digest one = sha256(span_text("\"1\""));
    check_that(room.c, live->field[0].exists && digest_equal(&live->field[0].sha256, &one), "by digest");
    check_that(
        room.c, d.decision.accepted_until == d.decision.exp + 10, "and until when the API server's cache may take the credential");
    const struct outcome_entry *o = outcome_of("done");
    check_that(room.c, o && o->result == RESULT_APPLIED && span_is(span_text(o->version), "8") && !o->reason[0] && !o->causes[0],
        "the outcome has the object's version");
}

static void test_refused(void)
{
    is_refused("drifted", E_state_drifted, "drift", "a field that is another by now");
    is_refused("gone-before", E_state_drifted, "drift", "an object that isn't there");
    is_refused("nameless", E_precondition_unusable, "drift", "a version that no version can be is none");
    is_refused("endless", E_precondition_unusable, "drift", "nor is one beyond any length");
    is_refused("short", E_read_failed, "", "an answer that says less than was asked for is none");
    is_refused("many", E_read_failed, "", "nor is one that says more");
}

static void test_answers(void)
{
    check_code(room.c, fail(submit("conflict", 5000)), E_ok, "409");
    is_outcome("conflict", RESULT_REJECTED, EVIDENCE_RESPONSE, "state_drifted", "is drift between read and write");
    const struct outcome_entry *o = outcome_of("conflict");
    check_that(
        room.c, o && o->http_status == 409 && span_is(span_text(o->reason), "Conflict") && o->causes[0], "with the target's words");
    check_code(room.c, fail(submit("invalid", 5000)), E_ok, "422");
    is_outcome("invalid", RESULT_REJECTED, EVIDENCE_RESPONSE, "", "is a refusal without a name of ours");
    o = outcome_of("invalid");
    check_that(room.c, o && span_is(span_text(o->causes), CAUSES), "and its causes are kept");
    check_code(room.c, fail(submit("throttled", 5000)), E_ok, "429");
    is_outcome("throttled", RESULT_REJECTED, EVIDENCE_RESPONSE, "", "is one, and nothing is tried again");
    check_code(room.c, fail(submit("babbling", 5000)), E_ok, "causes that are none, a reason with a line end");
    is_outcome("babbling", RESULT_REJECTED, EVIDENCE_RESPONSE, "", "leave the outcome");
    o = outcome_of("babbling");
    check_that(room.c, o && !o->reason[0] && !o->causes[0], "and aren't in it");
    check_code(room.c, fail(submit("shouting", 5000)), E_ok, "a reason beyond any length, causes that are no list");
    o = outcome_of("shouting");
    check_that(room.c, o && o->http_status == 422 && !o->reason[0] && !o->causes[0], "neither");
    check_code(room.c, fail(submit("rehearsed", 5000)), E_ok, "a dry run that is refused");
    is_outcome("rehearsed", RESULT_FAILED, EVIDENCE_NEVER_SENT, "dry_run_refused", "nothing was sent");
    o = outcome_of("rehearsed");
    check_that(room.c, o && o->http_status == 422 && span_is(span_text(o->reason), "Invalid"), "and its answer is told");
}

static bool is_final(const char *name)
{
    const struct outcome_entry *o = outcome_of(name);
    return o && o->final;
}

/* The horizon is some twelve seconds away, and a result is good for thirty. */
static void final_wait(const char *name)
{
    for (unsigned turns = 0; turns < 2 && !is_final(name); turns++) {
        must(core_attest(&room) == E_ok, "attested meanwhile");
        CORE_WAIT(&room, is_final(name));
    }
}

/* All of them are under way at once: the horizon, with the cache's ten seconds, is waited for once. */
static void test_reconciled(void)
{
    static const struct {
        const char *name;
        enum outcome_result result;
        enum outcome_evidence evidence;
        const char *what;
    } rows[] = {
        { "broken", RESULT_APPLIED, EVIDENCE_STATE, "500, and the object is as asked: applied, by its state" },
        { "made", RESULT_APPLIED, EVIDENCE_STATE, "no answer, and the object is as asked" },
        { "deleted", RESULT_APPLIED, EVIDENCE_STATE, "a deletion, and nothing is there" },
        { "deleted-and-made", RESULT_APPLIED, EVIDENCE_STATE, "a deletion, and another object has the name" },
        { "untouched", RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED, "the version is the one before: not applied" },
        { "impossible", RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED, "a status that there is not was no answer" },
        { "not-deleted", RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED, "of a deletion too" },
        { "other", RESULT_OPEN, EVIDENCE_STATE_OTHER, "another version that isn't as asked says nothing" },
        { "replaced", RESULT_OPEN, EVIDENCE_STATE_OTHER, "nor does another object under the name" },
        { "was-so", RESULT_OPEN, EVIDENCE_STATE_OTHER, "nor fields that were so before" },
    };
    const unsigned n = sizeof rows / sizeof *rows;
    int64_t exp = 0;
    for (unsigned i = 0; i < n; i++) {
        check_code(room.c, fail(submit(rows[i].name, 0)), E_pending, rows[i].what);
        CORE_WAIT(&room, outcome_of(rows[i].name) || rule_of_reply()[0]);
        exp = core_newest(&room, ENTRY_DECISION, NULL).decision.exp;
    }
    contract_for("untouched");
    json_t *contract = at_path(room.w.certificate_json, "contract");
    must_ok(json_put_text(room.w.certificate_json, "cid", "part"), "cid");
    must_ok(json_put_text(room.w.request_json, "id", "part"), "id");
    must_ok(json_put_text(contract, "resource", MAPS "untouched/status"), "resource");
    check_code(room.c, fail(core_submit(&room)), E_resource_locked, "meanwhile the object is locked, in all its parts");
    bool early = false;
    for (unsigned i = 0; i < n; i++) {
        final_wait(rows[i].name);
        is_outcome(rows[i].name, rows[i].result, rows[i].evidence, "", rows[i].what);
        early = early || (rows[i].evidence != EVIDENCE_STATE && clock_utc_ms() < (exp + 10) * 1000 - 3000);
    }
    check_that(room.c, !early, "nothing is concluded from state that is as before, or other, while the credential may be taken");
    const struct outcome_entry *o = outcome_of("made");
    check_that(
        room.c, o && span_is(span_text(o->version), "8") && o->read != NO_INDEX, "the version that a look found is in the record");
}

static void attest(void)
{
    room.signs = true;
    core_tell_health(&room, E_ok);
    core_sign(&room);
    check_code(room.c, fail(core_attest(&room)), E_ok, "the instance is attested");
}

static bool is_decided(const char *name)
{
    unsigned at;
    struct entry e = core_newest(&room, ENTRY_DECISION, &at);
    return span_is(span_text(e.decision.cid), name) && room.first + at < room.signed_size;
}

/* The core is killed while the call is under way: the next run finds the decision, and looks. */
static void test_recovered(void)
{
    check_code(room.c, fail(submit("crashed", 0)), E_pending, "a mutation is under way");
    CORE_WAIT(&room, is_decided("crashed"));
    uint64_t end = room.frontier.size;
    core_kill(&room);
    room.newest_ms = 0; /* what was signed last may not be stored, and comes once more */
    core_start(&room);
    attest();
    CORE_WAIT(&room, core_entries_of(&room, ENTRY_OUTCOME) > 0);
    struct entry e = core_newest(&room, ENTRY_OUTCOME, NULL);
    check_that(room.c,
        e.outcome.result == RESULT_APPLIED && e.outcome.evidence == EVIDENCE_STATE && e.outcome.decision < end &&
            span_is(span_text(e.outcome.version), "8"),
        "the next run concludes it from the object");
}

int main(int argc, char **argv)
{
    struct checks c = { 0 };
    if (argc != 3)
        return 2;
    core_make(&room, &c, argv[1], argv[2]);
    room.calls = target_calls;
    json_array_append_new(at_path(room.w.policy_json, "authorities.0.admit"),
        json_from("{\"operations\":[\"delete\",\"patch\"],\"resources\":[{\"prefix\":\"/api/"
                  "\"}],\"risk\":\"L5\",\"target\":\"cluster\"}"));
    core_start(&room);
    check_code(&c, fail(core_load_all(&room)), E_ok, "policy and epoch are loaded");
    attest();
    test_read_and_done();
    test_refused();
    test_answers();
    check_code(&c, fail(core_attest(&room)), E_ok, "attested again");
    test_reconciled();
    check_code(&c, fail(core_attest(&room)), E_ok, "attested again");
    test_recovered();
    core_free(&room);
    return checks_end(&c);
}
