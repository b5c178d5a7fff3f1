/* An answer's head, as libcurl hands it over line by line. */
#include <config.h>

#include "target/call_head.h"
#include "check.h"

static struct call_head head_of(const char *const *lines)
{
    struct call_head h = { .whole = false };
    for (; *lines; lines++)
        if (!call_head_line(&h, span_text(*lines)))
            break;
    return h;
}
#define HEAD(...) head_of((const char *const[]){ __VA_ARGS__, NULL })

static void etag_is(struct checks *c, const char *line, const char *want)
{
    struct call_head h = HEAD("HTTP/2 200 \r\n", line, "\r\n");
    check_that(c, want ? h.has_etag && span_is(span_text(h.etag), want) : !h.has_etag && !h.etag[0], want ? "an ETag" : "no ETag");
}

int main(void)
{
    struct checks c = { 0 };
    struct call_head h = HEAD("HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n", "\r\n");
    check_that(&c, h.whole && h.framed && !h.has_etag, "HTTP/1.1: a length frames the body");
    h = HEAD("HTTP/1.1 200 OK\r\n", "transfer-encoding: chunked\r\n", "\r\n");
    check_that(&c, h.whole && h.framed, "so do chunks");
    h = HEAD("HTTP/1.1 200 OK\r\n", "\r\n");
    check_that(&c, h.whole && !h.framed, "nothing does");
    h = HEAD("HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n");
    check_that(&c, !h.whole, "a head that breaks off isn't whole");
    h = HEAD("HTTP/2 200 \r\n", "\r\n");
    check_that(&c, h.whole && h.framed, "HTTP/2: the stream does");
    h = HEAD("HTTP/2 103 \r\n", "etag: \"early\"\r\n", "\r\n", "HTTP/2 200 \r\n");
    check_that(&c, !h.whole && !h.has_etag, "of an interim answer nothing stays");
    h = HEAD("HTTP/2 103 \r\n", "etag: \"early\"\r\n", "\r\n", "HTTP/2 200 \r\n", "etag: \"t\"\r\n", "\r\n");
    check_that(&c, h.whole && h.has_etag && span_is(span_text(h.etag), "\"t\""), "and its ETag isn't counted");
    h = HEAD("HTTP/2 200 \r\n", "etag: \"a\"\r\n", "ETag: \"b\"\r\n", "\r\n");
    check_that(&c, !h.has_etag, "two ETags are none");
    etag_is(&c, "ETag:\t \"t\" \r\n", "\"t\"");
    etag_is(&c, "etag:\"t\"", "\"t\"");
    etag_is(&c, "etag:\r\n", NULL);
    etag_is(&c, "etag: \"a b\"\r\n", NULL);
    etag_is(&c, "etag: \"\xc3\xa9\"\r\n", NULL);
    etag_is(&c, "x-etag: \"t\"\r\n", NULL);
    etag_is(&c, "etag : \"t\"\r\n", NULL);
    char line[TARGET_ETAG_MAX + 16] = "etag: ";
    for (unsigned i = 6; i < 6 + TARGET_ETAG_MAX; i++)
        line[i] = 'x';
    etag_is(&c, line, line + 6);
    line[6 + TARGET_ETAG_MAX] = 'x';
    etag_is(&c, line, NULL);
    unsigned taken = 0;
    h = (struct call_head){ .whole = false };
    while (taken < CALL_HEAD_MAX && call_head_line(&h, span_text("a: bcdefghijkl\r\n")))
        taken++;
    check_that(&c, taken == CALL_HEAD_MAX / 16, "a head has an end");
    return checks_end(&c);
}
