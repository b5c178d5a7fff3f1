/* Contracts over config maps with the one field /data/v, as drivers of tests and bench have them signed. */
#ifndef SEB_TESTS_KUBE_CONTRACTS_H
#define SEB_TESTS_KUBE_CONTRACTS_H

#include "base/json.h"

#define MERGE_PATCH "application/merge-patch+json" /* RFC 7386 */
#define PATCH_MAX 256

/* A merge patch that sets the field. */
void patch_text(const char *value, char text[PATCH_MAX]);
/* {"fields": [/data/v is value]}: a precondition. */
json_t *value_is(const char *value);
/* The contract of that patch of the object at path; takes preconditions. One that names no version is of the lowest risk. */
json_t *patch_contract(const char *target, const char *path, const char *value, json_t *preconditions);

#endif
