/* kube_bench objects SERVER CA CERTIFICATE KEY NAMESPACE NAME AGENTS EACH: config maps NAME-AGENT-N, as bench_load changes them.
 * kube_bench calls CONFIG TARGET CERTIFICATE KEY NAMESPACE OPEN ACCOUNT ROUNDS: rows of figures of what a change of one object
 * costs past the broker, on one kept connection:
 *   kube_direct   a patch with a ready client certificate, in the namespace OPEN
 *   kube_usual    the usual way: TokenRequest for ACCOUNT, then get and patch with its token, in OPEN
 *   kube_get, kube_patch, kube_fresh   get; patch; both, in the fenced NAMESPACE, each with a credential that was never seen
 * before: just what the broker would mint and send, by its own functions, signed before the clock starts The certificate is one
 * that the fence lets make objects, and that may ask for tokens. */
#include "config.h"

#include "base/random.h"
#include "config/config.h"
#include "hsm/pkcs11.h"
#include "mint/mint.h"
#include "scope/scope.h"
#include "tests/bench/measure.h"
#include "tests/kube/cluster.h"
#include "tests/kube/contracts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#define PATH_MAX_ 512
#define TOKEN_REQUEST "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\",\"spec\":{\"expirationSeconds\":600}}"

struct credential { /* one call of the broker's, ready */
    struct call_plan plan;
    struct buf token, body;
};
struct bench {
    const struct config *config;
    const struct config_target *target;
    struct hsm_key *key;
    struct cluster *own, *bare; /* with the certificate; without */
    const char *open, *fenced, *account;
    unsigned rounds, next;
    struct credential *read, *change;
    char path[PATH_MAX_]; /* of the object in OPEN */
};

static void path_of(char path[PATH_MAX_], const char *space, const char *name)
{
    must_hold(snprintf(path, PATH_MAX_, "/api/v1/namespaces/%s/configmaps/%s", space, name) < PATH_MAX_, "a path's length");
}

/* Makes the object, and gives what was answered. */
static json_t *object_make(struct cluster *c, const char *space, const char *name)
{
    char path[PATH_MAX_], text[PATH_MAX_];
    json_t *made;
    path_of(path, space, "");
    path[strlen(path) - 1] = 0;
    snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"%s\"},\"data\":{\"v\":\"begin\"}}", name);
    long status = cluster_ask(c,
        &(struct cluster_call){ .method = "POST", .path = path, .media_type = "application/json", .body = span_text(text) }, &made);
    must_hold(status == 201, name);
    return made;
}

static void mint(const struct bench *b, enum call_use use, const struct target_mutation *m, struct credential *to)
{
    AUTO_JSON *own = json_object();
    AUTO_BUF claims = BUF(CREDENTIAL_TEXT_MAX), input = BUF(CREDENTIAL_TEXT_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    struct mint_words words = { .domain = b->config->domain,
        .instance = b->config->instance,
        .audience = b->target->audience,
        .issuer = b->target->issuer,
        .key = *pubkey_thumbprint(hsm_public(b->key)),
        .cid = "bench",
        .attestation = "none",
        .iat = time(NULL),
        .exp = time(NULL) + 59,
        .target_claims = own };
    must(random_bytes(words.leaf.b, sizeof words.leaf.b), "random");
    must(target_claims(b->target->kind, use, m, &to->plan, own), "claims");
    must(mint_claims(&words, &claims), "claims");
    must(jws_signing_input(hsm_public(b->key), TYP_CREDENTIAL, buf_span(&claims), &input), "credential");
    struct digest d = sha256(buf_span(&input));
    must(hsm_sign(b->key, &d, raw), "credential");
    to->token = BUF(2 * CREDENTIAL_TEXT_MAX);
    must(mint_compact(buf_span(&input), SPAN(raw), &to->token), "credential");
    must(buf_u8(&to->token, 0), "credential");
}

static void compose(const struct bench *b, const struct target_mutation *m, struct credential *to)
{
    AUTO_BUF text = BUF(TARGET_DETAILS_MAX);
    AUTO_JSON *details = NULL;
    char body[PATCH_MAX];
    patch_text("changed", body);
    must(target_details(b->target->kind, CALL_MUTATE, m, &text), "details");
    must(json_strict(buf_span(&text), TARGET_DETAILS_MAX, &details), "details");
    to->body = BUF(TARGET_SENT_MAX);
    must(target_compose(b->target->kind, details, false, span_text(body), &to->body), "body");
}

/* An object of its own, and the two calls that change it. */
static void prepare(struct bench *b, unsigned i)
{
    char name[64], path[PATH_MAX_];
    struct contract contract;
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    snprintf(name, sizeof name, "calls-%u", i);
    path_of(path, b->fenced, name);
    AUTO_JSON *live = object_make(b->own, b->fenced, name),
              *json = patch_contract(b->target->name, path, "changed", value_is("begin"));
    const json_t *metadata = json_object_get(live, "metadata");
    must(json_canonical(json, &text), "contract");
    must(contract_parse(buf_span(&text), &contract), "contract");
    const struct live_view view = { .uid = json_string_value(json_object_get(metadata, "uid")),
        .version = json_string_value(json_object_get(metadata, "resourceVersion")) };
    struct target_mutation m = scope_mutation(&contract, &view);
    must(target_plan(b->target->kind, b->target->prefix, CALL_READ, &m, &b->read[i].plan), "plan");
    must(target_plan(b->target->kind, b->target->prefix, CALL_MUTATE, &m, &b->change[i].plan), "plan");
    mint(b, CALL_READ, &m, &b->read[i]);
    mint(b, CALL_MUTATE, &m, &b->change[i]);
    compose(b, &m, &b->change[i]);
    contract_free(&contract);
}

static void send_ready(struct bench *b, const struct credential *c)
{
    AUTO_JSON *answer = NULL;
    const struct cluster_call call = { .method = c->plan.method,
        .path = c->plan.url + strlen(b->target->prefix) - 1,
        .media_type = c->plan.media_type[0] ? c->plan.media_type : NULL,
        .body = buf_span(&c->body),
        .token = (const char *)c->token.p };
    long status = cluster_ask(b->bare, &call, &answer);
    if (status == 200)
        return;
    char *text = json_dumps(answer, JSON_COMPACT);
    fprintf(stderr, "bench: %s %s: %ld %.600s\n", c->plan.method, c->plan.url, status, text);
    exit(1);
}

static void once_get(void *context)
{
    struct bench *b = context;
    send_ready(b, &b->read[b->next++]);
}

static void once_patch(void *context)
{
    struct bench *b = context;
    send_ready(b, &b->change[b->next++]);
}

static void once_fresh(void *context)
{
    struct bench *b = context;
    send_ready(b, &b->read[b->next]);
    send_ready(b, &b->change[b->next++]);
}

static void measure_ready(struct bench *b, const char *name, void (*once)(void *))
{
    static unsigned made;
    unsigned n = b->rounds + b->rounds / 10 + 1;
    b->read = calloc(made + n, sizeof *b->read);
    b->change = calloc(made + n, sizeof *b->change);
    must_hold(b->read && b->change, "memory");
    for (unsigned i = made; i < made + n; i++)
        prepare(b, i);
    b->next = made;
    made += n;
    measure(&(struct measure){ .name = name, .rounds = b->rounds, .once = once, .context = b });
    for (unsigned i = made - n; i < made; i++) {
        buf_free(&b->read[i].token);
        buf_free(&b->change[i].token);
        buf_free(&b->change[i].body);
    }
    free(b->read);
    free(b->change);
}

static void patch_open(struct bench *b, struct cluster *c, const char *token)
{
    char value[32], text[PATCH_MAX];
    snprintf(value, sizeof value, "round-%u", b->next++);
    patch_text(value, text);
    long status = cluster_ask(c,
        &(struct cluster_call){
            .method = "PATCH", .path = b->path, .media_type = MERGE_PATCH, .body = span_text(text), .token = token },
        NULL);
    must_hold(status == 200, "a patch");
}

static void once_direct(void *context)
{
    struct bench *b = context;
    patch_open(b, b->own, NULL);
}

static void once_usual(void *context)
{
    struct bench *b = context;
    char path[PATH_MAX_];
    AUTO_JSON *request = NULL;
    snprintf(path, sizeof path, "/api/v1/namespaces/%s/serviceaccounts/%s/token", b->open, b->account);
    long status = cluster_ask(b->own,
        &(struct cluster_call){
            .method = "POST", .path = path, .media_type = "application/json", .body = span_text(TOKEN_REQUEST) },
        &request);
    const char *token = json_string_value(json_object_get(json_object_get(request, "status"), "token"));
    must_hold(status == 201 && token, "a service account's token");
    must_hold(
        cluster_ask(b->bare, &(struct cluster_call){ .method = "GET", .path = b->path, .token = token }, NULL) == 200, "a look");
    patch_open(b, b->bare, token);
}

static int calls_main(char **argv)
{
    struct config *config;
    struct p11_token *token;
    const char *where = "";
    must(config_load(argv[2], &config, &where), where);
    struct bench b = { .config = config,
        .target = config_target_named(config, argv[3]),
        .fenced = argv[6],
        .open = argv[7],
        .account = argv[8],
        .rounds = (unsigned)atoi(argv[9]) };
    must_hold(b.target != NULL && b.rounds >= 10, "a target of the configuration, and 10 rounds at least");
    must(p11_open(&(struct p11_args){ .module = config->module, .token = config->token, .pin_file = config->pin_file }, &token),
        "the HSM");
    must(p11_key(token, config->mint_label, &b.key), "the mint key");
    AUTO_BUF server = BUF(1100);
    must(buf_put(&server, span_part(span_text(b.target->prefix), 0, strlen(b.target->prefix) - 1)), "server");
    must(buf_u8(&server, 0), "server");
    b.own = cluster_open(
        &(struct cluster_args){ .server = (const char *)server.p, .ca = b.target->ca, .certificate = argv[4], .key = argv[5] });
    b.bare = cluster_open(&(struct cluster_args){ .server = (const char *)server.p, .ca = b.target->ca });
    json_decref(object_make(b.own, b.open, "open"));
    path_of(b.path, b.open, "open");
    measure(&(struct measure){ .name = "kube_direct", .rounds = b.rounds, .once = once_direct, .context = &b });
    measure(&(struct measure){ .name = "kube_usual", .rounds = b.rounds, .once = once_usual, .context = &b });
    measure_ready(&b, "kube_get", once_get);
    measure_ready(&b, "kube_patch", once_patch);
    measure_ready(&b, "kube_fresh", once_fresh);
    cluster_close(b.own);
    cluster_close(b.bare);
    hsm_close(b.key);
    p11_close(token);
    config_free(config);
    return 0;
}

static int objects_main(char **argv)
{
    struct cluster *c =
        cluster_open(&(struct cluster_args){ .server = argv[2], .ca = argv[3], .certificate = argv[4], .key = argv[5] });
    unsigned agents = (unsigned)atoi(argv[8]), each = (unsigned)atoi(argv[9]);
    for (unsigned i = 0; i < agents; i++)
        for (unsigned j = 0; j < each; j++) {
            char name[64];
            snprintf(name, sizeof name, "%s-%u-%u", argv[7], i, j);
            json_decref(object_make(c, argv[6], name));
        }
    cluster_close(c);
    return 0;
}

int main(int argc, char **argv)
{
    must_hold(argc == 10, "objects or calls, and their arguments");
    must_hold(curl_global_init(CURL_GLOBAL_DEFAULT) == 0, "libcurl");
    return strcmp(argv[1], "objects") == 0 ? objects_main(argv) : calls_main(argv);
}
