/* What the call engine costs against libcurl's plainest use on one kept connection, in one run, in turns:
 * call_bench CA HOST URL TOKEN N. A GET each; p50 in microseconds, and calls a second with 16 and 64 at once. */
#include <config.h>

#include "target/call.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "base/clock.h"

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "call_bench: %s\n", what);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t p50(int64_t *us, unsigned n)
{
    qsort(us, n, sizeof *us, by_value);
    return us[n / 2];
}

static size_t drop(char *bytes, size_t size, size_t n, void *none)
{
    return size * n;
}

static CURL *floor_new(const char *ca, const char *url, const char *token)
{
    AUTO_BUF header = BUF(16384);
    CURL *easy = curl_easy_init();
    must(is_ok(buf_printf(&header, "Authorization: Bearer %s", token)) && is_ok(buf_u8(&header, 0)), "token");
    struct curl_slist *headers = curl_slist_append(curl_slist_append(NULL, (const char *)header.p), "Accept:");
    must(easy && curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK && curl_easy_setopt(easy, CURLOPT_CAINFO, ca) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK,
        "floor");
    return easy;
}

static int64_t floor_once(CURL *easy)
{
    int64_t from = clock_mono_us();
    long status = 0;
    must(curl_easy_perform(easy) == CURLE_OK && curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
             status == 200,
        "floor: no 200");
    return clock_mono_us() - from;
}

struct bench {
    struct calls *calls;
    struct call_peer peer;
    struct call_plan plan;
    struct span token;
    uint64_t slot;
};

static void start(struct bench *b)
{
    struct secret *authorization;
    must(is_ok(call_authorization(b->token, &authorization)), "token");
    must(is_ok(calls_start(b->calls,
             &(struct call_args){ .slot = ++b->slot, .peer = &b->peer, .plan = &b->plan, .authorization = authorization })),
        "start");
}

static void take_one(struct bench *b)
{
    struct call_answer a;
    for (;;) {
        must(is_ok(calls_work(b->calls)), "work");
        if (calls_next(b->calls, &a))
            break;
        struct pollfd p = { .fd = calls_fd(b->calls), .events = POLLIN };
        poll(&p, 1, calls_wait_ms(b->calls));
    }
    must(a.phase == CALL_ANSWERED && a.status == 200, "engine: no 200");
}

static int64_t engine_once(struct bench *b)
{
    int64_t from = clock_mono_us();
    start(b);
    take_one(b);
    return clock_mono_us() - from;
}

static double engine_rate(struct bench *b, unsigned at_once, unsigned n)
{
    int64_t from = clock_mono_us();
    for (unsigned i = 0; i < at_once; i++)
        start(b);
    for (unsigned i = 0; i < n; i++) {
        take_one(b);
        if (i + at_once < n)
            start(b);
    }
    return (double)n * 1e6 / (double)(clock_mono_us() - from);
}

int main(int argc, char **argv)
{
    AUTO_BUF ca = BUF(65536);
    must(argc == 6, "CA HOST URL TOKEN N");
    must(is_ok(file_read(argv[1], 65536, &ca)), argv[1]);
    unsigned n = (unsigned)strtoul(argv[5], NULL, 10);
    struct bench b = {
        .peer = { .ca = buf_span(&ca), .host = argv[2], .timeout_ms = 10000, .answer_bytes = 1 << 20 },
        .plan = { .method = "GET" },
        .token = span_text(argv[4]),
    };
    must(snprintf(b.plan.url, sizeof b.plan.url, "%s", argv[3]) < (int)sizeof b.plan.url, "URL");
    must(is_ok(calls_new(&b.calls)), "engine");
    CURL *easy = floor_new(argv[1], argv[3], argv[4]);
    int64_t *floor_us = calloc(n, sizeof *floor_us), *engine_us = calloc(n, sizeof *engine_us);
    must(n > 1 && floor_us && engine_us, "N");
    for (unsigned i = 0; i < 20; i++) {
        floor_once(easy);
        engine_once(&b);
    }
    for (unsigned i = 0; i < n; i++) {
        floor_us[i] = floor_once(easy);
        engine_us[i] = engine_once(&b);
    }
    int64_t floor = p50(floor_us, n), engine = p50(engine_us, n);
    printf("libcurl alone, kept connection: p50 %" PRId64 " us\ncall engine: p50 %" PRId64 " us, %.2f of it\n", floor, engine,
        (double)engine / (double)floor);
    for (unsigned at_once = 16; at_once <= 64; at_once *= 4) {
        engine_rate(&b, at_once, at_once * 4); /* connections */
        printf("call engine, %u at once: %.0f calls a second\n", at_once, engine_rate(&b, at_once, n));
    }
    calls_free(b.calls);
    return 0;
}
