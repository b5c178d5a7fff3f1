#include "config.h"

#include "tests/fake/lying_chip.h"

#include <stdio.h>
#include <stdlib.h>

#define HANDLE(role) (UINT32_C(0x81000a01) + (uint32_t)(role))

void must(result r, const char *what)
{
    char text[256];
    if (is_ok(r))
        return;
    fprintf(stderr, "lying_door: %s: %s\n", what, result_text(r, text, sizeof text));
    exit(1);
}

static const char *pem_path(const char *folder, unsigned role, struct buf *out)
{
    buf_clear(out);
    must(buf_printf(out, "%s/key-%u.pem", folder, role), "path");
    must(buf_u8(out, 0), "path");
    return (const char *)out->p;
}

static void open_ak(struct chip *c, const char *folder)
{
    bool made;
    AUTO_BUF path = BUF(512);
    must(tpm_provision(c->tpm, TPM_ATTESTATION, HANDLE(0), pem_path(folder, 0, &path), NULL, &made), "attestation key");
    must(tpm_attestation_key(c->tpm, HANDLE(0), &c->ak), "attestation key");
    must(tpm_key_name(c->ak, c->ak_name), "its name");
    c->key[EVIDENCE_ATTESTATION] = c->ak;
}

static void open_bound(struct chip *c, enum evidence_role role, const char *folder)
{
    bool made;
    AUTO_BUF path = BUF(512);
    enum tpm_role kind = role == EVIDENCE_RECORD ? TPM_RECORD : TPM_MINT;
    must(tpm_provision(c->tpm, kind, HANDLE(role), pem_path(folder, role, &path), &c->key_policy, &made), "bound key");
    must(tpm_signing_key(c->tpm, HANDLE(role), c->ak, c->guard, &c->key[role]), "bound key");
}

void chip_open(struct chip *c, const char *socket, const char *folder, const char *domain, const char *instance,
    const struct pubkey *policy_key)
{
    int fd;
    bool made;
    enum tpm_transport transport;
    *c = (struct chip){ 0 };
    must(tpm_connect(socket, &fd, &transport), socket);
    must(tpm_open(fd, transport, &c->tpm), socket);
    open_ak(c, folder);
    must(instance_policy_ref(domain, instance, c->ak_name, &c->ref), "policyRef");
    must(key_policy(policy_key, &c->ref, &c->key_policy), "key policy");
    must(tpm_counter_define(c->tpm, CHIP_COUNTER, &made), "counter");
    must(tpm_counter_read(c->tpm, CHIP_COUNTER, &c->counter, c->counter_name), "counter");
    must(tpm_guard_new(c->tpm, policy_key, CHIP_PCR, CHIP_COUNTER, &c->guard), "guard");
    must(tpm_guard_ref(c->guard, &c->ref), "guard");
    open_bound(c, EVIDENCE_RECORD, folder);
    open_bound(c, EVIDENCE_MINT, folder);
}

void chip_close(struct chip *c)
{
    hsm_close(c->key[EVIDENCE_MINT]);
    hsm_close(c->key[EVIDENCE_RECORD]);
    hsm_close(c->ak);
    tpm_guard_free(c->guard);
    tpm_close(c->tpm);
}

void chip_evidence(struct chip *c, struct evidence_key key[EVIDENCE_ROLES])
{
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++) {
        key[i].kid = *pubkey_thumbprint(hsm_public(c->key[i]));
        must(span_copy_text(span_text(hsm_backend(c->key[i])), key[i].backend, sizeof key[i].backend), "backend");
        must(hsm_evidence(c->key[i], &key[i].evidence), "evidence");
    }
}
