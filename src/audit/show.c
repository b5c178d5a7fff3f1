/* seb-audit show: the records as lines for people. Verifies nothing. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "audit/audit.h"

#define BUNDLE_MAX ((size_t)256 * (2 + ENTRY_MAX))
#define QUOTED_MAX 2100

static void print_time(int64_t ms)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char text[32];
    if (gmtime_r(&s, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) > 0)
        printf("%s.%03dZ", text, (int)(ms % 1000));
    else
        printf("%" PRId64 " ms", ms);
}

static const char *short_digest(const struct digest *d, char text[DIGEST_TEXT + 1])
{
    digest_text(d, text);
    text[10] = 0;
    return text;
}

/* Text of a record is whatever a broker wrote: quoted, so that it can't speak to the terminal. */
static const char *quoted(const char *s, char *text)
{
    return log_quote(span_text(s), text, QUOTED_MAX);
}

static void show_decision(const struct decision_entry *d)
{
    char agent[DIGEST_TEXT + 1];
    if (d->permitted)
        printf("permit   cid %s, request %s of agent %s, credential for %" PRId64 " s", d->cid, d->request_id,
            short_digest(&d->agent, agent), d->exp - d->iat);
    else
        printf("refuse   %s: %s; cid %s, request %s of agent %s", d->rule, d->code, d->cid, d->request_id,
            short_digest(&d->agent, agent));
    if (d->permitted && d->accepted_until)
        printf(" (in caches for at most %" PRId64 " s)", d->accepted_until - d->iat);
    if (d->has_live)
        printf(", live state of record %" PRIu64, d->live.read);
    if (d->has_live && d->live.version[0])
        printf(" at version %s", d->live.version);
}

static void show_outcome(const struct outcome_entry *o)
{
    char text[QUOTED_MAX];
    printf("outcome  of record %" PRIu64 ": %s%s on %s", o->decision, outcome_name(o->result), o->final ? "" : " for now",
        evidence_name(o->evidence));
    if (o->http_status)
        printf(", status %" PRId64, o->http_status);
    if (o->code[0])
        printf(", %s", o->code);
    if (o->version[0])
        printf(", version %s", o->version);
    if (o->reason[0])
        printf(", %s", quoted(o->reason, text));
    if (o->causes[0])
        printf(" %s", quoted(o->causes, text));
    if (o->read != NO_INDEX)
        printf(", read by record %" PRIu64, o->read);
}

static void show_read(const struct read_entry *e)
{
    char text[QUOTED_MAX];
    printf("read     %s at %s", quoted(e->resource, text), e->target);
    if (e->decision != NO_INDEX)
        printf(", to settle record %" PRIu64, e->decision);
}

static void show_start(const struct start_entry *s)
{
    char text[QUOTED_MAX], kid[DIGEST_TEXT + 1];
    printf("start    %s/%s, %s, mint key %s in %s", s->domain, s->instance, quoted(s->program, text),
        short_digest(&s->key[ROLE_MINT].kid, kid), s->key[ROLE_MINT].backend);
}

static void show_noise(const struct noise_entry *n)
{
    printf("noise    ");
    for (unsigned i = 0; i < n->n; i++)
        printf("%s%" PRId64 " %s", i ? ", " : "", n->count[i].count, n->count[i].code);
}

static void show_members(const struct entry *e)
{
    char text[DIGEST_TEXT + 1];
    switch (e->type) {
    case ENTRY_START:
        show_start(&e->start);
        break;
    case ENTRY_STOP:
        printf("stop");
        break;
    case ENTRY_POLICY:
        printf("policy   epoch %" PRId64 ", %s", e->policy.policy_epoch, short_digest(&e->policy.policy, text));
        break;
    case ENTRY_EPOCH:
        printf("epoch    %" PRId64 ", %s", e->epoch.epoch, short_digest(&e->epoch.statement, text));
        break;
    case ENTRY_READ:
        show_read(&e->read);
        break;
    case ENTRY_DECISION:
        show_decision(&e->decision);
        break;
    case ENTRY_OUTCOME:
        show_outcome(&e->outcome);
        break;
    case ENTRY_NOISE:
        show_noise(&e->noise);
        break;
    case ENTRY_ATTESTATION:
        printf("attested %s, result %s", e->attestation.status, short_digest(&e->attestation.result, text));
        break;
    case ENTRY_KEYS:
        printf("keys     mint key %s", short_digest(&e->keys.key[ROLE_MINT].kid, text));
        break;
    case ENTRY_ENROLMENT:
        printf("enrolled %s", short_digest(&e->enrolment.statement, text));
        break;
    case ENTRY_ACKNOWLEDGE:
        printf("acknowledged %s at size %" PRIu64, e->acknowledge.what, e->acknowledge.size);
        break;
    case ENTRY_REKEY:
        printf("rekey    record key %s", short_digest(&e->rekey.new_kid[ROLE_RECORD], text));
        break;
    }
}

static result show_all(const struct export_dir *x, uint64_t from, uint64_t to, struct buf *bundle)
{
    uint64_t size;
    struct record r;
    TRY(log_size(x, &size));
    for (uint64_t i = from; i < size && i <= to; i++) {
        result read = log_record(x, size, i, bundle, &r);
        printf("%8" PRIu64 "  ", i);
        if (code_of(read) == E_bad_entry) {
            printf("not a record\n");
            continue;
        }
        TRY(read);
        print_time(r.e.time);
        printf("  ");
        show_members(&r.e);
        printf("\n");
    }
    return fflush(stdout) == 0 ? OK : fail(E_io);
}

int audit_show(const char *export, uint64_t from, uint64_t to)
{
    struct export_dir x = { -1 };
    AUTO_BUF bundle = BUF(BUNDLE_MAX);
    result r = export_open(export, &x);
    if (is_ok(r))
        r = show_all(&x, from, to, &bundle);
    export_close(&x);
    return is_ok(r) ? AUDIT_CLEAN : audit_complain(AUDIT_UNREADABLE, export, r);
}
