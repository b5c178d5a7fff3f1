/* Moves what is committed from the write-ahead log into the database, beside the commits: done within them, as SQLite does by
 * itself, every tenth group or so would wait for it. */
#ifndef SEB_STORE_TIDY_H
#define SEB_STORE_TIDY_H

#include "store/sql.h"

struct tidy; /* opaque */
MUST_USE result tidy_start(const char *path, struct tidy **ret);
void tidy_stop(struct tidy *t); /* waits for what is under way; accepts NULL */
/* After a commit on `writer` that left this many pages in the log. */
void tidy_after(struct tidy *t, struct sql *writer, int pages);

#endif
