#include "config.h"

#include "tests/bench/primitives.h"

#include <stdio.h>

#include "attest/policy_digest.h"
#include "hsm/tpm_guard.h"
#include "tests/unit/testkey.h"

#define RECORD UINT32_C(0x81000a30) /* beside the stand's own, under an authority and a verifier of the bench's */
#define COUNTER UINT32_C(0x01500a31)
#define LEASE_S 600

struct bench_tpm {
    struct testkey *authority, *verifier;
    struct tpm *tpm;
    struct tpm_guard *guard;
    struct hsm_key *attestation, *record;
    struct digest ref;
};

static void make_keys(struct bench_tpm *b, const struct primitive_args *a)
{
    uint8_t name[TPM_NAME_SIZE];
    bool made;
    char path[512];
    must(tpm_attestation_key(b->tpm, a->config->handle_attestation, &b->attestation), "attestation key");
    must(tpm_key_name(b->attestation, name), "its name");
    must(policy_ref("bench/bench", name, &b->ref), "policyRef");
    must(tpm_counter_define(b->tpm, COUNTER, &made), "counter");
    must(tpm_guard_new(b->tpm, testkey_public(b->authority), (unsigned)a->config->measured_pcr, COUNTER, &b->guard), "guard");
    must(tpm_guard_ref(b->guard, &b->ref), "guard");
    snprintf(path, sizeof path, "%s/record.pem", a->folder);
    must(tpm_provision(b->tpm, TPM_RECORD, RECORD, path, tpm_guard_key_policy(b->guard), &made), "record key");
    must(tpm_signing_key(b->tpm, RECORD, b->attestation, b->guard, &b->record), "record key");
}

/* A test key hashes what it signs, so it gets the preimages of attest/policy_digest.h. */
static void approve(struct bench_tpm *b, unsigned pcr)
{
    struct digest value[TPM_PCRS];
    struct approved_state s = { .pcr = pcr, .lease = testkey_public(b->verifier), .ref = b->ref };
    AUTO_BUF message = BUF(2 * DIGEST_SIZE);
    must(tpm_pcr_read(b->tpm, 1u << pcr, value), "PCR");
    must(tpm_counter_read(b->tpm, COUNTER, &s.counter, s.counter_name), "counter");
    s.pcr_value = value[pcr];
    struct tpm_approval a = { .ref = b->ref, .counter = s.counter, .lease_key = s.lease };
    must(approved_policy(&s, &a.policy), "approval");
    must(buf_put(&message, digest_span(&a.policy)), "approval");
    must(buf_put(&message, digest_span(&a.ref)), "approval");
    testkey_sign(b->authority, buf_span(&message), a.signature);
    must(tpm_guard_approve(b->guard, &a), "approval");
}

static void lease(struct bench_tpm *b)
{
    uint8_t nonce[LEASE_NONCE_SIZE], raw[SIGNATURE_SIZE];
    AUTO_BUF message = BUF(256);
    must(tpm_guard_lease_begin(b->guard, nonce), "lease");
    must(buf_put(&message, SPAN(nonce)), "lease");
    must(buf_u32(&message, -(uint32_t)LEASE_S), "lease");
    must(buf_put(&message, digest_span(&b->ref)), "lease");
    testkey_sign(b->verifier, buf_span(&message), raw);
    must(tpm_guard_lease_end(b->guard, LEASE_S, raw), "lease");
}

static void arm_once(void *context)
{
    struct bench_tpm *b = context;
    bool armed;
    must(tpm_guard_arm(b->guard, &armed), "arm");
}

static void arm_both(void *context)
{
    struct bench_tpm *b = context;
    while (tpm_guard_armed(b->guard) < 2)
        arm_once(b);
}

static void disarm(void *context)
{
    struct bench_tpm *b = context;
    tpm_guard_disarm(b->guard);
}

static void sign_once(void *context)
{
    struct bench_tpm *b = context;
    uint8_t raw[SIGNATURE_SIZE];
    struct digest d = sha256(span_text("bench"));
    must(hsm_sign(b->record, &d, raw), "sign");
}

static void sign_unarmed(void *context)
{
    disarm(context);
    sign_once(context);
}

void primitive_tpm(const struct primitive_args *a)
{
    int fd;
    enum tpm_transport transport;
    struct bench_tpm b = { .authority = testkey_new(ALG_ES256), .verifier = testkey_new(ALG_ES256) };
    must(tpm_connect(a->config->tpm, &fd, &transport), "the TPM");
    must(tpm_open(fd, transport, &b.tpm), "the TPM");
    make_keys(&b, a);
    approve(&b, (unsigned)a->config->measured_pcr);
    lease(&b);
    measure(&(struct measure){ .name = "tpm_sign", .rounds = a->rounds, .before = arm_both, .once = sign_once, .context = &b });
    measure(&(struct measure){ .name = "tpm_arm", .rounds = a->rounds, .before = disarm, .once = arm_once, .context = &b });
    measure(&(struct measure){ .name = "tpm_sign_unarmed", .rounds = a->rounds, .once = sign_unarmed, .context = &b });
    hsm_close(b.record);
    hsm_close(b.attestation);
    tpm_guard_free(b.guard);
    tpm_close(b.tpm);
    testkey_free(b.authority);
    testkey_free(b.verifier);
}
