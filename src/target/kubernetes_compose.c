/* The body as it is sent. What was certified goes as its own bytes, not as what a parser made of them: the preconditions are put in
 * between them. */
#include <config.h>

#include <strings.h>

#include "target/kubernetes.h"

/* What the write must carry; NULL where it carries none. Views the details. */
struct pins {
    const struct kubernetes_form *form;
    const char *name, *ns, *uid, *version;
};

static const char *text_at(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static result pins_read(const json_t *details, struct pins *ret)
{
    const char *form = text_at(details, "form");
    struct pins p = {
        .form = form ? kubernetes_form_named(form) : NULL,
        .name = text_at(details, "name"),
        .ns = text_at(details, "namespace"),
        .uid = text_at(details, "uid"),
        .version = text_at(details, "version"),
    };
    if (!p.form || !p.name || (p.uid && !kubernetes_is_version(p.uid)))
        return fail(E_bad_value);
    if (!p.form->creates && (!p.version || !kubernetes_is_version(p.version) || (p.form->deletes && !p.uid)))
        return fail(E_precondition_unusable);
    *ret = p;
    return OK;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t past_space(struct span s, size_t at)
{
    while (at < s.n && is_space(s.p[at]))
        at++;
    return at;
}

/* `at` is a string's first quote; past its last. */
static size_t past_string(struct span s, size_t at)
{
    for (at++; at < s.n && s.p[at] != '"'; at++)
        if (s.p[at] == '\\')
            at++;
    return at < s.n ? at + 1 : s.n;
}

/* To the ',' or the bracket behind the value that begins at `at`. */
static size_t past_value(struct span s, size_t at)
{
    unsigned depth = 0;
    while (at < s.n) {
        uint8_t c = s.p[at];
        if (c == '"') {
            at = past_string(s, at);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return at;
        if (c == '{' || c == '[')
            depth++;
        if (c == '}' || c == ']')
            depth--;
        at++;
    }
    return s.n;
}

/* Where the value of the member begins, in a text that is known to be JSON with an object at `at`; s.n where it isn't there as
 * plain as it is named (an escape in its name hides it, and then the body isn't sent). */
static size_t find_member(struct span s, size_t at, const char *name)
{
    for (at = past_space(s, at + 1); at < s.n && s.p[at] == '"';) {
        size_t from = at + 1, end = past_string(s, at);
        struct span key = span_part(s, from, end - 1 - from);
        at = past_space(s, past_space(s, end) + 1);
        if (span_is(key, name))
            return at;
        at = past_value(s, at);
        at = at < s.n && s.p[at] == ',' ? past_space(s, at + 1) : s.n;
    }
    return s.n;
}

/* The body with members put behind the '{' or before the ']' at `at`. */
static result put_with(struct span body, size_t at, struct span members, struct buf *out)
{
    TRY(buf_put(out, span_part(body, 0, at)));
    TRY(buf_put(out, members));
    return buf_put(out, span_part(body, at, body.n));
}

/* Members of metadata that say which object it is. Some readers of JSON take names of any case for the same. */
static const char *const identities[] = { "name", "namespace", "generateName", "uid", "resourceVersion" };
#define IDENTITIES (sizeof identities / sizeof *identities)

static bool is_lookalike(const char *key, const char *name)
{
    return strcasecmp(key, name) == 0 && !span_is(span_text(key), name);
}

/* Directives that would replace or empty a map after our members were put into it. */
static bool is_directive(const struct pins *p, const char *key)
{
    bool strategic = span_is(span_text(p->form->name), "strategic");
    return strategic && (span_is(span_text(key), "$patch") || span_is(span_text(key), "$retainKeys"));
}

static result hold_keys(const struct pins *p, const json_t *o, const char *const *names, size_t n)
{
    const char *key;
    json_t *member;
    json_object_foreach ((json_t *)(uintptr_t)o, key, member) { /* jansson's iterator takes no const */
        if (is_directive(p, key))
            return fail(E_body_mismatch);
        for (size_t i = 0; i < n; i++)
            if (is_lookalike(key, names[i]))
                return fail(E_body_mismatch);
    }
    return OK;
}

/* A member that is there says what it must; `want` NULL: it must not be there, or be empty where an empty one says nothing. */
static result hold_text(const json_t *metadata, const char *name, const char *want, bool required)
{
    const json_t *v = json_object_get(metadata, name);
    if (!v)
        return required ? fail(E_body_mismatch) : OK;
    struct span s = { (const uint8_t *)json_string_value(v), json_string_length(v) };
    return json_is_string(v) && want && span_is(s, want) ? OK : fail(E_body_mismatch);
}

static result hold_metadata(const struct pins *p, const json_t *metadata)
{
    bool whole = p->form->creates || span_is(span_text(p->form->name), "update");
    TRY(hold_keys(p, metadata, identities, IDENTITIES));
    TRY(hold_text(metadata, "name", p->name, whole));
    TRY(hold_text(metadata, "namespace", p->ns ? p->ns : "", false));
    if (p->form->creates)
        TRY(hold_text(metadata, "generateName", NULL, false));
    TRY(hold_text(metadata, "uid", p->form->creates ? NULL : p->uid, false));
    return hold_text(metadata, "resourceVersion", p->form->creates ? NULL : p->version, false);
}

/* The members that the body lacks, each with a comma behind it. */
static result put_pins(const struct pins *p, const json_t *metadata, struct buf *out)
{
    if (!json_object_get(metadata, "resourceVersion"))
        TRY(buf_printf(out, "\"resourceVersion\":\"%s\",", p->version));
    if (p->uid && !json_object_get(metadata, "uid"))
        TRY(buf_printf(out, "\"uid\":\"%s\",", p->uid));
    return OK;
}

static result compose_object(const struct pins *p, const json_t *o, struct span body, struct buf *out)
{
    static const char *const names[] = { "metadata" };
    const json_t *metadata = json_object_get(o, "metadata");
    AUTO_BUF members = BUF(512);
    if (!json_is_object(o) || (metadata && !json_is_object(metadata)))
        return fail(E_bad_type);
    TRY(hold_keys(p, o, names, 1));
    TRY(hold_metadata(p, metadata));
    if (p->form->creates)
        return buf_put(out, body);
    size_t at = past_space(body, 0);
    TRY(metadata ? OK : buf_text(&members, "\"metadata\":{"));
    TRY(put_pins(p, metadata, &members));
    if (metadata && (at = find_member(body, at, "metadata")) == body.n)
        return fail(E_body_mismatch);
    bool last = json_object_size(metadata ? metadata : o) == 0;
    members.n -= members.n && (last || !metadata); /* the comma behind the last member that we put in */
    TRY(metadata ? OK : buf_text(&members, last ? "}" : "},"));
    return put_with(body, at + 1, buf_span(&members), out);
}

/* RFC 6901 pointers to what we hold, or to what it is in; and those that are none, which the API server reads without their first
 * token all the same. */
static bool is_identity_path(const char *path)
{
    struct span s = span_text(path), head = span_text("/metadata");
    if (s.n == 0 || s.p[0] != '/' || span_equal(s, head))
        return true;
    if (!span_equal(span_part(s, 0, head.n), head) || s.n == head.n || s.p[head.n] != '/')
        return false;
    struct span rest = span_part(s, head.n + 1, s.n);
    for (size_t i = 0; i < IDENTITIES; i++)
        if (span_is(rest, identities[i]))
            return true;
    return false;
}

/* RFC 6902 section 4: an operation that changes nothing of what we hold the object to. */
static result hold_operation(const json_t *op)
{
    const char *what, *path, *from;
    TRY(json_text(op, "op", 8, &what));
    const json_t *v = json_object_get(op, "path");
    path = json_string_value(v);
    if (!path || json_string_length(v) != span_text(path).n)
        return fail(E_bad_type);
    if (span_is(span_text(what), "test"))
        return OK;
    v = json_object_get(op, "from");
    from = json_string_value(v);
    if (v && (!from || json_string_length(v) != span_text(from).n))
        return fail(E_bad_type);
    bool moves = span_is(span_text(what), "move") && (!from || is_identity_path(from));
    return is_identity_path(path) || moves ? fail(E_body_mismatch) : OK;
}

/* Ours come last, so that none behind them undoes them. */
static result compose_operations(const struct pins *p, const json_t *list, struct span body, struct buf *out)
{
    size_t i, end = body.n;
    json_t *op;
    AUTO_BUF ours = BUF(512);
    if (!json_is_array(list))
        return fail(E_bad_type);
    json_array_foreach (list, i, op)
        TRY(hold_operation(op));
    while (end > 0 && body.p[end - 1] != ']')
        end--;
    TRY(buf_text(&ours, json_array_size(list) ? "," : ""));
    if (p->uid)
        TRY(buf_printf(&ours, "{\"op\":\"replace\",\"path\":\"/metadata/uid\",\"value\":\"%s\"},", p->uid));
    TRY(buf_printf(&ours, "{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"%s\"}", p->version));
    return put_with(body, end - 1, buf_span(&ours), out);
}

/* meta/v1 DeleteOptions. A rehearsal says so here too: the API server doesn't look at the query where there is a body. */
static result delete_options(const struct pins *p, const json_t *details, bool rehearsal, json_t *ret)
{
    json_t *preconditions = json_object();
    TRY(json_put_new(ret, "preconditions", preconditions));
    TRY(json_put_text(preconditions, "uid", p->uid));
    TRY(json_put_text(preconditions, "resourceVersion", p->version));
    const char *propagation = text_at(details, "propagation");
    const json_t *grace = json_object_get(details, "grace_s");
    if (propagation)
        TRY(json_put_text(ret, "propagationPolicy", propagation));
    if (grace)
        TRY(json_put_int(ret, "gracePeriodSeconds", (int64_t)json_number_value(grace)));
    return rehearsal ? json_put_new(ret, "dryRun", json_pack("[s]", "All")) : OK;
}

static result compose_delete(const struct pins *p, const json_t *details, bool rehearsal, struct buf *out)
{
    AUTO_JSON *options = json_object();
    if (!options)
        return fail(E_no_memory);
    TRY(json_put_text(options, "apiVersion", "v1"));
    TRY(json_put_text(options, "kind", "DeleteOptions"));
    TRY(delete_options(p, details, rehearsal, options));
    return json_canonical(options, out);
}

static result compose_eviction(const struct pins *p, const json_t *details, bool rehearsal, struct buf *out)
{
    AUTO_JSON *eviction = json_object();
    json_t *metadata = json_object(), *options = json_object();
    TRY(json_put_new(eviction, "metadata", metadata));
    TRY(json_put_new(eviction, "deleteOptions", options));
    TRY(json_put_text(eviction, "apiVersion", "policy/v1"));
    TRY(json_put_text(eviction, "kind", "Eviction"));
    TRY(json_put_text(metadata, "name", p->name));
    TRY(json_put_text(metadata, "namespace", p->ns));
    TRY(delete_options(p, details, rehearsal, options));
    return json_canonical(eviction, out);
}

static result compose_certified(const struct pins *p, struct span body, struct buf *out)
{
    AUTO_JSON *v = NULL;
    TRY(json_foreign(body, TARGET_SENT_MAX, &v));
    return span_is(span_text(p->form->name), "json") ? compose_operations(p, v, body, out) : compose_object(p, v, body, out);
}

result kubernetes_compose(const json_t *details, bool rehearsal, struct span body, struct buf *out)
{
    struct pins p;
    AUTO_BUF sent = BUF(TARGET_SENT_MAX);
    TRY(pins_read(details, &p));
    if (p.form->media_type)
        TRY(compose_certified(&p, body, &sent));
    else if (body.n)
        return fail(E_body_mismatch);
    else
        TRY(p.form->evicts ? compose_eviction(&p, details, rehearsal, &sent) : compose_delete(&p, details, rehearsal, &sent));
    return buf_put(out, buf_span(&sent));
}
