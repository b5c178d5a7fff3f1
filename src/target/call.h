/* The one file that calls targets (libcurl): HTTPS to configured targets alone, each call at most once on the wire. One thread.
 *
 * Never a silent retry: libcurl sends a request again, on a new connection, when a kept one turns out dead, and in HTTP/2 when the
 * server refuses its stream, goes away, or wants HTTP/1.1. A hook that it calls each time before it sends counts; the second time
 * the call is ended. So a count of zero proves that nothing was sent.
 *
 * The credential: its header lies in the caller's secret, which libcurl reads and never copies as an option (CURLOPT_XOAUTH2_BEARER
 * would be copied, and a second time into the header). What libcurl copies is the request as it sends it; its allocations are
 * wiped when it frees them, and the handle, which owns them, lives for one call. In HTTP/2 libnghttp2 copies it too: "Memory" in
 * docs/threat-model.md says what stays. */
#ifndef SEB_TARGET_CALL_H
#define SEB_TARGET_CALL_H

#include "base/digest.h"
#include "base/secret.h"
#include "target/target.h"

#define CALLS_MAX 256 /* slots: calls at once */

/* What all calls to one target share. Views must outlive the engine. */
struct call_peer {
    struct span ca; /* PEM: the only ones that vouch for it */
    const char *host; /* authority, as in the URL */
    int64_t timeout_ms; /* for one call, connecting included */
    int64_t answer_bytes; /* largest body that is read */
    bool http2; /* where the server has it, calls share a connection; else HTTP/1.1, a connection for each call at a time */
    bool keep_body; /* the body itself is wanted, beside its digest */
};
struct call_args {
    uint64_t slot; /* the caller's name for it, not in use */
    const struct call_peer *peer;
    const struct call_plan *plan; /* copied */
    struct span body; /* copied; with plan->media_type alone */
    struct secret *authorization; /* of call_authorization; taken, also on failure */
};
enum call_phase { CALL_NEVER_SENT, CALL_NO_ANSWER, CALL_ANSWERED };
struct call_answer {
    uint64_t slot;
    enum call_phase phase;
    enum seb_code
        code; /* ok, not_sent, no_answer; of CALL_ANSWERED without its body: answer_too_large, or no_answer (cut, perhaps) */
    uint32_t foreign; /* CURLcode */
    uint32_t status; /* of CALL_ANSWERED, as the rest */
    bool has_etag, has_body; /* an ETag header of visible ASCII, just one; the body whole */
    char etag[TARGET_ETAG_MAX + 1];
    struct digest body_sha256;
    uint64_t body_length;
    struct buf body; /* of a peer with keep_body, where has_body; owned */
};
void call_answer_free(struct call_answer *a); /* wipes */

struct calls; /* opaque */
MUST_USE result calls_new(struct calls **ret);
void calls_free(struct calls *c); /* ends what is under way; accepts NULL */
/* "Authorization: Bearer " and the token, which is of base64url's characters and '.' (bad_value). */
MUST_USE result call_authorization(struct span token, struct secret **ret);
/* busy: CALLS_MAX are under way; exists: the slot is; bad_value: a text that can't be a header's. */
MUST_USE result calls_start(struct calls *c, const struct call_args *a);
/* Readable when calls_work has something to do; and calls_work is due after calls_wait_ms at the latest (-1: no limit). */
int calls_fd(const struct calls *c);
int calls_wait_ms(const struct calls *c);
MUST_USE result calls_work(struct calls *c);
bool calls_next(struct calls *c, struct call_answer *ret); /* an answer, each once; the caller's */
bool calls_has(const struct calls *c, uint64_t slot);
bool calls_full(const struct calls *c); /* calls_start would say busy */

#endif
