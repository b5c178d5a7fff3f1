/* What the policy authority approves, and who looks at it too. Everything that is approved is said on stderr before the key is
 * asked; a plan comes from the broker's machine, and so each of its parts is held to the others, and to whatever else the authority
 * has. */
#include "config.h"

#include "attest/plan.h"
#include "attest/reference.h"
#include "base/clock.h"
#include "sab/sab.h"

#include <stdio.h>

#define COUNTER_MAX ((uint64_t)JSON_INT_MAX)
/* Where sebd.json(5) lets the counter be. */
#define NV_FIRST UINT32_C(0x01000000)
#define NV_LAST UINT32_C(0x01bfffff)

static result refuse(struct sab_args *a, const char *about)
{
    a->about = about;
    return fail(E_plan_inconsistent);
}

/* --counter 0x01......: the configuration's tpm.nv.epoch. */
static result counter_index(struct sab_args *a, uint32_t *ret)
{
    AUTO_BUF bytes = BUF(sizeof *ret);
    const char *text = a->value[OPT_COUNTER];
    *ret = COUNTER_INDEX_DEFAULT;
    if (!text)
        return OK;
    struct span s = span_text(text);
    a->about = "--counter";
    if (s.n != 10 || !span_is(span_part(s, 0, 2), "0x") || !is_ok(hex_read(span_part(s, 2, s.n), &bytes)))
        return fail(E_usage);
    struct reader r = reader_of(buf_span(&bytes));
    TRY(read_u32(&r, ret));
    if (*ret < NV_FIRST || *ret > NV_LAST)
        return fail(E_usage);
    a->about = NULL;
    return OK;
}

static bool is_value(const struct cel_state *s, const char *name, const struct digest *wanted)
{
    const struct digest *value = cel_find(s, name);
    return value && digest_equal(value, wanted);
}

/* The broker measured which key it takes approvals of: another one's would be of no use, or this isn't our broker. */
static result fits_authority(struct sab_args *a, const struct approval *plan, const struct pubkey *policy_key)
{
    if (!is_value(&plan->measured, CEL_POLICY_AUTHORITY, pubkey_thumbprint(policy_key)))
        return refuse(a, "the measured policy authority isn't this key");
    return pubkey_equal(plan->lease, policy_key) ? refuse(a, "the lease key is the policy key") : OK;
}

/* An index that can be set, or that no epoch moves, would be approved for ever: the chip holds the epoch by this Name alone. */
static result fits_counter(struct sab_args *a, const struct approval *p)
{
    uint8_t name[TPM_NAME_SIZE];
    uint32_t index;
    TRY(counter_index(a, &index));
    TRY(tpm_counter_name(index, name));
    return span_equal(SPAN(name), SPAN(p->counter_name)) ? OK : refuse(a, "the counter's name isn't that of the epoch's counter");
}

static result say_differences(struct sab_args *a, const struct differences *d)
{
    for (unsigned i = 0; i < d->n; i++) {
        AUTO_BUF text = BUF(4096);
        TRY(difference_text(&d->one[i], &text));
        fprintf(stderr, "%.*s\n", (int)text.n, (const char *)text.p);
    }
    return d->n ? fail(E_measurement_not_allowed) : OK;
}

/* The reference values are whose signature the plan's own policy authority gave. */
static result reference_read(struct sab_args *a, const struct pubkey *policy_key, struct reference *ret)
{
    struct jws j;
    AUTO_BUF text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX);
    TRY(sab_read(a, a->value[OPT_REFERENCE], JWS_TEXT_MAX, &text));
    a->about = a->value[OPT_REFERENCE];
    TRY(jws_parse_text(buf_span(&text), &arena, &j));
    if (j.n != 1)
        return fail(E_bad_jws);
    TRY(jws_verify(policy_key, TYP_REFERENCE, j.payload, &j.sig[0]));
    return reference_parse(j.payload, ret);
}

static result fits_reference(struct sab_args *a, const struct approval *plan, const struct pubkey *policy_key)
{
    struct reference r;
    struct differences d = { 0 };
    if (!a->value[OPT_REFERENCE])
        return OK;
    TRY(reference_read(a, policy_key, &r));
    if (!span_is(span_text(r.domain), plan->domain))
        return fail(E_domain_mismatch);
    reference_judge(&r, &plan->measured, &d);
    TRY(say_differences(a, &d));
    a->about = NULL;
    return OK;
}

/* An approval for an epoch to come: each advance increments the counter once, however far it goes. */
static result move_epoch(struct sab_args *a, struct approval *plan)
{
    int64_t epoch;
    TRY(sab_number(a, OPT_EPOCH, 0, JSON_INT_MAX, plan->epoch, &epoch));
    if (epoch < plan->epoch)
        return refuse(a, "--epoch lies before the plan's");
    if (epoch > plan->epoch && plan->counter == COUNTER_MAX)
        return refuse(a, "the counter is at its end");
    plan->counter += epoch > plan->epoch;
    plan->epoch = epoch;
    return OK;
}

static void say(const char *what, const struct digest *d)
{
    char text[DIGEST_TEXT + 1];
    fprintf(stderr, "  %-18s %s\n", what, digest_text(d, text));
}

/* Each text in it was held to names' characters when it was parsed. */
static void say_approval(const struct approval *p)
{
    fprintf(stderr, "approves %s/%s at revocation epoch %lld (counter %llu), PCR %u:\n", p->domain, p->instance,
        (long long)p->epoch, (unsigned long long)p->counter, p->pcr);
    for (unsigned i = 0; i < p->measured.n; i++)
        say(p->measured.value[i].name, &p->measured.value[i].digest);
    say("attestation key", &p->ak);
    say("lease key", pubkey_thumbprint(p->lease));
    say("PCR value", &p->pcr_value);
    say("policy reference", &p->ref);
    say("policy", &p->policy);
}

static result sign_both(struct sab_args *a, const struct approval *plan, struct signer *s)
{
    uint8_t raw[SIGNATURE_SIZE];
    struct jws j;
    AUTO_APPROVAL_FILE checked = { 0 };
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX), file = BUF(APPROVAL_TEXT_MAX);
    TRY(approval_payload(plan, &payload));
    TRY(signer_sign(s, TYP_APPROVAL, buf_span(&payload), &text));
    struct digest hash = approval_hash(&plan->policy, &plan->ref);
    TRY(signer_sign_digest(s, &hash, raw));
    TRY(jws_parse_text(buf_span(&text), &arena, &j));
    TRY(approval_write(&j, raw, &file));
    /* A token that signs something else is found here, not by whoever is given the file. */
    TRY(approval_open(buf_span(&file), signer_public(s), &checked));
    return sab_print(buf_span(&file));
}

/* With the epoch that is approved, and its policy. */
static result plan_settle(struct sab_args *a, struct approval *plan)
{
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX);
    struct approval settled = { 0 };
    TRY(move_epoch(a, plan));
    plan->iat = clock_utc_ms() / 1000;
    TRY(approval_payload(plan, &payload));
    TRY(approval_parse(buf_span(&payload), &settled));
    plan->policy = settled.policy;
    approval_free(&settled);
    return OK;
}

static result plan_read(struct sab_args *a, const char *path, struct plan_file *ret)
{
    AUTO_BUF text = BUF(PLAN_FILE_MAX);
    const char *why = path;
    TRY(sab_read(a, path, PLAN_FILE_MAX, &text));
    result r = plan_file_open(buf_span(&text), ret, &why);
    a->about = is_ok(r) ? NULL : why;
    return r;
}

static result approve(struct sab_args *a)
{
    AUTO_SIGNER *s = NULL;
    AUTO_PLAN_FILE f = { .ak = NULL };
    TRY(plan_read(a, a->operand, &f));
    TRY(fits_counter(a, &f.plan));
    TRY(plan_settle(a, &f.plan));
    TRY(sab_key_open(a, &s));
    TRY(fits_authority(a, &f.plan, signer_public(s)));
    TRY(fits_reference(a, &f.plan, signer_public(s)));
    say_approval(&f.plan);
    return sign_both(a, &f.plan, s);
}

/* As far as somebody can tell who doesn't hold the policy key: the broker verifies that one's signatures. */
static result file_read_unverified(struct sab_args *a, struct approval_file *f)
{
    AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
    TRY(sab_read(a, a->operand, APPROVAL_TEXT_MAX, &text));
    a->about = a->operand;
    TRY(approval_file_parse(buf_span(&text), f));
    a->about = NULL;
    return OK;
}

/* The policy authority signed first: by what it names, which is all that a countersigner has of that key. */
static result names_authority(struct sab_args *a, const struct approval_file *f)
{
    for (unsigned i = 0; i < f->jws.n; i++)
        if (is_value(&f->approval.measured, CEL_POLICY_AUTHORITY, &f->jws.sig[i].kid))
            return OK;
    return refuse(a, "no signature is by the measured policy authority");
}

/* The approval is of the plan, but for when, and for which of its epochs. */
static result fits_plan(struct sab_args *a, const struct approval *approval)
{
    AUTO_PLAN_FILE f = { .ak = NULL };
    AUTO_BUF planned = BUF(JWS_PAYLOAD_MAX), approved = BUF(JWS_PAYLOAD_MAX);
    if (!a->value[OPT_PLAN]) {
        fprintf(stderr, "sab: warning: without --plan the PCR value is taken on the word of whoever approved\n");
        return OK;
    }
    TRY(plan_read(a, a->value[OPT_PLAN], &f));
    if (approval->epoch < f.plan.epoch)
        return refuse(a, "the approval is of an epoch before the plan's");
    f.plan.counter += approval->epoch > f.plan.epoch;
    f.plan.epoch = approval->epoch;
    f.plan.iat = approval->iat;
    TRY(approval_plan_write(&f.plan, &planned));
    TRY(approval_plan_write(approval, &approved));
    return span_equal(buf_span(&planned), buf_span(&approved)) ? OK : refuse(a, "the approval isn't of this plan");
}

static result countersign(struct sab_args *a)
{
    AUTO_SIGNER *s = NULL;
    AUTO_APPROVAL_FILE f = { 0 };
    AUTO_BUF text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX), out = BUF(APPROVAL_TEXT_MAX);
    struct jws j;
    TRY(file_read_unverified(a, &f));
    TRY(fits_plan(a, &f.approval));
    TRY(fits_counter(a, &f.approval));
    TRY(names_authority(a, &f));
    TRY(sab_key_open(a, &s));
    say_approval(&f.approval);
    TRY(signer_sign_too(s, TYP_APPROVAL, &f.jws, &text));
    TRY(jws_parse_text(buf_span(&text), &arena, &j));
    TRY(approval_write(&j, f.signature, &out));
    return sab_print(buf_span(&out));
}

result sab_approve(struct sab_args *a)
{
    bool again = a->value[OPT_COUNTERSIGN];
    if (again ? a->value[OPT_EPOCH] || a->value[OPT_REFERENCE] : a->value[OPT_PLAN] != NULL) {
        a->about = again ? "--countersign signs what is there: no --epoch, no --reference" : "--plan is for --countersign";
        return fail(E_usage);
    }
    return again ? countersign(a) : approve(a);
}

result sab_reference_sign(struct sab_args *a)
{
    struct reference r;
    AUTO_SIGNER *s = NULL;
    AUTO_JSON *v = NULL;
    AUTO_BUF payload = BUF(REFERENCE_TEXT_MAX), text = BUF(JWS_TEXT_MAX);
    TRY(sab_read_json(a, a->operand, &v));
    TRY(json_canonical(v, &payload));
    a->about = a->operand;
    TRY(reference_parse(buf_span(&payload), &r));
    a->about = NULL;
    TRY(sab_key_open(a, &s));
    TRY(signer_sign(s, TYP_REFERENCE, buf_span(&payload), &text));
    return sab_print(buf_span(&text));
}
