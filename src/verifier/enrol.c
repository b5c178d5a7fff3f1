#include "config.h"

#include "attest/enrolment.h"
#include "base/clock.h"
#include "base/random.h"
#include "verifier/subject.h"
#include "verifier/verifier.h"

#include <time.h>

#define ROOTS_MAX ((size_t)1 << 20)

/* What a command that talks to a broker works with; freed by scope. */
struct desk {
    const struct settings_instance *instance;
    struct bus_tls tls;
    struct state *state;
    struct keys *keys;
    struct wire *wire;
    struct wire_line *line;
};

static void desk_free(struct desk *d)
{
    wire_line_free(d->line);
    wire_free(d->wire);
    keys_close(d->keys);
    state_free(d->state);
}
#define AUTO_DESK __attribute__((cleanup(desk_free))) struct desk

static result desk_open(struct verifier_args *a, struct desk *d)
{
    const struct settings *s = a->settings;
    TRY(verifier_instance(a, &d->instance));
    a->about = s->state;
    TRY(state_open(s->state, &d->state));
    a->about = "the verifier's keys";
    TRY(keys_open(s, &d->keys));
    a->about = NULL;
    d->tls = (struct bus_tls){ .certificate = s->tls_certificate, .key = s->tls_key, .ca = s->tls_ca };
    TRY(wire_new(&(struct wire_args){ .tls = &d->tls, .connections = 1, .timeout_ms = (int)s->timeout_ms }, &d->wire));
    return wire_line_new(d->wire, d->instance->address, &d->line);
}

static result roots_load(struct verifier_args *a, struct ek_roots **ret)
{
    AUTO_BUF pem = BUF(ROOTS_MAX);
    for (unsigned i = 0; i < a->settings->roots; i++) {
        a->about = a->settings->root[i];
        TRY(file_read(a->settings->root[i], ROOTS_MAX, &pem));
        TRY(buf_u8(&pem, '\n'));
    }
    a->about = "ek_roots";
    TRY(ek_roots_read(buf_span(&pem), ret));
    a->about = NULL;
    return OK;
}

/* One challenge and its answer's `evidence`; the reply is the caller's to free. */
static result ask(struct verifier_args *a, struct desk *d, struct challenge *c, json_t **ret_reply, const json_t **ret_evidence)
{
    AUTO_JSON *question = NULL, *reply = NULL;
    c->iat = clock_utc_ms() / 1000;
    TRY(span_copy_text(span_text(d->instance->domain), c->domain, sizeof c->domain));
    TRY(span_copy_text(span_text(d->instance->instance), c->instance, sizeof c->instance));
    TRY(random_bytes(c->nonce, sizeof c->nonce));
    TRY(challenge_question(d->keys, c, &question));
    a->about = d->instance->address;
    TRY(wire_ask(d->line, question));
    a->about = "the broker says";
    TRY(wire_reply(d->line, &reply));
    a->about = "the broker's answer";
    TRY(json_object_at(reply, "evidence", ret_evidence));
    a->about = NULL;
    *ret_reply = reply;
    reply = NULL;
    return OK;
}

static result ask_offer(struct verifier_args *a, struct desk *d, struct enrolment_offer **ret)
{
    struct challenge c = { .op = CHALLENGE_ENROL };
    AUTO_JSON *reply = NULL;
    AUTO_BUF text = BUF(ENROLMENT_TEXT_MAX);
    const json_t *evidence;
    TRY(ask(a, d, &c, &reply, &evidence));
    TRY(json_canonical(evidence, &text));
    return enrolment_offer_parse(buf_span(&text), ret);
}

/* A secret that only the TPM with this EK gives back, and only beside this AK. It isn't kept: an activation that isn't answered now
 * is begun anew. */
static result activate(struct verifier_args *a, struct desk *d, const struct enrolment_offer *o, const struct enrolment *e)
{
    struct challenge c = { .op = CHALLENGE_ACTIVATE };
    struct activation activation = { .ek = e->ek.spki, .made = clock_utc_ms() / 1000 };
    AUTO_BUF credential = BUF(CREDENTIAL_MAX), seed = BUF(CREDENTIAL_SEED_MAX), secret = BUF(CREDENTIAL_SECRET_SIZE);
    AUTO_JSON *reply = NULL;
    const json_t *evidence;
    TRY(span_copy(SPAN(e->ak_name), activation.ak_name, TPM_NAME_SIZE));
    TRY(random_bytes(activation.secret, sizeof activation.secret));
    TRY(make_credential(buf_span(&o->ek[e->ek_at].public), e->ak_name, SPAN(activation.secret), &credential, &seed));
    TRY(span_copy(buf_span(&credential), c.credential, credential.n));
    TRY(span_copy(buf_span(&seed), c.secret, seed.n));
    c.credential_n = (uint16_t)credential.n;
    c.secret_n = (uint16_t)seed.n;
    TRY(ask(a, d, &c, &reply, &evidence));
    result r = json_bytes_at(evidence, "secret", CREDENTIAL_SECRET_SIZE, &secret);
    if (is_ok(r))
        r = activation_answer(&activation, e, buf_span(&secret), clock_utc_ms() / 1000);
    wipe(&activation, sizeof activation);
    return r;
}

static result put_jwk(const struct pubkey *k, struct buf *out)
{
    AUTO_JSON *jwk = NULL;
    TRY(pubkey_jwk(k, &jwk));
    return json_canonical(jwk, out);
}

static result keep(struct desk *d, const struct enrolment_offer *o, const struct enrolment *e, struct enrolment_row *row)
{
    AUTO_ENROLMENT_DOCUMENTS papers = enrolment_documents_empty();
    *row = (struct enrolment_row){ .local = d->instance->local,
        .status = ENROLMENT_PENDING,
        .activated = clock_utc_ms() / 1000,
        .ek = e->ek.spki,
        .ak = *pubkey_thumbprint(e->ak),
        .record = *pubkey_thumbprint(e->record) };
    if (e->mint)
        row->mint = *pubkey_thumbprint(e->mint);
    TRY(span_copy_text(span_text(d->instance->name), row->name, sizeof row->name));
    TRY(span_copy_text(span_text(d->instance->instance), row->instance, sizeof row->instance));
    TRY(span_copy_text(span_text(d->instance->domain), row->domain, sizeof row->domain));
    TRY(span_copy(SPAN(e->ak_name), row->ak_name, TPM_NAME_SIZE));
    TRY(buf_put(&papers.certificate, buf_span(&o->ek[e->ek_at].certificate)));
    TRY(put_jwk(e->ak, &papers.ak_jwk));
    TRY(put_jwk(e->record, &papers.record_jwk));
    TRY(state_begin(d->state));
    TRY(state_enrol(d->state, row, &papers));
    return state_commit(d->state);
}

static result put_fingerprints(const struct enrolment_row *row, struct buf *out)
{
    char ek[DIGEST_TEXT + 1], ak[DIGEST_TEXT + 1], record[DIGEST_TEXT + 1], mint[DIGEST_TEXT + 1];
    bool has_mint = !digest_is_zero(&row->mint);
    return buf_printf(out, "ek      %s\nak      %s\nrecord  %s\nmint    %s", digest_text(&row->ek, ek), digest_text(&row->ak, ak),
        digest_text(&row->record, record), has_mint ? digest_text(&row->mint, mint) : "not proved yet");
}

static result enrol_with(struct verifier_args *a, struct desk *d, const struct enrolment_terms *t)
{
    AUTO_ENROLMENT_OFFER *offer = NULL;
    __attribute__((cleanup(enrolment_free))) struct enrolment e = { 0 };
    struct enrolment_row row;
    AUTO_BUF text = BUF(2048);
    TRY(ask_offer(a, d, &offer));
    a->about = d->instance->name;
    TRY(enrolment_check(offer, t, &e));
    TRY(activate(a, d, offer, &e));
    TRY(keep(d, offer, &e, &row));
    TRY(put_fingerprints(&row, &text));
    TRY(buf_printf(
        &text, "\npending: compare with the broker's (sebctl pubkeys), then: seb-verifier confirm %s", d->instance->name));
    return verifier_print(buf_span(&text));
}

result verifier_enrol(struct verifier_args *a)
{
    AUTO_DESK d = { 0 };
    AUTO_EK_ROOTS *roots = NULL;
    TRY(desk_open(a, &d));
    a->about = d.instance->domain;
    TRY(state_domain_free(d.state, d.instance->name, d.instance->domain, d.instance->local));
    TRY(roots_load(a, &roots));
    const struct enrolment_terms terms = { .domain = d.instance->domain,
        .instance = d.instance->instance,
        .roots = roots,
        .policy_key = d.instance->policy_key,
        .now = clock_utc_ms() / 1000 };
    return enrol_with(a, &d, &terms);
}

static result make_statement(struct desk *d, const struct enrolment_row *row, struct buf *out)
{
    struct enrolment_statement s = { .activated = row->activated, .ak = row->ak, .ek = row->ek };
    AUTO_ENROLMENT_DOCUMENTS papers = enrolment_documents_empty();
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX);
    TRY(state_enrolment_documents(d->state, row->id, &papers));
    s.ek_certificate = sha256(buf_span(&papers.certificate));
    s.verifier = *pubkey_thumbprint(keys_result(d->keys));
    TRY(span_copy(SPAN(row->ak_name), s.ak_name, TPM_NAME_SIZE));
    TRY(span_copy_text(span_text(row->domain), s.domain, sizeof s.domain));
    TRY(span_copy_text(span_text(row->instance), s.instance, sizeof s.instance));
    TRY(enrolment_write(&s, &payload));
    return keys_sign(d->keys, TYP_ENROLMENT, buf_span(&payload), out);
}

/* Who confirms may name the EK that he compared. */
static result is_named(struct verifier_args *a, const struct enrolment_row *row)
{
    struct digest named;
    if (!a->value[OPT_EK])
        return OK;
    a->about = "--ek";
    if (!is_ok(digest_read(span_text(a->value[OPT_EK]), &named)))
        return fail(E_usage);
    TRY(digest_equal(&named, &row->ek) ? OK : fail(E_fingerprint_mismatch));
    a->about = NULL;
    return OK;
}

/* At once where the broker can be reached; else the serving verifier does it. */
static result deliver(struct desk *d, const struct enrolment_row *row)
{
    AUTO_JSON *question = json_object(), *statement = NULL, *reply = NULL;
    AUTO_ENROLMENT_DOCUMENTS papers = enrolment_documents_empty();
    TRY(state_enrolment_documents(d->state, row->id, &papers));
    TRY(json_strict(buf_span(&papers.statement), JWS_TEXT_MAX, &statement));
    TRY(json_put_text(question, "op", "enrolled"));
    TRY(json_put_new(question, "statement", json_incref(statement)));
    TRY(json_put_b64url(question, "certificate", buf_span(&papers.certificate)));
    TRY(wire_ask(d->line, question));
    TRY(wire_reply(d->line, &reply));
    return state_delivered(d->state, row->id);
}

result verifier_confirm(struct verifier_args *a)
{
    AUTO_DESK d = { 0 };
    struct enrolment_row row;
    AUTO_BUF statement = BUF(STATE_STATEMENT_MAX), text = BUF(2048);
    TRY(desk_open(a, &d));
    a->about = d.instance->name;
    TRY(state_begin(d.state));
    TRY(state_enrolment(d.state, d.instance->name, ENROLMENT_PENDING, &row));
    TRY(is_named(a, &row));
    /* The configuration was changed since it was enrolled. */
    if (!span_is(span_text(row.domain), d.instance->domain) || !span_is(span_text(row.instance), d.instance->instance))
        return fail(E_instance_mismatch);
    TRY(make_statement(&d, &row, &statement));
    TRY(state_confirm(d.state, d.instance->name, clock_utc_ms() / 1000, buf_span(&statement)));
    TRY(state_commit(d.state));
    result r = deliver(&d, &row);
    TRY(put_fingerprints(&row, &text));
    TRY(buf_printf(&text, "\nconfirmed%s%s",
        is_ok(r) ? "" : "; its statement is delivered at the next contact: ", is_ok(r) ? "" : code_name(code_of(r))));
    return verifier_print(buf_span(&text));
}

result verifier_withdraw(struct verifier_args *a)
{
    AUTO_STATE *state = NULL;
    /* Also one that the settings no longer have. */
    a->about = a->settings->state;
    TRY(state_open(a->settings->state, &state));
    a->about = a->operand;
    TRY(state_begin(state));
    TRY(state_withdraw(state, a->operand, clock_utc_ms() / 1000));
    TRY(state_commit(state));
    return verifier_print(span_text("withdrawn"));
}
