/* A real seb-keeper with a real TPM and HSM, and around it a test that plays supervisor, core and runner, verifier and policy
 * authority. All of them are honest unless told otherwise. What the keeper sends is verified as it comes: checkpoints with the
 * record key and against a log of the room's own, quotes with the attestation key. What fails in the room itself ends the test. */
#ifndef SEB_TESTS_KEEPER_ROOM_H
#define SEB_TESTS_KEEPER_ROOM_H

#include "attest/approval.h"
#include "attest/challenge.h"
#include "attest/quote.h"
#include "attest/result.h"
#include "base/clock.h"
#include "child/child.h"
#include "entry/entry.h"
#include "hsm/pkcs11.h"
#include "hsm/tpm_guard.h"
#include "link/messages.h"
#include "merkle/checkpoint.h"
#include "merkle/merkle.h"
#include "tests/unit/check.h"
#include "tests/unit/policy_world.h"

#include <sys/types.h>

#define ROOM_ENTRIES 16384
#define ROOM_WAIT_MS 10000

struct call { /* what the runner got last */
    uint64_t slot;
    struct call_message m; /* views fields */
    struct buf fields;
};
struct document { /* a signed one */
    struct buf text, arena;
    struct jws jws;
    struct digest digest;
};
struct room {
    struct checks *c;
    const char *work, *program; /* folder; seb-keeper */
    char tpm[128]; /* socket */
    bool mint_in_hsm;
    struct world w; /* keys and documents */
    struct testkey *policy_key, *revocation_key;
    struct document policy, epoch;
    struct buf config_text;
    struct config *config;
    struct instance instance;
    struct p11_identity token;
    struct digest measured[CHILDREN + 1]; /* what the supervisor says that it measured (child.h) */

    pid_t pid; /* of the keeper that runs; 0 */
    struct link *control, *core, *runner;
    uint8_t run[RUN_SIZE];
    bool ready, serving, has_run, gone;

    /* The room's own log, of which it knows every root. */
    struct frontier frontier;
    struct digest leaf[ROOM_ENTRIES], root[ROOM_ENTRIES + 1], note_text[ROOM_ENTRIES + 1];
    int64_t signed_ms[ROOM_ENTRIES + 1]; /* when the checkpoint of that size came */
    struct buf note; /* newest */
    uint64_t signed_size, quoted_size;
    int64_t worst_quote_ms; /* the longest that a checkpoint was without a quote */

    /* What verifier and policy authority gave, and saw. */
    struct digest ref; /* the approvals' */
    bool has_result;
    struct digest result; /* the newest that the keeper took */
    struct log_state seen;
    unsigned evidences, keys_told;
    unsigned loaded_behind; /* EVIDENCEs that came before the newest LOADED */
    enum seb_code evidence_code;
    struct buf evidence, state; /* the newest EVIDENCE and STATE */
    uint32_t resumed_bits;
    struct log_state resumed_log; /* that the run began with */
    bool has_anchor; /* as KEYS says */
    struct log_state anchor;

    unsigned resumed, loaded, checkpoints, quotes, refused, calls, healths, tpm_again, wrong;
    enum seb_code resumed_code, loaded_code, refused_code, health;
    uint64_t refused_slot, next_slot;
    struct call call;
};

void must_ok(result r, const char *what); /* or the test ends */

/* keeper_make.c: provisions the keys in DIR/t and DIR/h (tests/lib/hw.sh), writes the configuration's instance. */
void room_make(struct room *r, struct checks *c, const char *work, const char *program, bool mint_in_hsm);
void room_free(struct room *r);

/* Starts the keeper over the TPM at r->tpm (NULL: none) and waits for its KEYS, or its end. */
void room_start(struct room *r, const char *tpm);
void room_stop(struct room *r); /* in order, as core and supervisor do; waits */
void room_kill(struct room *r);
int room_wait_end(struct room *r); /* its exit code, or -1 after ROOM_WAIT_MS */
void room_give_tpm(struct room *r, const char *path); /* the supervisor's answer; NULL: without a descriptor */
/* Takes what comes until end_ms; false when that is past or the keeper is gone. */
bool room_pump(struct room *r, int64_t end_ms);
#define ROOM_WAIT(r, ms, condition)                                                              \
    for (int64_t room_end_ = clock_mono_ms() + (ms); !(condition) && room_pump((r), room_end_);) \
        ;
void room_send(struct room *r, enum message_type type, uint64_t slot, const struct buf *fields);
void room_send_raw(struct room *r, struct span packet); /* as it is */

void room_hold(struct room *r, bool holds, const char *what); /* it is wrong where it doesn't */

/* Policy authority and verifier (keeper_verifier.c). Codes are the keeper's answers. */
enum seb_code room_plan(struct room *r, struct approval *ret); /* whose lease key the caller frees */
void room_approval_text(struct room *r, const struct approval *plan, struct testkey *key, struct buf *out);
enum seb_code room_load_approval(struct room *r, struct span text);
enum seb_code room_approve(struct room *r); /* what the keeper plans */
enum seb_code room_acknowledge(struct room *r, struct testkey *key, const char *what); /* of the log that the run began with */
struct challenge room_challenge_now(struct room *r);
void room_challenge_post(struct room *r, const struct challenge *c, struct testkey *key); /* and waits for nothing */
enum seb_code room_challenge(struct room *r, const struct challenge *c, struct testkey *key);
enum seb_code room_challenge_raw(struct room *r, const struct jws *j);
void room_evidence_check(struct room *r, const struct challenge *c, struct quote_challenge *ret);
struct result_claims room_claims(struct room *r, const struct challenge *c);
void room_lease_sign(struct room *r, const uint8_t nonce[32], uint32_t seconds, struct testkey *key, uint8_t raw[SIGNATURE_SIZE]);
enum seb_code room_result(
    struct room *r, const struct result_claims *claims, struct testkey *key, uint32_t seconds, const uint8_t raw[SIGNATURE_SIZE]);
#define ROOM_LEASE_S 900
enum seb_code room_lease(struct room *r, uint32_t seconds); /* one honest round */
bool room_becomes_usable(struct room *r);
/* Approved and leased, so that it signs: what an honest start comes to. */
void room_arm(struct room *r);

/* The core's ways. */
enum seb_code room_resume(struct room *r, const struct frontier *f, struct span note);
void room_new_log(struct room *r);
enum seb_code room_load(struct room *r, enum message_type type, const struct jws *j);
void room_load_all(struct room *r); /* new log or the last one resumed, policy, epoch, approval, lease */
uint64_t room_append(struct room *r, struct span entry);
void room_sign(struct room *r); /* and waits until all is signed */
/* ok when a CALL came. */
enum seb_code room_mint(struct room *r, uint64_t index, const struct jws *certificate, struct span body);

/* Documents (keeper_make.c). */
void document_sign(struct document *d, struct testkey *key, const char *typ, const json_t *payload);
void document_sign_text(struct document *d, struct testkey *key, const char *typ, struct span payload);
void document_free(struct document *d);
struct document room_certificate(struct room *r, struct testkey *key); /* of w.certificate_json, with its state set */
void room_fresh_certificate(struct room *r); /* w.certificate_json with times around now and a new cid */

/* Honest entries for a certificate. */
struct entry room_decision(struct room *r, const struct document *certificate);
struct entry room_read(struct room *r, const struct document *certificate);
uint64_t room_append_entry(struct room *r, const struct entry *e); /* a permit without a judge: a fallen core's pen */

extern const char room_body[6]; /* "hello" and its NUL */
#define ROOM_BODY ((struct span){ (const uint8_t *)room_body, 5 })

#endif
