#include "config.h"

#include "attest/cel.h"

#include "base/json.h"

#define CONTENT_VERSION 1
#define CONTENT_TYPE "seb"
#define PCRS 24

static const char *const executables[CEL_EXECUTABLES] = { "sebd", "seb-front", "seb-core", "seb-keeper", "seb-runner" };

const char *cel_executable(unsigned i)
{
    return executables[i];
}

static bool is_measured_name(struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return name.n >= 1 && name.n <= CEL_NAME_LEN;
}

/* Below, at or above zero, as the bytes of a stand to those of b. */
static int order_of(struct span a, struct span b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++)
        if (a.p[i] != b.p[i])
            return a.p[i] < b.p[i] ? -1 : 1;
    return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

/* Where the name is, or would be. */
static unsigned place_of(const struct cel_state *s, struct span name)
{
    unsigned i = 0;
    while (i < s->n && order_of(span_text(s->value[i].name), name) < 0)
        i++;
    return i;
}

static bool is_at(const struct cel_state *s, unsigned i, struct span name)
{
    return i < s->n && span_is(name, s->value[i].name);
}

const struct digest *cel_find(const struct cel_state *s, const char *name)
{
    unsigned i = place_of(s, span_text(name));
    return is_at(s, i, span_text(name)) ? &s->value[i].digest : NULL;
}

result cel_put(struct cel_state *s, const char *name, const struct digest *value)
{
    struct span text = span_text(name);
    unsigned at = place_of(s, text);
    if (!is_measured_name(text))
        return fail(E_bad_value);
    if (!is_at(s, at, text)) {
        if (s->n == CEL_NAMES_MAX)
            return fail(E_too_long);
        for (unsigned i = s->n; i > at; i--)
            s->value[i] = s->value[i - 1];
        TRY(span_copy_text(text, s->value[at].name, sizeof s->value[at].name));
        s->n++;
    }
    s->value[at].digest = *value;
    return OK;
}

bool cel_equal(const struct cel_state *a, const struct cel_state *b)
{
    bool same = a->n == b->n;
    for (unsigned i = 0; same && i < a->n; i++)
        same = span_is(span_text(a->value[i].name), b->value[i].name) && digest_equal(&a->value[i].digest, &b->value[i].digest);
    return same;
}

/* Names are of characters that JSON leaves as they are. */
static result put_content(const char *name, const struct digest *value, struct buf *out)
{
    char text[DIGEST_TEXT + 1];
    return buf_printf(out, "{\"digest\":\"%s\",\"name\":\"%s\",\"version\":%d}", digest_text(value, text), name, CONTENT_VERSION);
}

/* A line: the record's RFC 8785 form and a newline. */
static result put_record(
    uint64_t recnum, unsigned pcr, const char *name, const struct digest *value, struct buf *out, struct digest *ret_event)
{
    AUTO_BUF content = BUF(CEL_RECORD_MAX), digest = BUF(2 * DIGEST_SIZE);
    TRY(put_content(name, value, &content));
    struct digest event = sha256(buf_span(&content));
    TRY(hex_put(&digest, digest_span(&event)));
    TRY(buf_printf(out, "{\"content\":%.*s,\"content_type\":\"" CONTENT_TYPE "\",\"digests\":[{\"digest\":\"%.*s\",",
        (int)content.n, (const char *)content.p, (int)digest.n, (const char *)digest.p));
    TRY(buf_printf(out, "\"hashAlg\":\"sha256\"}],\"pcr\":%u,\"recnum\":%llu}\n", pcr, (unsigned long long)recnum));
    *ret_event = event;
    return OK;
}

/* TPM2_PCR_Extend. */
static void extend(struct digest *pcr, const struct digest *event)
{
    const struct span parts[] = { digest_span(pcr), digest_span(event) };
    *pcr = sha256_parts(parts, 2);
}

/* What a line measures. Everything else in it follows from that, and is compared by the caller. */
static result read_record(struct span line, struct cel_value *ret)
{
    AUTO_JSON *record = NULL;
    const json_t *content;
    const char *name;
    TRY(json_strict(line, CEL_RECORD_MAX, &record));
    TRY(json_object_at(record, "content", &content));
    TRY(json_text(content, "name", CEL_NAME_LEN, &name));
    if (!is_measured_name(span_text(name)))
        return fail(E_bad_value);
    TRY(json_digest_at(content, "digest", &ret->digest));
    return span_copy_text(span_text(name), ret->name, sizeof ret->name);
}

/* A walk over a log's records. */
struct walk {
    struct span log;
    unsigned pcr;
    size_t at; /* behind the records that were read */
    uint64_t recnum;
    struct digest value;
};

/* The next record, and the PCR's value behind it. A record is rebuilt from what it measures, and must be the same bytes: so there
 * is one form of it, and no member that nobody looks at. */
static result walk_on(struct walk *w, struct cel_value *ret)
{
    AUTO_BUF again = BUF(CEL_RECORD_MAX);
    struct cel_value value;
    struct digest event;
    size_t end = span_find(w->log, w->at, '\n');
    if (end == w->log.n)
        return fail(E_bad_event_log);
    struct span line = span_part(w->log, w->at, end + 1 - w->at);
    if (line.n > CEL_RECORD_MAX || !is_ok(read_record(span_part(line, 0, line.n - 1), &value)) ||
        !is_ok(put_record(w->recnum, w->pcr, value.name, &value.digest, &again, &event)) || !span_equal(line, buf_span(&again)))
        return fail(E_bad_event_log);
    extend(&w->value, &event);
    w->at += line.n;
    w->recnum++;
    *ret = value;
    return OK;
}

static struct walk walk_of(struct span log, unsigned pcr)
{
    return (struct walk){ .log = log, .pcr = pcr };
}

static bool fits(struct span log, unsigned pcr)
{
    return log.n <= CEL_LOG_MAX && pcr < PCRS;
}

result cel_append(struct buf *log, unsigned pcr, const char *name, const struct digest *value, struct digest *ret_event)
{
    AUTO_BUF record = BUF(CEL_RECORD_MAX);
    struct digest event;
    uint64_t recnum = 0;
    struct span s = buf_span(log);
    if (pcr >= PCRS || !is_measured_name(span_text(name)))
        return fail(E_bad_value);
    for (size_t at = 0; at < s.n; at = span_find(s, at, '\n') + 1)
        recnum++;
    TRY(put_record(recnum, pcr, name, value, &record, &event));
    if (s.n + record.n > CEL_LOG_MAX)
        return fail(E_too_long);
    TRY(buf_put(log, buf_span(&record)));
    *ret_event = event;
    return OK;
}

result cel_replay(struct span log, unsigned pcr, struct digest *ret_value, struct cel_state *ret)
{
    struct walk w = walk_of(log, pcr);
    struct cel_state state = { 0 };
    struct cel_value value;
    if (!fits(log, pcr))
        return fail(E_bad_event_log);
    while (w.at < log.n) {
        TRY(walk_on(&w, &value));
        if (!is_ok(cel_put(&state, value.name, &value.digest)))
            return fail(E_bad_event_log);
    }
    *ret_value = w.value;
    *ret = state;
    return OK;
}

result cel_advance(
    struct buf *log, unsigned pcr, const struct cel_state *present, struct digest ret_event[CEL_NAMES_MAX], unsigned *ret_n)
{
    struct cel_state before;
    struct digest value;
    unsigned n = 0;
    TRY(cel_replay(buf_span(log), pcr, &value, &before));
    for (unsigned i = 0; i < present->n; i++) {
        const struct cel_value *v = &present->value[i];
        const struct digest *was = cel_find(&before, v->name);
        if (was && digest_equal(was, &v->digest))
            continue;
        TRY(cel_append(log, pcr, v->name, &v->digest, &ret_event[n]));
        n++;
    }
    *ret_n = n;
    return OK;
}

result cel_prefix(struct span log, unsigned pcr, const struct digest *value, size_t *ret_n)
{
    struct walk w = walk_of(log, pcr);
    struct cel_value ignored;
    size_t n = 0;
    if (!fits(log, pcr))
        return fail(E_bad_event_log);
    bool found = digest_equal(&w.value, value);
    while (w.at < log.n) {
        TRY(walk_on(&w, &ignored));
        if (digest_equal(&w.value, value)) {
            found = true;
            n = w.at;
        }
    }
    if (!found)
        return fail(E_event_log_mismatch);
    *ret_n = n;
    return OK;
}
