/* An export folder, read as something that a stranger made: nothing outside it, no links, no devices, nothing longer than it may
 * be. */
#ifndef SEB_AUDIT_FILES_H
#define SEB_AUDIT_FILES_H

#include "base/digest.h"

#define BLOB_MAX (512u << 10)
struct export_dir {
    int fd;
};
MUST_USE result export_open(const char *path, struct export_dir *ret);
void export_close(struct export_dir *x);

/* A regular file's content, appended: not_found, bad_value (a link, a folder, a device), too_long; io is ours. */
MUST_USE result export_read(const struct export_dir *x, const char *name, size_t max, struct buf *out);
/* blobs/<digest>.<end>, appended. What it is the digest of is the caller's to compare. */
MUST_USE result export_blob(const struct export_dir *x, const struct digest *d, const char *end, struct buf *out);
/* One known by the digest of its own bytes: bad_value where it isn't. */
MUST_USE result export_raw(const struct export_dir *x, const struct digest *d, struct buf *out);
/* Whether what came of a read is the export's fault, not this machine's. */
bool is_exports_fault(result r);

/* A .jsonl, line by line. */
#define LINE_MAX_ 65536
struct lines; /* opaque */
MUST_USE result lines_open(const struct export_dir *x, const char *name, struct lines **ret);
void lines_close(struct lines *l); /* accepts NULL */
/* The next line without its newline, valid until the next call; *ret_there false after the last. truncated where the file doesn't
 * end with a newline; too_long, and the line is passed over. */
MUST_USE result lines_next(struct lines *l, struct span *ret, bool *ret_there);

/* Everything in it that isn't a folder, by its name in the folder. */
MUST_USE result export_walk(const struct export_dir *x, result (*each)(void *ctx, const char *name), void *ctx);

#endif
