/* attest/: the broker's own log, the firmware's and IMA's. Each truncation and each flipped bit is refused, or read as what it then
 * says; what the digests bind never passes for something else. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/vectors.h"

#include "attest/cel.h"
#include "attest/ima.h"
#include "attest/tcg_log.h"

#include <stdio.h>
#include <stdlib.h>

#define PCR 12

static void must(result r)
{
    if (!is_ok(r))
        abort();
}

/* The vector's log, and the value of the PCR behind it. */
static struct digest load(const char *kind, const char *name, const char *pcr, struct buf *log)
{
    AUTO_JSON *rows = vectors_load("eventlogs");
    AUTO_BUF hex = BUF(DIGEST_SIZE);
    struct digest d = { { 0 } };
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        if (!span_is(span_text(vector_text(v, "kind")), kind) || !span_is(span_text(vector_text(v, "name")), name))
            continue;
        vector_bytes(v, "log", log);
        must(hex_read(span_text(vector_text(json_object_get(v, "pcrs"), pcr)), &hex));
        must(span_copy(buf_span(&hex), d.b, DIGEST_SIZE));
        return d;
    }
    abort();
}

static void flip(struct buf *b, size_t bit)
{
    b->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static void cel_sweeps(struct checks *c)
{
    AUTO_BUF log = BUF(CEL_LOG_MAX);
    struct digest wanted = load("cel", "changed", "12", &log), value;
    struct cel_state s;
    unsigned refused = 0, whole = 0, records = 0;
    for (size_t n = 0; n < log.n; n++) {
        struct span part = span_part(buf_span(&log), 0, n);
        bool at_end = n == 0 || part.p[n - 1] == '\n';
        records += at_end;
        result r = cel_replay(part, PCR, &value, &s);
        if (at_end)
            whole += is_ok(r) && !digest_equal(&value, &wanted);
        else
            refused += code_of(r) == E_bad_event_log;
    }
    check_that(c, refused == log.n - records, "a log that is cut within a record is refused");
    check_that(c, whole == records && records == 11, "between records it gives another value");
    refused = 0;
    for (size_t bit = 0; bit < log.n * 8; bit++) {
        flip(&log, bit);
        refused += code_of(cel_replay(buf_span(&log), PCR, &value, &s)) == E_bad_event_log;
        flip(&log, bit);
    }
    check_that(c, refused == log.n * 8, "each flipped bit is refused");
    check_code(c, cel_replay(buf_span(&log), PCR + 1, &value, &s), E_bad_event_log, "a log of another PCR");
    check_code(c, cel_replay(buf_span(&log), 24, &value, &s), E_bad_event_log, "of a PCR that isn't");
}

/* Lines that say the same in another way, or something else of the same digest. */
static void cel_forms(struct checks *c)
{
    static const char *const lines[] = { "{}\n", "\n", "[]\n", "{\"content\":{}}\n", "x\n",
        "{\"content\":{\"digest\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"name\":\"sebd\",\"version\":1}}\n",
        "{\"content\":{\"digest\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"name\":\"SEBD\",\"version\":1}}\n" };
    struct digest value;
    struct cel_state s;
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++)
        check_code(c, cel_replay(span_text(lines[i]), PCR, &value, &s), E_bad_event_log, "a line that is no record");
    AUTO_BUF log = BUF(CEL_LOG_MAX), twice = BUF(CEL_LOG_MAX), spaced = BUF(CEL_LOG_MAX);
    struct digest d = sha256(span_text("x")), event;
    must(cel_append(&log, PCR, "sebd", &d, &event));
    must(buf_put(&twice, buf_span(&log)));
    must(buf_put(&twice, buf_span(&log)));
    check_code(c, cel_replay(buf_span(&twice), PCR, &value, &s), E_bad_event_log, "a record number twice");
    must(buf_text(&spaced, " "));
    must(buf_put(&spaced, buf_span(&log)));
    check_code(c, cel_replay(buf_span(&spaced), PCR, &value, &s), E_bad_event_log, "a space more");
}

static void cel_limits(struct checks *c)
{
    AUTO_BUF log = BUF(CEL_LOG_MAX + 1);
    struct cel_state s = { 0 };
    struct digest d = sha256(span_text("x")), event;
    char name[] = "n-a";
    for (unsigned i = 0; i < CEL_NAMES_MAX; i++, name[2]++)
        must(cel_put(&s, name, &d));
    check_code(c, cel_put(&s, name, &d), E_too_long, "a 17th name");
    check_code(c, cel_put(&s, "n-a", &event), E_ok, "a name that is there");
    static const char *const bad[] = { "", "A", "a b", "a\"", "abcdefghijklmnopqrstuvwxyz012345" };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_code(c, cel_append(&log, PCR, bad[i], &d, &event), E_bad_value, "what is no name isn't written");
        check_code(c, cel_put(&(struct cel_state){ 0 }, bad[i], &d), E_bad_value, "nor kept");
    }
    check_code(c, cel_append(&log, 24, "sebd", &d, &event), E_bad_value, "a PCR that isn't");
    result r = OK;
    size_t before = 0;
    while (is_ok(r)) {
        before = log.n;
        r = cel_append(&log, PCR, "configuration", &d, &event);
    }
    check_code(c, r, E_too_long, "a log has an end");
    struct digest value;
    check_that(c, log.n == before && is_ok(cel_replay(buf_span(&log), PCR, &value, &s)), "before which it is whole");
}

/* What a crash between log and PCR leaves behind. */
static void cel_behind(struct checks *c)
{
    AUTO_BUF log = BUF(CEL_LOG_MAX);
    struct digest zero = { { 0 } }, wanted = load("cel", "one state", "12", &log), other = sha256(span_text("x")), event, value,
                  events[CEL_NAMES_MAX];
    struct cel_state s, present;
    size_t n = 7, whole = log.n;
    unsigned appended = 9;
    check_that(c, is_ok(cel_prefix(buf_span(&log), PCR, &zero, &n)) && n == 0, "a PCR that was reset has nothing of the log");
    must(cel_append(&log, PCR, "sebd", &other, &event));
    check_that(c, is_ok(cel_prefix(buf_span(&log), PCR, &wanted, &n)) && n == whole, "one that is behind has the beginning");
    check_code(c, cel_prefix(buf_span(&log), PCR, &other, &n), E_event_log_mismatch, "one that somebody else extended");
    check_that(c, n == whole, "and nothing is said");
    must(cel_replay(buf_span(&log), PCR, &value, &present));
    size_t before = log.n;
    check_that(c, is_ok(cel_advance(&log, PCR, &present, events, &appended)) && appended == 0 && log.n == before,
        "a start in the same state measures nothing");
    must(cel_put(&present, "seb-core", &other));
    must(cel_put(&present, "configuration", &other));
    check_that(c, is_ok(cel_advance(&log, PCR, &present, events, &appended)) && appended == 2, "in another, what differs");
    check_that(c, is_ok(cel_replay(buf_span(&log), PCR, &value, &s)) && cel_equal(&s, &present), "and then it is in that state");
}

static void firmware_sweeps(struct checks *c, const char *name)
{
    AUTO_BUF log = BUF(TCG_LOG_MAX);
    struct digest wanted = load("firmware", name, "0", &log);
    struct tcg_replay whole, r;
    unsigned refused = 0, taken = 0, same = 0;
    must(tcg_log_replay(buf_span(&log), &whole));
    check_that(c, digest_equal(&whole.pcr[0], &wanted), name);
    for (size_t n = 0; n < log.n; n++) {
        result got = tcg_log_replay(span_part(buf_span(&log), 0, n), &r);
        refused += code_of(got) == E_bad_firmware_log;
        taken += is_ok(got);
    }
    check_that(c, refused + taken == log.n && taken == whole.events, "cut within an event it is refused");
    refused = 0;
    for (size_t bit = 0; bit < log.n * 8; bit++) {
        flip(&log, bit);
        result got = tcg_log_replay(buf_span(&log), &r);
        refused += code_of(got) == E_bad_firmware_log;
        bool equal = is_ok(got);
        for (unsigned i = 0; equal && i < TPM_PCRS; i++)
            equal = digest_equal(&r.pcr[i], &whole.pcr[i]);
        same += equal;
        flip(&log, bit);
    }
    check_that(c, refused > 0 && same > 0 && refused + same < log.n * 8, "flipped bits are refused, change a PCR, or say nothing");
}

/* Each SHA-256 digest of the log is in the value. */
static void firmware_binds(struct checks *c)
{
    AUTO_BUF log = BUF(TCG_LOG_MAX);
    struct digest wanted = load("firmware", "no locality", "9", &log), empty = sha256((struct span){ 0 });
    struct tcg_replay r;
    size_t at = 0;
    while (at + DIGEST_SIZE <= log.n && !span_equal(span_part(buf_span(&log), at, DIGEST_SIZE), digest_span(&empty)))
        at++;
    unsigned other = 0;
    for (size_t bit = at * 8; bit < (at + DIGEST_SIZE) * 8; bit++) {
        flip(&log, bit);
        other += is_ok(tcg_log_replay(buf_span(&log), &r)) && !digest_equal(&r.pcr[9], &wanted);
        flip(&log, bit);
    }
    check_that(c, other == DIGEST_SIZE * 8, "each bit of a digest is in its PCR");
}

struct edit {
    const char *name;
    size_t at; /* of the header's event, whose bytes begin at 32 */
    uint8_t value;
};

static void firmware_headers(struct checks *c)
{
    static const struct edit edits[] = {
        { "another PCR", 0, 1 },
        { "another type", 4, 4 },
        { "an older format", 32 + 14, '2' },
        { "no algorithm", 32 + 24, 0 },
        { "more algorithms than there are", 32 + 24, 9 },
        { "SHA-1 twice", 32 + 32, 4 },
        { "no SHA-256", 32 + 32, 12 },
        { "a short SHA-256", 32 + 34, 20 },
        { "a digest of no bytes", 32 + 30, 0 },
        { "vendor bytes that aren't there", 32 + 36, 200 },
        { "a length beyond the log", 31, 0x7f },
    };
    struct tcg_replay r = { .events = 77 };
    for (unsigned i = 0; i < sizeof edits / sizeof *edits; i++) {
        AUTO_BUF log = BUF(TCG_LOG_MAX);
        load("firmware", "no locality", "0", &log);
        log.p[edits[i].at] = edits[i].value;
        check_code(c, tcg_log_replay(buf_span(&log), &r), E_bad_firmware_log, edits[i].name);
    }
    check_that(c, r.events == 77, "what is refused says nothing");
    check_code(c, tcg_log_replay((struct span){ 0 }, &r), E_bad_firmware_log, "nothing");
}

/* Events behind the header. */
static result with_event(uint32_t pcr, uint32_t type, struct span event, unsigned times, struct tcg_replay *ret)
{
    AUTO_BUF log = BUF(TCG_LOG_MAX);
    struct digest d = sha256(event);
    load("firmware", "no locality", "0", &log);
    log.n = 32 + 37 + 3; /* header: three vendor bytes */
    for (unsigned i = 0; i < times; i++) {
        const uint32_t little[] = { pcr, type, 1 };
        for (unsigned k = 0; k < 3; k++)
            must(buf_u32(&log, __builtin_bswap32(little[k])));
        must(buf_u16(&log, 0x0b00));
        must(buf_put(&log, digest_span(&d)));
        must(buf_u32(&log, __builtin_bswap32((uint32_t)event.n)));
        must(buf_put(&log, event));
    }
    return tcg_log_replay(buf_span(&log), ret);
}

static void firmware_events(struct checks *c)
{
    struct tcg_replay r;
    struct span locality = { (const uint8_t *)"StartupLocality\0\3", 17 }, other = { (const uint8_t *)"StartupLocality\0\1", 17 },
                longer = { (const uint8_t *)"StartupLocality\0\3\0", 18 };
    check_that(c, is_ok(with_event(0, 3, locality, 1, &r)) && r.pcr[0].b[31] == 3 && r.extended == 0, "a start at locality 3");
    check_code(c, with_event(0, 3, locality, 2, &r), E_bad_firmware_log, "said twice");
    check_code(c, with_event(1, 3, locality, 1, &r), E_bad_firmware_log, "of another PCR");
    check_code(c, with_event(0, 3, other, 1, &r), E_bad_firmware_log, "a locality that can't start a TPM");
    check_code(c, with_event(0, 3, longer, 1, &r), E_bad_firmware_log, "a byte more");
    check_that(c, is_ok(with_event(0, 4, locality, 1, &r)) && r.extended == 1, "what is extended is only an event");
    check_that(c, is_ok(with_event(23, 4, locality, 1, &r)) && r.extended == 1 << 23, "PCR 23");
    check_code(c, with_event(24, 4, locality, 1, &r), E_bad_firmware_log, "PCR 24");
    check_code(c, with_event(17, 4, locality, 1, &r), E_bad_firmware_log, "a PCR of a dynamic launch");
    check_code(c, with_event(UINT32_MAX, 4, locality, 1, &r), E_bad_firmware_log, "no PCR at all");
    check_code(c, with_event(24, 3, span_text("x"), 1, &r), E_bad_firmware_log, "nothing done to PCR 24");
}

static void ima_sweeps(struct checks *c, const char *name)
{
    AUTO_BUF log = BUF(1 << 20);
    struct digest wanted = load("ima", name, "10", &log);
    struct ima_state s = { .entries = 0 };
    unsigned refused = 0, bound = 0;
    for (size_t n = 0; n < log.n; n++) {
        result r = ima_advance(span_part(buf_span(&log), 0, n), IMA_PCR, &wanted, &s);
        refused += code_of(r) == E_bad_ima_log || code_of(r) == E_ima_log_mismatch;
    }
    check_that(c, refused == log.n && s.entries == 0 && digest_is_zero(&s.pcr), name);
    struct reader r = reader_of(buf_span(&log));
    refused = 0;
    while (r.at < log.n) {
        struct ima_entry e;
        must(ima_next(&r, &e));
        size_t from = (size_t)(e.data.p - log.p);
        for (size_t bit = from * 8; e.pcr == IMA_PCR && !e.violation && bit < (from + e.data.n) * 8; bit++, bound++) {
            flip(&log, bit);
            refused += !is_ok(ima_advance(buf_span(&log), IMA_PCR, &wanted, &s));
            flip(&log, bit);
        }
    }
    check_that(c, refused == bound && bound > 1000, "each bit of what was measured is bound");
    for (size_t bit = 0; bit < log.n * 8; bit++) {
        flip(&log, bit);
        struct ima_state t = { .entries = 0 };
        (void)!is_ok(ima_advance(buf_span(&log), IMA_PCR, &wanted, &t));
        flip(&log, bit);
    }
}

/* A list that grows between two looks at it. */
static void ima_goes_on(struct checks *c)
{
    AUTO_BUF log = BUF(1 << 20);
    struct digest last = load("ima", "ima-sig", "10", &log), first;
    struct ima_state s = { .entries = 0 };
    struct ima_entry e;
    struct reader r = reader_of(buf_span(&log));
    must(ima_next(&r, &e));
    check_that(c, span_is(e.path, "boot_aggregate") && span_is(e.algorithm, "sha256") && e.digest.n == DIGEST_SIZE, "an entry");
    struct digest data = sha256(e.data), zero = { { 0 } };
    first = sha256_parts((const struct span[]){ digest_span(&zero), digest_span(&data) }, 2);
    check_code(c, ima_advance(buf_span(&log), IMA_PCR, &first, &s), E_ok, "the beginning that the PCR is of");
    check_that(c, s.entries == 1 && s.offset == r.at, "is found, and no more is read");
    struct span rest = span_part(buf_span(&log), s.offset, log.n);
    check_code(c, ima_advance(rest, IMA_PCR, &first, &s), E_ok, "a PCR that didn't move");
    check_that(c, s.entries == 1, "reads nothing");
    check_code(c, ima_advance(buf_span(&log), IMA_PCR, &last, &s), E_ima_log_mismatch, "the whole list again");
    check_code(c, ima_advance(rest, IMA_PCR, &last, &s), E_ok, "the rest");
    check_that(c, s.entries == 6 && s.offset == log.n && s.violations == 1, "and all was read once");
    check_code(c, ima_advance((struct span){ 0 }, IMA_PCR, &first, &s), E_ima_log_mismatch, "a PCR that went back");
}

static void ima_forms(struct checks *c)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
    } edits[] = { { "the older template", 29, 'x' }, { "a template's name too long", 24, 200 }, { "data beyond the log", 36, 1 },
        { "a field beyond the data", 39, 1 }, { "a digest without its colon", 48, 'x' },
        { "an algorithm without its NUL", 49, 'x' } };
    for (unsigned i = 0; i < sizeof edits / sizeof *edits; i++) {
        AUTO_BUF log = BUF(1 << 20);
        struct ima_entry e;
        load("ima", "ima-ng", "10", &log);
        log.p[edits[i].at] = edits[i].value;
        struct reader r = reader_of(buf_span(&log));
        check_code(c, ima_next(&r, &e), E_bad_ima_log, edits[i].name);
        check_that(c, r.at == 0, "and nothing is read");
    }
}

int main(void)
{
    struct checks c = { 0 };
    cel_sweeps(&c);
    cel_forms(&c);
    cel_limits(&c);
    cel_behind(&c);
    firmware_sweeps(&c, "no locality");
    firmware_sweeps(&c, "locality 3, other order");
    firmware_sweeps(&c, "started by an H-CRTM, one bank");
    firmware_binds(&c);
    firmware_headers(&c);
    firmware_events(&c);
    ima_sweeps(&c, "ima-ng");
    ima_sweeps(&c, "ima-sig");
    ima_goes_on(&c);
    ima_forms(&c);
    return checks_end(&c);
}
