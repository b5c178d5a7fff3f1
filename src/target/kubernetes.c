#include <config.h>

#include "target/kubernetes.h"

#define SCHEME "https://"

static const struct kubernetes_form forms[] = {
    { .name = "create", .operation = "create", .method = "POST", .media_type = KUBERNETES_TYPE, .creates = true, .manages = true },
    { .name = "evict", .operation = "create", .method = "POST", .evicts = true, .deletes = true, .sent_type = KUBERNETES_TYPE },
    { .name = "update", .operation = "update", .method = "PUT", .media_type = KUBERNETES_TYPE, .manages = true },
    { .name = "json", .operation = "patch", .method = "PATCH", .media_type = "application/json-patch+json", .manages = true },
    { .name = "merge", .operation = "patch", .method = "PATCH", .media_type = "application/merge-patch+json", .manages = true },
    { .name = "strategic",
        .operation = "patch",
        .method = "PATCH",
        .media_type = "application/strategic-merge-patch+json",
        .manages = true },
    { .name = "apply",
        .operation = "patch",
        .method = "PATCH",
        .media_type = "application/apply-patch+yaml",
        .manages = true,
        .applies = true },
    { .name = "delete", .operation = "delete", .method = "DELETE", .deletes = true, .sent_type = KUBERNETES_TYPE },
};
#define FORMS (sizeof forms / sizeof *forms)

/* Of an object itself or of a subresource: created and deleted are whole objects; but eviction is created. */
static bool is_of_form(const struct kubernetes_form *f, const struct kubernetes_path *p)
{
    if (kubernetes_path_evicts(p) || f->evicts)
        return kubernetes_path_evicts(p) && f->evicts;
    return p->subresource.n == 0 || !(f->creates || f->deletes);
}

const struct kubernetes_form *kubernetes_form_of(const struct target_mutation *m, const struct kubernetes_path *p)
{
    for (unsigned i = 0; i < FORMS; i++) {
        const struct kubernetes_form *f = &forms[i];
        if (!span_is(span_text(m->operation), f->operation) || m->has_body != (f->media_type != NULL) || !is_of_form(f, p))
            continue;
        if (!m->has_body || span_is(span_text(m->media_type), f->media_type))
            return f;
    }
    return NULL;
}

const struct kubernetes_form *kubernetes_form_named(const char *name)
{
    for (unsigned i = 0; i < FORMS; i++)
        if (span_is(span_text(name), forms[i].name))
            return &forms[i];
    return NULL;
}

bool kubernetes_is_version(const char *text)
{
    struct span s = span_text(text), also = span_text("._-");
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) && span_find(also, 0, c) == also.n)
            return false;
    }
    return s.n > 0 && s.n <= TARGET_VERSION_MAX;
}

static bool is_prefix(struct span s)
{
    return s.n > sizeof SCHEME && span_is(span_part(s, 0, sizeof SCHEME - 1), SCHEME) && s.p[s.n - 1] == '/';
}

static enum seb_code kubernetes_resource(const char *prefix, const char *resource)
{
    struct kubernetes_path p;
    if (!is_prefix(span_text(prefix)) || !kubernetes_path_read(span_text(resource), &p) || kubernetes_path_acts(&p))
        return E_resource_invalid;
    return E_ok;
}

static bool has_text(const char *text)
{
    return text && text[0];
}

/* Parameters that belong to other forms would be dropped silently. */
static enum seb_code hold_parameters(const struct kubernetes_form *f, const struct target_mutation *m)
{
    bool foreign = (has_text(m->field_manager) && !f->manages) || (m->force && !f->applies) || (m->grace_s >= 0 && !f->deletes) ||
                   (has_text(m->propagation) && (!f->deletes || f->evicts));
    /* A deletion leaves nothing of which fields could hold. */
    bool fields = f->deletes && (kubernetes_count(m->fields) || kubernetes_count(m->post_fields));
    if (foreign || fields || m->has_etag || m->has_sha256)
        return E_operation_unsupported;
    return f->applies && !has_text(m->field_manager) ? E_field_manager_missing : E_ok;
}

static enum seb_code hold_preconditions(const struct kubernetes_form *f, const struct target_mutation *m)
{
    bool live = m->has_uid || m->has_version || kubernetes_count(m->pre_fields);
    return (f->creates ? m->absent && !live : !m->absent && live) ? E_ok : E_precondition_missing;
}

static bool has_value(const struct fields *f)
{
    for (unsigned i = 0; i < kubernetes_count(f); i++)
        if (f->field[i].value)
            return true;
    return false;
}

enum seb_code kubernetes_scope(const char *prefix, const struct target_mutation *m)
{
    struct kubernetes_path p;
    if (!is_prefix(span_text(prefix)) || !kubernetes_path_read(span_text(m->resource), &p))
        return E_resource_invalid;
    const struct kubernetes_form *f = kubernetes_form_of(m, &p);
    if (!f || kubernetes_path_acts(&p))
        return E_operation_unsupported;
    enum seb_code code = hold_parameters(f, m);
    if (code == E_ok)
        code = hold_preconditions(f, m);
    if (code != E_ok)
        return code;
    /* The API server logs what a credential says. */
    if (kubernetes_path_secret(&p) && (has_value(m->fields) || has_value(m->pre_fields) || has_value(m->post_fields)))
        return E_secret_value;
    AUTO_JSON *claim = NULL;
    return code_of(kubernetes_fields_claim(m->fields, &claim));
}

static bool kubernetes_secret(const struct target_mutation *m)
{
    struct kubernetes_path p;
    return m->has_body && kubernetes_path_read(span_text(m->resource), &p) && kubernetes_path_secret(&p);
}

/* A 202 is a deletion that waits for finalizers or a grace period: begun, and not to be called back. */
static enum call_meaning kubernetes_meaning(uint32_t status)
{
    if (status == 200 || status == 201 || status == 202)
        return MEANS_APPLIED;
    return status >= 400 && status <= 499 ? MEANS_REJECTED : MEANS_OPEN;
}

static result kubernetes_read_meaning(uint32_t status, bool *ret_exists)
{
    if (status != 200 && status != 404)
        return fail(E_read_failed);
    *ret_exists = status == 200;
    return OK;
}

/* 409 is the API server's word for each of a write's preconditions: another resourceVersion or uid, a name that is taken; and for
 * what no new proposal of the same would change, a field that another manager owns. */
static enum seb_code kubernetes_rejection(uint32_t status, const json_t *causes)
{
    if (status != 409)
        return E_ok;
    for (size_t i = 0; i < json_array_size(causes); i++) {
        const char *reason = json_string_value(json_object_get(json_array_get(causes, i), "reason"));
        if (reason && span_is(span_text(reason), "FieldManagerConflict"))
            return E_field_owned;
    }
    return E_state_drifted;
}

static bool kubernetes_removes(const struct target_mutation *m)
{
    struct kubernetes_path p;
    const struct kubernetes_form *f = kubernetes_path_read(span_text(m->resource), &p) ? kubernetes_form_of(m, &p) : NULL;
    return f && f->deletes;
}

const struct target_kind target_kubernetes = {
    .name = "kubernetes",
    .scope = kubernetes_scope,
    .resource = kubernetes_resource,
    .url = kubernetes_url,
    .plan = kubernetes_plan,
    .claims = kubernetes_claims,
    .meaning = kubernetes_meaning,
    .read_meaning = kubernetes_read_meaning,
    .removes = kubernetes_removes,
    .rejection = kubernetes_rejection,
    .keeps_body = true,
    .audited = true,
    .least_s = 5,
    .cache_s = 10, /* k8s.io/apiserver: an authenticated token is cached for ten seconds, whatever its end */
    .secret = kubernetes_secret,
    .rehearsal = kubernetes_rehearsal,
    .details = kubernetes_details,
    .compose = kubernetes_compose,
    .answer = kubernetes_answer,
};
