/* A broker's log as a broker writes it, made step by step with the store library, so that a test can let the broker lie in one
 * place. The keys act through a table: in software (audit_keys.c), or in a real TPM (tests/int/audit_make.c). What fails here
 * aborts the test. */
#ifndef SEB_TESTS_AUDIT_WORLD_H
#define SEB_TESTS_AUDIT_WORLD_H

#include "attest/appraise.h"
#include "attest/approval.h"
#include "attest/cel.h"
#include "merkle/checkpoint.h"
#include "store/export.h"
#include "tests/unit/policy_world.h"

#define AW_ORIGIN "prod.example/seb-1"
#define AW_PCR 12 /* of the broker's own measurements */
#define AW_COUNTER 7 /* what the TPM's revocation counter starts at */
#define AW_RESULT_S 300

/* The log's keys, by role. */
struct aw_keys {
    /* What the keys are bound to, before anything else. */
    void (*bind)(void *ctx, const struct pubkey *policy_key);
    struct pubkey *(*public)(void *ctx, enum key_role role);
    void (*sign)(void *ctx, struct span text, uint8_t raw[SIGNATURE_SIZE]); /* the record key */
    void (*quote)(void *ctx, const struct digest *qualifying, struct buf *attest, struct buf *der);
    void (*evidence)(void *ctx, enum key_role role, struct buf *out);
    void (*name)(void *ctx, uint8_t ret[TPM_NAME_SIZE]); /* the attestation key's */
    void *ctx;
    bool mint_in_tpm;
};
/* All in software; the TPM's clock is where the test puts it. */
struct aw_soft {
    struct testkey *key[ROLES];
    uint64_t clock_ms;
    uint32_t reset_count;
    uint32_t attributes; /* of each key; 0: as they should be */
    uint32_t reset_next; /* taken at the next quote where it isn't 0 */
    bool in_tpm; /* the mint key too */
    struct digest key_policy; /* of record and mint key */
    uint32_t pcr_mask;
    struct digest pcr[TPM_PCRS];
};
void aw_soft_new(struct aw_soft *s);
void aw_soft_free(struct aw_soft *s);
struct aw_keys aw_soft_keys(struct aw_soft *s);
/* Quoted from here on. */
void aw_soft_pcr(struct aw_soft *s, unsigned pcr, const struct digest *value);

/* Another target than the world's own HTTP service: what it is, and what a read finds there. */
struct aw_target {
    const char *name, *kind, *prefix, *audience, *issuer, *mapping; /* issuer and mapping: NULL where it has none */
    bool exists;
    const char *uid, *version;
    struct live_field field[LIVE_FIELDS_MAX]; /* what is found of a contract's fields */
};

struct audit_world {
    const struct aw_target *target; /* of the changes to come; NULL: the HTTP service */
    struct world policy; /* keys and documents of authority, agent, policy */
    struct testkey *policy_key, *revocation_key;
    struct aw_keys keys;
    char folder[64];
    struct store *store;
    struct store_batch *batch;
    int64_t now_ms;
    uint8_t run[RUN_SIZE];
    unsigned runs;
    struct policy *in_force; /* as the records say */
    struct epoch_statement epoch;
    struct permit *some_permit; /* what lets a lying broker write a permit */
    struct digest leaf; /* of the record put last */
    uint64_t size;
    /* Attestation: what the instance is, and what its verifier knows of it. */
    struct buf cel;
    struct cel_state measured;
    struct digest measured_value;
    uint64_t counter;
    int64_t certificates_from;
    struct digest approval, enrolment; /* payloads' digests */
    struct buf ek_certificate; /* DER */
    struct digest ek_spki;
    int64_t ek_activated; /* 0: now */
    const char *ek_roots; /* PEM for the trust file; NULL: none */
    struct buf note; /* the newest */
    struct log_state seen;
    bool has_attested;
    struct attested_facts attested; /* the result that the broker holds, */
    struct digest evidence; /* and what it rests on */
    unsigned results;
    bool pin_mint, pin_verifier; /* in the trust file */
};
void aw_new(struct audit_world *w, const struct aw_keys *keys);
void aw_free(struct audit_world *w);
/* A path in the world's folder; valid until the next call. */
const char *aw_path(const struct audit_world *w, const char *name, struct buf *room);

/* One change: certificate, request and body, signed. */
struct aw_change {
    struct buf certificate_text, request_text, arena_c, arena_q;
    struct jws certificate_jws, request_jws;
    struct certificate certificate;
    struct request request;
};
/* cid and request id; edits of the certificate and the request come before ("" for none), as "path=json". */
void aw_change_new(struct audit_world *w, const char *cid, const char *id, const char *certificate_edit, struct aw_change *ret);
void aw_change_free(struct aw_change *c);
/* The same certificate, signed by these alone. */
void aw_change_sign(struct aw_change *c, struct testkey *const *keys, unsigned n);

/* Records in honest form, with the world's time and run; a test may change them before they are put. */
struct entry aw_start(struct audit_world *w); /* begins a new run, stores the keys' evidence */
struct entry aw_stop(const struct audit_world *w);
struct entry aw_policy(struct audit_world *w); /* signs the world's policy document and puts it in force */
struct entry aw_epoch(struct audit_world *w); /* the same of the revocation epoch */
struct entry aw_read(
    struct audit_world *w, const struct aw_change *c, uint64_t reconciles); /* NO_INDEX: for drift; stores the certificate */
/* What the judge says of it; read NO_INDEX: without live state. Stores certificate, request and body. */
struct entry aw_decision(struct audit_world *w, const struct aw_change *c, uint64_t read, bool used);
struct entry aw_outcome(const struct audit_world *w, uint64_t decision, const struct digest *leaf, enum outcome_result result,
    enum outcome_evidence evidence);
/* Puts it, and returns its index; its leaf hash is in w->leaf. Time goes on by 5 ms. */
uint64_t aw_put(struct audit_world *w, const struct entry *e);
/* Signs an approval of the state as it is, for the counter, and stores it. `edit` may change it before (NULL: nothing). */
void aw_approve(struct audit_world *w, void (*edit)(struct approval *a));
struct entry aw_enrolment(struct audit_world *w); /* signed by the verifier */
/* A result in the making: drafted, quoted, put; a test may change it between. */
struct aw_result {
    struct evidence *e;
    struct result_claims c;
    struct quote_challenge q;
    struct testkey *verifier; /* who signs it */
};
void aw_result_draft(struct audit_world *w, struct aw_result *ret);
void aw_result_quote(struct audit_world *w, struct aw_result *d);
/* Stores evidence and result, which the broker holds from here on; frees the draft. */
struct entry aw_result_done(struct audit_world *w, struct aw_result *d);
struct entry aw_result(struct audit_world *w); /* all of it, affirming */
struct entry aw_keys_entry(struct audit_world *w, int64_t epoch); /* stores the keys' evidence */
/* Records 0 to 4: start, policy, epoch, enrolment and an affirming result; the state is approved. */
void aw_begin(struct audit_world *w);
/* A permitted and applied change, in three records; returns the decision's index. */
uint64_t aw_apply(struct audit_world *w, const char *name);

/* Commits, signs a checkpoint, quotes it; the quote is over policy and epoch in force. */
void aw_sign(struct audit_world *w);
void aw_quote(struct audit_world *w);
/* A quote as given, over another note or other epochs. */
void aw_quote_of(struct audit_world *w, const struct checkpoint *c, uint64_t policy_epoch, uint64_t epoch);
struct checkpoint aw_checkpoint(const struct audit_world *w);
/* Time passes, for broker and TPM. */
void aw_wait(struct audit_world *w, struct aw_soft *tpm, int64_t ms);
/* Exports into folder/name and writes folder/trust.json. */
void aw_export(struct audit_world *w, const char *name, const struct export_options *o);
void aw_trust(struct audit_world *w);

#endif
