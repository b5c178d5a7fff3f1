/* Does to a guard of hsm/ what a test script writes to its standard input, a command a line, and answers each with one line: the
 * code's name, what the command found, and the chip's own code. It plays the policy authority, a verifier and a thief with keys of
 * its own, and somebody who has fallen into the keeper's place: with the guard's sessions and tickets, talking to the chip
 * directly. */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/policy_digest.h"
#include "base/clock.h"
#include "tests/int/approved_driver.h"

static struct pubkey *public_of(const struct driver *d, enum who who)
{
    return testkey_public(d->person[who]);
}

static const char *blob(const struct driver *d, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s.pem", d->folder, name);
    return path;
}

static void close_all(struct driver *d)
{
    hsm_close(d->key);
    hsm_close(d->ak);
    tpm_guard_free(d->guard);
    tpm_close(d->tpm);
    d->key = d->ak = NULL;
    d->guard = NULL;
    d->tpm = NULL;
    d->half = ESYS_TR_NONE;
}

static result do_close(struct driver *d)
{
    close_all(d);
    return OK;
}

static result guard_open(struct driver *d)
{
    uint8_t name[TPM_NAME_SIZE];
    struct digest ref, policy;
    TRY(tpm_attestation_key(d->tpm, AK, &d->ak));
    TRY(tpm_key_name(d->ak, name));
    TRY(policy_ref(ORIGIN, name, &ref));
    TRY(tpm_guard_new(d->tpm, public_of(d, AUTHORITY), MEASURED, COUNTER, &d->guard));
    TRY(tpm_guard_ref(d->guard, &ref));
    /* What is computed without a TPM is what the guard has the keys bound to. */
    TRY(key_policy(public_of(d, AUTHORITY), &ref, &policy));
    return digest_equal(&policy, tpm_guard_key_policy(d->guard)) ? OK : fail(E_invariant);
}

/* open SOCKET [device]: the TPM, its attestation key and a guard; `device` has it taken for one with a resource manager. */
static result do_open(struct driver *d)
{
    int fd;
    enum tpm_transport transport;
    bool made;
    TRY(tpm_connect(d->word[1], &fd, &transport));
    TRY(tpm_open(fd, transport, &d->tpm));
    d->tpm->managed = said(d, 2, "device");
    TRY(tpm_provision(d->tpm, TPM_ATTESTATION, AK, blob(d, "attestation"), NULL, &made));
    return guard_open(d);
}

static result do_init(struct driver *d)
{
    bool made;
    TRY(tpm_counter_define(d->tpm, COUNTER, &made));
    TRY(tpm_anchor_define(d->tpm, ANCHOR, tpm_guard_key_policy(d->guard), &made));
    TRY(tpm_provision(d->tpm, TPM_RECORD, RECORD, blob(d, "record"), tpm_guard_key_policy(d->guard), &made));
    snprintf(d->note, sizeof d->note, made ? "made" : "kept");
    return OK;
}

/* key [HANDLE] */
static result do_key(struct driver *d)
{
    hsm_close(d->key);
    d->key = NULL;
    return tpm_signing_key(d->tpm, number(d, 1, RECORD), d->ak, d->guard, &d->key);
}

/* provision HANDLE bound|unbound|other: a key with the guard's policy, without one, or with the thief's. */
static result do_provision(struct driver *d)
{
    bool made;
    struct digest other;
    char name[32];
    TRY(key_policy(public_of(d, THIEF), &d->guard->ref, &other));
    snprintf(name, sizeof name, "key-%s", d->word[1]);
    const struct digest *policy = said(d, 2, "bound") ? tpm_guard_key_policy(d->guard) : said(d, 2, "other") ? &other : NULL;
    TRY(tpm_provision(d->tpm, TPM_RECORD, number(d, 1, 0), blob(d, name), policy, &made));
    snprintf(d->note, sizeof d->note, made ? "made" : "kept");
    return OK;
}

/* approve [next|other-tpm|forged|other-lease|other-order]: the state as it is, or what else is said. */
static result do_approve(struct driver *d)
{
    struct digest pcr[TPM_PCRS], hash;
    struct approved_state s = {
        .pcr = MEASURED, .lease = public_of(d, said(d, 1, "other-lease") ? THIEF : VERIFIER), .ref = d->guard->ref
    };
    TRY(tpm_pcr_read(d->tpm, 1u << MEASURED, pcr));
    TRY(tpm_counter_read(d->tpm, COUNTER, &s.counter, s.counter_name));
    s.pcr_value = pcr[MEASURED];
    s.counter += said(d, 1, "next");
    struct tpm_approval a = { .ref = d->guard->ref, .counter = s.counter, .lease_key = s.lease };
    TRY(approved_policy(&s, &a.policy));
    a.ref.b[0] ^= said(d, 1, "other-tpm");
    hash = approval_hash(&a.policy, &a.ref);
    /* A test key hashes what it signs, so it gets the preimage. */
    AUTO_BUF message = BUF(2 * DIGEST_SIZE);
    TRY(buf_put(&message, digest_span(&a.policy)));
    TRY(buf_put(&message, digest_span(&a.ref)));
    struct digest same = sha256(buf_span(&message));
    if (!digest_equal(&same, &hash))
        return fail(E_invariant);
    testkey_sign(d->person[said(d, 1, "forged") ? THIEF : AUTHORITY], buf_span(&message), a.signature);
    return tpm_guard_approve(d->guard, &a);
}

static result do_begin(struct driver *d)
{
    d->lease_ends = clock_mono_ms();
    return tpm_guard_lease_begin(d->guard, d->nonce);
}

/* What the verifier signs (TPM 2.0 Part 3, TPM2_PolicySigned, aHash): nonce, be32(-seconds), policyRef. */
static result lease_message(const struct driver *d, uint32_t seconds, const struct digest *ref, struct buf *out)
{
    TRY(buf_put(out, SPAN(d->nonce)));
    TRY(buf_u32(out, -seconds));
    return buf_put(out, digest_span(ref));
}

/* end SECONDS [thief|other-nonce|other-tpm|longer] */
static result do_end(struct driver *d)
{
    AUTO_BUF message = BUF(256);
    uint8_t raw[SIGNATURE_SIZE];
    uint32_t seconds = number(d, 1, 30);
    struct digest hash, same, ref = d->guard->ref;
    d->nonce[31] ^= said(d, 2, "other-nonce");
    ref.b[0] ^= said(d, 2, "other-tpm");
    TRY(lease_message(d, seconds, &ref, &message));
    TRY(lease_hash(d->nonce, seconds, &ref, &hash));
    same = sha256(buf_span(&message));
    if (!digest_equal(&hash, &same))
        return fail(E_invariant);
    testkey_sign(d->person[said(d, 2, "thief") ? THIEF : VERIFIER], buf_span(&message), raw);
    d->lease_ends += 1000 * (int64_t)seconds;
    return tpm_guard_lease_end(d->guard, seconds + said(d, 2, "longer"), raw);
}

/* lease SECONDS: both. */
static result do_lease(struct driver *d)
{
    TRY(do_begin(d));
    return do_end(d);
}

/* Until the lease is over, by a clock that the chip's may lag behind a little. */
static result do_outlive(struct driver *d)
{
    for (int64_t now; (now = clock_mono_ms()) < d->lease_ends + 100;)
        poll(NULL, 0, (int)(d->lease_ends + 100 - now));
    return OK;
}

static result do_arm(struct driver *d)
{
    bool armed;
    TRY(tpm_guard_arm(d->guard, &armed));
    snprintf(d->note, sizeof d->note, "%s %u", armed ? "now" : "not", tpm_guard_armed(d->guard));
    return OK;
}

/* step: one command of arming. */
static result do_step(struct driver *d)
{
    bool more;
    TRY(tpm_guard_arm_step(d->guard, &more));
    snprintf(d->note, sizeof d->note, "%s %u %u", more ? "more" : "all", tpm_guard_armed(d->guard), tpm_guard_fresh(d->guard));
    return OK;
}

/* by-steps on|off */
static result do_by_steps(struct driver *d)
{
    tpm_guard_by_steps(d->guard, said(d, 1, "on"));
    return OK;
}

static result sign_one(struct driver *d, uint32_t i)
{
    struct digest message = sha256((struct span){ (const uint8_t *)&i, sizeof i });
    struct digest hash = sha256(digest_span(&message));
    uint8_t raw[SIGNATURE_SIZE];
    TRY(hsm_sign(d->key, &hash, raw));
    return pubkey_verify(hsm_public(d->key), digest_span(&message), SPAN(raw));
}

/* sign [N] */
static result do_sign(struct driver *d)
{
    for (uint32_t i = 0; i < number(d, 1, 1); i++)
        TRY(sign_one(d, i));
    return OK;
}

/* soak N: signatures, each after the sessions were armed ahead, as the keeper has them. */
static result do_soak(struct driver *d)
{
    for (uint32_t i = 0; i < number(d, 1, 1); i++) {
        bool armed = true;
        while (armed)
            TRY(tpm_guard_arm(d->guard, &armed));
        TRY(sign_one(d, i));
    }
    return OK;
}

static result do_increment(struct driver *d)
{
    return tpm_counter_increment(d->tpm, COUNTER);
}

/* extend PCR */
static result do_extend(struct driver *d)
{
    const struct digest x = sha256(span_text("x"));
    return tpm_pcr_extend(d->tpm, number(d, 1, MEASURED), &x);
}

/* An epoch moves: the counter first, then the PCR that no policy has. */
static result do_bump(struct driver *d)
{
    const struct digest x = sha256(span_text("epoch"));
    TRY(do_increment(d));
    return tpm_pcr_extend(d->tpm, EPOCH_PCR, &x);
}

static result do_disarm(struct driver *d)
{
    tpm_guard_disarm(d->guard);
    return OK;
}

/* Transient objects, loaded sessions and saved ones that the chip has. */
static result do_handles(struct driver *d)
{
    static const uint32_t kinds[] = { 0x80000000, 0x02000000, 0x03000000 };
    uint32_t n[3];
    for (unsigned i = 0; i < 3; i++) {
        TPML_HANDLE there;
        TRY(tpm_handles_of(d->tpm, kinds[i], TPM2_MAX_CAP_HANDLES, &there));
        n[i] = there.count;
    }
    snprintf(d->note, sizeof d->note, "%u %u %u", n[0], n[1], n[2]);
    return OK;
}

/* seal TEXT [replace] */
static result do_seal(struct driver *d)
{
    AUTO_SECRET *s = NULL;
    struct span text = span_text(d->word[1]);
    TRY(secret_new(text.n, &s));
    TRY(span_copy(text, secret_bytes(s), text.n));
    return tpm_seal(d->tpm, PIN, tpm_guard_key_policy(d->guard), s, said(d, 2, "replace"));
}

static result do_unseal(struct driver *d)
{
    AUTO_SECRET *s = NULL;
    TRY(tpm_unseal(d->guard, PIN, &s));
    snprintf(d->note, sizeof d->note, "%.*s", (int)secret_size(s), (const char *)secret_bytes(s));
    return OK;
}

static result do_sealed(struct driver *d)
{
    return tpm_sealed(d->tpm, PIN, tpm_guard_key_policy(d->guard));
}

/* anchor SIZE: writes one. */
static result do_anchor(struct driver *d)
{
    const struct tpm_anchor a = {
        .clean = true, .size = number(d, 1, 0), .policy_epoch = 3, .epoch = 4, .root = sha256(span_text("root"))
    };
    return tpm_anchor_write(d->guard, ANCHOR, &a);
}

static result do_anchor_read(struct driver *d)
{
    struct tpm_anchor a = { 0 };
    bool written;
    TRY(tpm_anchor_read(d->tpm, ANCHOR, tpm_guard_key_policy(d->guard), &written, &a));
    struct digest root = sha256(span_text("root"));
    bool whole = a.clean && a.policy_epoch == 3 && a.epoch == 4 && digest_equal(&a.root, &root);
    if (written && !whole)
        return fail(E_bad_value);
    snprintf(d->note, sizeof d->note, written ? "%llu" : "never written", (unsigned long long)a.size);
    return OK;
}

static result do_counter(struct driver *d)
{
    uint64_t value;
    uint8_t name[TPM_NAME_SIZE];
    TRY(tpm_counter_read(d->tpm, COUNTER, &value, name));
    snprintf(d->note, sizeof d->note, "%llu", (unsigned long long)value);
    return OK;
}

/* All PCRs at once, and the digest of them. */
static result do_pcrs(struct driver *d)
{
    struct digest pcr[TPM_PCRS], all;
    char text[DIGEST_TEXT + 1];
    TRY(tpm_pcr_read(d->tpm, 0xffffff, pcr));
    all = sha256((struct span){ (const uint8_t *)pcr, sizeof pcr });
    snprintf(d->note, sizeof d->note, "%s", digest_text(&all, text));
    return OK;
}

static result do_evict(struct driver *d)
{
    return tpm_evict(d->tpm, number(d, 1, 0));
}

static result do_quote(struct driver *d)
{
    struct digest q = sha256(span_text("quote"));
    struct tpm_quote quote;
    TRY(tpm_quote(d->ak, 1u << MEASURED, &q, &quote));
    tpm_quote_free(&quote);
    return OK;
}

/* jwk ak|HANDLE */
static result do_jwk(struct driver *d)
{
    AUTO_PUBKEY *key = NULL;
    AUTO_JSON *jwk = NULL;
    AUTO_BUF text = BUF(200);
    if (said(d, 1, "ak"))
        key = pubkey_hold(hsm_public(d->ak));
    else
        TRY(tpm_public_at(d->tpm, number(d, 1, 0), &key));
    TRY(pubkey_jwk(key, &jwk));
    TRY(json_canonical(jwk, &text));
    TRY(buf_u8(&text, 0));
    snprintf(d->note, sizeof d->note, "%s", (const char *)text.p);
    return OK;
}

static const struct {
    const char *name;
    unsigned words; /* at least */
    result (*run)(struct driver *d);
} commands[] = {
    { "open", 2, do_open },
    { "close", 1, do_close },
    { "init", 1, do_init },
    { "key", 1, do_key },
    { "provision", 3, do_provision },
    { "approve", 1, do_approve },
    { "begin", 1, do_begin },
    { "end", 2, do_end },
    { "lease", 2, do_lease },
    { "outlive", 1, do_outlive },
    { "arm", 1, do_arm },
    { "step", 1, do_step },
    { "by-steps", 2, do_by_steps },
    { "disarm", 1, do_disarm },
    { "sign", 1, do_sign },
    { "soak", 2, do_soak },
    { "raw-sign", 1, do_raw_sign },
    { "password-sign", 1, do_password_sign },
    { "half", 2, do_half },
    { "finish", 2, do_finish },
    { "increment", 1, do_increment },
    { "extend", 2, do_extend },
    { "bump", 1, do_bump },
    { "steal", 1, do_steal },
    { "plant", 2, do_plant },
    { "handles", 1, do_handles },
    { "seal", 2, do_seal },
    { "sealed", 1, do_sealed },
    { "unseal", 1, do_unseal },
    { "anchor", 2, do_anchor },
    { "anchor-read", 1, do_anchor_read },
    { "counter", 1, do_counter },
    { "pcrs", 1, do_pcrs },
    { "evict", 2, do_evict },
    { "quote", 1, do_quote },
    { "jwk", 2, do_jwk },
    { "ek", 2, do_ek },
    { "activate", 2, do_activate },
};

static result run(struct driver *d, char *line)
{
    char *rest = line;
    d->words = 0;
    for (char *w; d->words < WORDS_MAX && (w = strtok_r(rest, " \n", &rest)); d->words++)
        d->word[d->words] = w;
    for (size_t i = 0; d->words > 0 && i < sizeof commands / sizeof commands[0]; i++)
        if (span_is(span_text(d->word[0]), commands[i].name) && d->words >= commands[i].words)
            return commands[i].run(d);
    return fail(E_usage);
}

int main(int argc, char **argv)
{
    struct driver d = { .half = ESYS_TR_NONE };
    char line[2048];
    if (argc != 2)
        return 2;
    d.folder = argv[1];
    for (unsigned i = 0; i < PEOPLE; i++)
        d.person[i] = testkey_new(ALG_ES256);
    while (fgets(line, sizeof line, stdin)) {
        d.note[0] = '\0';
        result r = run(&d, line);
        printf("%s%s%s", code_name(code_of(r)), d.note[0] ? " " : "", d.note);
        if (foreign_of(r) != FOREIGN_NONE)
            printf(" 0x%x", foreign_code(r));
        printf("\n");
        fflush(stdout);
    }
    close_all(&d);
    for (unsigned i = 0; i < PEOPLE; i++)
        testkey_free(d.person[i]);
    return 0;
}
