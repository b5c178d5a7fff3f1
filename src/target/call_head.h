/* What the head of an answer says, line by line as it comes, of HTTP/1.1 and of HTTP/2 as libcurl writes it out. Pure. */
#ifndef SEB_TARGET_CALL_HEAD_H
#define SEB_TARGET_CALL_HEAD_H

#include "target/target.h"

#define CALL_HEAD_MAX (64 * 1024) /* libcurl's own limit is 300 KiB */

struct call_head {
    bool whole; /* it came to its end */
    bool framed; /* it says where its body ends */
    bool has_etag; /* an ETag of visible ASCII, just one */
    char etag[TARGET_ETAG_MAX + 1];
    unsigned etags; /* headers of that name */
    size_t bytes;
};
/* A line with its end, the empty one at a head's end too. False: the head is larger than CALL_HEAD_MAX. */
bool call_head_line(struct call_head *h, struct span line);

#endif
