#include <config.h>

#include "target/call.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "target/call_head.h"

#define BEARER "Authorization: Bearer "
#define HEADERS_MAX 8
#define CONNECT_MS 5000
/* Below the time after which a fence closes an idle connection (30 s in ours): one that is closed under a call leaves it open. */
#define IDLE_S 20
#define EVENTS 64

struct call {
    enum { CALL_FREE, CALL_UNDER_WAY, CALL_DONE } state;
    uint64_t slot;
    CURL *easy;
    const struct call_peer *peer;
    struct call_plan plan;
    struct buf body;
    struct buf text; /* the headers' texts, each with its NUL */
    struct curl_slist header[HEADERS_MAX]; /* over text and authorization: not libcurl's copies */
    unsigned headers;
    struct secret *authorization;
    struct hasher *hasher;
    unsigned sent; /* how often libcurl was about to send the request */
    struct call_head head;
    bool too_large;
    struct call_answer answer;
};
struct calls {
    CURLM *multi;
    int epoll;
    int64_t due_ms; /* of the monotonic clock; -1: none */
    struct call call[CALLS_MAX];
};

/* libcurl's memory, wiped when it is given back: a request lies there as it is sent. */
static void curl_free_wiped(void *p)
{
    if (p)
        wipe(p, malloc_usable_size(p));
    free(p);
}

static void *curl_realloc_wiped(void *p, size_t n)
{
    size_t had = p ? malloc_usable_size(p) : 0;
    if (p && n && n <= had)
        return p;
    uint8_t *to = malloc(n);
    if (!to)
        return NULL;
    if (p && !is_ok(span_copy((struct span){ p, had }, to, had))) {
        free(to);
        return NULL;
    }
    curl_free_wiped(p);
    return to;
}

static char *curl_strdup(const char *text)
{
    char *copy;
    return is_ok(span_dup_text(span_text(text), &copy)) ? copy : NULL;
}

static result fail_curl(enum seb_code code, unsigned curl)
{
    return fail_foreign(code, FOREIGN_CURL, curl);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *calls, void *known)
{
    struct calls *c = calls;
    struct epoll_event event = { .data.fd = fd };
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(c->epoll, EPOLL_CTL_DEL, fd, NULL); /* gone already where it was closed */
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(c->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    return errno == ENOENT && epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -1;
}

static int on_timer(CURLM *multi, long ms, void *calls)
{
    struct calls *c = calls;
    c->due_ms = ms < 0 ? -1 : clock_mono_ms() + ms;
    return 0;
}

static result multi_set(struct calls *c)
{
    bool set = curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
               curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) == CURLM_OK &&
               curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
               curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) == CURLM_OK &&
               curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX) == CURLM_OK && /* of HTTP/2 alone */
               curl_multi_setopt(c->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)CALLS_MAX) == CURLM_OK &&
               curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CALLS_MAX) == CURLM_OK;
    return set ? OK : fail(E_io);
}

static void calls_free_pointer(struct calls **c)
{
    calls_free(*c);
}

result calls_new(struct calls **ret)
{
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, curl_free_wiped, curl_realloc_wiped, curl_strdup, calloc) != CURLE_OK)
        return fail(E_no_memory);
    __attribute__((cleanup(calls_free_pointer))) struct calls *c = calloc(1, sizeof *c);
    if (!c) {
        curl_global_cleanup();
        return fail(E_no_memory);
    }
    c->due_ms = -1;
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (c->epoll < 0)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    c->multi = curl_multi_init();
    if (!c->multi)
        return fail(E_no_memory);
    TRY(multi_set(c));
    *ret = c;
    c = NULL;
    return OK;
}

/* A body may hold what its target keeps secret. */
static void body_free(struct buf *body)
{
    wipe(body->p, body->n);
    buf_free(body);
}

void call_answer_free(struct call_answer *a)
{
    body_free(&a->body);
}

static void call_release(struct calls *c, struct call *k)
{
    if (k->easy) {
        curl_multi_remove_handle(c->multi, k->easy);
        curl_easy_cleanup(k->easy);
    }
    secret_free(k->authorization);
    hasher_free(k->hasher);
    body_free(&k->body);
    buf_free(&k->text);
    call_answer_free(&k->answer);
    *k = (struct call){ .state = CALL_FREE };
}

void calls_free(struct calls *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < CALLS_MAX; i++)
        call_release(c, &c->call[i]);
    curl_multi_cleanup(c->multi);
    if (c->epoll >= 0)
        close(c->epoll);
    free(c);
    curl_global_cleanup();
}

result call_authorization(struct span token, struct secret **ret)
{
    struct span head = span_text(BEARER);
    for (size_t i = 0; i < token.n; i++) {
        uint8_t b = token.p[i];
        if (!((b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') || b == '-' || b == '_' || b == '.'))
            return fail(E_bad_value);
    }
    if (token.n == 0)
        return fail(E_bad_value);
    AUTO_SECRET *s = NULL;
    TRY(secret_new(head.n + token.n + 1, &s)); /* zeroed: the NUL is there */
    TRY(span_copy(head, secret_bytes(s), head.n));
    TRY(span_copy(token, secret_bytes(s) + head.n, token.n));
    *ret = s;
    s = NULL;
    return OK;
}

/* The count is what the whole file is about: see call.h. */
static int on_send(void *call, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
    struct call *k = call;
    return ++k->sent == 1 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* Line by line, the empty one at the end too: libcurl takes a head that breaks off for a whole one. */
static size_t on_header(char *bytes, size_t size, size_t n, void *call)
{
    struct call *k = call;
    struct span line = { (const uint8_t *)bytes, size * n };
    return call_head_line(&k->head, line) ? line.n : 0;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *call)
{
    struct call *k = call;
    struct span s = { (const uint8_t *)bytes, size * n };
    k->too_large = s.n > (uint64_t)k->peer->answer_bytes - k->answer.body_length;
    if (k->too_large)
        return 0;
    hasher_put(k->hasher, s);
    k->answer.body_length += s.n;
    return !k->peer->keep_body || is_ok(buf_put(&k->answer.body, s)) ? s.n : 0;
}

/* Header texts lie in one buffer that doesn't grow any more when they are pointed at. */
static result header_put(struct call *k, const char *name, const char *value, size_t *at)
{
    for (const char *c = value; *c; c++)
        if (*c < ' ' || *c > '~')
            return fail(E_bad_value);
    *at = k->text.n;
    TRY(buf_printf(&k->text, "%s: %s", name, value));
    return buf_u8(&k->text, 0);
}

/* A name with nothing behind its colon takes away what libcurl would put in. */
static result headers_make(struct call *k)
{
    static char no_accept[] = "Accept:", no_expect[] = "Expect:";
    size_t host, type = 0, precondition = 0, audit_id = 0;
    TRY(header_put(k, "Host", k->peer->host, &host));
    if (k->plan.media_type[0])
        TRY(header_put(k, "Content-Type", k->plan.media_type, &type));
    if (k->plan.precondition)
        TRY(header_put(k, k->plan.precondition, k->plan.precondition_value, &precondition));
    if (k->plan.audit_id[0])
        TRY(header_put(k, "Audit-ID", k->plan.audit_id, &audit_id));
    char *text = (char *)k->text.p;
    k->header[k->headers++].data = text + host;
    k->header[k->headers++].data = no_accept;
    k->header[k->headers++].data = no_expect;
    if (k->plan.media_type[0])
        k->header[k->headers++].data = text + type;
    if (k->plan.precondition)
        k->header[k->headers++].data = text + precondition;
    if (k->plan.audit_id[0])
        k->header[k->headers++].data = text + audit_id;
    k->header[k->headers++].data = (char *)secret_bytes(k->authorization);
    for (unsigned i = 0; i + 1 < k->headers; i++)
        k->header[i].next = &k->header[i + 1];
    return OK;
}

#define SET(option, value) (code = code != CURLE_OK ? code : curl_easy_setopt(k->easy, CURLOPT_##option, (value)))

/* A connection that many calls share is kept though one of them had no answer: one whose peer acknowledges nothing for a call's
 * time is ended by the kernel, or each call until then would fail on it. */
static int on_socket_made(void *call, curl_socket_t fd, curlsocktype purpose)
{
    const struct call *k = call;
    unsigned ms = (unsigned)k->peer->timeout_ms;
    return setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms) == 0 ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

/* RFC 9113 section 3.2: HTTP/2 where ALPN says so, HTTP/1.1 where the server has nothing newer; or nothing but HTTP/1.1. */
static CURLcode easy_set_version(struct call *k)
{
    CURLcode code = CURLE_OK;
    bool http2 = k->peer->http2;
    SET(HTTP_VERSION, http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    SET(SSL_ENABLE_ALPN, http2 ? 1L : 0L);
    if (!http2)
        return code;
    SET(PIPEWAIT, 1L); /* a stream on the connection that is being made, not a connection more */
    SET(SOCKOPTFUNCTION, on_socket_made);
    SET(SOCKOPTDATA, k);
    return code;
}

/* Whom we speak to, and how. */
static CURLcode easy_set_peer(struct call *k)
{
    CURLcode code = CURLE_OK;
    long timeout = (long)k->peer->timeout_ms;
    struct curl_blob ca = { .data = (void *)k->peer->ca.p, .len = k->peer->ca.n, .flags = CURL_BLOB_NOCOPY };
    SET(PROTOCOLS_STR, "https");
    SET(CAINFO, NULL);
    SET(CAPATH, NULL); /* else Debian's own authorities vouch for the target too */
    SET(CAINFO_BLOB, &ca);
    SET(SSL_VERIFYPEER, 1L);
    SET(SSL_VERIFYHOST, 2L);
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(PROXY, ""); /* whatever the environment says */
    SET(NETRC, (long)CURL_NETRC_IGNORED);
    SET(FOLLOWLOCATION, 0L);
    SET(DISALLOW_USERNAME_IN_URL, 1L);
    SET(NOSIGNAL, 1L);
    SET(TIMEOUT_MS, timeout);
    SET(CONNECTTIMEOUT_MS, timeout < CONNECT_MS ? timeout : (long)CONNECT_MS);
    SET(MAXAGE_CONN, (long)IDLE_S);
    SET(UPLOAD_BUFFERSIZE, 16384L); /* a TLS record; it is wiped whole */
    return code;
}

/* What is sent, and what is done with what comes. A body as POSTFIELDS goes in one write with the headers. */
static CURLcode easy_set_call(struct call *k)
{
    CURLcode code = CURLE_OK;
    SET(URL, k->plan.url);
    SET(PATH_AS_IS, 1L);
    if (k->plan.media_type[0]) {
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)k->body.n);
        SET(POSTFIELDS, k->body.n ? (const char *)k->body.p : "");
    } else {
        SET(HTTPGET, 1L);
    }
    SET(CUSTOMREQUEST, k->plan.method);
    SET(HTTPHEADER, k->header);
    SET(PREREQFUNCTION, on_send);
    SET(PREREQDATA, k);
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, k);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, k);
    SET(PRIVATE, k);
    return code;
}

static result call_begin(struct calls *c, struct call *k)
{
    TRY(hasher_new(&k->hasher));
    TRY(headers_make(k));
    k->easy = curl_easy_init();
    if (!k->easy)
        return fail(E_no_memory);
    CURLcode code = easy_set_peer(k);
    if (code == CURLE_OK)
        code = easy_set_version(k);
    if (code == CURLE_OK)
        code = easy_set_call(k);
    if (code != CURLE_OK)
        return fail_curl(code == CURLE_OUT_OF_MEMORY ? E_no_memory : E_bad_value, code);
    CURLMcode added = curl_multi_add_handle(c->multi, k->easy);
    return added == CURLM_OK ? OK : fail_curl(E_no_memory, (unsigned)added);
}

static struct call *call_of(const struct calls *c, uint64_t slot)
{
    for (unsigned i = 0; i < CALLS_MAX; i++)
        if (c->call[i].state != CALL_FREE && c->call[i].slot == slot)
            return (struct call *)&c->call[i];
    return NULL;
}

bool calls_has(const struct calls *c, uint64_t slot)
{
    return call_of(c, slot) != NULL;
}

static struct call *call_free_one(const struct calls *c)
{
    for (unsigned i = 0; i < CALLS_MAX; i++)
        if (c->call[i].state == CALL_FREE)
            return (struct call *)&c->call[i];
    return NULL;
}

bool calls_full(const struct calls *c)
{
    return !call_free_one(c);
}

result calls_start(struct calls *c, const struct call_args *a)
{
    AUTO_SECRET *authorization = a->authorization;
    struct call *k = call_free_one(c);
    if (calls_has(c, a->slot))
        return fail(E_exists);
    if (!k)
        return fail(E_busy);
    *k = (struct call){ .state = CALL_UNDER_WAY,
        .slot = a->slot,
        .peer = a->peer,
        .plan = *a->plan,
        .authorization = authorization,
        .body = BUF(a->body.n),
        .text = BUF(2048),
        .answer = { .slot = a->slot, .body = BUF((size_t)a->peer->answer_bytes) } };
    authorization = NULL;
    result r = buf_put(&k->body, a->body);
    if (is_ok(r))
        r = call_begin(c, k);
    if (!is_ok(r))
        call_release(c, k);
    return r;
}

/* A final status and the whole head are an answer, also where our own limit ended it. Of a body that ends where the connection
 * does, nobody can say that it came whole (RFC 9112 section 8; libcurl doesn't ask for TLS's own end). In HTTP/2 too nothing is
 * concluded from the server's word that it did nothing (RFC 9113 section 8.7): libcurl would send again, and that ends the call. */
static void call_conclude(struct call *k, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &status);
    bool answered = (code == CURLE_OK || k->too_large) && k->sent == 1 && status >= 200 && k->head.whole;
    struct call_answer *a = &k->answer;
    a->foreign = code;
    a->phase = answered ? CALL_ANSWERED : k->sent ? CALL_NO_ANSWER : CALL_NEVER_SENT;
    a->has_etag = answered && k->head.has_etag;
    a->has_body = answered && !k->too_large && (k->head.framed || status == 204);
    if (a->has_etag)
        (void)is_ok(span_copy(SPAN(k->head.etag), a->etag, sizeof a->etag));
    if (a->has_body) {
        a->body_sha256 = hasher_end(k->hasher);
    } else {
        a->body_length = 0;
        body_free(&a->body);
    }
    if (answered)
        a->status = (uint32_t)status;
    a->code = !answered      ? (k->sent ? E_no_answer : E_not_sent)
              : k->too_large ? E_answer_too_large
              : a->has_body  ? E_ok
                             : E_no_answer;
}

static void collect(struct calls *c)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left));) {
        void *call = NULL;
        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call) != CURLE_OK)
            continue;
        struct call *k = call;
        call_conclude(k, m->data.result);
        struct call_answer answer = k->answer;
        k->answer.body = BUF(0); /* the answer's now */
        call_release(c, k); /* the credential with it */
        k->state = CALL_DONE;
        k->slot = answer.slot;
        k->answer = answer;
    }
}

int calls_fd(const struct calls *c)
{
    return c->epoll;
}

int calls_wait_ms(const struct calls *c)
{
    if (c->due_ms < 0)
        return -1;
    int64_t left = c->due_ms - clock_mono_ms();
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static result work_on(struct calls *c, curl_socket_t fd, int events)
{
    int running;
    CURLMcode code = curl_multi_socket_action(c->multi, fd, events, &running);
    return code == CURLM_OK ? OK : fail_curl(E_io, (unsigned)code);
}

result calls_work(struct calls *c)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(c->epoll, event, EVENTS, 0);
    if (n < 0 && errno != EINTR)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    for (int i = 0; i < n; i++) {
        int events = (event[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) | (event[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                     (event[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        TRY(work_on(c, event[i].data.fd, events));
    }
    if (c->due_ms >= 0 && c->due_ms <= clock_mono_ms()) {
        c->due_ms = -1; /* libcurl says when next */
        TRY(work_on(c, CURL_SOCKET_TIMEOUT, 0));
    }
    collect(c);
    return OK;
}

bool calls_next(struct calls *c, struct call_answer *ret)
{
    for (unsigned i = 0; i < CALLS_MAX; i++) {
        struct call *k = &c->call[i];
        if (k->state != CALL_DONE)
            continue;
        *ret = k->answer;
        *k = (struct call){ .state = CALL_FREE };
        return true;
    }
    return false;
}
