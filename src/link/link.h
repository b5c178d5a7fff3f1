/* Messages between the broker's processes: one SOCK_SEQPACKET pair a link, one packet a message, and a table of which message may
 * travel on which link, from which end, in which phase (docs/formats.md, "Messages between the processes"). One thread owns an end.
 * Anything illegal is illegal_message, and the caller stops the broker. */
#ifndef SEB_LINK_LINK_H
#define SEB_LINK_LINK_H

#include "base/bytes.h"

#define LINK_PACKET_MAX (160 * 1024)
#define LINK_QUEUE_MAX (64u * 1024 * 1024)

enum link_kind { LINK_FRONT_CORE, LINK_CORE_KEEPER, LINK_KEEPER_RUNNER, LINK_RUNNER_CORE, LINK_CONTROL };
/* Which end: the first of the name, or the second. On LINK_CONTROL the supervisor is the first. */
enum link_end { END_FIRST, END_SECOND };
/* Starting until RESUMED travelled with ok (core and keeper); other links serve from the beginning. */
enum link_phase { PHASE_STARTING = 1, PHASE_SERVING = 2 };

enum message_type {
    MESSAGE_SUBMIT = 1,
    MESSAGE_ADMIN,
    MESSAGE_NOISE,
    MESSAGE_REPLY,
    MESSAGE_RESUME,
    MESSAGE_POLICY,
    MESSAGE_EPOCH,
    MESSAGE_APPEND,
    MESSAGE_SIGN,
    MESSAGE_MINT,
    MESSAGE_KEYS,
    MESSAGE_RESUMED,
    MESSAGE_LOADED,
    MESSAGE_CHECKPOINT,
    MESSAGE_QUOTE,
    MESSAGE_MINT_REFUSED,
    MESSAGE_HEALTH,
    MESSAGE_CALL,
    MESSAGE_ANSWER,
    MESSAGE_READY,
    MESSAGE_TPM_AGAIN,
    MESSAGE_TPM,
    MESSAGE_ATTEST,
    MESSAGE_CHALLENGE,
    MESSAGE_EVIDENCE,
    MESSAGE_RESULT,
    MESSAGE_APPROVAL,
    MESSAGE_ACKNOWLEDGE,
    MESSAGE_PLAN,
    MESSAGE_STATE,
    MESSAGE_STOP,
};
struct message {
    enum message_type type;
    uint64_t slot;
    struct span fields; /* valid until the next link_receive */
};

struct link; /* opaque */
/* Takes the descriptor and makes it non-blocking. */
MUST_USE result link_new(int fd, enum link_kind kind, enum link_end end, struct link **ret);
void link_free(struct link *l); /* closes; accepts NULL */
void link_phase_set(struct link *l, enum link_phase phase);
/* For poll(2): the descriptor and the events to wait for (POLLIN always, POLLOUT while something is queued). */
int link_fd(const struct link *l);
short link_events(const struct link *l);
/* Sends, or queues where the peer is slow. illegal_message where the table doesn't let this end send it now; peer_gone. */
MUST_USE result link_send(struct link *l, enum message_type type, uint64_t slot, struct span fields);
/* Sends what is queued, as far as it goes. */
MUST_USE result link_flush(struct link *l);
/* *ret_got false: nothing there now. peer_gone at the end; illegal_message. */
MUST_USE result link_receive(struct link *l, struct message *ret, bool *ret_got);
/* Wipes what the last receive gave: for a message that carried a credential. */
void link_forget(struct link *l);
/* The same with a descriptor that travels along (LINK_CONTROL): fd is borrowed; *ret_fd is -1 where none came, else the caller's.
 */
MUST_USE result link_send_fd(struct link *l, enum message_type type, uint64_t slot, struct span fields, int fd);
MUST_USE result link_receive_fd(struct link *l, struct message *ret, bool *ret_got, int *ret_fd);

/* A row of the table: who may send what, when. */
struct link_rule {
    enum message_type type;
    enum link_kind kind;
    enum link_end sender;
    unsigned phases;
    const char *name;
};
extern const struct link_rule link_rules[];
extern const unsigned link_rules_n;

#endif
