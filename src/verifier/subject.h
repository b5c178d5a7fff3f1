/* One instance as the serving verifier sees it, and the steps of a round with it: challenge, evidence, the documents that the
 * evidence names, appraisal, result and lease. */
#ifndef SEB_VERIFIER_SUBJECT_H
#define SEB_VERIFIER_SUBJECT_H

#include "base/log.h"
#include "verifier/keys.h"
#include "verifier/memory.h"
#include "verifier/trusted.h"
#include "verifier/wire.h"

#define EARLIER_KEYS 8 /* record keys of enrolments before this one */
#define EARLIER 8 /* challenges whose nonces are remembered, to call an old quote one */

enum step {
    STEP_IDLE,
    STEP_DELIVERING, /* the enrolment statement */
    STEP_CHALLENGED,
    STEP_FETCHING, /* a document, piece by piece */
    STEP_JUDGED, /* waits for the state to be durable */
    STEP_SENDING, /* result and lease */
};

/* A document as far as it is here. */
struct fetched {
    bool whole; /* it is the one that `digest` names */
    bool tried; /* in this round, in vain */
    struct digest digest;
    uint64_t from; /* where its bytes begin: IMA's list comes in parts */
    struct buf bytes;
};

struct server;
struct subject {
    struct server *server;
    const struct settings_instance *setting;
    struct wire_line *line;
    bool enrolled; /* active; then the following hold */
    struct enrolment_row row;
    struct enrolment_documents papers;
    struct pubkey *ak, *record;
    struct pubkey *earlier_key[EARLIER_KEYS]; /* the newest first */
    unsigned earlier_keys;
    struct appraisal_identity identity;
    struct digest ref; /* policyRef of its leases */
    struct reference *reference; /* NULL: none is held */
    struct held_policy policy;

    enum step step;
    int64_t round; /* the enrolment under which the round began */
    int64_t due_ms; /* of clock_mono_ms: when the next round begins */
    unsigned failures; /* rounds in a row that brought no result */
    struct challenge challenge; /* of op appraise */
    int64_t challenged_ms; /* of clock_mono_ms: when it was sent, whatever happens to the clock since */
    uint8_t earlier[EARLIER][NONCE_SIZE];
    unsigned earlier_n;
    bool again; /* this round's challenge was sent a second time, for one that stood on what didn't hold any more */
    struct evidence *evidence;
    struct fetched document[DOCUMENTS];
    enum challenge_document fetching;
    json_t *question; /* of a STEP_JUDGED one: what is sent once the state is durable */
    int64_t judged; /* seconds: its result's time */
    bool affirming; /* the result */
    struct subject *next; /* in server->judged */
    char said[640]; /* what the log was told last */
};

struct server {
    const struct settings *settings;
    struct state *state;
    struct keys *keys;
    struct wire *wire;
    unsigned n;
    struct subject *subject; /* one for each instance of the settings */
    bool writing; /* this turn's transaction is open */
    struct subject *judged; /* of this turn */
};

/* Zeroed but for what they are given. */
MUST_USE result subject_make(struct server *v, const struct settings_instance *setting, struct subject *ret);
void subject_free(struct subject *s); /* not while its exchange is under way */
/* Who it is by the state now: enrolled, withdrawn, another. */
MUST_USE result subject_refresh(struct subject *s);
/* Its signed reference values, read anew; what can't be used is said in the log, and none is held. */
void subject_reference(struct subject *s);
/* A line to the log where it isn't the one said last. */
void subject_say(struct subject *s, enum log_level level, const char *what);

/* Begins a round. Whatever fails ends it, and says so. */
void round_begin(struct subject *s);
/* Its exchange has ended: the next step. */
void round_step(struct subject *s);
/* The turn's state is durable (or not): the result is sent (or dropped). */
void round_send(struct subject *s, bool durable);

/* The write transaction of this turn, begun where it isn't. */
MUST_USE result server_write(struct server *v);

/* documents.c: what of the evidence's documents isn't here yet: posts the question for its next piece. *ret_asked false: nothing is
 * missing, or what is can't be had. */
MUST_USE result documents_ask(struct subject *s, bool *ret_asked);
/* The answer to it. A broker that doesn't give a document is no failure here: the appraisal will say what is missing. */
void documents_take(struct subject *s, const result reply, const json_t *evidence);
struct appraisal_documents documents_view(const struct subject *s);
/* Another try for what was asked for in vain; false where nothing was. */
bool documents_retry(struct subject *s);

/* judge.c: appraises, remembers, makes the result and the lease, within the turn's transaction; *ret_again: the challenge stands on
 * what is no longer known, a new one is needed. s->question stays NULL where nothing is to be sent. */
MUST_USE result judge_subject(struct subject *s, bool *ret_again);

/* challenges.c: a fresh challenge of this op; posts it as {"op":"challenge",…}. */
MUST_USE result challenge_post(struct subject *s, const struct challenge *c);
MUST_USE result challenge_question(struct keys *k, const struct challenge *c, json_t **ret);

#endif
