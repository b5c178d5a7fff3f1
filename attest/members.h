/* Members that several of this folder's documents have. Outputs are untouched on failure. */
#ifndef SEB_ATTEST_MEMBERS_H
#define SEB_ATTEST_MEMBERS_H

#include "attest/names.h"

#define INSTANCE_NAME_MAX 64
#define DOMAIN_NAME_MAX 128
#define NONCE_SIZE 32 /* of challenges and leases */
#define RUN_ID_SIZE 16

/* A log as somebody saw it. */
struct log_state {
    uint64_t size;
    struct digest root;
};
/* Of a log that nobody has seen yet: size 0 and the root of the empty tree (RFC 9162 section 2.1.1). */
struct log_state log_state_empty(void);

/* 1 to max bytes without control characters into ret[max + 1]. */
MUST_USE result member_text(const json_t *o, const char *name, size_t max, char *ret);
/* 0 to 2^53 - 1. */
MUST_USE result member_count(const json_t *o, const char *name, uint64_t *ret);
MUST_USE result put_count(json_t *o, const char *name, uint64_t v); /* bad_value beyond */
/* Exactly n bytes in base64url. */
MUST_USE result member_fixed(const json_t *o, const char *name, void *ret, size_t n);
/* A digest, or null. */
MUST_USE result member_digest_or_null(const json_t *o, const char *name, bool *ret_has, struct digest *ret);
MUST_USE result put_digest_or_null(json_t *o, const char *name, bool has, const struct digest *d);
/* {"root","size"}. */
MUST_USE result member_log_state(const json_t *v, struct log_state *ret);
MUST_USE result put_log_state(json_t *o, const char *name, const struct log_state *s);

#endif
