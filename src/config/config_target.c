#include <config.h>

#include "config/config_target.h"
#include "config/member.h"

#include <stdio.h>
#include <stdlib.h>

#define T(field) FIELD(struct config_target, field)
#define F(field) FIELD(struct config_http_fence, field)
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

/* clang-format off: a row a line, or two where it must be. */
static const struct member target_members[] = {
    { .name = "kind", .type = MEMBER_NAME, .required = true, T(kind), .where = "targets.*.kind: http" },
    { .name = "prefix", .type = MEMBER_PRINT, .required = true, T(prefix), .where = PREFIX_WORDS },
    { .name = "audience",
        .type = MEMBER_NAME,
        .also = ":/",
        .required = true,
        T(audience),
        .where = "targets.*.audience: 1 to 128 of A-Z a-z 0-9 . _ - : /" },
    { .name = "ca", .type = MEMBER_PATH, .required = true, T(ca), .where = "targets.*.ca: absolute path of a PEM file" },
    INT_ROW(timeout_ms, 10000, 100, 60000),
    INT_ROW(settle_ms, 60000, 0, 3600000),
    INT_ROW(answer_bytes, 1048576, 1024, 67108864),
    { .name = "fence" },
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

/* A kind's own members and checks: one row for each. */
static const struct kind {
    const char *name;
    result (*read)(const json_t *o, struct config_target *t, const char **ret_where);
} kinds[] = {
    { "http", http_read },
};

static result target_read(const char *name, const json_t *o, struct config_target *t, const char **ret_where)
{
    TRY(members_read(o, MEMBERS(target_members), t, "targets.*: an object with no other members than sebd.json(5) has", ret_where));
    struct span text = span_text(name);
    if (text.n >= sizeof t->name || !is_name(text, ""))
        return no_config("targets: a name is 1 to 64 of A-Z a-z 0-9 . _ -", ret_where);
    TRY(span_copy(text, t->name, text.n)); /* zeroed by calloc: the NUL is there */
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(span_text(t->kind), kinds[i].name))
            return kinds[i].read(o, t, ret_where);
    return no_config("targets.*.kind: http", ret_where);
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
