/* A real seb-core, and around it a test that plays supervisor, front, keeper and runner, and the verifier behind the front. The
 * keeper that it plays believes the core, and signs with a software key: what a keeper refuses is tested with a real one
 * (keeper_room.h). */
#ifndef SEB_TESTS_CORE_ROOM_H
#define SEB_TESTS_CORE_ROOM_H

#include "attest/evidence.h"
#include "attest/result.h"
#include "base/clock.h"
#include "child/child.h"
#include "entry/entry.h"
#include "link/messages.h"
#include "merkle/checkpoint.h"
#include "merkle/merkle.h"
#include "tests/unit/check.h"
#include "tests/unit/policy_world.h"

#include <sys/types.h>

#define ROOM_WAIT_MS 10000
#define ROOM_ENTRIES 512

struct core_room {
    struct checks *c;
    const char *work, *program; /* folder; seb-core */
    struct world w;
    struct testkey *policy_key, *revocation_key, *keys[ROLES], *next_mint;
    struct buf config_text;

    pid_t pid;
    struct link *control, *front, *keeper, *runner;
    bool ready, gone, resumed;
    uint8_t run[RUN_SIZE];

    /* How the keeper is. */
    bool signs; /* else nothing can be signed */
    enum seb_code loaded_code; /* its answer to what it is handed */
    uint32_t resumed_bits;
    /* What the runner answers to a call for this entry, where it isn't the http target's usual; false: nothing. The texts that it
     * points to stay until the next call. */
    bool (*calls)(const struct entry *e, struct answer_message *ret);
    bool answers; /* challenges at once; else when told to */
    bool has_anchor;
    uint64_t anchor_size;

    /* What it was sent. */
    struct frontier frontier;
    struct digest root[ROOM_ENTRIES + 1];
    struct buf entry[ROOM_ENTRIES]; /* of this run */
    int64_t newest_ms; /* time of the newest */
    uint64_t first;
    unsigned entries, challenges, results, approvals, acknowledges, plans, resumes;
    uint64_t resume_size;
    unsigned resume_proof;
    uint64_t challenge_slot;
    struct lease_grant lease; /* of the last result */
    uint64_t signed_size;
    struct buf note;

    /* What the front got, by slot; the newest one. */
    uint64_t next_slot, reply_slot;
    json_t *reply;

    /* The verifier's side: the last evidence. */
    uint8_t nonce[NONCE_SIZE];
    struct digest evidence;
    struct log_state seen;
    bool has_seen;
};

void must_ok(result r, const char *what); /* ends the test, and says which failure it was */

void core_make(struct core_room *r, struct checks *c, const char *work, const char *program);
void core_free(struct core_room *r);
void core_start(struct core_room *r); /* until it is ready, or gone */
void core_stop(struct core_room *r);
void core_kill(struct core_room *r);
void core_orphan(struct core_room *r); /* its supervisor is gone */
bool core_pump(struct core_room *r, int64_t end_ms);
#define CORE_WAIT(r, condition)                                                                          \
    for (int64_t room_end_ = clock_mono_ms() + ROOM_WAIT_MS; !(condition) && core_pump((r), room_end_);) \
        ;
/* Asks and waits for the reply: its code (ok where it has none), E_CODES where none came. */
enum seb_code core_ask(struct core_room *r, enum message_type type, const struct buf *fields);

/* The keeper (core_keeper.c). */
void core_keeper_takes(struct core_room *r, const struct message *m); /* what the core sent it, answered */
void core_send_keeper(struct core_room *r, enum message_type type, uint64_t slot, const struct buf *fields);
void core_tell_keys(struct core_room *r, const struct testkey *mint);
void core_tell_health(struct core_room *r, enum seb_code code);
void core_sign(struct core_room *r); /* what was appended */

/* Operators, verifiers, agents (core_peers.c). */
enum seb_code core_load(struct core_room *r, enum admin_operation op, struct testkey *key, const char *typ, const json_t *payload);
enum seb_code core_load_all(struct core_room *r); /* policy and epoch */
const char *core_status_text(
    struct core_room *r, const char *path); /* of the status; "" where there is none; until the next reply */

/* A challenge as an honest verifier makes it, to be edited; signed and sent. */
struct challenge core_challenge(struct core_room *r);
enum seb_code core_challenge_send(struct core_room *r, const struct challenge *c, struct testkey *key);
/* Sends one and takes the evidence. */
enum seb_code core_challenge_honest(struct core_room *r);
/* The result that an honest verifier gives to the last evidence. */
struct result_claims core_result(struct core_room *r);
enum seb_code core_result_send(struct core_room *r, const struct result_claims *c, struct testkey *key, uint32_t lease_s);
/* Challenge and result. */
enum seb_code core_attest(struct core_room *r);

/* A fresh request for a fresh certificate; the reply's code. */
void core_certificate(struct core_room *r, const char *cid); /* into the world: issued a minute ago */
enum seb_code core_submit(struct core_room *r);
/* The entry of this run at this place, read; the number of entries of a type. */
struct entry core_entry(struct core_room *r, unsigned n);
unsigned core_entries_of(struct core_room *r, enum entry_type type);
/* The newest of a type; ends the test where there is none. */
struct entry core_newest(struct core_room *r, enum entry_type type, unsigned *ret_at);

#endif
