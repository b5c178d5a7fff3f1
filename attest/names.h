/* Members that this folder's documents have in common. For its files. */
#ifndef SEB_ATTEST_NAMES_H
#define SEB_ATTEST_NAMES_H

#include "base/json.h"

/* 1 to room - 1 characters of A-Z a-z 0-9 . _ - (docs/formats.md, "Common rules") into ret. */
MUST_USE result name_at(const json_t *o, const char *member, char *ret, size_t room);

#endif
