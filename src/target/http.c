#include <config.h>

#include "target/kind.h"

#define SCHEME "https://"
#define SCHEME_SIZE (sizeof SCHEME - 1)
#define ETAG_MIN 3 /* quotes, and something between them */

/* RFC 3986 section 3.3, pchar without pct-encoded: one way to write a path, so that nobody on its way reads another in it. */
static bool is_path_character(uint8_t c)
{
    static const char also[] = "._~!$&'()*+,;=:@-";
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           span_find(span_text(also), 0, c) < sizeof also - 1;
}

/* Segments, each after a '/' but the first: none empty, none of RFC 3986 section 5.2.4's dots. */
static bool is_plain_path(struct span s)
{
    for (size_t at = 0;;) {
        size_t end = span_find(s, at, '/');
        struct span segment = span_part(s, at, end - at);
        if (segment.n == 0 || span_is(segment, ".") || span_is(segment, ".."))
            return false;
        for (size_t i = 0; i < segment.n; i++)
            if (!is_path_character(segment.p[i]))
                return false;
        if (end == s.n)
            return true;
        at = end + 1;
    }
}

/* An absolute URL's authority and path; false where it has none of either. RFC 9110 section 4.2.4: no user information. */
static bool split(const char *url, struct span *ret_authority, struct span *ret_path)
{
    struct span s = span_text(url);
    if (s.n > TARGET_RESOURCE_MAX || !span_is(span_part(s, 0, SCHEME_SIZE), SCHEME))
        return false;
    size_t slash = span_find(s, SCHEME_SIZE, '/');
    struct span authority = span_part(s, SCHEME_SIZE, slash - SCHEME_SIZE);
    if (authority.n == 0 || slash == s.n)
        return false;
    for (size_t i = 0; i < authority.n; i++)
        if (authority.p[i] <= ' ' || authority.p[i] > '~' || span_find(span_text("@?#%\\"), 0, authority.p[i]) < 5)
            return false;
    *ret_authority = authority;
    *ret_path = span_part(s, slash, s.n - slash);
    return true;
}

static enum seb_code http_resource(const char *prefix, const char *resource)
{
    struct span p = span_text(prefix), r = span_text(resource);
    struct span authority, path;
    if (!split(prefix, &authority, &path) || !split(resource, &authority, &path))
        return E_resource_invalid;
    if (p.p[p.n - 1] != '/' || r.n <= p.n || !span_equal(span_part(r, 0, p.n), p))
        return E_resource_invalid;
    /* The prefix ends at a segment's end, so that the rest begins one. */
    return is_plain_path(span_part(r, p.n, r.n - p.n)) ? E_ok : E_resource_invalid;
}

/* What only a target of objects can hold a call to: no HTTP service is known to. */
static bool has_object_members(const struct target_mutation *m)
{
    bool fields = (m->fields && m->fields->n) || (m->pre_fields && m->pre_fields->n) || (m->post_fields && m->post_fields->n);
    bool texts = (m->field_manager && m->field_manager[0]) || (m->propagation && m->propagation[0]);
    return fields || texts || m->force || m->dry_run || m->grace_s >= 0 || m->has_uid || m->has_version;
}

/* RFC 9110 section 9.3.4 and 9.3.5: the two methods that are one idempotent mutation of one resource. */
static bool is_supported(const struct target_mutation *m)
{
    struct span operation = span_text(m->operation);
    if (has_object_members(m))
        return false;
    return m->has_body ? span_is(operation, "PUT") && m->media_type : span_is(operation, "DELETE");
}

/* A resource is its URL. */
static enum seb_code http_url(const char *prefix, const char *method, const char *url)
{
    (void)method;
    return http_resource(prefix, url);
}

static enum seb_code http_scope(const char *prefix, const struct target_mutation *m)
{
    if (!is_supported(m))
        return E_operation_unsupported;
    if (http_resource(prefix, m->resource) != E_ok)
        return E_resource_invalid;
    /* To delete what isn't there is no mutation, and nothing that a server could hold it to. */
    bool absent = m->absent && !m->has_etag && !m->has_sha256 && m->has_body;
    bool present = !m->absent && (m->has_etag || m->has_sha256);
    return absent || present ? E_ok : E_precondition_missing;
}

/* RFC 9110 section 8.8.3, strong, of visible ASCII. Section 13.1.1: If-Match compares strongly, so a weak one matches nothing. */
static bool is_strong_etag(struct span s)
{
    if (s.n < ETAG_MIN || s.n > TARGET_ETAG_MAX || s.p[0] != '"' || s.p[s.n - 1] != '"')
        return false;
    for (size_t i = 1; i < s.n - 1; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"')
            return false;
    return true;
}

/* docs/formats.md, "Contract": token characters of RFC 9110 section 5.6.2, and those between them. */
static bool is_media_type(struct span s)
{
    struct span also = span_text("!#$%&'*+-.^_`|~/;= ");
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) && span_find(also, 0, c) == also.n)
            return false;
    }
    /* HTTP takes space at a field's ends away, and then it isn't the claim's value any more. */
    return s.n > 0 && s.p[0] != ' ' && s.p[s.n - 1] != ' ';
}

/* A text and its NUL into room of n bytes. */
static result put_text(const char *text, char *to, size_t n)
{
    struct span s = span_text(text);
    if (s.n >= n)
        return fail(E_too_long);
    TRY(span_copy(s, to, s.n));
    to[s.n] = 0;
    return OK;
}

static result put_precondition(const struct target_mutation *m, struct call_plan *plan)
{
    if (m->absent) {
        plan->precondition = "If-None-Match";
        return put_text("*", plan->precondition_value, sizeof plan->precondition_value);
    }
    if (!m->etag || !is_strong_etag(span_text(m->etag)))
        return fail(E_precondition_unusable);
    plan->precondition = "If-Match";
    return put_text(m->etag, plan->precondition_value, sizeof plan->precondition_value);
}

static result http_plan(const char *prefix, enum call_use use, const struct target_mutation *m, struct call_plan *ret)
{
    (void)prefix; /* the resource begins with it */
    struct call_plan plan = { .method = "GET" };
    struct span authority, path;
    if (!split(m->resource, &authority, &path))
        return fail(E_resource_invalid);
    TRY(put_text(m->resource, plan.url, sizeof plan.url));
    if (use == CALL_MUTATE) {
        if (!is_supported(m))
            return fail(E_operation_unsupported);
        plan.method = m->has_body ? "PUT" : "DELETE";
        TRY(put_precondition(m, &plan));
        if (m->has_body && !is_media_type(span_text(m->media_type)))
            return fail(E_bad_value);
        TRY(put_text(m->has_body ? m->media_type : "", plan.media_type, sizeof plan.media_type));
    }
    *ret = plan;
    return OK;
}

static result put_hex(json_t *claims, const char *name, const struct digest *d)
{
    AUTO_BUF hex = BUF(2 * DIGEST_SIZE);
    TRY(hex_put(&hex, digest_span(d)));
    return json_put_span(claims, name, buf_span(&hex));
}

static result http_claims(enum call_use use, const struct target_mutation *m, const struct call_plan *plan, json_t *claims)
{
    struct span authority, path;
    bool body = use == CALL_MUTATE && m->has_body;
    struct digest sha = body ? m->body_sha256 : sha256((struct span){ 0 });
    if (!split(plan->url, &authority, &path))
        return fail(E_resource_invalid);
    TRY(json_put_text(claims, "use", use == CALL_MUTATE ? "mutate" : "read"));
    TRY(json_put_text(claims, "htm", plan->method));
    TRY(json_put_span(claims, "hth", authority));
    TRY(json_put_span(claims, "htu", path));
    TRY(put_hex(claims, "sha256", &sha));
    if (body)
        TRY(json_put_text(claims, "ctype", plan->media_type));
    if (!plan->precondition)
        return OK;
    return json_put_text(claims, m->absent ? "if_none_match" : "if_match", plan->precondition_value);
}

static enum call_meaning http_meaning(uint32_t status)
{
    /* RFC 9110 section 15.3.3 (202: not acted upon yet) and RFC 4918 section 11.1 (207: of each part its own) leave it open. */
    if (status >= 200 && status <= 299)
        return status == 202 || status == 207 ? MEANS_OPEN : MEANS_APPLIED;
    /* RFC 9110 section 15.5: the request isn't fulfilled. A 5xx may follow a request that was passed on. */
    return status >= 400 && status <= 499 ? MEANS_REJECTED : MEANS_OPEN;
}

static result http_read_meaning(uint32_t status, bool *ret_exists)
{
    if (status != 200 && status != 404 && status != 410)
        return fail(E_read_failed);
    *ret_exists = status == 200;
    return OK;
}

static bool http_removes(const struct target_mutation *m)
{
    return !m->has_body;
}

const struct target_kind target_http = {
    .name = "http",
    .scope = http_scope,
    .resource = http_resource,
    .url = http_url,
    .plan = http_plan,
    .claims = http_claims,
    .meaning = http_meaning,
    .read_meaning = http_read_meaning,
    .removes = http_removes,
};
