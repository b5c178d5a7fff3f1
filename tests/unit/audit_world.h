/* A broker's log as a broker writes it, made step by step with the store library, so that a test can let the broker lie in one
 * place. The keys act through a table: in software (audit_keys.c), or in a real TPM (tests/int/audit_make.c). What fails here
 * aborts the test. */
#ifndef SEB_TESTS_AUDIT_WORLD_H
#define SEB_TESTS_AUDIT_WORLD_H

#include "merkle/checkpoint.h"
#include "store/export.h"
#include "tests/unit/policy_world.h"

#define AW_ORIGIN "prod.example/seb-1"

/* The log's keys, by role. */
struct aw_keys {
    struct pubkey *(*public)(void *ctx, enum key_role role);
    void (*sign)(void *ctx, struct span text, uint8_t raw[SIGNATURE_SIZE]); /* the record key */
    void (*quote)(void *ctx, const struct digest *qualifying, struct buf *attest, struct buf *der);
    void (*evidence)(void *ctx, enum key_role role, struct buf *out);
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
};
void aw_soft_new(struct aw_soft *s);
void aw_soft_free(struct aw_soft *s);
struct aw_keys aw_soft_keys(struct aw_soft *s);

struct audit_world {
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
