#include <config.h>

#include "config/config_target.h"
#include "config/member.h"

#include <stdio.h>
#include <stdlib.h>

#define T(field) FIELD(struct config_target, field)
#define F(field) FIELD(struct config_http_fence, field)
#define KIND_WORDS "targets.*.kind: http or kubernetes"
#define PREFIX_WORDS "targets.*.prefix: https://host[:port]/path/ of at most 1024 bytes, ending with /"
#define INT_ROW(field, standard, least, most)                                                              \
    {                                                                                                      \
        .name = #field, .type = MEMBER_INT, T(field), .number = (standard), .min = (least), .max = (most), \
        .where = "targets.*." #field ": " #least " to " #most                                              \
    }
#define FENCE_PATH_ROW(field)                                                     \
    {                                                                             \
        .name = #field, .type = MEMBER_PATH, .required = true, F(field),          \
        .where = "targets.*.fence." #field ": absolute path of at most 255 bytes" \
    }

#define SERVER_WORDS "targets.*.prefix: https://host[:port]/, the API server itself"
#define ISSUER_WORDS "targets.*.issuer: https://host[:port][/path] of at most 200 bytes, without / at its end"
#define MAPPING_WORDS                                                                                                         \
    "targets.*.mapping: extra or groups; a cluster that can map a credential's claims to neither can't be fenced, and isn't " \
    "served"

/* clang-format off: a row a line, or two where it must be. */
#define COMMON_ROWS                                                                                                           \
    { .name = "kind", .type = MEMBER_NAME, .required = true, T(kind), .where = KIND_WORDS },                                  \
        { .name = "prefix", .type = MEMBER_PRINT, .required = true, T(prefix), .where = PREFIX_WORDS },                       \
        { .name = "audience",                                                                                                 \
            .type = MEMBER_NAME,                                                                                              \
            .also = ":/",                                                                                                     \
            .required = true,                                                                                                 \
            T(audience),                                                                                                      \
            .where = "targets.*.audience: 1 to 128 of A-Z a-z 0-9 . _ - : /" },                                               \
        { .name = "ca", .type = MEMBER_PATH, .required = true, T(ca), .where = "targets.*.ca: absolute path of a PEM file" }, \
        INT_ROW(timeout_ms, 10000, 100, 60000), INT_ROW(settle_ms, 60000, 0, 3600000),                                        \
        INT_ROW(answer_bytes, 1048576, 1024, 67108864)
static const struct member http_members[] = {
    COMMON_ROWS,
    { .name = "fence" },
};
static const struct member kubernetes_members[] = {
    COMMON_ROWS,
    { .name = "issuer", .type = MEMBER_PRINT, .required = true, T(issuer), .where = ISSUER_WORDS },
    { .name = "mapping" },
};
static const struct member http_fence_members[] = {
    { .name = "listen",
        .type = MEMBER_NAME,
        .also = ":[]*",
        .required = true,
        F(listen),
        .where = "targets.*.fence.listen: host:port" },
    { .name = "backend",
        .type = MEMBER_NAME,
        .also = ":[]",
        .required = true,
        F(backend),
        .where = "targets.*.fence.backend: host:port" },
    FENCE_PATH_ROW(certificate),
    FENCE_PATH_ROW(backend_ca),
    FENCE_PATH_ROW(backend_certificate),
    FENCE_PATH_ROW(directory),
    FENCE_PATH_ROW(runtime_socket),
};
/* clang-format on */

/* RFC 9110 section 4.2.2, without user information; RFC 3986 section 3.3's plain characters, no dot or empty segment, '/' at the
 * end. */
static bool is_https_prefix(struct span s)
{
    static const char scheme[] = "https://";
    const size_t head = sizeof scheme - 1;
    if (!span_is(span_part(s, 0, head), scheme))
        return false;
    size_t slash = span_find(s, head, '/');
    if (slash == s.n || s.p[s.n - 1] != '/' || !is_host_port(span_part(s, head, slash - head), false) ||
        span_find(s, head, '*') < slash)
        return false;
    return slash == s.n - 1 || is_plain_path(span_part(s, slash, s.n - 1 - slash));
}

static result http_read(const json_t *o, struct config_target *t, const char **ret_where)
{
    if (!is_https_prefix(span_text(t->prefix)))
        return no_config(PREFIX_WORDS, ret_where);
    t->has_fence = json_has(o, "fence");
    if (!t->has_fence)
        return OK;
    TRY(members_read(json_object_get(o, "fence"), MEMBERS(http_fence_members), &t->fence,
        "targets.*.fence: an object with no other members than sebd.json(5) has", ret_where));
    if (!is_host_port(span_text(t->fence.listen), true))
        return no_config("targets.*.fence.listen: host:port", ret_where);
    if (!is_host_port(span_text(t->fence.backend), true) ||
        span_find(span_text(t->fence.backend), 0, '*') < span_text(t->fence.backend).n)
        return no_config("targets.*.fence.backend: host:port", ret_where);
    return OK;
}

/* The same form without the '/' at the end: what a key's thumbprint is appended to as one more segment. */
static bool is_issuer(struct span s)
{
    AUTO_BUF with_slash = BUF(sizeof((struct config_target *)0)->issuer);
    return is_ok(buf_put(&with_slash, s)) && is_ok(buf_u8(&with_slash, '/')) && is_https_prefix(buf_span(&with_slash));
}

static result mapping_read(const json_t *o, struct config_target *t, const char **ret_where)
{
    const char *text = "extra";
    if (json_has(o, "mapping") && !is_ok(json_text(o, "mapping", 16, &text)))
        return no_config(MAPPING_WORDS, ret_where);
    t->groups = span_is(span_text(text), "groups");
    return t->groups || span_is(span_text(text), "extra") ? OK : no_config(MAPPING_WORDS, ret_where);
}

/* The prefix is the API server's own address: a path in front of /api and /apis is a proxy's, which would see credentials. */
static result kubernetes_read(const json_t *o, struct config_target *t, const char **ret_where)
{
    struct span prefix = span_text(t->prefix);
    if (!is_https_prefix(prefix) || span_find(prefix, sizeof "https://" - 1, '/') != prefix.n - 1)
        return no_config(SERVER_WORDS, ret_where);
    if (!is_issuer(span_text(t->issuer)))
        return no_config(ISSUER_WORDS, ret_where);
    return mapping_read(o, t, ret_where);
}

/* A kind's own members and checks: one row for each. */
static const struct kind {
    const char *name;
    const struct member *members;
    unsigned members_n;
    result (*read)(const json_t *o, struct config_target *t, const char **ret_where);
} kinds[] = {
    { "http", MEMBERS(http_members), http_read },
    { "kubernetes", MEMBERS(kubernetes_members), kubernetes_read },
};

static const struct kind *kind_of(const json_t *o)
{
    const char *name;
    if (!is_ok(json_text(o, "kind", sizeof((struct config_target *)0)->kind - 1, &name)))
        return NULL;
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(span_text(name), kinds[i].name))
            return &kinds[i];
    return NULL;
}

static result target_read(const char *name, const json_t *o, struct config_target *t, const char **ret_where)
{
    static const char unknown[] = "targets.*: an object with no other members than sebd.json(5) has";
    struct span text = span_text(name);
    if (!json_is_object(o))
        return no_config(unknown, ret_where);
    const struct kind *kind = kind_of(o);
    if (!kind)
        return no_config(KIND_WORDS, ret_where);
    TRY(members_read(o, kind->members, kind->members_n, t, unknown, ret_where));
    if (text.n >= sizeof t->name || !is_name(text, ""))
        return no_config("targets: a name is 1 to 64 of A-Z a-z 0-9 . _ -", ret_where);
    TRY(span_copy(text, t->name, text.n)); /* zeroed by calloc: the NUL is there */
    return kind->read(o, t, ret_where);
}

static int by_name(const void *a, const void *b)
{
    const struct config_target *x = a, *y = b;
    struct span s = span_text(x->name), t = span_text(y->name);
    for (size_t i = 0; i < s.n && i < t.n; i++)
        if (s.p[i] != t.p[i])
            return s.p[i] < t.p[i] ? -1 : 1;
    return (s.n > t.n) - (s.n < t.n);
}

result targets_read(const json_t *targets, struct config *c, const char **ret_where)
{
    const char *name;
    json_t *o;
    if (!json_is_object(targets) || json_object_size(targets) < 1 || json_object_size(targets) > CONFIG_TARGETS)
        return no_config("targets: an object of 1 to 64 targets by name", ret_where);
    json_object_foreach ((json_t *)targets, name, o) {
        TRY(target_read(name, o, &c->target[c->targets], ret_where));
        c->targets++;
    }
    /* Jansson's order isn't ours: every process must see the same one, whatever form it read. */
    qsort(c->target, c->targets, sizeof c->target[0], by_name);
    return OK;
}
