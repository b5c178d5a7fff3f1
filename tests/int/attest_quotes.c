#include "config.h"

#include "tests/int/attest_quotes.h"

#include "tests/unit/attest_world.h"
#include "tests/unit/check.h"

#include <stdlib.h>
#include <sys/wait.h>

#define PART_MAX 4096
#define CUTS_MAX 20

struct room {
    struct checks c;
    const char *script, *dir;
    struct attest_world *w;
    struct pubkey *ak, *record;
    struct digest events[32];
    unsigned events_n;
};

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    printf("not ok - %s\n", what);
    exit(1);
}

static void step(const struct room *r, const char *name)
{
    AUTO_BUF line = BUF(PART_MAX);
    must(is_ok(buf_printf(&line, "%s %s %s", r->script, name, r->dir)) && is_ok(buf_u8(&line, 0)), name);
    must(system((const char *)line.p) == 0, name);
}

static void path_of(const struct room *r, const char *name, char path[256])
{
    AUTO_BUF b = BUF(256);
    must(is_ok(buf_printf(&b, "%s/%s", r->dir, name)) && is_ok(span_copy_text(buf_span(&b), path, 256)), name);
}

static void get(const struct room *r, const char *name, struct buf *out)
{
    char path[256];
    path_of(r, name, path);
    buf_clear(out);
    must(is_ok(file_read(path, PART_MAX, out)), path);
}

static void put(const struct room *r, const char *name, struct span content)
{
    char path[256];
    path_of(r, name, path);
    must(is_ok(file_write(path, content, 0600, true)), path);
}

/* As hsm_evidence() writes it, from tpm2_certify's files. */
static void evidence_of(const struct room *r, const char *role, struct evidence_key *k)
{
    static const struct {
        const char *member, *suffix;
    } parts[] = { { "attest", "attest" }, { "public", "pub" }, { "signature", "sig" } };
    AUTO_JSON *o = json_object();
    AUTO_BUF part = BUF(PART_MAX);
    must(o != NULL, role);
    for (unsigned i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.%s", role, parts[i].suffix);
        get(r, name, &part);
        /* TPM2B_PUBLIC: its size comes first. */
        struct span s = i == 1 ? span_part(buf_span(&part), 2, part.n) : buf_span(&part);
        must(is_ok(json_put_b64url(o, parts[i].member, s)), role);
    }
    buf_clear(&k->evidence);
    must(is_ok(json_canonical(o, &k->evidence)), role);
}

static void learn_ak(struct room *r)
{
    struct attest_world *w = r->w;
    AUTO_BUF public = BUF(PART_MAX);
    struct digest ref;
    get(r, "ak.pub", &public);
    check_code(&r->c, ak_public_check(span_part(buf_span(&public), 2, public.n), w->ak_name, &r->ak), E_ok, "the AK's attributes");
    must(is_ok(span_copy(SPAN(w->ak_name), w->identity.ak_name, TPM_NAME_SIZE)), "name");
    must(is_ok(instance_policy_ref(WORLD_DOMAIN, WORLD_INSTANCE, w->ak_name, &ref)), "policyRef");
    must(is_ok(key_policy(testkey_public(w->policy_key), &ref, &w->key_policy)), "key policy");
    w->identity.ak = r->ak;
    w->approved.ref = ref;
    w->approved.ak = *pubkey_thumbprint(r->ak);
    put(r, "key_policy", digest_span(&w->key_policy));
}

static void learn_keys(struct room *r)
{
    struct evidence_key k = { .evidence = BUF(KEY_EVIDENCE_MAX) };
    struct digest other = sha256(span_text("another policy"));
    AUTO_PUBKEY *key = NULL;
    step(r, "keys");
    evidence_of(r, "record", &k);
    check_code(&r->c, tpm_key_proof(buf_span(&k.evidence), r->ak, &r->w->key_policy, &r->record), E_ok, "the record key is proved");
    check_code(&r->c, tpm_key_proof(buf_span(&k.evidence), r->ak, &other, &key), E_key_without_policy, "not under another policy");
    evidence_of(r, "free", &k);
    check_code(&r->c, tpm_key_proof(buf_span(&k.evidence), r->ak, &r->w->key_policy, &key), E_key_without_policy,
        "a key without a policy is refused");
    evidence_of(r, "imported", &k);
    check_code(&r->c, tpm_key_proof(buf_span(&k.evidence), r->ak, &r->w->key_policy, &key), E_key_not_certified,
        "an imported key is refused");
    r->w->identity.record = r->record;
    buf_free(&k.evidence);
}

/* One measurement after another, of which the TPM's PCR gets the events. */
static void measure(struct room *r, const char *name, const struct digest *value)
{
    struct attest_world *w = r->w;
    must(is_ok(cel_append(&w->cel, 12, name, value, &r->events[r->events_n])), name);
    r->events_n++;
}

static void extend(const struct room *r)
{
    AUTO_BUF lines = BUF(PART_MAX);
    for (unsigned i = 0; i < r->events_n; i++)
        must(is_ok(hex_put(&lines, digest_span(&r->events[i]))) && is_ok(buf_u8(&lines, '\n')), "events");
    put(r, "events", buf_span(&lines));
    step(r, "extend");
}

static void measure_all(struct room *r)
{
    struct digest configuration = sha256(span_text("configuration")), value;
    struct attest_world *w = r->w;
    buf_clear(&w->cel);
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++) {
        struct digest d = sha256(span_text(cel_executable(i)));
        measure(r, cel_executable(i), &d);
    }
    measure(r, CEL_CONFIGURATION, &configuration);
    measure(r, CEL_KEY_ATTESTATION, pubkey_thumbprint(r->ak));
    measure(r, CEL_KEY_RECORD, pubkey_thumbprint(r->record));
    measure(r, CEL_POLICY_AUTHORITY, pubkey_thumbprint(testkey_public(w->policy_key)));
    extend(r);
    must(is_ok(cel_replay(buf_span(&w->cel), 12, &value, &w->approved.measured)), "event log");
    w->approved.pcr_value = value;
    world_approve(w, true);
}

static void take_pcrs(const struct room *r, struct evidence *e)
{
    static const unsigned quoted[] = { 0, 1, 2, 3, 4, 5, 6, 7, 10, 12 };
    AUTO_BUF values = BUF(PART_MAX);
    get(r, "pcrs", &values);
    must(values.n == sizeof quoted / sizeof *quoted * DIGEST_SIZE, "PCR values");
    e->pcr_mask = 0;
    for (unsigned i = 0; i < sizeof quoted / sizeof *quoted; i++) {
        must(is_ok(span_copy(span_part(buf_span(&values), i * DIGEST_SIZE, DIGEST_SIZE), e->pcr[quoted[i]].b, DIGEST_SIZE)), "PCR");
        e->pcr_mask |= UINT32_C(1) << quoted[i];
    }
}

/* Evidence of this TPM for the world's challenge: all but the quote and the keys is the world's. */
static void answer(struct room *r)
{
    struct attest_world *w = r->w;
    struct quote_challenge q = { .policy_epoch = w->policy_epoch, .epoch = w->epoch };
    w->has_note = false;
    world_answer(w);
    struct evidence *e = w->evidence;
    static const char *const roles[EVIDENCE_ROLES] = { "ak", "record", "mint" };
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++)
        evidence_of(r, roles[i], &e->key[i]);
    e->key[EVIDENCE_ATTESTATION].kid = *pubkey_thumbprint(r->ak);
    e->key[EVIDENCE_RECORD].kid = *pubkey_thumbprint(r->record);
    AUTO_PUBKEY *mint = NULL;
    must(is_ok(tpm_key_proof(buf_span(&e->key[EVIDENCE_MINT].evidence), r->ak, &w->key_policy, &mint)), "mint key");
    e->key[EVIDENCE_MINT].kid = *pubkey_thumbprint(mint);
    must(is_ok(span_copy(SPAN(w->quoted_nonce), q.nonce, NONCE_SIZE)), "nonce");
    must(is_ok(span_copy(SPAN(e->lease_nonce), q.lease_nonce, NONCE_SIZE)), "lease nonce");
    buf_clear(&e->preimage);
    must(is_ok(quote_challenge_preimage(&q, &e->preimage)), "preimage");
    struct digest extra = sha256(buf_span(&e->preimage));
    put(r, "qualifying", digest_span(&extra));
    step(r, "quote");
    get(r, "quote.attest", &e->attest);
    get(r, "quote.sig", &e->signature);
    take_pcrs(r, e);
}

/* The same evidence may be judged once more. */
static void judged_once(struct room *r, const char *what, enum seb_code code, enum ear_status status)
{
    struct appraisal v;
    check_code(&r->c, appraise(&r->w->args, &v), E_ok, what);
    bool named = code == E_ok;
    for (unsigned i = 0; i < v.codes_n; i++) {
        printf("# %s\n", code_name(v.codes[i]));
        named |= v.codes[i] == code;
    }
    check_that(
        &r->c, named && (code != E_ok || v.codes_n == 0) && v.status == status, code == E_ok ? "is affirmed" : code_name(code));
    r->w->known = v.known;
    appraisal_free(&v);
}

static void judged(struct room *r, const char *what, enum seb_code code, enum ear_status status)
{
    judged_once(r, what, code, status);
    world_challenge(r->w);
}

static bool is_safe(const struct room *r)
{
    const struct evidence *e = r->w->evidence;
    struct attest a;
    must(is_ok(attest_open(buf_span(&e->attest), buf_span(&e->signature), r->ak, &a)), "the quote");
    return a.clock.safe;
}

/* The clock of a chip that was cut off counts as safe again when it has passed what may have been its last value, 4 s after the
 * start: on a machine that takes that long to quote, once more. */
static void cut_off(struct room *r)
{
    for (unsigned i = 0; i < CUTS_MAX; i++) {
        step(r, "kill");
        extend(r);
        answer(r);
        if (!is_safe(r))
            return;
    }
}

static void rounds(struct room *r)
{
    struct attest_world *w = r->w;
    answer(r);
    judged(r, "a TPM's quote", E_ok, EAR_AFFIRMING);
    check_that(
        &r->c, w->known.has_quote && w->known.clock.clock_ms > 0 && w->known.firmware != 0, "its clock and firmware are known");
    judged(r, "the same quote for the next challenge", E_nonce_mismatch, EAR_CONTRAINDICATED);
    answer(r);
    judged(r, "the next quote", E_ok, EAR_AFFIRMING);

    /* A reset of the chip. Whoever plays the measurements into it again has the PCRs, not the count. */
    const uint32_t resets = w->known.clock.reset_count;
    step(r, "reset");
    extend(r);
    answer(r);
    judged(r, "the chip reset under the run, its PCRs made up again", E_tpm_reset, EAR_CONTRAINDICATED);
    w->run[0]++;
    answer(r);
    judged(r, "the machine restarted", E_ok, EAR_AFFIRMING);
    check_that(&r->c, w->known.clock.reset_count > resets && w->known.clock.safe, "counted, and its clock safe");

    w->run[0]++;
    cut_off(r);
    w->args.options.strict_clock = true;
    judged_once(r, "cut off, and strictly", E_clock_unsafe, EAR_WARNING);
    w->args.options.strict_clock = false;
    judged(r, "cut off", E_ok, EAR_AFFIRMING);
    check_that(&r->c, !w->known.clock.safe, "its clock is unsafe");

    step(r, "tamper");
    answer(r);
    judged(r, "a PCR that somebody extended", E_event_log_mismatch, EAR_CONTRAINDICATED);
    step(r, "other");
    answer(r);
    judged(r, "the AK of another TPM", E_quote_forged, EAR_CONTRAINDICATED);
}

int attest_quotes(const char *script, const char *dir)
{
    struct room r = { .script = script, .dir = dir, .w = world_new() };
    learn_ak(&r);
    learn_keys(&r);
    measure_all(&r);
    rounds(&r);
    pubkey_free(r.ak);
    pubkey_free(r.record);
    world_free(r.w);
    return checks_end(&r.c);
}
