/* The fields of each message, put and read. What is read views the message. A read refuses bytes left over. */
#ifndef SEB_LINK_MESSAGES_H
#define SEB_LINK_MESSAGES_H

#include "base/field.h"
#include "base/jws.h"
#include "link/link.h"

/* A JWS in parts: blob32 payload, u8 n, n × (32-byte kid, blob16 protected, blob16 signature). */
MUST_USE result parts_put(struct buf *b, const struct jws *j);
MUST_USE result parts_read(struct reader *r, struct jws *ret);

struct submit_message { /* front → core */
    uint32_t uid;
    struct jws certificate, request; /* the request has exactly one signature */
    struct span body;
};
MUST_USE result submit_put(struct buf *b, const struct submit_message *m);
MUST_USE result submit_read(struct span fields, struct submit_message *ret);

enum admin_operation { ADMIN_STATUS = 1, ADMIN_POLICY, ADMIN_EPOCH, ADMIN_APPROVAL, ADMIN_ACKNOWLEDGE, ADMIN_PLAN };
struct admin_message { /* front → core */
    enum admin_operation operation;
    struct jws statement; /* of policy, epoch and acknowledge: one signature; else empty */
    struct span text; /* of approval: the approval file; else empty */
};
MUST_USE result admin_put(struct buf *b, const struct admin_message *m);
MUST_USE result admin_read(struct span fields, struct admin_message *ret);

enum attest_operation { ATTEST_CHALLENGE = 1, ATTEST_RESULT, ATTEST_ENROLLED };
#define LEASE_SIGNATURE_SIZE 64 /* r ‖ s */
struct lease_grant {
    uint32_t seconds; /* 0: no lease is granted, and there is no signature */
    struct span signature; /* LEASE_SIGNATURE_SIZE bytes, or none */
};
struct attest_message { /* front → core: what came through the verifiers' door */
    enum attest_operation operation;
    struct jws statement; /* exactly one signature */
    struct lease_grant lease; /* of a result */
    struct span extra; /* of enrolled: the EK certificate, DER */
};
MUST_USE result attest_put(struct buf *b, const struct attest_message *m);
MUST_USE result attest_read(struct span fields, struct attest_message *ret);

struct noise_message { /* front → core */
    uint16_t code; /* enum seb_code */
    uint32_t count;
};
MUST_USE result noise_put(struct buf *b, const struct noise_message *m);
MUST_USE result noise_read(struct span fields, struct noise_message *ret);

/* REPLY front ← core, KEYS and STATE core ← keeper: one blob32 of JSON. APPROVAL core → keeper: the approval file's text. */
MUST_USE result text_put(struct buf *b, struct span json);
MUST_USE result text_read(struct span fields, struct span *ret_json);

struct resume_message { /* core → keeper */
    uint64_t size;
    unsigned n;
    struct digest hash[64]; /* the frontier, largest subtree first */
    struct span note; /* empty: none was ever signed */
    unsigned proof_n;
    struct digest proof[64]; /* consistency from the anchor's size to `size`; none where there is no anchor, or they are equal */
};
MUST_USE result resume_put(struct buf *b, const struct resume_message *m);
MUST_USE result resume_read(struct span fields, struct resume_message *ret);

/* POLICY, EPOCH, CHALLENGE, ACKNOWLEDGE: parts alone. */
MUST_USE result statement_put(struct buf *b, const struct jws *j);
MUST_USE result statement_read(struct span fields, struct jws *ret);

/* APPEND core → keeper: u64 index of the first, u16 n, n × blob32 entry. Begin, add each, and read one after another. */
MUST_USE result append_begin(struct buf *b, uint64_t first);
MUST_USE result append_add(struct buf *b, struct span entry);
struct append_reader {
    struct reader r;
    uint64_t index; /* of the entry that append_next gave */
    unsigned left;
};
MUST_USE result append_open(struct span fields, struct append_reader *ret);
MUST_USE result append_next(struct append_reader *a, struct span *ret_entry); /* while left > 0; the last checks the end */

struct mint_message { /* core → keeper */
    uint64_t index; /* of the entry that it is for */
    struct jws certificate;
    struct span body;
};
MUST_USE result mint_put(struct buf *b, const struct mint_message *m);
MUST_USE result mint_read(struct span fields, struct mint_message *ret);

struct result_message { /* core → keeper: RESULT */
    struct jws statement; /* exactly one signature */
    struct lease_grant lease;
};
MUST_USE result result_put(struct buf *b, const struct result_message *m);
MUST_USE result result_read(struct span fields, struct result_message *ret);

struct evidence_message { /* keeper → core: EVIDENCE, to CHALLENGE and PLAN of the same slot */
    uint16_t code; /* enum seb_code: not ok, and there is no JSON */
    struct span json;
};
MUST_USE result evidence_put(struct buf *b, const struct evidence_message *m);
MUST_USE result evidence_read(struct span fields, struct evidence_message *ret);

enum loaded_what { LOADED_RESUME = 1, LOADED_POLICY, LOADED_EPOCH, LOADED_RESULT, LOADED_APPROVAL, LOADED_ACKNOWLEDGE };
#define RESUMED_UNCLEAN 1u /* a bit of RESUMED's foreign: the last run ended without an anchor over the log's end */
struct code_message { /* keeper → core: RESUMED, LOADED, MINT_REFUSED, HEALTH */
    uint16_t code; /* enum seb_code */
    uint8_t what; /* enum loaded_what, or 0 */
    uint32_t foreign; /* of HEALTH and MINT_REFUSED; of RESUMED its bits */
};
MUST_USE result code_put(struct buf *b, const struct code_message *m);
MUST_USE result code_read(struct span fields, struct code_message *ret); /* an unknown code is illegal_message */

struct checkpoint_message { /* keeper → core */
    uint64_t size;
    struct span note;
};
MUST_USE result checkpoint_put(struct buf *b, const struct checkpoint_message *m);
MUST_USE result checkpoint_read(struct span fields, struct checkpoint_message *ret);

struct quote_message { /* keeper → core */
    uint64_t size;
    struct span attest, signature, preimage;
};
MUST_USE result quote_put(struct buf *b, const struct quote_message *m);
MUST_USE result quote_read(struct span fields, struct quote_message *ret);

struct call_message { /* keeper → runner */
    uint8_t use; /* 1 read, 2 mutate */
    struct span target, method, url, precondition, precondition_value, media_type;
    struct span audit_id; /* what the call is known by in the target's own audit log; empty where its kind has none */
    struct span credential, body;
    struct span details; /* JSON of the target's kind (target_details): how the body is composed, what the answer is held to */
};
MUST_USE result call_put(struct buf *b, const struct call_message *m);
MUST_USE result call_read(struct span fields, struct call_message *ret);

enum answer_phase { ANSWER_NEVER_SENT, ANSWER_NONE, ANSWER_WHOLE };
struct answer_message { /* runner → core */
    enum answer_phase phase;
    uint16_t code; /* enum seb_code */
    uint32_t foreign, http_status; /* of ANSWER_NEVER_SENT: the status of a dry run that held the call back, or 0 */
    bool has_etag, has_body;
    struct span etag;
    struct digest body_sha256;
    uint64_t body_length;
    /* What a kind whose body is kept reads out of it; empty where the body doesn't say. */
    struct span uid, version;
    struct span reason, causes; /* of a refusal; causes: a JSON array */
    unsigned fields_n; /* of a read: the contract's preconditions.fields, then its parameters.fields; 0 where nothing is there */
    struct live_field field[LIVE_FIELDS_MAX];
};
MUST_USE result answer_put(struct buf *b, const struct answer_message *m);
MUST_USE result answer_read(struct span fields, struct answer_message *ret);

#endif
