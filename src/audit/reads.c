/* Reads of live state: a credential is minted for each, so each is for a certificate that held, or for a permit that is open. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "audit/audit.h"

/* The core judges just before it writes the read: a window may end between the two. */
#define JUDGED_BEFORE_MS 1000

/* Those that may still be rested on, in order of their indices; first..n are kept. */
struct reads {
    struct known_read *list;
    size_t first, n, room;
};

static result reads_begin(struct audit *a)
{
    a->reads = calloc(1, sizeof *a->reads);
    return a->reads ? OK : fail(E_no_memory);
}

static void reads_free(struct audit *a)
{
    if (!a->reads)
        return;
    free(a->reads->list);
    free(a->reads);
    a->reads = NULL;
}

static void forget_old(struct reads *s, int64_t now_ms)
{
    while (s->first < s->n && s->list[s->first].exp * 1000 + 2 * READ_ANSWER_MS < now_ms)
        s->first++;
    if (s->first < 1024 || s->first < s->n / 2)
        return;
    for (size_t i = s->first; i < s->n; i++)
        s->list[i - s->first] = s->list[i];
    s->n -= s->first;
    s->first = 0;
}

static result keep(struct reads *s, const struct known_read *k)
{
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 256;
        struct known_read *list = reallocarray(s->list, room, sizeof *list);
        if (!list)
            return fail(E_no_memory);
        s->list = list;
        s->room = room;
    }
    s->list[s->n++] = *k;
    return OK;
}

static struct known_read *find(const struct reads *s, uint64_t index)
{
    size_t low = s->first, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->list[middle].index == index)
            return &s->list[middle];
        if (s->list[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct known_read *read_use(struct audit *a, const struct record *r, uint64_t index, const struct digest *signed_)
{
    const struct run *run = run_now(a);
    struct known_read *k = find(a->reads, index);
    if (!k || k->used || !run || k->run != run->start || !digest_equal(&k->signed_, signed_)) {
        report_found(&a->report, FOUND_read_unknown, at_record(r->index), "record %" PRIu64, index);
        return NULL;
    }
    k->used = true;
    if (r->e.time > k->exp * 1000 + READ_ANSWER_MS)
        report_found(&a->report, FOUND_read_expired, at_record(r->index), "record %" PRIu64, index);
    return k;
}

static bool holds_at(const struct audit *a, const struct certified *c, const struct attested_facts *attested, int64_t now_ms)
{
    struct refusal refusal;
    struct facts f = {
        .now_ms = now_ms,
        .domain = a->trust.domain,
        .policy = policy_now(a),
        .epoch = epoch_now(a),
        .certificate = &c->certificate,
        .attested = attested,
        .certificates_from = run_now(a) ? run_now(a)->certificates_from : 0,
    };
    if (!f.policy)
        return false;
    f.signers = verify_certificate(f.policy, &c->jws);
    return judge_at_mint(&f, &refusal);
}

static bool is_attested_at(const struct attested_facts *attested, int64_t now_ms)
{
    const struct facts f = { .now_ms = now_ms, .attested = attested };
    for (unsigned i = 0; i < rules_n; i++)
        if (span_is(span_text(rules[i].name), "attest"))
            return rules[i].holds(&f) == E_ok;
    return false;
}

static bool is_certified(
    const struct audit *a, const struct record *r, const struct certified *c, const struct attested_facts *attested)
{
    const struct read_entry *e = &r->e.read;
    const int64_t now = r->e.time, before = now - JUDGED_BEFORE_MS;
    /* A permit's state is looked at again whatever has become of its certificate's window, policy and epoch. */
    if (e->purpose == READ_RECONCILE)
        return outcome_is_open(a, e->decision, &e->signed_) && (is_attested_at(attested, now) || is_attested_at(attested, before));
    return holds_at(a, c, attested, now) || holds_at(a, c, attested, before);
}

static int64_t longest_life(const struct audit *a, const struct contract *c)
{
    int64_t allowed = policy_now(a) ? policy_credential_s(policy_now(a)) : 0;
    return c->credential_s < allowed ? c->credential_s : allowed;
}

static void check_read(struct audit *a, const struct record *r, const struct certified *c)
{
    const struct read_entry *e = &r->e.read;
    const struct contract *contract = &c->certificate.contract;
    const struct run *run = run_now(a);
    const struct attested_facts *attested = attested_at(a, r);
    if (!is_certified(a, r, c, attested))
        report_found(&a->report, FOUND_read_uncertified, at_record(r->index), "%s", "");
    if (!digest_equal(&e->certificate, &c->certificate.digest) || !span_is(span_text(e->target), contract->mutation.target) ||
        !span_is(span_text(e->resource), contract->mutation.resource) ||
        (run && !digest_equal(&e->mint_key, &run->key[ROLE_MINT].kid)))
        report_found(&a->report, FOUND_read_mismatch, at_record(r->index), "%s", "");
    if (e->iat != r->e.time / 1000 || e->exp <= e->iat || e->exp - e->iat > longest_life(a, contract) ||
        (attested && e->exp > attested->exp))
        report_found(&a->report, FOUND_read_lifetime, at_record(r->index), "%" PRId64 " s", e->exp - e->iat);
}

static result reads_record(struct audit *a, const struct record *r)
{
    const struct read_entry *e = &r->e.read;
    const struct certified *c;
    forget_old(a->reads, r->e.time);
    if (r->e.type != ENTRY_READ)
        return OK;
    a->summary.reads++;
    keys_mint(a, r);
    TRY(document_certificate(a, &e->signed_, r->index, &c));
    if (c)
        check_read(a, r, c);
    if (!run_is_now(a, r, e->run))
        return OK;
    return keep(a->reads, &(struct known_read){ .index = r->index,
                              .decision = e->decision,
                              .purpose = e->purpose,
                              .time = r->e.time,
                              .exp = e->exp,
                              .signed_ = e->signed_,
                              .run = run_now(a)->start });
}

const struct audit_check check_reads = {
    .name = "reads", .judges = true, .begin = reads_begin, .record = reads_record, .free = reads_free
};
