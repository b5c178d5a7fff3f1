/* URLs: what is called, and what may be. */
#include <config.h>

#include "target/kubernetes.h"

#define DEFAULT_MANAGER "seb" /* what managedFields say where the contract names nobody */
#define MANAGER_MAX 128
#define REHEARSAL "dryRun=All"

/* RFC 3986 section 2.3: what never needs an escape. */
static bool is_unreserved(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static result put_escaped(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_unreserved(s.p[i]))
            TRY(buf_u8(out, s.p[i]));
        else if (s.p[i] > ' ' && s.p[i] <= '~')
            TRY(buf_printf(out, "%%%02X", s.p[i]));
        else
            return fail(E_bad_value);
    }
    return OK;
}

/* Members that the API server doesn't know, or twice, would be dropped: then it isn't the certified body that is written. */
static result put_query(const struct kubernetes_form *f, const struct target_mutation *m, struct buf *out)
{
    struct span manager = span_text(m->field_manager && m->field_manager[0] ? m->field_manager : DEFAULT_MANAGER);
    if (!f->manages)
        return OK;
    if (manager.n > MANAGER_MAX)
        return fail(E_too_long);
    TRY(buf_text(out, "?fieldManager="));
    TRY(put_escaped(manager, out));
    TRY(buf_text(out, "&fieldValidation=Strict"));
    return f->applies && m->force ? buf_text(out, "&force=true") : OK;
}

static result put_url(const char *prefix, struct span path, struct buf *out)
{
    struct span p = span_text(prefix);
    if (p.n)
        TRY(buf_put(out, span_part(p, 0, p.n - 1))); /* its '/' is the path's first byte */
    return buf_put(out, path);
}

/* What the write must carry: the live version; to delete, the uid too, since nothing else may stand in the object's place. */
static bool is_pinned(const struct kubernetes_form *f, const struct target_mutation *m)
{
    if (f->creates)
        return true;
    bool uid = m->uid && kubernetes_is_version(m->uid);
    return m->version && kubernetes_is_version(m->version) && (uid || (!m->uid && !f->deletes));
}

static result plan_read(const char *prefix, const char *resource, const struct kubernetes_path *p, struct buf *url)
{
    struct span path = span_text(resource);
    struct kubernetes_path read = kubernetes_path_of_read(p);
    return put_url(prefix, read.subresource.n ? path : span_part(path, 0, p->object), url);
}

static result plan_mutation(
    const char *prefix, const struct target_mutation *m, const struct kubernetes_path *p, struct buf *url, struct call_plan *plan)
{
    const struct kubernetes_form *f = kubernetes_form_of(m, p);
    struct span path = span_text(m->resource);
    if (!f || kubernetes_path_acts(p))
        return fail(E_operation_unsupported);
    if (!is_pinned(f, m))
        return fail(E_precondition_unusable);
    plan->method = f->method;
    TRY(put_url(prefix, f->creates ? span_part(path, 0, p->collection) : path, url));
    TRY(put_query(f, m, url));
    return span_copy_text(span_text(f->media_type ? f->media_type : f->sent_type), plan->media_type, sizeof plan->media_type);
}

result kubernetes_plan(const char *prefix, enum call_use use, const struct target_mutation *m, struct call_plan *ret)
{
    struct kubernetes_path p;
    struct call_plan plan = { .method = "GET" };
    AUTO_BUF url = BUF(TARGET_URL_MAX);
    if (!kubernetes_path_read(span_text(m->resource), &p))
        return fail(E_resource_invalid);
    TRY(use == CALL_READ ? plan_read(prefix, m->resource, &p, &url) : plan_mutation(prefix, m, &p, &url, &plan));
    TRY(span_copy_text(buf_span(&url), plan.url, sizeof plan.url));
    *ret = plan;
    return OK;
}

result kubernetes_rehearsal(const char *url, char ret[TARGET_URL_MAX + 1])
{
    struct span s = span_text(url);
    AUTO_BUF out = BUF(TARGET_URL_MAX);
    TRY(buf_put(&out, s));
    TRY(buf_u8(&out, span_find(s, 0, '?') < s.n ? '&' : '?'));
    TRY(buf_text(&out, REHEARSAL));
    return span_copy_text(buf_span(&out), ret, TARGET_URL_MAX + 1);
}

/* As put_escaped writes it: an escape is of a character that needs one, in upper case. */
static bool is_escaped(struct span s)
{
    AUTO_BUF plain = BUF(MANAGER_MAX), again = BUF(3 * MANAGER_MAX);
    for (size_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '%';
        size_t before = plain.n;
        result r = escape ? hex_read(span_part(s, i + 1, 2), &plain) : buf_u8(&plain, s.p[i]);
        if (!is_ok(r) || plain.n != before + 1)
            return false;
        i += escape ? 2 : 0;
    }
    return plain.n > 0 && is_ok(put_escaped(buf_span(&plain), &again)) && span_equal(buf_span(&again), s);
}

static bool begins(struct span s, const char *with)
{
    struct span w = span_text(with);
    return s.n >= w.n && span_equal(span_part(s, 0, w.n), w);
}

/* A query of ours: put_query's, and the rehearsal's word. */
static bool is_query(struct span s)
{
    static const char manager[] = "fieldManager=";
    static const char *const words[] = { "fieldValidation=Strict", "force=true", REHEARSAL };
    unsigned next = 0;
    for (size_t at = 0;; at++) {
        size_t end = span_find(s, at, '&');
        struct span word = span_part(s, at, end - at);
        unsigned i = next;
        while (i < 3 && !span_is(word, words[i]))
            i++;
        if (i < 3)
            next = i + 1;
        else if (at || !begins(word, manager) || !is_escaped(span_part(word, sizeof manager - 1, word.n)))
            return false;
        if (end == s.n)
            return true;
        at = end;
    }
}

enum seb_code kubernetes_url(const char *prefix, const char *method, const char *url)
{
    struct kubernetes_path p;
    struct span s = span_text(url), pre = span_text(prefix), how = span_text(method);
    bool reads = span_is(how, "GET"), posts = span_is(how, "POST");
    if (!reads && !posts && !span_is(how, "PUT") && !span_is(how, "PATCH") && !span_is(how, "DELETE"))
        return E_resource_invalid;
    if (s.n > TARGET_URL_MAX || pre.n == 0 || pre.p[pre.n - 1] != '/' || !begins(s, prefix))
        return E_resource_invalid;
    size_t query = span_find(s, pre.n, '?');
    struct span path = span_part(s, pre.n - 1, query - (pre.n - 1));
    /* Nothing of a kind as a whole: only a new object is posted to a collection, or an eviction to its pod. */
    bool object = kubernetes_path_read(path, &p);
    bool whole = posts ? (object ? kubernetes_path_evicts(&p) : kubernetes_path_collection(path, &p)) : object;
    if (!whole || kubernetes_path_acts(&p) || (query < s.n && (reads || !is_query(span_part(s, query + 1, s.n)))))
        return E_resource_invalid;
    return E_ok;
}
