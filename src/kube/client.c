#include "config.h"

#include "kube/client.h"

#include <stdlib.h>

#include <curl/curl.h>

#define CONNECT_MS 5000L
#define BEARER "Authorization: Bearer "

struct kube {
    const struct kubeconfig *config;
    CURL *easy;
    char error[CURL_ERROR_SIZE];
    struct secret *authorization; /* the header's text with its NUL; NULL: none */
};
/* One call's. */
struct call {
    struct buf body;
    bool too_large;
    bool sent;
};

static result fail_curl(enum seb_code code, unsigned curl)
{
    return fail_foreign(code, FOREIGN_CURL, curl);
}

void kube_close(struct kube *k)
{
    if (!k)
        return;
    curl_easy_cleanup(k->easy);
    secret_free(k->authorization);
    free(k);
    curl_global_cleanup();
}

void kube_close_pointer(struct kube **k)
{
    kube_close(*k);
}

#define SET(option, value) (code = code != CURLE_OK ? code : curl_easy_setopt(k->easy, CURLOPT_##option, (value)))

static struct curl_blob blob_of(const void *p, size_t n)
{
    return (struct curl_blob){ .data = (void *)p, .len = n, .flags = CURL_BLOB_NOCOPY };
}

/* Whom we speak to, and as whom. */
static CURLcode set_peer(struct kube *k)
{
    const struct kubeconfig *c = k->config;
    CURLcode code = CURLE_OK;
    struct curl_blob ca = blob_of(c->ca.p, c->ca.n);
    SET(PROTOCOLS_STR, "https");
    SET(CAINFO, NULL);
    SET(CAPATH, NULL); /* else the machine's own authorities vouch too */
    SET(CAINFO_BLOB, &ca);
    SET(SSL_VERIFYPEER, 1L);
    SET(SSL_VERIFYHOST, 2L);
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(PROXY, ""); /* whatever the environment says */
    SET(NETRC, (long)CURL_NETRC_IGNORED);
    SET(FOLLOWLOCATION, 0L);
    SET(DISALLOW_USERNAME_IN_URL, 1L);
    SET(NOSIGNAL, 1L);
    SET(CONNECTTIMEOUT_MS, CONNECT_MS);
    SET(TIMEOUT_MS, KUBE_TIMEOUT_MS);
    SET(PATH_AS_IS, 1L);
    SET(ERRORBUFFER, k->error);
    if (c->certificate.n) {
        struct curl_blob certificate = blob_of(c->certificate.p, c->certificate.n);
        struct curl_blob key = blob_of(secret_bytes(c->key), secret_size(c->key));
        SET(SSLCERT_BLOB, &certificate);
        SET(SSLCERTTYPE, "PEM");
        SET(SSLKEY_BLOB, &key);
        SET(SSLKEYTYPE, "PEM");
        SET(KEYPASSWD, ""); /* else OpenSSL asks the terminal */
    }
    return code;
}

static result authorization_make(struct kube *k)
{
    struct secret *token = k->config->token;
    struct span head = span_text(BEARER);
    if (!token)
        return OK;
    TRY(secret_new(head.n + secret_size(token) + 1, &k->authorization)); /* zeroed: the NUL is there */
    TRY(span_copy(head, secret_bytes(k->authorization), head.n));
    return span_copy(
        (struct span){ secret_bytes(token), secret_size(token) }, secret_bytes(k->authorization) + head.n, secret_size(token));
}

result kube_open(const struct kubeconfig *c, struct kube **ret)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return fail(E_no_memory);
    struct kube *k = calloc(1, sizeof *k);
    if (!k) {
        curl_global_cleanup();
        return fail(E_no_memory);
    }
    k->config = c;
    k->easy = curl_easy_init();
    result r = k->easy ? authorization_make(k) : fail(E_no_memory);
    if (is_ok(r)) {
        CURLcode code = set_peer(k);
        r = code == CURLE_OK ? OK : fail_curl(E_bad_value, code);
    }
    if (!is_ok(r)) {
        kube_close(k);
        return r;
    }
    *ret = k;
    return OK;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *call)
{
    struct call *c = call;
    c->too_large = !is_ok(buf_put(&c->body, (struct span){ (const uint8_t *)bytes, size * n }));
    return c->too_large ? 0 : size * n;
}

static int on_send(void *call, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
    ((struct call *)call)->sent = true;
    return CURL_PREREQFUNC_OK;
}

static result header_add(struct curl_slist **list, const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            return fail(E_bad_value);
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (!longer)
        return fail(E_no_memory);
    *list = longer;
    return OK;
}

static void slist_free(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static result headers_make(const struct kube *k, const struct kube_call *call, struct curl_slist **list)
{
    AUTO_BUF type = BUF(256);
    TRY(header_add(list, "Accept: application/json"));
    TRY(header_add(list, "Expect:"));
    if (call->media_type) {
        TRY(buf_printf(&type, "Content-Type: %s", call->media_type));
        TRY(buf_u8(&type, 0));
        TRY(header_add(list, (const char *)type.p));
    }
    if (k->authorization)
        TRY(header_add(list, (const char *)secret_bytes(k->authorization)));
    for (const char *const *h = call->headers; h && *h; h++)
        TRY(header_add(list, *h));
    return OK;
}

static CURLcode set_call(struct kube *k, const struct kube_call *call, const char *url, struct curl_slist *headers, struct call *c)
{
    CURLcode code = CURLE_OK;
    SET(HTTPGET, 1L); /* takes back what the last call set */
    if (call->media_type) {
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        SET(POSTFIELDS, call->body.n ? (const char *)call->body.p : "");
    }
    SET(URL, url);
    SET(CUSTOMREQUEST, call->method);
    SET(HTTPHEADER, headers);
    SET(PREREQFUNCTION, on_send);
    SET(PREREQDATA, c);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, c);
    return code;
}

static void text_take(struct span s, char *to, size_t room)
{
    if (!is_ok(span_copy_text(span_part(s, 0, room - 1), to, room)))
        to[0] = 0;
    for (char *c = to; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static struct span text_of(const json_t *o, const char *name)
{
    return span_text(json_string_value(json_object_get(o, name)));
}

/* What isn't JSON is kept as words alone: the API server's own errors before it knows a kind, or a proxy's page. */
static void answer_take(const struct call *c, struct kube_answer *ret)
{
    if (!is_ok(kube_json(buf_span(&c->body), &ret->object))) {
        if (ret->status >= 400)
            text_take(buf_span(&c->body), ret->message, sizeof ret->message);
        return;
    }
    if (!span_is(text_of(ret->object, "kind"), "Status") || span_is(text_of(ret->object, "status"), "Success"))
        return;
    text_take(text_of(ret->object, "reason"), ret->reason, sizeof ret->reason);
    text_take(text_of(ret->object, "message"), ret->message, sizeof ret->message);
}

static result conclude(struct kube *k, CURLcode done, const struct call *c, struct kube_answer *ret, struct trouble *t)
{
    long status = 0;
    if (c->too_large)
        return trouble_say(t, E_answer_too_large, "more than %u bytes", KUBE_ANSWER_MAX);
    if (done != CURLE_OK) {
        result said = trouble_say(
            t, c->sent ? E_no_answer : E_not_sent, "%s: %s", k->config->server, k->error[0] ? k->error : curl_easy_strerror(done));
        return fail_curl(code_of(said), done);
    }
    curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &status);
    ret->status = (unsigned)status;
    answer_take(c, ret);
    return OK;
}

result kube_ask(struct kube *k, const struct kube_call *call, struct kube_answer *ret, struct trouble *t)
{
    __attribute__((cleanup(slist_free))) struct curl_slist *headers = NULL;
    AUTO_BUF url = BUF(8192);
    struct call c = { .body = BUF(KUBE_ANSWER_MAX) };
    *ret = (struct kube_answer){ 0 };
    t->text[0] = 0;
    TRY(headers_make(k, call, &headers));
    TRY(buf_printf(&url, "%s%s", k->config->server, call->path));
    TRY(buf_u8(&url, 0));
    k->error[0] = 0;
    CURLcode code = set_call(k, call, (const char *)url.p, headers, &c);
    if (code != CURLE_OK)
        return fail_curl(code == CURLE_OUT_OF_MEMORY ? E_no_memory : E_bad_value, code);
    result r = conclude(k, curl_easy_perform(k->easy), &c, ret, t);
    curl_easy_setopt(k->easy, CURLOPT_HTTPHEADER, NULL); /* they end with this call */
    buf_free(&c.body);
    return r;
}

void kube_answer_free(struct kube_answer *a)
{
    json_decref(a->object);
    *a = (struct kube_answer){ 0 };
}

result kube_judge(const struct kube_answer *a, struct trouble *t)
{
    if (a->status >= 200 && a->status < 300)
        return OK;
    enum seb_code code = a->status == 404 ? E_not_found : a->status == 409 ? E_state_drifted : E_cluster_refused;
    return trouble_say(t, code, "%u %s: %s", a->status, a->reason, a->message);
}

result kube_get(struct kube *k, const char *path, json_t **ret, struct trouble *t)
{
    AUTO_ANSWER a = { 0 };
    TRY(kube_ask(k, &(struct kube_call){ .method = "GET", .path = path }, &a, t));
    result judged = kube_judge(&a, t);
    if (!is_ok(judged)) {
        char said[TROUBLE_MAX / 2];
        TRY(span_copy_text(span_part(span_text(t->text), 0, sizeof said - 1), said, sizeof said));
        return trouble_say(t, code_of(judged), "%s: %s", path, said);
    }
    if (!json_is_object(a.object))
        return trouble_say(t, E_bad_json, "%s: what came isn't a JSON object", path);
    *ret = a.object;
    a.object = NULL;
    return OK;
}

result kube_json(struct span text, json_t **ret)
{
    json_error_t error;
    json_t *v = json_loadb(text.n ? (const char *)text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!v)
        return fail(json_error_code(&error) == json_error_out_of_memory ? E_no_memory : E_bad_json);
    *ret = v;
    return OK;
}
