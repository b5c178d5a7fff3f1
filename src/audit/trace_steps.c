#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "mint/mint.h"
#include "audit/trace.h"

#define SAID_MAX 1024
#define SHOWN_MAX 256

/* One link of the chain. */
struct saying {
    struct audit *a;
    struct trace *t;
    char said[SAID_MAX];
    struct fault fault;
    bool open; /* can't be said: what it would be verified by isn't pinned */
};

static bool says(struct saying *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool says(struct saying *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->said, sizeof s->said, format, args);
    va_end(args);
    return true;
}

static bool fails(struct saying *s, enum finding f, const char *about)
{
    s->fault.what = f;
    snprintf(s->fault.about, sizeof s->fault.about, "%s", about);
    return false;
}

/* The first finding of first..last at this record or size, or at any from there on (`behind`); false where there is one. Where
 * there were more than could be kept, any may be among the others. */
static bool is_quiet(struct saying *s, struct where at, bool behind, enum finding first, enum finding last)
{
    for (unsigned i = 0; i < s->t->heard_n; i++) {
        const struct heard *h = &s->t->heard[i];
        const bool here = h->at.kind == at.kind && (h->at.n == at.n || (behind && h->at.n > at.n));
        if (here && h->what >= first && h->what <= last)
            return fails(s, h->what, h->about);
    }
    return !s->t->deaf || fails(s, s->t->unheard.what, s->t->unheard.about);
}

static bool is_clean(struct saying *s, uint64_t record)
{
    return is_quiet(s, at_record(record), false, 0, FINDINGS - 1);
}

static const char *utc(int64_t seconds, char text[32])
{
    time_t t = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(text, 32, "%" PRId64 " s", seconds);
    return text;
}

struct short_text {
    char text[DIGEST_TEXT + 1];
};
static struct short_text brief(const struct digest *d)
{
    struct short_text s;
    digest_text(d, s.text);
    s.text[10] = 0;
    return s;
}

static bool step_record(struct saying *s)
{
    const struct trace *t = s->t;
    const struct entry *e = &t->record.e;
    char when[32];
    if (t->index == NO_INDEX)
        return is_quiet(s, at_file(), false, 0, FINDINGS - 1);
    if (!t->passed)
        return is_clean(s, t->index) ? fails(s, FOUND_record_changed, "") : false;
    utc(e->time / 1000, when);
    return says(
        s, "jti is the leaf hash of record %" PRIu64 ", a %s at %s", t->index, e->type == ENTRY_READ ? "read" : "permit", when);
}

static bool step_token(struct saying *s)
{
    const struct key_identity *k = &s->t->key[ROLE_MINT];
    if (s->t->keys_at == NO_INDEX)
        return fails(s, FOUND_run_missing, "");
    if (!s->t->is_minted)
        return fails(s, FOUND_token_signature, "");
    return says(s, "signed by mint key %s (%s), which record %" PRIu64 " names", brief(&k->kid).text, k->backend, s->t->keys_at);
}

static bool step_claims(struct saying *s)
{
    struct trace *t = s->t;
    AUTO_BUF claims = BUF(CREDENTIAL_TEXT_MAX);
    const char *wrong = "";
    const bool pinned = s->a->trust.audiences != NULL;
    result r = claims_of(&s->a->trust, &s->a->export, s->a->size, t->index, pinned ? NULL : t->audience, &claims, &wrong);
    if (!is_ok(r))
        return fails(s, FOUND_token_claims, wrong);
    if (!span_equal(buf_span(&claims), t->jws.payload))
        return fails(s, FOUND_token_claims, "");
    return says(s, "computed again from record and certificate: the same, byte for byte%s",
        pinned ? "" : " (the audience is the token's word)");
}

static bool step_policy(struct saying *s)
{
    const struct trace *t = s->t;
    if (t->policy_at == NO_INDEX)
        return fails(s, FOUND_decision_statement, "none was in force");
    return is_clean(s, t->policy_at) && says(s, "record %" PRIu64 ", policy epoch %" PRId64 ", signed by the pinned policy key %s",
                                            t->policy_at, t->policy_epoch, brief(pubkey_thumbprint(s->a->trust.policy)).text);
}

static bool step_certificate(struct saying *s)
{
    const struct trace *t = s->t;
    if (t->signers != E_ok)
        return fails(s, FOUND_token_certificate, code_name(t->signers));
    return says(s, "%s, signed by %u of the policy's authorities", t->cid, t->authorities);
}

static bool step_checkpoint(struct saying *s)
{
    const struct trace *t = s->t;
    /* That the records up to a checkpoint aren't those that were signed is said once, at the first. */
    for (unsigned i = 0; i < t->heard_n; i++)
        if (t->heard[i].what == FOUND_checkpoint_root)
            return fails(s, FOUND_checkpoint_root, t->heard[i].about);
    if (!t->note_size)
        return is_quiet(s, at_size(t->index + 1), true, FOUND_checkpoint_malformed, FOUND_checkpoint_newest) &&
               fails(s, FOUND_checkpoint_newest, "none covers the record");
    return says(s, "size %" PRIu64 ", signed by record key %s; all records up to it give its root", t->note_size,
        brief(&t->key[ROLE_RECORD].kid).text);
}

static bool step_quote(struct saying *s)
{
    const struct trace *t = s->t;
    if (!t->quoted_size)
        return is_quiet(s, at_size(t->index + 1), true, FOUND_quote_missing, FOUND_quote_order) &&
               fails(s, FOUND_quote_missing, "");
    if (!is_quiet(s, at_size(t->quoted_size), false, FOUND_quote_missing, FOUND_clock_reset))
        return false;
    return says(s,
        "of the checkpoint of size %" PRIu64 ", signed by attestation key %s at TPM clock %" PRIu64 " ms (reset %" PRIu32
        ", restart %" PRIu32 ")",
        t->quoted_size, brief(&t->key[ROLE_ATTESTATION].kid).text, t->clock_ms, t->reset_count, t->restart_count);
}

/* Fresh when the record was made, affirming, and of exactly the keys in use. */
static bool is_in_force(struct saying *s)
{
    const struct trace *t = s->t;
    const struct result_claims *c = &t->claims;
    const int64_t now_s = t->record.e.time / 1000;
    if (c->status != EAR_AFFIRMING)
        return fails(s, FOUND_decision_verdict, "the verifier didn't affirm");
    if (now_s >= c->exp || now_s < c->iat - 30)
        return fails(s, FOUND_decision_verdict, "the result was over, or of the future");
    bool keys = digest_equal(&c->attestation, &t->key[ROLE_ATTESTATION].kid) &&
                digest_equal(&c->record, &t->key[ROLE_RECORD].kid) && digest_equal(&c->mint, &t->key[ROLE_MINT].kid);
    return keys ? true : fails(s, FOUND_decision_verdict, "the result names other keys");
}

static bool step_result(struct saying *s)
{
    const struct trace *t = s->t;
    char from[32], to[32];
    if (t->result_at == NO_INDEX)
        return fails(s, FOUND_result_unknown, "");
    if (!is_quiet(s, at_record(t->result_at), false, 0, FOUND_result_again) || !t->has_claims)
        return s->fault.what != FINDINGS ? false : fails(s, FOUND_blob_missing, "the result");
    if (!is_in_force(s))
        return false;
    return says(s, "record %" PRIu64 ", affirming, of these three keys, %s to %s, signed by verifier %s of the policy",
        t->result_at, utc(t->claims.iat, from), utc(t->claims.exp, to), t->verifier);
}

static bool step_evidence(struct saying *s)
{
    const struct trace *t = s->t;
    struct where at = at_record(t->result_at);
    if (!is_quiet(s, at, false, FOUND_evidence_quote, FOUND_evidence_pcrs) ||
        !is_quiet(s, at, false, FOUND_evidence_keys, FOUND_evidence_keys))
        return false;
    return says(s,
        "quote %s by attestation key %s over the result's nonce and the checkpoint of size %" PRIu64
        "; its PCR values are the ones quoted",
        brief(&t->claims.quote).text, brief(&t->claims.attestation).text, t->claims.log.size);
}

static bool step_approval(struct saying *s)
{
    const struct trace *t = s->t;
    const struct approval *p = &t->approval.approval;
    if (!is_quiet(s, at_record(t->result_at), false, FOUND_evidence_events, FOUND_evidence_approval))
        return false;
    if (!t->has_approval)
        return fails(s, FOUND_evidence_approval, "it can't be had");
    return says(s,
        "event log of %u measurements gives PCR %u; that value at counter %" PRIu64 " (revocation epoch %" PRId64
        ") is approved by the policy key",
        p->measured.n, p->pcr, p->counter, p->epoch);
}

static bool step_keys(struct saying *s)
{
    const struct trace *t = s->t;
    for (unsigned i = 0; i < t->heard_n; i++)
        if (t->heard[i].what == FOUND_rekey_mismatch)
            return fails(s, FOUND_rekey_mismatch, t->heard[i].about);
    if (!is_quiet(s, at_record(t->keys_at), false, FOUND_key_unknown, FOUND_key_policy) ||
        !is_quiet(s, at_record(t->keys_at), false, FOUND_blob_missing, FOUND_blob_digest))
        return false;
    const struct short_text record = brief(&t->key[ROLE_RECORD].kid), mint = brief(&t->key[ROLE_MINT].kid),
                            attestation = brief(&t->key[ROLE_ATTESTATION].kid);
    /* What a TPM certifies it holds to its policy; of a key in an HSM it only keeps the PIN. */
    if (!span_is(span_text(t->key[ROLE_MINT].backend), "tpm"))
        return says(s,
            "record key %s is certified under attestation key %s, and useless without the policy key's approval; "
            "it states mint key %s to be in its HSM",
            record.text, attestation.text, mint.text);
    return says(s,
        "record key %s and mint key %s are certified under attestation key %s, and useless without the policy key's approval",
        record.text, mint.text, attestation.text);
}

static bool step_enrolment(struct saying *s)
{
    const struct trace *t = s->t;
    char when[32];
    if (t->enrolment_at == NO_INDEX || !t->has_statement)
        return fails(s, FOUND_enrolment_missing, "");
    if (!is_quiet(s, at_record(t->enrolment_at), false, 0, FOUND_enrolment_mismatch))
        return false;
    return says(s, "record %" PRIu64 ": a verifier of the policy had the key of Name %s activated beside EK %s at %s",
        t->enrolment_at, t->ak_name, brief(&t->statement.ek).text, utc(t->statement.activated, when));
}

static bool step_ek(struct saying *s)
{
    const struct trace *t = s->t;
    s->open = !s->a->trust.ek_roots;
    if (!is_quiet(s, at_record(t->enrolment_at), false, FOUND_enrolment_chain, FOUND_enrolment_chain))
        return false;
    struct short_text digest = brief(&t->statement.ek_certificate);
    return s->open ? says(s, "certificate %s: no root is pinned to follow it to (--ek-roots)", digest.text)
                   : says(s, "certificate %s is the EK's, and leads to a pinned root", digest.text);
}

static const struct {
    const char *name;
    bool (*holds)(struct saying *s);
} steps[] = {
    { "record", step_record },
    { "token", step_token },
    { "claims", step_claims },
    { "policy", step_policy },
    { "certificate", step_certificate },
    { "checkpoint", step_checkpoint },
    { "quote", step_quote },
    { "result", step_result },
    { "evidence", step_evidence },
    { "approval", step_approval },
    { "keys", step_keys },
    { "enrolment", step_enrolment },
    { "ek", step_ek },
};

static void print_step(const char *name, bool holds, const struct saying *s)
{
    char about[SHOWN_MAX];
    if (holds) {
        printf("%s %-11s %s\n", s->open ? "-" : "✓", name, s->said);
        return;
    }
    printf("✗ %-11s %s: %s", name, finding_name(s->fault.what), finding_words(s->fault.what));
    if (*s->fault.about)
        printf(" (%s)", log_quote(span_text(s->fault.about), about, sizeof about));
    printf("\n");
}

static result list_step(json_t *list, const char *name, bool holds, const struct saying *s)
{
    AUTO_JSON *o = json_object();
    if (!o)
        return fail(E_no_memory);
    TRY(json_put_text(o, "name", name));
    TRY(json_put_flag(o, "holds", holds && !s->open));
    if (holds)
        TRY(json_put_text(o, "said", s->said));
    else
        TRY(json_put_text(o, "finding", finding_name(s->fault.what)));
    if (!holds && *s->fault.about)
        TRY(json_put_text(o, "about", s->fault.about));
    return json_array_append(list, o) == 0 ? OK : fail(E_no_memory);
}

static result print_json(const struct trace *t, json_t *list, int exit_code)
{
    AUTO_JSON *o = json_object();
    AUTO_BUF text = BUF(1u << 20);
    if (!o)
        return fail(E_no_memory);
    TRY(json_put_int(o, "exit", exit_code));
    if (t->index != NO_INDEX)
        TRY(json_put_int(o, "index", (int64_t)t->index));
    TRY(json_put_new(o, "steps", json_incref(list)));
    TRY(json_canonical(o, &text));
    return fwrite(text.p, 1, text.n, stdout) == text.n && putchar('\n') != EOF ? OK : fail(E_io);
}

result trace_say(struct audit *a, struct trace *t, bool json, int *ret_exit)
{
    AUTO_JSON *list = json_array();
    int code = AUDIT_CLEAN;
    if (!list)
        return fail(E_no_memory);
    for (unsigned i = 0; i < sizeof steps / sizeof *steps && code != AUDIT_FOUND; i++) {
        struct saying s = { .a = a, .t = t, .fault = { .what = FINDINGS } };
        bool holds = steps[i].holds(&s);
        if (!holds)
            code = AUDIT_FOUND;
        else if (s.open)
            code = AUDIT_PARTIAL;
        if (json)
            TRY(list_step(list, steps[i].name, holds, &s));
        else
            print_step(steps[i].name, holds, &s);
    }
    if (json)
        TRY(print_json(t, list, code));
    *ret_exit = code;
    return fflush(stdout) == 0 ? OK : fail(E_io);
}
