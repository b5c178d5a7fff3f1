/* What the verifier knows, in one SQLite database: enrolments, the newest of each log that it has seen, clocks, and the last
 * result. Shared by the serving process and the commands, each with a connection of its own. All of a turn is durable before
 * anything of it is sent: what is signed once about a log is never contradicted, also after kill -9. */
#ifndef SEB_VERIFIER_STATE_H
#define SEB_VERIFIER_STATE_H

#include "base/digest.h"

#define STATE_CERTIFICATE_MAX 8192 /* an EK's, DER */
#define STATE_JWK_MAX 512
#define STATE_STATEMENT_MAX 16384 /* the enrolment statement, JWS text */
#define STATE_KNOWN_MAX 4096
#define STATE_RESULT_MAX 32768 /* a compact JWT */
#define STATE_NAME_SIZE 34 /* a TPM name by SHA-256 */

struct state; /* opaque; of one thread */
/* Makes the file where there is none (0600), or brings it up to date. disk, unsupported (not a verifier's). */
MUST_USE result state_open(const char *path, struct state **ret);
void state_free(struct state *s); /* accepts NULL */
void state_free_pointer(struct state **s);
#define AUTO_STATE __attribute__((cleanup(state_free_pointer))) struct state
/* A transaction: nothing else writes meanwhile. One that wasn't ended by state_commit is undone by state_undo or state_free. */
MUST_USE result state_begin(struct state *s);
MUST_USE result state_commit(struct state *s);
void state_undo(struct state *s); /* also where none was begun */
/* Another number after another connection wrote. */
MUST_USE result state_version(struct state *s, int64_t *ret);

enum enrolment_status { ENROLMENT_PENDING = 1, ENROLMENT_ACTIVE, ENROLMENT_WITHDRAWN, ENROLMENT_REPLACED };
struct enrolment_row {
    int64_t id;
    char name[65], instance[65], domain[129];
    bool local; /* no other active one of this domain */
    enum enrolment_status status;
    int64_t activated, decided; /* seconds; decided: when it was confirmed, withdrawn or replaced, else 0 */
    bool delivered; /* the broker has its statement */
    struct digest ek, ak, record, mint; /* SHA-256 of the EK's SPKI; thumbprints */
    uint8_t ak_name[STATE_NAME_SIZE];
};
struct enrolment_documents {
    struct buf certificate; /* the EK's, DER */
    struct buf ak_jwk, record_jwk;
    struct buf statement; /* JWS text; empty before it is confirmed */
};
struct enrolment_documents enrolment_documents_empty(void);
void enrolment_documents_free(struct enrolment_documents *d); /* accepts zeroed */
#define AUTO_ENROLMENT_DOCUMENTS __attribute__((cleanup(enrolment_documents_free))) struct enrolment_documents
/* In the place of an earlier pending one of that name. */
MUST_USE result state_enrol(struct state *s, const struct enrolment_row *row, const struct enrolment_documents *d);
/* Pending to active with its statement, and an active one of that name to replaced, in the caller's transaction. not_found;
 * domain_taken (another name is active in the domain, and one of the two is local). */
MUST_USE result state_confirm(struct state *s, const char *name, int64_t now, struct span statement);
/* Pending and active to withdrawn. not_found where there is neither. */
MUST_USE result state_withdraw(struct state *s, const char *name, int64_t now);
MUST_USE result state_delivered(struct state *s, int64_t id);
/* domain_taken where another name than this is active in the domain, and one of the two is local. */
MUST_USE result state_domain_free(struct state *s, const char *name, const char *domain, bool local);
/* The pending or active one of that name. not_found. */
MUST_USE result state_enrolment(struct state *s, const char *name, enum enrolment_status status, struct enrolment_row *ret);
MUST_USE result state_enrolment_documents(
    struct state *s, int64_t id, struct enrolment_documents *ret); /* in the place of what is there */
/* Every one after `id` in the order of ids; *ret_row false: no more. */
MUST_USE result state_enrolment_after(struct state *s, int64_t id, struct enrolment_row *ret, bool *ret_row);
/* The newest before `id` of that name that was active once; *ret_row false: none. */
MUST_USE result state_enrolment_before(struct state *s, const char *name, int64_t id, struct enrolment_row *ret, bool *ret_row);

/* What appraisal is to know of an instance (memory.h makes and reads the bytes). Nothing is put where nothing is known. */
MUST_USE result state_known(struct state *s, const char *name, struct buf *out);
MUST_USE result state_know(struct state *s, const char *name, struct span data);

struct result_row {
    int64_t at, since; /* seconds: when it was given; since when results have had this status */
    char status[24], codes[512]; /* names with blanks between */
    bool lease; /* one was given with it */
    bool sent; /* the broker said that it took it */
    int64_t affirming, others; /* how many there were */
};
/* The last result; `since` and the counts are kept here. */
MUST_USE result state_result_put(struct state *s, const char *name, const struct result_row *row, struct span jwt);
MUST_USE result state_result_sent(struct state *s, const char *name, int64_t at);
MUST_USE result state_result(
    struct state *s, const char *name, struct result_row *ret, struct buf *jwt); /* not_found; jwt may be NULL */

/* An operator accepted another history of the log: kept for ever. */
MUST_USE result state_acknowledged(struct state *s, const char *name, int64_t now, uint64_t size, const struct digest *root);

#endif
