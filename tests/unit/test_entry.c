#include "config.h"

#include "entry/entry.h"

#include "check.h"

/* The bytes of each type, as docs/formats.md has them. */
#define D1 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
#define D2 "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"
#define RUN "CQkJCQkJCQkJCQkJCQkJCQ"
#define KEY(backend) "{\"backend\":\"" backend "\",\"evidence\":\"" D1 "\",\"kid\":\"" D2 "\"}"
#define KIDS(kid) "{\"attestation\":\"" D1 "\",\"mint\":\"" D2 "\",\"record\":\"" kid "\"}"
#define DECISION_1(attestation, body) \
    "{\"agent\":\"" D1 "\",\"attestation\":" attestation ",\"body\":" body ",\"certificate\":\"" D2 "\",\"cid\":\"c-1\","
#define PERMIT                                                                                                                    \
    DECISION_1("\"" D2 "\"", "\"" D1 "\"")                                                                                        \
    "\"epoch\":3,\"exp\":1700000060,\"iat\":1700000000,\"live\":{\"etag\":\"\\\"e\\\"\",\"exists\":true,\"length\":7,\"read\":4," \
    "\"sha256\":\"" D2 "\"},\"mint_key\":\"" D1 "\",\"policy\":\"" D2 "\",\"policy_epoch\":2,\"request\":\"" D1 "\","             \
    "\"request_id\":\"r.1\",\"run\":\"" RUN "\",\"signed\":\"" D1 "\",\"statement\":\"" D2                                        \
    "\",\"target\":{\"kind\":\"http\",\"prefix\":\"https://h/a/\"},"                                                              \
    "\"time\":1700000000123,\"type\":\"decision\",\"used\":false,\"v\":1,\"verdict\":\"permit\"}"
#define REFUSAL                                                                                                              \
    DECISION_1("\"none\"", "null")                                                                                           \
    "\"code\":\"target_unknown\",\"epoch\":3,\"live\":null,\"policy\":\"" D2 "\",\"policy_epoch\":2,\"request\":\"" D1 "\"," \
    "\"request_id\":\"r.1\",\"rule\":\"scope\",\"run\":\"" RUN "\",\"signed\":\"" D1 "\",\"statement\":\"" D2                \
    "\",\"target\":null,"                                                                                                    \
    "\"time\":1700000000123,\"type\":\"decision\",\"used\":true,\"v\":1,\"verdict\":\"refuse\"}"

/* A permit on an object of a cluster: what was found of three fields, and until when a cache may accept the credential. */
#define OBJECT_PERMIT                                                                                                          \
    "{\"accepted_until\":1700000070,\"agent\":\"" D1 "\",\"attestation\":\"" D2 "\",\"body\":\"" D1 "\",\"certificate\":\"" D2 \
    "\",\"cid\":\"c-1\",\"epoch\":3,\"exp\":1700000060,\"iat\":1700000000,\"live\":{\"exists\":true,\"fields\":[\"" D1         \
    "\",null,\"" D2 "\"],\"length\":7,\"read\":4,\"resource_version\":\"8123\",\"sha256\":\"" D2 "\",\"uid\":\"0b4f-1\"},"     \
    "\"mint_key\":\"" D1 "\",\"policy\":\"" D2 "\",\"policy_epoch\":2,\"request\":\"" D1 "\",\"request_id\":\"r.1\",\"run\":"  \
    "\"" RUN "\",\"signed\":\"" D1 "\",\"statement\":\"" D2                                                                    \
    "\",\"target\":{\"kind\":\"kubernetes\",\"prefix\":\"https://h:6443/\"},"                                                  \
    "\"time\":1700000000123,\"type\":\"decision\",\"used\":false,\"v\":1,\"verdict\":\"permit\"}"
#define OBJECT_OUTCOME(rest) \
    "{" rest "\"decision\":9,\"evidence\":\"response\",\"final\":true,\"http_status\":422,\"leaf\":\"" D1 "\","

static const struct {
    const char *name, *text;
    enum entry_type type;
} good[] = {
    { "start",
        "{\"certificates_from\":0,\"config\":\"" D1
        "\",\"counter\":4,\"domain\":\"example.org\",\"head\":0,\"instance\":\"broker-1\",\"keys\":{\"attestation\":" KEY(
            "tpm") ",\"mint\":" KEY("pkcs11") ",\"record\":" KEY("tpm") "},\"measured\":{\"key.record\":\"" D2 "\",\"sebd\":\"" D1
                                                                        "\"},\"program\":\"sebd 0.1.0\",\"run\":\"" RUN
                                                                        "\",\"time\":1,\"type\":\"start\",\"v\":1}",
        ENTRY_START },
    { "stop", "{\"run\":\"" RUN "\",\"time\":0,\"type\":\"stop\",\"v\":1}", ENTRY_STOP },
    { "policy", "{\"policy\":\"" D1 "\",\"policy_epoch\":7,\"time\":5,\"type\":\"policy\",\"v\":1}", ENTRY_POLICY },
    { "epoch", "{\"epoch\":0,\"statement\":\"" D1 "\",\"time\":5,\"type\":\"epoch\",\"v\":1}", ENTRY_EPOCH },
    { "drift read",
        "{\"attestation\":\"" D1 "\",\"certificate\":\"" D1 "\",\"exp\":20,\"iat\":10,\"mint_key\":\"" D2
        "\",\"purpose\":\"drift\",\"resource\":\"https://h/a/b\",\"run\":\"" RUN "\",\"signed\":\"" D2
        "\",\"target\":\"docs\",\"time\":5,\"type\":\"read\",\"v\":1}",
        ENTRY_READ },
    { "reconciling read",
        "{\"attestation\":\"" D1 "\",\"certificate\":\"" D1 "\",\"decision\":9,\"exp\":20,\"iat\":10,\"mint_key\":\"" D2
        "\",\"purpose\":\"reconcile\",\"resource\":\"https://h/a/b\",\"run\":\"" RUN "\",\"signed\":\"" D2
        "\",\"target\":\"docs\",\"time\":5,\"type\":\"read\",\"v\":1}",
        ENTRY_READ },
    { "permit", PERMIT, ENTRY_DECISION },
    { "refusal", REFUSAL, ENTRY_DECISION },
    { "outcome",
        "{\"decision\":9,\"etag\":\"\\\"x\\\"\",\"evidence\":\"response\",\"final\":true,\"http_status\":204,\"leaf\":\"" D1
        "\",\"result\":\"applied\",\"time\":5,\"type\":\"outcome\",\"v\":1}",
        ENTRY_OUTCOME },
    { "open outcome",
        "{\"code\":\"no_answer\",\"decision\":9,\"evidence\":\"none\",\"final\":false,\"leaf\":\"" D1
        "\",\"result\":\"open\",\"time\":5,"
        "\"type\":\"outcome\",\"v\":1}",
        ENTRY_OUTCOME },
    { "reconciled outcome",
        "{\"decision\":9,\"evidence\":\"state\",\"final\":true,\"leaf\":\"" D1
        "\",\"read\":11,\"result\":\"applied\",\"time\":5,\"type\":\"outcome\",\"v\":1}",
        ENTRY_OUTCOME },
    { "noise", "{\"counts\":{\"bad_json\":3,\"bad_utf8\":1},\"from\":1,\"time\":5,\"type\":\"noise\",\"until\":4,\"v\":1}",
        ENTRY_NOISE },
    { "attestation",
        "{\"evidence\":\"" D1 "\",\"result\":\"" D2 "\",\"status\":\"affirming\",\"time\":5,\"type\":\"attestation\",\"v\":1}",
        ENTRY_ATTESTATION },
    { "keys",
        "{\"epoch\":4,\"keys\":{\"attestation\":" KEY("tpm") ",\"mint\":" KEY("tpm") ",\"record\":" KEY(
            "tpm") "},\"run\":\"" RUN "\",\"time\":5,\"type\":\"keys\",\"v\":1}",
        ENTRY_KEYS },
    { "enrolment", "{\"statement\":\"" D1 "\",\"time\":5,\"type\":\"enrolment\",\"v\":1}", ENTRY_ENROLMENT },
    { "acknowledge",
        "{\"root\":\"" D1 "\",\"size\":12,\"statement\":\"" D2
        "\",\"time\":5,\"type\":\"acknowledge\",\"v\":1,\"what\":\"unclean\"}",
        ENTRY_ACKNOWLEDGE },
    { "rekey", "{\"new\":" KIDS(D1) ",\"old\":" KIDS(D2) ",\"statement\":\"" D1 "\",\"time\":5,\"type\":\"rekey\",\"v\":1}",
        ENTRY_REKEY },
    { "rekey without a statement",
        "{\"new\":" KIDS(D1) ",\"old\":" KIDS(D2) ",\"statement\":null,\"time\":5,\"type\":\"rekey\",\"v\":1}", ENTRY_REKEY },
    { "permit on an object", OBJECT_PERMIT, ENTRY_DECISION },
    { "outcome with a version",
        OBJECT_OUTCOME("") "\"resource_version\":\"8124\",\"result\":\"applied\",\"time\":5,\"type\":\"outcome\",\"v\":1}",
        ENTRY_OUTCOME },
    { "outcome with the target's words",
        OBJECT_OUTCOME("\"causes\":[{\"field\":\"spec.replicas\",\"message\":\"must be \u00e4 number\",\"reason\":"
                       "\"FieldValueInvalid\"},{\"message\":\"x\"}],") "\"reason\":\"Invalid\",\"result\":\"rejected\",\"time\":5,"
                                                                       "\"type\":\"outcome\",\"v\":1}",
        ENTRY_OUTCOME },
    { "no noise", "{\"counts\":{},\"from\":1,\"time\":5,\"type\":\"noise\",\"until\":4,\"v\":1}", ENTRY_NOISE },
};
#define GOOD (sizeof(good) / sizeof(good[0]))

/* Any address serves: the writer only wants to see that the caller was given a permit. */
static const struct permit *a_permit(const void *p)
{
    return p;
}

static result write_back(const struct entry *e, struct buf *out)
{
    bool permit = e->type == ENTRY_DECISION && e->decision.permitted;
    return permit ? entry_write_permit(e, a_permit(e), out) : entry_write(e, out);
}

static void test_round_trips(struct checks *c)
{
    for (unsigned i = 0; i < GOOD; i++) {
        struct entry e;
        AUTO_BUF out = BUF(ENTRY_MAX);
        result r = entry_read(span_text(good[i].text), &e);
        bool same = is_ok(r) && e.type == good[i].type && is_ok(write_back(&e, &out)) && span_is(buf_span(&out), good[i].text);
        check_that(c, same, good[i].name);
    }
}

static void test_values(struct checks *c)
{
    struct entry e = { 0 };
    check_code(c, entry_read(span_text(PERMIT), &e), E_ok, "a permit is read");
    const struct decision_entry *d = &e.decision;
    check_that(c, e.time == 1700000000123 && d->permitted && d->iat == 1700000000 && d->exp == 1700000060 && !d->used,
        "times and verdict");
    check_that(c,
        d->agent.b[0] == 1 && d->certificate.b[31] == 2 && d->signed_.b[0] == 1 && d->run[15] == 9 && d->mint_key.b[5] == 1,
        "digests and run");
    check_that(c, d->has_target && span_is(span_text(d->target_prefix), "https://h/a/") && d->has_body && d->body.b[0] == 1,
        "target and body");
    check_that(c,
        d->has_live && d->live.exists && d->live.has_etag && span_is(span_text(d->live.etag), "\"e\"") && d->live.length == 7 &&
            d->live.read == 4,
        "live state");
    check_that(c, d->has_attestation && d->attestation.b[0] == 2, "the attestation's digest");
    check_code(c, entry_read(span_text(good[0].text), &e), E_ok, "a start is read");
    check_that(c,
        e.start.counter == 4 && e.start.certificates_from == 0 && e.start.head == 0 && e.start.measured_n == 2 &&
            span_is(span_text(e.start.measured[1].name), "sebd") && e.start.measured[1].digest.b[0] == 1,
        "with what was measured");
    check_code(c, entry_read(span_text(REFUSAL), &e), E_ok, "a refusal is read");
    check_that(c, !e.decision.has_attestation, "and names no attestation where none was held");
    check_code(c, entry_read(span_text(good[4].text), &e), E_ok, "a drift read is read");
    check_that(c, e.read.has_attestation && e.read.attestation.b[0] == 1, "with its attestation");
    check_that(c, e.read.decision == NO_INDEX && e.read.purpose == READ_DRIFT, "and names no decision");
    check_code(c, entry_read(span_text(good[11].text), &e), E_ok, "noise is read");
    check_that(c, e.noise.n == 2 && e.noise.count[0].count == 3 && span_is(span_text(e.noise.count[1].code), "bad_utf8"),
        "with its counts");
}

/* What a versioned target gives, and that none of it stands where nothing is said. */
static void test_objects(struct checks *c)
{
    struct entry e = { 0 };
    check_code(c, entry_read(span_text(OBJECT_PERMIT), &e), E_ok, "a permit on an object is read");
    const struct decision_entry *d = &e.decision;
    check_that(c, d->accepted_until == 1700000070 && span_is(span_text(d->live.uid), "0b4f-1"), "until when, and which object");
    check_that(c, span_is(span_text(d->live.version), "8123") && !d->live.has_etag, "at which version");
    check_that(c,
        d->live.fields_n == 3 && d->live.field[0].exists && d->live.field[0].sha256.b[0] == 1 && !d->live.field[1].exists &&
            d->live.field[2].sha256.b[0] == 2,
        "and what was found of its fields");
    check_code(c, entry_read(span_text(PERMIT), &e), E_ok, "another target's permit");
    check_that(c, !d->accepted_until && !d->live.uid[0] && !d->live.version[0] && !d->live.fields_n, "says nothing of it");
    AUTO_BUF out = BUF(ENTRY_MAX);
    e.decision.accepted_until = e.decision.exp;
    check_code(c, entry_write_permit(&e, a_permit(&e), &out), E_bad_value, "no cache takes it longer than its end: it isn't said");
    e.decision.accepted_until = 0;
    e.decision.live.fields_n = LIVE_FIELDS_MAX + 1;
    check_code(c, entry_write_permit(&e, a_permit(&e), &out), E_bad_value, "more findings than there are fields");
    e.decision.live.fields_n = LIVE_FIELDS_MAX;
    for (unsigned i = 0; i < LIVE_FIELDS_MAX; i++)
        e.decision.live.field[i].exists = true;
    check_code(c, entry_write_permit(&e, a_permit(&e), &out), E_ok, "as many as may be");
    check_code(c, entry_read(buf_span(&out), &e), E_ok, "are read");
    check_that(c, e.decision.live.fields_n == LIVE_FIELDS_MAX, "all of them");
    e.decision.live.exists = false;
    buf_clear(&out);
    check_code(c, entry_write_permit(&e, a_permit(&e), &out), E_ok, "where nothing is there");
    check_code(c, entry_read(buf_span(&out), &e), E_ok, "it is read");
    check_that(c, e.decision.live.fields_n == 0 && !e.decision.live.exists, "and nothing was found");
    check_that(c, entry_is_version("8123") && entry_is_version("a.b-c_D") && !entry_is_version("") && !entry_is_version("8 1"),
        "versions");
    check_that(c, !entry_is_version("01234567890123456789012345678901234567890123456789012345678901234"), "of 64 characters");
}

#define CAUSE "{\"field\":\"a\",\"message\":\"b\",\"reason\":\"c\"}"
static void test_causes(struct checks *c)
{
    static const struct {
        const char *text;
        enum seb_code code;
    } causes[] = {
        { "[" CAUSE "]", E_ok },
        { "[{\"field\":\"a\"}]", E_ok },
        { "[" CAUSE "," CAUSE "," CAUSE "," CAUSE "," CAUSE "," CAUSE "," CAUSE "," CAUSE "]", E_ok },
        { "[" CAUSE "," CAUSE "," CAUSE "," CAUSE "," CAUSE "," CAUSE "," CAUSE "," CAUSE "," CAUSE "]", E_bad_value },
        { "[]", E_bad_value },
        { "", E_bad_value },
        { CAUSE, E_bad_value },
        { "[{}]", E_bad_value },
        { "[[]]", E_bad_value },
        { "[" CAUSE ",null]", E_bad_value },
        { "[{\"field\":\"\"}]", E_bad_value },
        { "[{\"field\":1}]", E_bad_value },
        { "[{\"code\":\"a\"}]", E_bad_value },
        { "[{\"reason\":\"a\",\"field\":\"b\"}]", E_bad_value },
        { "[ " CAUSE "]", E_bad_value },
        { "[{\"field\":\"\xff\"}]", E_bad_value },
    };
    for (unsigned i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        struct entry e = { .type = ENTRY_OUTCOME,
            .outcome = { .result = RESULT_REJECTED, .final = true, .evidence = EVIDENCE_RESPONSE, .read = NO_INDEX } };
        AUTO_BUF out = BUF(ENTRY_MAX);
        check_code(c, entry_causes_check(span_text(causes[i].text)), causes[i].code, causes[i].text);
        if (*causes[i].text && is_ok(span_copy_text(span_text(causes[i].text), e.outcome.causes, sizeof e.outcome.causes)))
            check_that(c, is_ok(entry_write(&e, &out)) == (causes[i].code == E_ok), "and written, or not");
    }
    AUTO_BUF text = BUF(ENTRY_MAX);
    bool made = is_ok(buf_text(&text, "[{\"field\":\""));
    for (unsigned i = 0; i < 256; i++)
        made = made && is_ok(buf_u8(&text, 'x'));
    size_t at = text.n;
    check_that(c, made && is_ok(buf_text(&text, "\"}]")) && is_ok(entry_causes_check(buf_span(&text))), "a text of 256 bytes");
    text.n = at;
    check_that(c, is_ok(buf_text(&text, "x\"}]")) && !is_ok(entry_causes_check(buf_span(&text))), "of 257");
}

/* A permitting decision is written from a permit alone. */
static void test_permit_rule(struct checks *c)
{
    struct entry permit = { 0 }, refusal = { 0 };
    AUTO_BUF out = BUF(ENTRY_MAX);
    check_that(c, is_ok(entry_read(span_text(PERMIT), &permit)) && is_ok(entry_read(span_text(REFUSAL), &refusal)),
        "both verdicts are read");
    check_code(c, entry_write(&permit, &out), E_invariant, "no permitting decision without a permit");
    check_code(c, entry_write_permit(&permit, NULL, &out), E_invariant, "nor with none");
    check_code(c, entry_write_permit(&refusal, a_permit(&refusal), &out), E_invariant, "a permit writes no refusal");
    check_that(c, out.n == 0, "nothing was written");
}

static void test_sweeps(struct checks *c)
{
    bool cuts = true, flips = true;
    struct entry e;
    for (unsigned i = 0; i < GOOD; i++) {
        struct span text = span_text(good[i].text);
        AUTO_BUF copy = BUF(ENTRY_MAX);
        for (size_t n = 0; n < text.n; n++)
            cuts &= code_of(entry_read(span_part(text, 0, n), &e)) == E_bad_entry;
        flips &= is_ok(buf_put(&copy, text));
        for (size_t bit = 0; bit < text.n * 8; bit++) {
            copy.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            /* A flip may give another well-formed entry; then exactly these bytes are what it is written as. */
            AUTO_BUF again = BUF(ENTRY_MAX);
            result r = entry_read(buf_span(&copy), &e);
            flips &= is_ok(r) ? is_ok(write_back(&e, &again)) && span_equal(buf_span(&again), buf_span(&copy))
                              : code_of(r) == E_bad_entry;
            copy.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    check_that(c, cuts, "an entry cut anywhere is refused");
    check_that(c, flips, "an entry with one bit changed is refused, or is another entry in its only form");
}

static void test_refusals(struct checks *c)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        { "{\"run\":\"" RUN "\",\"time\":0,\"type\":\"stop\",\"v\":1,\"x\":1}", "an unknown member" },
        { "{\"time\":0,\"run\":\"" RUN "\",\"type\":\"stop\",\"v\":1}", "members in another order" },
        { "{\"run\":\"" RUN "\", \"time\":0,\"type\":\"stop\",\"v\":1}", "white space" },
        { "{\"run\":\"" RUN "\",\"time\":0,\"type\":\"stop\",\"v\":1}\n", "bytes after the entry" },
        { "{\"run\":\"" RUN "\",\"time\":0,\"type\":\"stop\",\"v\":2}", "another version" },
        { "{\"run\":\"" RUN "\",\"time\":0,\"type\":\"stop\"}", "no version" },
        { "{\"run\":\"" RUN "\",\"time\":-1,\"type\":\"stop\",\"v\":1}", "a negative time" },
        { "{\"run\":\"" RUN "\",\"time\":0,\"type\":\"pause\",\"v\":1}", "an unknown type" },
        { "{\"run\":\"" RUN "\",\"time\":0,\"type\":\"stop\",\"type\":\"stop\",\"v\":1}", "a duplicate member" },
        { "{\"run\":\"" RUN "CQ\",\"time\":0,\"type\":\"stop\",\"v\":1}", "a run too long" },
        { "{\"run\":\"\",\"time\":0,\"type\":\"stop\",\"v\":1}", "an empty run" },
        { "[]", "an array" },
        { "", "nothing" },
        { "{\"decision\":9,\"evidence\":\"response\",\"final\":false,\"leaf\":\"" D1
          "\",\"result\":\"applied\",\"time\":5,\"type\":\"outcome\",\"v\":1}",
            "an outcome that isn't open and isn't final" },
        { "{\"decision\":9,\"evidence\":\"hope\",\"final\":true,\"leaf\":\"" D1
          "\",\"result\":\"applied\",\"time\":5,\"type\":\"outcome\",\"v\":1}",
            "unknown evidence" },
        { "{\"decision\":9,\"evidence\":\"none\",\"final\":true,\"http_status\":0,\"leaf\":\"" D1
          "\",\"result\":\"open\",\"time\":5,\"type\":\"outcome\",\"v\":1}",
            "an HTTP status of 0" },
        { "{\"decision\":9,\"evidence\":\"none\",\"final\":true,\"http_status\":600,\"leaf\":\"" D1
          "\",\"result\":\"open\",\"time\":5,\"type\":\"outcome\",\"v\":1}",
            "an HTTP status of 600" },
        { "{\"attestation\":\"" D1 "\",\"certificate\":\"" D1 "\",\"exp\":20,\"iat\":10,\"mint_key\":\"" D2
          "\",\"purpose\":\"reconcile\",\"resource\":\"https://h/a/b\",\"run\":\"" RUN "\",\"signed\":\"" D2
          "\",\"target\":\"docs\",\"time\":5,\"type\":\"read\",\"v\":1}",
            "a reconciling read without its decision" },
        { "{\"attestation\":\"" D1 "\",\"certificate\":\"" D1 "\",\"exp\":20,\"iat\":10,\"mint_key\":\"" D2
          "\",\"purpose\":\"drift\",\"resource\":\"https://h/a/b\",\"run\":\"" RUN "\",\"signed\":\"" D2
          "\",\"target\":\"do cs\",\"time\":5,\"type\":\"read\",\"v\":1}",
            "a name with a space" },
        { "{\"attestation\":\"" D1 "\",\"certificate\":\"" D1 "\",\"exp\":20,\"iat\":10,\"mint_key\":\"" D2
          "\",\"purpose\":\"drift\",\"resource\":\"https://h/a/b\",\"run\":\"" RUN
          "\",\"target\":\"docs\",\"time\":5,\"type\":\"read\",\"v\":1}",
            "a read that doesn't say which signatures" },
        { "{\"counts\":{\"bad_json\":0},\"from\":1,\"time\":5,\"type\":\"noise\",\"until\":4,\"v\":1}", "a count of 0" },
        { "{\"counts\":{\"Bad\":1},\"from\":1,\"time\":5,\"type\":\"noise\",\"until\":4,\"v\":1}", "a code in capitals" },
        { "{\"evidence\":\"" D1 "\",\"result\":\"" D2 "\",\"status\":\"Good\",\"time\":5,\"type\":\"attestation\",\"v\":1}",
            "a status that is no word" },
        { "{\"new\":" KIDS(D1) ",\"old\":{\"record\":\"" D2 "\"},\"statement\":null,\"time\":5,\"type\":\"rekey\",\"v\":1}",
            "a rekey that doesn't say all old keys" },
        { OBJECT_OUTCOME("\"causes\":[],") "\"result\":\"rejected\",\"time\":5,\"type\":\"outcome\",\"v\":1}", "no causes, said" },
        { OBJECT_OUTCOME("\"causes\":[{\"field\":\"\"}],") "\"result\":\"rejected\",\"time\":5,\"type\":\"outcome\",\"v\":1}",
            "an empty cause" },
        { OBJECT_OUTCOME("") "\"reason\":\"\",\"result\":\"rejected\",\"time\":5,\"type\":\"outcome\",\"v\":1}",
            "an empty reason" },
        { OBJECT_OUTCOME("") "\"resource_version\":8124,\"result\":\"applied\",\"time\":5,\"type\":\"outcome\",\"v\":1}",
            "a version that is a number" },
        { "{\"counts\":{},\"from\":5,\"time\":5,\"type\":\"noise\",\"until\":4,\"v\":1}", "noise that ends before it begins" },
    };
    struct entry e;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_code(c, entry_read(span_text(bad[i].text), &e), E_bad_entry, bad[i].why);
}

static void test_writer_refuses(struct checks *c)
{
    AUTO_BUF out = BUF(ENTRY_MAX * 2);
    struct entry e = { .type = ENTRY_POLICY, .time = -1 };
    check_code(c, entry_write(&e, &out), E_bad_value, "a negative time isn't written");
    e = (struct entry){ .type = (enum entry_type)99 };
    check_code(c, entry_write(&e, &out), E_bad_value, "an unknown type isn't written");
    e = (struct entry){ .type = ENTRY_START, .start = { .domain = "a b" } };
    check_code(c, entry_write(&e, &out), E_bad_value, "a bad name isn't written");
    e = (struct entry){ .type = ENTRY_NOISE, .noise = { .n = 2, .count = { { "busy", 1 }, { "busy", 1 } } } };
    check_code(c, entry_write(&e, &out), E_bad_value, "a code counted twice isn't written");
    e = (struct entry){ .type = ENTRY_START,
        .start = { .domain = "d",
            .instance = "i",
            .program = "p",
            .key = { { .backend = "tpm" }, { .backend = "tpm" }, { .backend = "tpm" } } } };
    e.start.measured_n = 2;
    e.start.measured[0] = e.start.measured[1] = (struct measured){ .name = "sebd" };
    check_code(c, entry_write(&e, &out), E_bad_value, "a name that is measured twice isn't written");
    e = (struct entry){ .type = ENTRY_OUTCOME,
        .outcome = { .decision = NO_INDEX, .result = RESULT_OPEN, .evidence = EVIDENCE_NONE, .read = NO_INDEX } };
    check_code(c, entry_write(&e, &out), E_bad_value, "an outcome of no decision isn't written");
    e = (struct entry){ .type = ENTRY_OUTCOME,
        .outcome = { .result = RESULT_OPEN, .evidence = EVIDENCE_NONE, .read = NO_INDEX, .has_etag = true, .etag = "\"\xff\"" } };
    check_code(c, entry_write(&e, &out), E_bad_utf8, "an ETag that isn't UTF-8 isn't written");
    check_that(c, out.n == 0, "a refused entry leaves nothing");
    check_that(c,
        span_is(span_text(outcome_name(RESULT_NOT_APPLIED)), "not_applied") &&
            span_is(span_text(evidence_name(EVIDENCE_NONE)), "none"),
        "names");
}

int main(void)
{
    struct checks c = { 0 };
    test_round_trips(&c);
    test_values(&c);
    test_objects(&c);
    test_causes(&c);
    test_permit_rule(&c);
    test_sweeps(&c);
    test_refusals(&c);
    test_writer_refuses(&c);
    return checks_end(&c);
}
