#include "config.h"

#include "tests/kube/cluster.h"

#include "tests/bench/measure.h"

#include <stdlib.h>

#include <curl/curl.h>

#define ANSWER_MAX (4u << 20)
#define HEADER_MAX 32768

struct cluster {
    struct cluster_args args;
    CURL *easy;
    struct buf answer;
};

static size_t take(char *bytes, size_t size, size_t n, void *cluster)
{
    struct cluster *c = cluster;
    must(buf_put(&c->answer, (struct span){ (const uint8_t *)bytes, size * n }), "an answer");
    return size * n;
}

struct cluster *cluster_open(const struct cluster_args *a)
{
    struct cluster *c = calloc(1, sizeof *c);
    must_hold(c != NULL, "memory");
    c->args = *a;
    c->answer = BUF(ANSWER_MAX);
    c->easy = curl_easy_init();
    must_hold(c->easy != NULL, "libcurl");
    bool set = curl_easy_setopt(c->easy, CURLOPT_CAINFO, a->ca) == CURLE_OK &&
               curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
               curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c) == CURLE_OK &&
               curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK &&
               curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, 30000L) == CURLE_OK;
    if (a->certificate)
        set = set && curl_easy_setopt(c->easy, CURLOPT_SSLCERT, a->certificate) == CURLE_OK &&
              curl_easy_setopt(c->easy, CURLOPT_SSLKEY, a->key) == CURLE_OK;
    must_hold(set, "libcurl's options");
    return c;
}

void cluster_close(struct cluster *c)
{
    curl_easy_cleanup(c->easy);
    buf_free(&c->answer);
    free(c);
}

static struct curl_slist *header(struct curl_slist *headers, const char *name, const char *value)
{
    AUTO_BUF line = BUF(HEADER_MAX);
    must(buf_printf(&line, "%s: %s", name, value), "header");
    must(buf_u8(&line, 0), "header");
    return curl_slist_append(headers, (const char *)line.p);
}

static struct curl_slist *headers_of(const struct cluster_call *call)
{
    struct curl_slist *headers = header(NULL, "Accept", "application/json");
    if (call->media_type)
        headers = header(headers, "Content-Type", call->media_type);
    if (!call->token)
        return headers;
    AUTO_BUF bearer = BUF(HEADER_MAX);
    must(buf_printf(&bearer, "Bearer %s", call->token), "token");
    must(buf_u8(&bearer, 0), "token");
    return header(headers, "Authorization", (const char *)bearer.p);
}

long cluster_ask(struct cluster *c, const struct cluster_call *call, json_t **ret)
{
    AUTO_BUF url = BUF(4096);
    long status = 0;
    must(buf_printf(&url, "%s%s", c->args.server, call->path), "url");
    must(buf_u8(&url, 0), "url");
    struct curl_slist *headers = headers_of(call);
    buf_clear(&c->answer);
    curl_easy_setopt(c->easy, CURLOPT_URL, (const char *)url.p);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
    if (call->media_type) {
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, (const char *)call->body.p);
    } else {
        curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, call->method);
    CURLcode code = curl_easy_perform(c->easy);
    must_hold(code == CURLE_OK, curl_easy_strerror(code));
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (ret) {
        *ret = json_loadb((const char *)c->answer.p, c->answer.n, 0, NULL);
        must_hold(*ret != NULL, "the API server's answer is no JSON");
    }
    return status;
}

int64_t cluster_version(const json_t *object)
{
    const char *text = json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion"));
    must_hold(text != NULL, "an object without resourceVersion");
    return strtoll(text, NULL, 10);
}
