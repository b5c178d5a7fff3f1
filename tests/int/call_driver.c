/* The call engine, told by lines on stdin:
 *   SLOT METHOD URL TOKEN PRECONDITION VALUE CTYPE BODY   begins a call ("-": none; BODY: text, or @FILE)
 *   .                                                     waits for all, and prints for each, by slot:
 *   SLOT PHASE CODE STATUS ETAG LENGTH DIGEST
 * call_driver CA HOST TIMEOUT_MS LIMIT [http2]
 * http2: and the body is kept ("kept" after the digest, where it is the one that the digest is of); "id-SLOT" is each call's
 * Audit-ID. */
#include <config.h>

#include "target/call.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_WORDS 8

static const char *const phases[] = { "never-sent", "no-answer", "answered" };

static void must(result r, const char *what)
{
    char text[256];
    if (is_ok(r))
        return;
    fprintf(stderr, "%s: %s\n", what, result_text(r, text, sizeof text));
    exit(1);
}

static const char *word_or(const char *word, const char *none)
{
    return span_is(span_text(word), "-") ? none : word;
}

static void copy_to(const char *text, char *to, size_t n)
{
    if (snprintf(to, n, "%s", text) >= (int)n)
        must(fail(E_too_long), text);
}

static void body_of(const char *word, struct buf *out)
{
    if (word[0] == '@')
        must(file_read(word + 1, 65536, out), word);
    else if (!span_is(span_text(word), "-"))
        must(buf_text(out, word), word);
}

static bool begin(struct calls *c, const struct call_peer *peer, char *words[LINE_WORDS])
{
    struct call_plan plan = { .method = words[1], .precondition = word_or(words[4], NULL) };
    AUTO_BUF body = BUF(65536);
    struct secret *authorization;
    copy_to(words[2], plan.url, sizeof plan.url);
    copy_to(word_or(words[5], ""), plan.precondition_value, sizeof plan.precondition_value);
    copy_to(word_or(words[6], ""), plan.media_type, sizeof plan.media_type);
    if (peer->http2)
        snprintf(plan.audit_id, sizeof plan.audit_id, "id-%.8s", words[0]);
    body_of(words[7], &body);
    result r = call_authorization(span_text(words[3]), &authorization);
    if (is_ok(r))
        r = calls_start(c, &(struct call_args){ .slot = strtoull(words[0], NULL, 10),
                               .peer = peer,
                               .plan = &plan,
                               .body = buf_span(&body),
                               .authorization = authorization });
    if (!is_ok(r))
        printf("%s refused %s\n", words[0], code_name(code_of(r)));
    return is_ok(r);
}

/* Words between single spaces. */
static unsigned split(char *line, char *words[LINE_WORDS])
{
    unsigned n = 0;
    words[n++] = line;
    for (; *line && *line != '\n'; line++) {
        if (*line != ' ')
            continue;
        *line = 0;
        if (n == LINE_WORDS)
            return 0;
        words[n++] = line + 1;
    }
    *line = 0;
    return n;
}

static int by_slot(const void *a, const void *b)
{
    const struct call_answer *x = a, *y = b;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

static const char *kept(const struct call_answer *a)
{
    struct digest d = sha256(buf_span(&a->body));
    return !a->body.n ? "" : a->has_body && a->body.n == a->body_length && digest_equal(&d, &a->body_sha256) ? " kept" : " odd";
}

static void finish(struct calls *c, unsigned n)
{
    static struct call_answer answer[CALLS_MAX];
    for (unsigned got = 0; got < n;) {
        struct pollfd p = { .fd = calls_fd(c), .events = POLLIN };
        must(calls_work(c), "work");
        while (calls_next(c, &answer[got]))
            got++;
        if (got < n)
            poll(&p, 1, calls_wait_ms(c));
    }
    qsort(answer, n, sizeof *answer, by_slot);
    for (unsigned i = 0; i < n; i++) {
        struct call_answer *a = &answer[i];
        char digest[DIGEST_TEXT + 1];
        printf("%" PRIu64 " %s %s %u %s %" PRIu64 " %.8s%s\n", a->slot, phases[a->phase], code_name(a->code), a->status,
            a->has_etag ? a->etag : "-", a->body_length, a->has_body ? digest_text(&a->body_sha256, digest) : "-", kept(a));
        call_answer_free(a);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct buf ca = BUF(65536);
    struct calls *c;
    char *line = NULL, *words[LINE_WORDS];
    size_t room = 0;
    unsigned under_way = 0;
    if (argc != 5 && !(argc == 6 && span_is(span_text(argv[5]), "http2")))
        return 2;
    must(file_read(argv[1], 65536, &ca), argv[1]);
    const struct call_peer peer = {
        .ca = buf_span(&ca),
        .host = argv[2],
        .timeout_ms = strtoll(argv[3], NULL, 10),
        .answer_bytes = strtoll(argv[4], NULL, 10),
        .http2 = argc == 6,
        .keep_body = argc == 6,
    };
    must(calls_new(&c), "new");
    while (getline(&line, &room, stdin) > 0) {
        if (line[0] == '.') {
            finish(c, under_way);
            under_way = 0;
            continue;
        }
        unsigned n = split(line, words);
        if (n != LINE_WORDS)
            must(fail(E_usage), "a line");
        under_way += begin(c, &peer, words);
    }
    calls_free(c);
    buf_free(&ca);
    free(line);
    return 0;
}
