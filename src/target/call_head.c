#include <config.h>

#include "target/call_head.h"

#include <strings.h>

/* An ETag that is doubled, too long, or not of visible ASCII is as none. */
static void etag_take(struct call_head *h, struct span value)
{
    while (value.n && (value.p[0] == ' ' || value.p[0] == '\t'))
        value = span_part(value, 1, value.n);
    while (value.n && value.p[value.n - 1] <= ' ')
        value.n--;
    bool good = ++h->etags == 1 && value.n > 0 && value.n <= TARGET_ETAG_MAX;
    for (size_t i = 0; i < value.n; i++)
        good = good && value.p[i] > ' ' && value.p[i] <= '~';
    h->has_etag = good && is_ok(span_copy(value, h->etag, value.n));
    h->etag[h->has_etag ? value.n : 0] = 0;
}

static bool is_header(struct span line, const char *name)
{
    struct span n = span_text(name);
    return line.n > n.n && line.p[n.n] == ':' && strncasecmp((const char *)line.p, name, n.n) == 0;
}

static void status_line(struct call_head *h, struct span line)
{
    /* RFC 9110 section 15.2: of an interim answer nothing stays. RFC 9113 section 8.1: END_STREAM says where a body ends. */
    *h = (struct call_head){ .bytes = h->bytes, .framed = span_is(span_part(line, 0, 7), "HTTP/2 ") };
}

bool call_head_line(struct call_head *h, struct span line)
{
    h->bytes += line.n;
    if (h->bytes > CALL_HEAD_MAX)
        return false;
    if (span_is(span_part(line, 0, 5), "HTTP/"))
        status_line(h, line);
    else if (span_is(line, "\r\n") || span_is(line, "\n"))
        h->whole = true;
    else if (is_header(line, "etag"))
        etag_take(h, span_part(line, sizeof "etag:" - 1, line.n));
    else if (is_header(line, "content-length") || is_header(line, "transfer-encoding"))
        h->framed = true;
    return true;
}
