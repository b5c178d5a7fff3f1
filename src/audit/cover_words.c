/* A credential's words: as its record gives them, and as the API server repeats them in an event. One form for both, so that a
 * digest of a record's words is enough to keep. */
#include "config.h"

#include "audit/cover.h"

#include <stdio.h>
#include <stdlib.h>

#define WORD_MAX ((size_t)POINTER_MAX + FIELD_VALUE_MAX + 64)
#define EXTRA "seb.internal/"
#define GROUP "seb:"

void words_free(struct words *w)
{
    for (unsigned i = 0; i < w->n; i++)
        free(w->list[i]);
    w->n = 0;
}

static result words_add(struct words *w, struct span name, struct span value)
{
    AUTO_BUF text = BUF(WORD_MAX);
    if (w->n == WORDS_MAX)
        return fail(E_too_long);
    TRY(buf_put(&text, name));
    if (name.n)
        TRY(buf_u8(&text, '='));
    TRY(buf_put(&text, value));
    TRY(span_dup_text(buf_span(&text), &w->list[w->n]));
    w->n++;
    return OK;
}

static int order(struct span a, struct span b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++)
        if (a.p[i] != b.p[i])
            return a.p[i] < b.p[i] ? -1 : 1;
    return (a.n > b.n) - (a.n < b.n);
}

static int in_order(const void *x, const void *y)
{
    char *const *a = x, *const *b = y;
    return order(span_text(*a), span_text(*b));
}

static void sort(struct words *w)
{
    if (w->n)
        qsort(w->list, w->n, sizeof w->list[0], in_order);
}

static result add_values(struct words *w, struct span name, const json_t *values)
{
    const json_t *v;
    size_t i;
    if (!json_is_array(values))
        return fail(E_bad_type);
    json_array_foreach (values, i, v) {
        if (!json_is_string(v))
            return fail(E_bad_type);
        TRY(words_add(w, name, span_text(json_string_value(v))));
    }
    return OK;
}

/* docs/formats.md, "Credential for kubernetes": the fence's key and the claim that it is made of. */
static const struct named_claim {
    const char *word, *claim;
} claimed[] = {
    { "attestation", "att" },
    { "body", "body" },
    { "cid", "cid" },
    { "contract", "contract" },
    { "decision", "jti" },
    { "group", "group" },
    { "instance", "ins" },
    { "name", "name" },
    { "namespace", "namespace" },
    { "resource", "resource" },
    { "subresource", "subresource" },
    { "uid", "uid" },
    { "use", "use" },
    { "verb", "verb" },
    { "version", "version" },
};

static result of_claims(const json_t *o, const char *kid, struct words *w)
{
    const json_t *groups = json_object_get(o, "groups");
    TRY(words_add(w, span_text("key"), span_text(kid)));
    if (groups)
        return add_values(w, (struct span){ 0 }, groups);
    for (size_t i = 0; i < sizeof claimed / sizeof *claimed; i++) {
        const char *value;
        TRY(json_text(o, claimed[i].claim, WORD_MAX, &value));
        TRY(words_add(w, span_text(claimed[i].word), span_text(value)));
    }
    return json_has(o, "fields") ? add_values(w, span_text("fields"), json_object_get(o, "fields")) : fail(E_missing_member);
}

result words_of_claims(struct span claims, const struct digest *mint_key, struct words *ret)
{
    AUTO_JSON *o = NULL;
    char kid[DIGEST_TEXT + 1];
    *ret = (struct words){ 0 };
    TRY(json_strict(claims, EVENT_MAX, &o));
    result r = of_claims(o, digest_text(mint_key, kid), ret);
    if (!is_ok(r))
        words_free(ret);
    sort(ret);
    return r;
}

static bool starts(struct span s, const char *with, struct span *ret_rest)
{
    const size_t n = span_text(with).n;
    if (!span_is(span_part(s, 0, n), with))
        return false;
    *ret_rest = span_part(s, n, s.n);
    return true;
}

static result of_extra(const json_t *extra, struct words *w)
{
    const char *name;
    json_t *values;
    struct span word;
    if (extra && !json_is_object(extra))
        return fail(E_bad_type);
    json_object_foreach ((json_t *)(uintptr_t)extra, name, values)
        if (starts(span_text(name), EXTRA, &word))
            TRY(add_values(w, word, values));
    return OK;
}

/* seb:<key>:<word>, and one key for all. */
static result of_groups(const json_t *groups, struct words *w)
{
    const json_t *g;
    size_t i;
    struct span rest, kid = { 0 };
    if (groups && !json_is_array(groups))
        return fail(E_bad_type);
    json_array_foreach (groups, i, g) {
        if (!json_is_string(g))
            return fail(E_bad_type);
        if (!starts(span_text(json_string_value(g)), GROUP, &rest))
            continue;
        size_t end = span_find(rest, 0, ':');
        struct span key = span_part(rest, 0, end);
        /* With words of extra before, kid is empty: the two aren't mixed either. */
        if (!key.n || (w->n && !span_equal(key, kid)))
            return fail(E_bad_value);
        if (!w->n)
            TRY(words_add(w, span_text("key"), key));
        kid = key;
        TRY(words_add(w, (struct span){ 0 }, span_part(rest, end + 1, rest.n)));
    }
    return OK;
}

result words_of_user(const json_t *user, struct words *ret)
{
    *ret = (struct words){ 0 };
    result r = of_extra(json_object_get(user, "extra"), ret);
    if (is_ok(r))
        r = of_groups(json_object_get(user, "groups"), ret);
    if (!is_ok(r))
        words_free(ret);
    sort(ret);
    return r;
}

/* No word holds a NUL. */
struct digest words_digest(const struct words *w)
{
    struct span parts[WORDS_MAX];
    for (unsigned i = 0; i < w->n; i++)
        parts[i] = (struct span){ span_text(w->list[i]).p, span_text(w->list[i]).n + 1 };
    return sha256_parts(parts, w->n);
}

const char *words_get(const struct words *w, const char *name)
{
    struct span rest;
    for (unsigned i = 0; i < w->n; i++)
        if (starts(span_text(w->list[i]), name, &rest) && rest.n && rest.p[0] == '=')
            return (const char *)rest.p + 1;
    return NULL;
}

static bool holds(const struct words *w, const char *word)
{
    for (unsigned i = 0; i < w->n; i++)
        if (span_is(span_text(word), w->list[i]))
            return true;
    return false;
}

/* Names are ours where they are known; another's is whatever the log says. */
static void name_once(const char *word, struct buf *out)
{
    struct span s = span_text(word), name = span_part(s, 0, span_find(s, 0, '=')), told = buf_span(out);
    for (size_t at = 0; at < told.n; at = span_find(told, at, ' ') + 1)
        if (span_equal(span_part(told, at, name.n), name))
            return;
    if (out->n && !is_ok(buf_text(out, ", ")))
        return;
    if (!is_ok(buf_put(out, name)))
        return;
}

static void name_missing(const struct words *a, const struct words *b, struct buf *out)
{
    for (unsigned i = 0; i < a->n; i++)
        if (!holds(b, a->list[i]))
            name_once(a->list[i], out);
}

void words_differ(const struct words *a, const struct words *b, char *text, size_t room)
{
    AUTO_BUF names = BUF(200);
    name_missing(a, b, &names);
    name_missing(b, a, &names);
    log_quote(buf_span(&names), text, (unsigned)room);
}
