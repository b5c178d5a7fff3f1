/* Members that several documents have. Outputs are untouched on failure. For the files of this folder. */
#ifndef SEB_POLICY_FIELDS_H
#define SEB_POLICY_FIELDS_H

#include "policy/documents.h"

bool is_name_character(uint8_t c); /* A-Z a-z 0-9 . _ - */
/* 1 to max characters of A-Z a-z 0-9 . _ - (docs/formats.md, "Common rules") into ret[max + 1]. */
MUST_USE result field_name(const json_t *o, const char *name, size_t max, char *ret);
/* The same of an array's element. */
MUST_USE result element_name(const json_t *v, size_t max, char *ret);
/* 1 to max bytes without control characters. */
MUST_USE result field_text(const json_t *o, const char *name, size_t max, char *ret);
/* Seconds since the epoch, 0 to 2^53 - 1. */
MUST_USE result field_time(const json_t *o, const char *name, int64_t *ret);
MUST_USE result field_risk(const json_t *o, const char *name, enum risk *ret);
bool text_equal(const char *a, const char *b);
/* RFC 9110 section 8.8.3: an entity-tag that is strong, of visible ASCII alone, 3 to ETAG_LEN bytes. */
bool etag_is_strong(struct span etag);

/* Of a mutation's parameters what a contract keeps, and a request doesn't. */
struct parameters {
    struct body_ref body;
    struct digest digest; /* of all of them */
    struct fields fields; /* owned */
    char field_manager[MANAGER_LEN + 1], propagation[PROPAGATION_LEN + 1];
    bool force;
    int64_t grace_s;
};
/* The members of o are judged closed by the caller: a contract has more of them than a mutation. Whoever doesn't keep
 * ret_parameters' fields frees them. */
MUST_USE result mutation_read(const json_t *o, struct mutation *ret, struct parameters *ret_parameters);
MUST_USE result contract_read(const json_t *o, struct contract *ret);

#endif
