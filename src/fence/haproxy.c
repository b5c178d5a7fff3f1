#include <config.h>

#include "fence/haproxy.h"

#include "fence/words.h"
#include "mint/mint.h"
#include "policy/documents.h"
#include "target/target.h"

/* How long a used id is remembered: longer than a credential can live (the rule "lifetime" below), for the seconds' edge. */
#define LIFE_S 60
#define REMEMBER_S (LIFE_S + 5)
/* The whole request must lie in one buffer, or a body's digest would be a prefix's. The rest: other headers of an honest call, what
 * HAProxy keeps free for rewriting, and what its own bookkeeping of headers takes. */
#define REST_MAX 4096
#define CREDENTIAL_MAX 8192 /* with a URL and an ETag of this target; others may be longer (mint/mint.h) */
#define BUFFER_STEP 4096
#define BUFFER_SIZE \
    ((BODY_BYTES_MAX + CREDENTIAL_MAX + TARGET_URL_MAX + TARGET_ETAG_MAX + REST_MAX + BUFFER_STEP - 1) / BUFFER_STEP * BUFFER_STEP)
/* sockaddr_un's path, less what HAProxy appends while it binds. */
#define SOCKET_PATH_MAX 90

/* No character of a plain word has a meaning of its own in HAProxy's configuration, so that what is printed can't be anything else.
 */
static bool is_word(const char *text, const char *also)
{
    return word_is_plain(span_text(text), also);
}

static result words_check(const struct fence_haproxy_args *a, const char **ret_where)
{
    const struct config_http_fence *f = &a->target->fence;
    TRY(word_want(
        a->target->has_fence && span_is(span_text(a->target->kind), "http"), "targets.*.fence: the target has none", ret_where));
    TRY(word_want(a->keys_n >= 1 && a->keys_n <= FENCE_KEYS_MAX, "mint keys: 1 to 32", ret_where));
    TRY(word_want(a->rate >= 1 && a->rate <= FENCE_RATE_MAX, "rate: 1 to 100000", ret_where));
    for (unsigned i = 0; i < a->keys_n; i++)
        TRY(word_want(pubkey_alg(a->keys[i]) == ALG_ES256, "mint keys: P-256 alone", ret_where));
    TRY(word_want(is_word(a->config->domain, "") && is_word(a->config->instance, ""), "domain, instance", ret_where));
    TRY(word_want(is_word(a->target->audience, ":/"), "targets.*.audience", ret_where));
    TRY(word_want(is_word(f->listen, ":[]*"), "targets.*.fence.listen", ret_where));
    TRY(word_want(is_word(f->backend, ":[]"), "targets.*.fence.backend", ret_where));
    const char *const paths[] = { f->certificate, f->backend_ca, f->backend_certificate, f->directory, f->runtime_socket };
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        TRY(word_want(
            paths[i][0] == '/' && is_word(paths[i], "/+@=~:"), "targets.*.fence: an absolute path of plain characters", ret_where));
    TRY(word_want(span_text(f->directory).n + sizeof "/peers.sock" <= SOCKET_PATH_MAX,
        "targets.*.fence.directory: at most 78 bytes, for the socket in it", ret_where));
    return word_want(
        span_text(f->runtime_socket).n <= SOCKET_PATH_MAX, "targets.*.fence.runtime_socket: at most 90 bytes", ret_where);
}

/* "https://authority/path/" to its parts. */
static result prefix_split(const char *prefix, struct span *ret_authority, struct span *ret_path)
{
    struct span s = span_text(prefix);
    const size_t head = sizeof "https://" - 1;
    if (!span_is(span_part(s, 0, head), "https://") || s.p[s.n - 1] != '/')
        return fail(E_no_config);
    size_t slash = span_find(s, head, '/');
    *ret_authority = span_part(s, head, slash - head);
    *ret_path = span_part(s, slash, s.n - slash);
    return OK;
}

/* The host of host:port, without an IPv6 address's brackets. */
static struct span host_of(const char *host_port)
{
    struct span s = span_text(host_port);
    size_t n = s.n;
    while (n > 0 && s.p[n - 1] != ':')
        n--;
    struct span host = span_part(s, 0, n ? n - 1 : 0);
    return host.n > 2 && host.p[0] == '[' ? span_part(host, 1, host.n - 2) : host;
}

static result put_head(const struct fence_haproxy_args *a, struct buf *out)
{
    const struct config_http_fence *f = &a->target->fence;
    TRY(buf_printf(out,
        "# The fence of target %s, printed by sebctl fence haproxy for HAProxy 2.6: don't edit, print it anew.\n"
        "# Its service must take calls from this fence's client certificate alone.\n"
        "global\n"
        "  localpeer fence\n"
        "  maxconn 1000\n"
        "  hard-stop-after 60s\n"
        "  # A request's digest is of what lies in one buffer: body %d, credential %d, URL %d, ETag %d, the rest %d.\n"
        "  tune.bufsize %d\n"
        "  # Ids used before this moment are known only where the process before handed them over (\"restarted\", below).\n"
        "  set-var proc.start date()\n"
        "  stats socket %s mode 600 level admin expose-fd listeners\n",
        a->target->name, BODY_BYTES_MAX, CREDENTIAL_MAX, TARGET_URL_MAX, TARGET_ETAG_MAX, REST_MAX, BUFFER_SIZE,
        f->runtime_socket));
    return buf_printf(out,
        "# A reload hands the used ids to the next process, once this one has been up for 5 seconds. Who can write here\n"
        "# can forget one, so it is a socket of the owner's alone.\n"
        "peers seb\n"
        "  bind unix@%s/peers.sock mode 600\n"
        "  server fence\n"
        "defaults\n"
        "  mode http\n"
        "  timeout client 30s\n"
        "  timeout server 30s\n"
        "  timeout connect 1s\n"
        "  timeout queue 1s\n"
        "  timeout http-request 5s\n"
        "  # Longer than the broker keeps an idle connection (20 s), so that it is never closed under a call.\n"
        "  timeout http-keep-alive 30s\n"
        "  retries 0\n"
        "  option http-buffer-request\n"
        "  option disable-h2-upgrade\n",
        f->directory);
}

/* RFC 7515 section 4.1: a token's first part is the header of a key known here, whole, so alg, kid and typ leave nothing to choose;
 * and the key's own file verifies it. */
static result put_key(const struct fence_haproxy_args *a, const struct pubkey *k, struct buf *out)
{
    AUTO_BUF header = BUF(JWS_HEADER_MAX), first = BUF(256), file = BUF(256);
    char kid[DIGEST_TEXT + 1];
    TRY(jws_header(k, TYP_CREDENTIAL, &header));
    TRY(b64url_put(&first, buf_span(&header)));
    TRY(buf_u8(&first, 0));
    TRY(fence_key_file(k, &file));
    TRY(buf_u8(&file, 0));
    return buf_printf(out,
        "  http-request set-var(txn.kid) str(%s) if { var(txn.token) -m beg %s. }"
        " { var(txn.token),jwt_verify(ES256,%s/%s) -m int 1 }\n",
        digest_text(pubkey_thumbprint(k), kid), (const char *)first.p, a->target->fence.directory, (const char *)file.p);
}

/* A condition of the fence: what it says where it refuses, and when; or, without a status, a line of its own. */
struct rule {
    unsigned status;
    const char *words, *when;
};

/* The request's form, before anybody looks at what it asks for: what could be read in two ways is refused. */
static const struct rule form_rules[] = {
    { 401, "no credential of the broker", "unless { var(txn.token) -m found } { req.fhdr_cnt(authorization) eq 1 }" },
    { 400, "version", "unless { req.ver -m str 1.1 }" },
    { 400, "doubled header",
        "if { req.fhdr_cnt(host) gt 1 } || { req.fhdr_cnt(content-length) gt 1 }"
        " || { req.fhdr_cnt(content-type) gt 1 } || { req.fhdr_cnt(if-match) gt 1 } || { req.fhdr_cnt(if-none-match) gt 1 }" },
    { 400, "upgrade", "if { req.fhdr(upgrade) -m found }" },
};

/* Claims into variables: a missing one leaves its variable unset, and a comparison with an unset variable passes. So each rule
 * below requires what it compares. */
static const struct claim {
    const char *variable, *query;
} claims[] = {
    { "iss", "'$.iss'" },
    { "aud", "'$.aud'" },
    { "iat", "'$.iat','int'" },
    { "exp", "'$.exp','int'" },
    { "jti", "'$.jti'" },
    { "use", "'$.use'" },
    { "htm", "'$.htm'" },
    { "hth", "'$.hth'" },
    { "htu", "'$.htu'" },
    { "sha", "'$.sha256'" },
    { "ctype", "'$.ctype'" },
    { "match", "'$.if_match'" },
    { "none", "'$.if_none_match'" },
};

static const struct rule call_rules[] = {
    /* The numbers' form is looked at in the claims' text, because the converter takes a text or a real for an integer. */
    { 401, "lifetime",
        "unless { var(txn.claims) -m reg '[{,]\"exp\":[0-9]{10}[,}]' } { date(),sub(txn.exp) -m int lt 0 }"
        " { date(60),sub(txn.exp) -m int ge 0 }" },
    { 401, "lifetime", "unless { var(txn.claims) -m reg '[{,]\"iat\":[0-9]{10}[,}]' } { var(txn.exp),sub(txn.iat) -m int 1:60 }" },
    { 403, "method", "unless { var(txn.htm) -m found } { method,strcmp(txn.htm) -m int 0 }" },
    { 403, "use", "unless { var(txn.use) -m str read } { method GET } || { var(txn.use) -m str mutate } { method PUT DELETE }" },
    { 403, "host", "unless { var(txn.hth) -m found } { req.fhdr(host),strcmp(txn.hth) -m int 0 }" },
    { 403, "path", "unless { var(txn.htu) -m found } { url,strcmp(txn.htu) -m int 0 }" },
    { 403, "plain path", "unless { url -m reg '^(/[A-Za-z0-9._~!$&\\x27()*+,;=:@-]+)+$' } !{ url -m reg '/[.]{1,2}(/|$)' }" },
    { 411, "length", "if { req.fhdr(transfer-encoding) -m found }" },
    { 411, "length",
        "unless { method PUT } { req.fhdr_cnt(content-length) eq 1 } { req.body_len,sub(txn.size) -m int 0 }"
        " || { method GET DELETE } !{ req.fhdr(content-length) -m found } { req.body_len eq 0 }" },
    { 403, "body", "unless { var(txn.sha) -m found } { var(txn.body),strcmp(txn.sha) -m int 0 }" },
    { 403, "content-type",
        "unless { var(txn.ctype) -m found } { req.fhdr(content-type),strcmp(txn.ctype) -m int 0 }"
        " || !{ var(txn.ctype) -m found } !{ req.fhdr(content-type) -m found }" },
    { 403, "if-match",
        "unless { var(txn.match) -m found } { req.fhdr(if-match),strcmp(txn.match) -m int 0 }"
        " || !{ var(txn.match) -m found } !{ req.fhdr(if-match) -m found }" },
    { 403, "if-none-match",
        "unless { var(txn.none) -m found } { req.fhdr(if-none-match),strcmp(txn.none) -m int 0 }"
        " || !{ var(txn.none) -m found } !{ req.fhdr(if-none-match) -m found }" },
    { 403, "precondition",
        "unless { var(txn.use) -m str read } !{ var(txn.match) -m found } !{ var(txn.none) -m found }"
        " || { var(txn.use) -m str mutate } { var(txn.match) -m found } !{ var(txn.none) -m found }"
        " || { var(txn.use) -m str mutate } { var(txn.none) -m str * } !{ var(txn.match) -m found }" },
    { 403, "id", "unless { var(txn.jti) -m found } { var(txn.jti) -m len 43 }" },
};

/* Single use. The counter is incremented and read under one lock. A table that is full takes no new id (nopurge), and then nothing
 * is counted, and refused. "since" is the moment from which all used ids are known: of this process's start, or of the first one's
 * in a chain of reloads, each of which handed its table, and this row in it, to the next. Reads are not counted. */
static const struct rule once_rules[] = {
    { .when = "acl counted var(txn.use) -m str mutate" },
    { 503, "stopping", "if counted { stopping }" },
    { .when = "http-request set-var(txn.since) str(since),table_gpt0 if counted" },
    { .when = "http-request track-sc1 str(since) if counted" },
    { .when = "http-request sc-set-gpt0(1) var(proc.start) if counted { var(txn.since) -m int 0 }" },
    { .when = "http-request set-var(txn.since) var(proc.start) if counted { var(txn.since) -m int 0 }" },
    { 503, "restarted", "if counted !{ var(txn.iat),sub(txn.since) -m int gt 0 }" },
    { .when = "http-request track-sc0 var(txn.jti) if counted" },
    { 403, "used", "if counted !{ sc0_inc_gpc0 eq 1 }" },
    /* What the credential doesn't speak of doesn't pass: Content-Range and the like change what a call does. */
    { .when = "http-request del-header ^(?!(host|content-length|content-type|if-match|if-none-match)$) -m reg" },
};

static result put_rule(const struct rule *r, struct buf *out)
{
    if (!r->status)
        return buf_printf(out, "  %s\n", r->when);
    return buf_printf(
        out, "  http-request return status %u content-type text/plain string \"%s\" %s\n", r->status, r->words, r->when);
}

static result put_rules(const struct rule *rules, unsigned n, struct buf *out)
{
    for (unsigned i = 0; i < n; i++)
        TRY(put_rule(&rules[i], out));
    return OK;
}
#define PUT_RULES(rules, out) put_rules((rules), sizeof(rules) / sizeof *(rules), (out))

static result put_claims(struct buf *out)
{
    TRY(buf_text(out, "  http-request set-var(txn.claims) var(txn.token),word(2,.),ub64dec\n"));
    for (unsigned i = 0; i < sizeof claims / sizeof *claims; i++)
        TRY(buf_printf(
            out, "  http-request set-var(txn.%s) var(txn.token),jwt_payload_query(%s)\n", claims[i].variable, claims[i].query));
    return OK;
}

/* Who may mint: a key known here, which the revocation authority still allows. */
static result put_keys(const struct fence_haproxy_args *a, struct buf *out)
{
    for (unsigned i = 0; i < a->keys_n; i++)
        TRY(put_key(a, a->keys[i], out));
    TRY(put_rule(&(struct rule){ 401, "signature", "unless { var(txn.kid) -m found }" }, out));
    return buf_printf(out,
        "  http-request return status 401 content-type text/plain string revoked unless { var(txn.kid),map_str(%s/" FENCE_MAP_FILE
        ") -m str allowed }\n",
        a->target->fence.directory);
}

/* Which broker it is for, which target, and what lies under that. */
static result put_place(const struct fence_haproxy_args *a, struct buf *out)
{
    struct span authority, path;
    TRY(prefix_split(a->target->prefix, &authority, &path));
    TRY(buf_printf(out,
        "  http-request return status 403 content-type text/plain string issuer unless { var(txn.iss) -m str https://%s/%s }\n",
        a->config->domain, a->config->instance));
    TRY(buf_printf(out,
        "  http-request return status 403 content-type text/plain string audience unless { var(txn.aud) -m str %s }\n",
        a->target->audience));
    return buf_printf(out,
        "  http-request return status 403 content-type text/plain string \"not here\" unless { req.fhdr(host) -m str '%.*s' } { "
        "url -m beg '%.*s' }\n",
        (int)authority.n, (const char *)authority.p, (int)path.n, (const char *)path.p);
}

static result put_frontend(const struct fence_haproxy_args *a, struct buf *out)
{
    const struct config_http_fence *f = &a->target->fence;
    TRY(buf_printf(out,
        "frontend fence\n"
        "  bind %s ssl crt %s alpn http/1.1 ssl-min-ver TLSv1.2\n"
        "  # %lld mutations a second, each remembered for %d seconds.\n"
        "  stick-table type string len 44 size %lld expire %ds nopurge store gpc0,gpt0 peers seb\n"
        "  http-request set-var(txn.token) http_auth_bearer\n",
        f->listen, f->certificate, (long long)a->rate, REMEMBER_S, (long long)a->rate * REMEMBER_S, REMEMBER_S));
    TRY(PUT_RULES(form_rules, out));
    TRY(put_keys(a, out));
    TRY(put_claims(out));
    TRY(buf_text(out, "  http-request set-var(txn.body) req.body,sha2(256),hex,lower\n"
                      "  http-request set-var(txn.size) req.body_size\n"));
    TRY(put_place(a, out));
    TRY(PUT_RULES(call_rules, out));
    TRY(PUT_RULES(once_rules, out));
    return buf_text(out, "  default_backend service\n");
}

result fence_haproxy(const struct fence_haproxy_args *a, struct buf *out, const char **ret_where)
{
    const struct config_http_fence *f = &a->target->fence;
    struct span authority, path;
    TRY(words_check(a, ret_where));
    TRY(word_want(is_ok(prefix_split(a->target->prefix, &authority, &path)), "targets.*.prefix", ret_where));
    /* A prefix holds no quote but the single one, which would end the quoted word. */
    TRY(word_want(
        is_word(a->target->prefix, "~!$&()*+,;=:@/[]"), "targets.*.prefix: a quote can't be written into the fence", ret_where));
    TRY(put_head(a, out));
    TRY(put_frontend(a, out));
    struct span host = host_of(f->backend);
    return buf_printf(out,
        "backend service\n"
        "  server service %s ssl verify required ca-file %s crt %s verifyhost %.*s ssl-min-ver TLSv1.2\n",
        f->backend, f->backend_ca, f->backend_certificate, (int)host.n, (const char *)host.p);
}
