/* HTTPS calls on one kept connection with libcurl's plainest use: the drift read and the mutation, with credentials as the keeper
 * mints them, through the fence and against the bare sink. */
#include "config.h"

#include "tests/bench/primitives.h"

#include "base/random.h"
#include "hsm/pkcs11.h"
#include "mint/mint.h"
#include "target/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

#define BODY                                                                                                                      \
    "a document of some two hundred bytes, which is what the bench writes; its length does not matter much, since what an HTTPS " \
    "call costs is mostly its round trip through processes, and its signatures.\n"

struct call {
    struct call_plan plan;
    struct curl_slist *headers;
};
struct calling {
    CURL *easy;
    struct hsm_key *key;
    const struct config *config;
    const struct config_target *target;
    struct call *call;
    unsigned next, n;
};

static struct target_mutation mutation_of(const char *resource, bool sink)
{
    return (struct target_mutation){
        .operation = "PUT",
        .resource = resource,
        .has_body = true,
        .body_sha256 = sha256(span_text(BODY)),
        .body_length = sizeof BODY - 1,
        .media_type = "text/plain",
        .absent = !sink,
        .has_etag = sink,
        .etag = sink ? "\"1\"" : NULL,
        .grace_s = -1,
    };
}

static void mint(
    const struct calling *k, enum call_use use, const struct target_mutation *m, const struct call_plan *plan, struct buf *out)
{
    AUTO_JSON *target_claims_ = json_object();
    AUTO_BUF claims = BUF(CREDENTIAL_TEXT_MAX), input = BUF(CREDENTIAL_TEXT_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    struct mint_words words = { .domain = k->config->domain,
        .instance = k->config->instance,
        .audience = k->target->audience,
        .cid = "bench",
        .attestation = "none",
        .iat = time(NULL),
        .exp = time(NULL) + 55,
        .target_claims = target_claims_ };
    must(random_bytes(words.leaf.b, sizeof words.leaf.b), "random");
    must(target_claims(k->target->kind, use, m, plan, target_claims_), "claims");
    must(mint_claims(&words, &claims), "claims");
    must(jws_signing_input(hsm_public(k->key), TYP_CREDENTIAL, buf_span(&claims), &input), "credential");
    struct digest d = sha256(buf_span(&input));
    must(hsm_sign(k->key, &d, raw), "credential");
    must(mint_compact(buf_span(&input), SPAN(raw), out), "credential");
}

static void header(struct call *c, const char *name, struct span value)
{
    AUTO_BUF line = BUF(CREDENTIAL_TEXT_MAX + 64);
    must(buf_printf(&line, "%s: %.*s", name, (int)value.n, (const char *)value.p), "header");
    must(buf_u8(&line, 0), "header");
    c->headers = curl_slist_append(c->headers, (const char *)line.p);
}

static void prepare(struct calling *k, struct call *c, enum call_use use, const char *resource)
{
    AUTO_BUF credential = BUF(CREDENTIAL_TEXT_MAX);
    struct target_mutation m = mutation_of(resource, !k->target->has_fence);
    must(target_plan(k->target->kind, k->target->prefix, use, &m, &c->plan), "plan");
    mint(k, use, &m, &c->plan, &credential);
    AUTO_BUF bearer = BUF(CREDENTIAL_TEXT_MAX);
    must(buf_text(&bearer, "Bearer "), "header");
    must(buf_put(&bearer, buf_span(&credential)), "header");
    header(c, "Authorization", buf_span(&bearer));
    if (c->plan.precondition)
        header(c, c->plan.precondition, span_text(c->plan.precondition_value));
    if (c->plan.media_type[0])
        header(c, "Content-Type", span_text(c->plan.media_type));
    c->headers = curl_slist_append(c->headers, "Accept:");
}

static void call_once(void *context)
{
    struct calling *k = context;
    must_hold(k->next < k->n, "calls");
    const struct call *c = &k->call[k->next++];
    long status = 0;
    bool put = c->plan.media_type[0] != 0;
    curl_easy_setopt(k->easy, CURLOPT_URL, c->plan.url);
    curl_easy_setopt(k->easy, CURLOPT_HTTPHEADER, c->headers);
    if (put)
        curl_easy_setopt(k->easy, CURLOPT_POSTFIELDS, BODY);
    else
        curl_easy_setopt(k->easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(k->easy, CURLOPT_CUSTOMREQUEST, c->plan.method);
    must_hold(curl_easy_perform(k->easy) == CURLE_OK, "HTTPS call");
    curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &status);
    bool exists;
    if (put ? target_meaning(k->target->kind, (uint32_t)status) == MEANS_APPLIED
            : is_ok(target_read_meaning(k->target->kind, (uint32_t)status, &exists)))
        return;
    fprintf(stderr, "bench: %s %s: %ld\n", c->plan.method, c->plan.url, status);
    exit(1);
}

static size_t drop(char *bytes, size_t size, size_t n, void *none)
{
    return size * n;
}

static void run(struct calling *k, enum call_use use, unsigned rounds)
{
    static unsigned runs;
    AUTO_BUF name = BUF(64);
    k->n = rounds + rounds / 10 + 1;
    k->next = 0;
    k->call = calloc(k->n, sizeof *k->call);
    must_hold(k->call != NULL, "memory");
    runs++;
    for (unsigned i = 0; i < k->n; i++) {
        AUTO_BUF resource = BUF(TARGET_URL_MAX + 1);
        must(buf_printf(&resource, "%sprimitive-%u-%u", k->target->prefix, runs, i), "resource");
        must(buf_u8(&resource, 0), "resource");
        prepare(k, &k->call[i], use, (const char *)resource.p);
    }
    must(buf_printf(&name, "%s_%s", use == CALL_READ ? "get" : "put", k->target->name), "name");
    must(buf_u8(&name, 0), "name");
    measure(&(struct measure){ .name = (const char *)name.p, .rounds = rounds, .once = call_once, .context = k });
    for (unsigned i = 0; i < k->n; i++)
        curl_slist_free_all(k->call[i].headers);
    free(k->call);
}

void primitive_https(const struct primitive_args *a)
{
    const struct config *c = a->config;
    struct p11_token *token;
    struct calling k = { .config = c, .easy = curl_easy_init() };
    must(p11_open(&(struct p11_args){ .module = c->module, .token = c->token, .pin_file = c->pin_file }, &token), "the HSM");
    must(p11_key(token, c->mint_label, &k.key), "mint key");
    must_hold(k.easy && curl_easy_setopt(k.easy, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK, "libcurl");
    for (unsigned i = 0; i < c->targets; i++) {
        k.target = &c->target[i];
        curl_easy_setopt(k.easy, CURLOPT_CAINFO, k.target->ca);
        run(&k, CALL_READ, a->rounds);
        run(&k, CALL_MUTATE, a->rounds);
    }
    curl_easy_cleanup(k.easy);
    hsm_close(k.key);
    p11_close(token);
}
