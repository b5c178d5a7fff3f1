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
#include "hsm/tpm_guard_internal.h"
#include "tests/unit/testkey.h"

#define AK 0x81010100
#define RECORD 0x81010101
#define PIN 0x81010102
#define COUNTER 0x01500a01
#define ANCHOR 0x01500a02
#define MEASURED 12
#define EPOCH_PCR 13
#define ORIGIN "d/i"
#define WORDS_MAX 4

enum who { AUTHORITY, VERIFIER, THIEF, PEOPLE };

struct driver {
    const char *folder; /* of the blobs */
    struct testkey *person[PEOPLE];
    struct tpm *tpm;
    struct tpm_guard *guard;
    struct hsm_key *ak, *key;
    uint8_t nonce[LEASE_NONCE_SIZE];
    int64_t lease_ends; /* by our clock */
    ESYS_TR half; /* a session that was satisfied in part */
    TPM2B_TIMEOUT timeout;
    TPMT_TK_AUTH ticket;
    TPMT_TK_VERIFIED approval;
    char *word[WORDS_MAX];
    unsigned words;
    char note[256];
};

static bool said(const struct driver *d, unsigned at, const char *word)
{
    return d->words > at && !strcmp(d->word[at], word);
}

static uint32_t number(const struct driver *d, unsigned at, uint32_t standard)
{
    return d->words > at ? (uint32_t)strtoul(d->word[at], NULL, 0) : standard;
}

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
    struct approved_state s = { .pcr = MEASURED, .lease = public_of(d, said(d, 1, "other-lease") ? THIEF : VERIFIER) };
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

/* What the verifier signs (TPM 2.0 Part 3, TPM2_PolicySigned, aHash): nonce and be32(-seconds). */
static void lease_message(const struct driver *d, uint32_t seconds, uint8_t message[LEASE_NONCE_SIZE + 4])
{
    uint32_t expiration = -seconds;
    for (unsigned i = 0; i < LEASE_NONCE_SIZE; i++)
        message[i] = d->nonce[i];
    for (unsigned i = 0; i < 4; i++)
        message[LEASE_NONCE_SIZE + i] = (uint8_t)(expiration >> (24 - 8 * i));
}

/* end SECONDS [thief|other-nonce|longer] */
static result do_end(struct driver *d)
{
    uint8_t message[LEASE_NONCE_SIZE + 4], raw[SIGNATURE_SIZE];
    struct digest hash, same;
    uint32_t seconds = number(d, 1, 30);
    if (said(d, 2, "other-nonce"))
        d->nonce[31] ^= 1;
    lease_message(d, seconds, message);
    TRY(lease_hash(d->nonce, seconds, &hash));
    same = sha256(SPAN(message));
    if (!digest_equal(&hash, &same))
        return fail(E_invariant);
    testkey_sign(d->person[said(d, 2, "thief") ? THIEF : VERIFIER], SPAN(message), raw);
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

static TSS2_RC sign_with(const struct driver *d, ESYS_TR session)
{
    const struct tpm_key *k = (const struct tpm_key *)d->key;
    const TPM2B_DIGEST digest = { .size = DIGEST_SIZE };
    const TPMT_SIG_SCHEME own_scheme = { .scheme = TPM2_ALG_NULL };
    const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
    AUTO_ESYS TPMT_SIGNATURE *signature = NULL;
    return Esys_Sign(d->tpm->esys, k->tr, session, ESYS_TR_NONE, ESYS_TR_NONE, &digest, &own_scheme, &no_ticket, &signature);
}

/* The chip, asked directly with each armed session as it is: ok where one of them signs, else what it said to the first. */
static result do_raw_sign(struct driver *d)
{
    result r = fail(E_not_found);
    for (unsigned i = 0; i < GUARD_SESSIONS; i++) {
        struct guard_session *s = &d->guard->session[i];
        if (!s->armed)
            continue;
        result now = tpm_result(sign_with(d, s->tr));
        s->armed = !is_ok(now);
        r = code_of(r) == E_not_found || is_ok(now) ? now : r;
    }
    return r;
}

/* Without a session: the empty authorization, which serves a key without policy. */
static result do_password_sign(struct driver *d)
{
    return tpm_result(sign_with(d, ESYS_TR_PASSWORD));
}

/* Without the guard's word: the chip's own commands, in another order where `nv_first`, as far as `all`. */
static TSS2_RC half_pcr(struct driver *d)
{
    const TPM2B_DIGEST any = { 0 };
    TPML_PCR_SELECTION pcrs;
    tpm_pcr_select(1u << MEASURED, &pcrs);
    return Esys_PolicyPCR(d->tpm->esys, d->half, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &any, &pcrs);
}

static TSS2_RC half_nv(struct driver *d)
{
    TPM2B_OPERAND operand = { .size = 8 };
    const struct tpm_guard *g = d->guard;
    const ESYS_TR counter = d->tpm->kept;
    for (unsigned i = 0; i < 8; i++)
        operand.buffer[i] = (uint8_t)(g->approved_counter >> (56 - 8 * i));
    return Esys_PolicyNV(
        d->tpm->esys, counter, counter, d->half, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &operand, 0, TPM2_EO_EQ);
}

/* half pcr-nv|nv|pcr: satisfied so far. */
static result do_half(struct driver *d)
{
    AUTO_TRANSIENT session = TPM_TRANSIENT(d->tpm);
    TRY(tpm_policy_session(d->tpm, ESYS_TR_NONE, &session));
    d->half = session.tr;
    session.tr = ESYS_TR_NONE;
    if (!said(d, 1, "nv"))
        TRY(tpm_result(half_pcr(d)));
    return said(d, 1, "pcr") ? OK : tpm_result(half_nv(d));
}

static result finish(struct driver *d)
{
    const struct tpm_guard *g = d->guard;
    const TPM2B_DIGEST no_digest = { 0 };
    TPM2B_DIGEST policy = { .size = DIGEST_SIZE };
    TPM2B_NONCE no_ref = { 0 }, ref = { .size = DIGEST_SIZE };
    if (said(d, 1, "nv"))
        TRY(tpm_result(half_pcr(d)));
    if (said(d, 1, "pcr"))
        TRY(tpm_result(half_nv(d)));
    TRY(tpm_result(Esys_PolicyTicket(d->tpm->esys, d->half, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &g->timeout, &no_digest,
        &no_ref, &g->lessor.name, &g->ticket)));
    TRY(span_copy(digest_span(&g->policy), policy.buffer, DIGEST_SIZE));
    TRY(span_copy(digest_span(&g->ref), ref.buffer, DIGEST_SIZE));
    TRY(tpm_result(Esys_PolicyAuthorize(
        d->tpm->esys, d->half, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &policy, &ref, &g->authority.name, &g->approval)));
    return tpm_result(sign_with(d, d->half));
}

/* finish pcr-nv|nv|pcr: the rest of it, and a signature. */
static result do_finish(struct driver *d)
{
    AUTO_TRANSIENT session = { .tpm = d->tpm, .tr = d->half };
    result r = finish(d);
    d->half = ESYS_TR_NONE;
    return r;
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

static result do_steal(struct driver *d)
{
    d->timeout = d->guard->timeout;
    d->ticket = d->guard->ticket;
    d->approval = d->guard->approval;
    return OK;
}

/* plant lease|approval: what was stolen before, in the place of what this guard has. */
static result do_plant(struct driver *d)
{
    if (said(d, 1, "approval")) {
        d->guard->approval = d->approval;
        return OK;
    }
    d->guard->timeout = d->timeout;
    d->guard->ticket = d->ticket;
    d->guard->lease = LEASE_HELD;
    return OK;
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
