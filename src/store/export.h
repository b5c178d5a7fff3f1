/* The export folder of docs/formats.md, "Export": what an auditor verifies offline. */
#ifndef SEB_STORE_EXPORT_H
#define SEB_STORE_EXPORT_H

#include "store/store.h"

struct export_options {
    bool without_bodies, without_requests;
};
/* Writes the log up to its newest checkpoint into a new folder at path: written beside and renamed, so it is there whole or not at
 * all. The reader's snapshot is held meanwhile. exists where anything has that name, not_found where no checkpoint was signed yet,
 * io. *ret_size: entries exported. */
MUST_USE result store_export(struct store_reader *r, const char *path, const struct export_options *o, uint64_t *ret_size);

#endif
