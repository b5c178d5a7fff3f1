/* What the keeper writes: the credential's own words, and the runner's. */
#include <config.h>

#include "target/kubernetes.h"

#define NONE "-" /* an extra key with an empty value would be dropped by the API server */

static result put_word(json_t *o, const char *name, struct span s)
{
    return s.n ? json_put_span(o, name, s) : json_put_text(o, name, NONE);
}

/* RFC 8785 section 3.2.2.2 writes the other control characters as \u00xx, and CEL's strings.quote doesn't. */
static bool has_unicode_escape(struct span s)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == '\\' && s.p[++i] == 'u')
            return true;
    return false;
}

/* "pointer=value"; the pointer alone where nothing is to be there. */
static result put_field(const struct field *f, json_t *list)
{
    struct span pointer = span_text(f->pointer);
    AUTO_BUF text = BUF(POINTER_MAX + 1 + FIELD_VALUE_MAX);
    if (!f->absent && !f->value)
        return fail(E_bad_value);
    if (span_find(pointer, 0, '=') < pointer.n || has_unicode_escape(span_text(f->value)))
        return fail(E_field_ambiguous);
    TRY(buf_put(&text, pointer));
    if (!f->absent) {
        TRY(buf_u8(&text, '='));
        TRY(buf_text(&text, f->value));
    }
    return json_array_append_new(list, json_stringn((const char *)text.p, text.n)) == 0 ? OK : fail(E_no_memory);
}

result kubernetes_fields_claim(const struct fields *f, json_t **ret)
{
    AUTO_JSON *list = json_array();
    AUTO_BUF form = BUF(TARGET_FIELDS_CLAIM_MAX);
    if (!list)
        return fail(E_no_memory);
    for (unsigned i = 0; i < kubernetes_count(f); i++)
        TRY(put_field(&f->field[i], list));
    if (!kubernetes_count(f) && json_array_append_new(list, json_string(NONE)) != 0)
        return fail(E_no_memory);
    result r = json_canonical(list, &form);
    if (code_of(r) == E_too_long)
        return fail(E_fields_too_long);
    TRY(r);
    *ret = list;
    list = NULL;
    return OK;
}

static result put_object(const struct kubernetes_path *p, json_t *claims)
{
    TRY(put_word(claims, "group", p->group));
    TRY(put_word(claims, "resource", p->resource));
    TRY(put_word(claims, "subresource", p->subresource));
    TRY(put_word(claims, "namespace", p->ns));
    return put_word(claims, "name", p->name);
}

static const char *body_word(enum call_use use, const struct target_mutation *m, const struct kubernetes_path *p)
{
    if (use == CALL_READ || !m->has_body)
        return "none";
    /* What CEL can see of a body is the fields that the credential says of it. */
    return kubernetes_path_secret(p) || !kubernetes_count(m->fields) ? "unfenced" : "fenced";
}

result kubernetes_claims(enum call_use use, const struct target_mutation *m, const struct call_plan *plan, json_t *claims)
{
    struct kubernetes_path p;
    bool mutates = use == CALL_MUTATE;
    AUTO_JSON *fields = NULL;
    (void)plan; /* the host is the audience's, the path is what the words say */
    if (!kubernetes_path_read(span_text(m->resource), &p))
        return fail(E_resource_invalid);
    if (!mutates)
        p = kubernetes_path_of_read(&p);
    TRY(kubernetes_fields_claim(mutates ? m->fields : NULL, &fields));
    TRY(json_put_text(claims, "use", mutates ? "mutate" : "read"));
    TRY(json_put_text(claims, "verb", mutates ? m->operation : "get"));
    TRY(put_object(&p, claims));
    TRY(put_word(claims, "uid", span_text(mutates && !m->absent ? m->uid : NULL)));
    TRY(put_word(claims, "version", span_text(mutates && !m->absent ? m->version : NULL)));
    TRY(json_put_digest(claims, "contract", &m->contract));
    TRY(json_put_text(claims, "body", body_word(use, m, &p)));
    json_t *kept = json_incref(fields);
    return json_put_new(claims, "fields", kept);
}

static result put_pointers(const struct fields *f, json_t *list)
{
    for (unsigned i = 0; i < kubernetes_count(f); i++)
        if (json_array_append_new(list, json_string(f->field[i].pointer)) != 0)
            return fail(E_no_memory);
    return OK;
}

/* What is read out of the answer, in the order of the entries' `fields`. */
static result put_looked_at(const struct target_mutation *m, json_t *details)
{
    AUTO_JSON *list = json_array();
    if (!list)
        return fail(E_no_memory);
    TRY(put_pointers(m->pre_fields, list));
    TRY(put_pointers(m->fields, list));
    return json_put_new(details, "fields", json_incref(list));
}

/* What a rehearsal's result is held to: digests say it as well as values, and are short. */
static result put_post(const struct fields *f, json_t *details)
{
    AUTO_JSON *list = json_array();
    if (!list)
        return fail(E_no_memory);
    for (unsigned i = 0; i < f->n; i++) {
        json_t *each = json_object();
        if (json_array_append_new(list, each) != 0)
            return fail(E_no_memory);
        TRY(json_put_text(each, "pointer", f->field[i].pointer));
        TRY(f->field[i].absent ? json_put_flag(each, "absent", true) : json_put_digest(each, "sha256", &f->field[i].sha256));
    }
    return json_put_new(details, "post", json_incref(list));
}

static result put_text_where(json_t *o, const char *name, const char *text)
{
    return text && text[0] ? json_put_text(o, name, text) : OK;
}

static result put_mutation(const struct target_mutation *m, const struct kubernetes_path *p, json_t *details)
{
    const struct kubernetes_form *f = kubernetes_form_of(m, p);
    if (!f)
        return fail(E_operation_unsupported);
    TRY(json_put_text(details, "form", f->name));
    if (!f->creates) {
        TRY(put_text_where(details, "uid", m->uid));
        TRY(put_text_where(details, "version", m->version));
    }
    TRY(put_text_where(details, "propagation", m->propagation));
    if (m->grace_s >= 0)
        TRY(json_put_int(details, "grace_s", m->grace_s));
    if (m->dry_run || kubernetes_count(m->post_fields))
        TRY(json_put_flag(details, "dry_run", true));
    return kubernetes_count(m->post_fields) ? put_post(m->post_fields, details) : OK;
}

result kubernetes_details(enum call_use use, const struct target_mutation *m, struct buf *out)
{
    struct kubernetes_path p;
    AUTO_JSON *details = json_object();
    AUTO_BUF form = BUF(TARGET_DETAILS_MAX);
    if (!details)
        return fail(E_no_memory);
    if (!kubernetes_path_read(span_text(m->resource), &p))
        return fail(E_resource_invalid);
    TRY(json_put_span(details, "name", p.name));
    if (p.ns.n)
        TRY(json_put_span(details, "namespace", p.ns));
    if (kubernetes_path_secret(&p))
        TRY(json_put_flag(details, "secret", true));
    TRY(put_looked_at(m, details));
    if (use == CALL_MUTATE)
        TRY(put_mutation(m, &p, details));
    TRY(json_canonical(details, &form));
    return buf_put(out, buf_span(&form));
}
