/* One line of a cluster's audit log (audit.k8s.io/v1, Event). The lines are somebody else's: each member is of its type or the line
 * is refused by name. */
#include "config.h"

#include "audit/cover.h"

#include <stdlib.h>

#include "audit/cover_time.h"

#define BODY_MAX 4096 /* of a DeleteOptions that is looked into */

enum member {
    M_KIND,
    M_VERSION,
    M_LEVEL,
    M_ID,
    M_STAGE,
    M_URI,
    M_VERB,
    M_USER,
    M_AS,
    M_SOURCES,
    M_OBJECT,
    M_STATUS,
    M_BODY,
    M_TIME,
    M_ANNOTATIONS,
    MEMBERS
};
static const char *const names[MEMBERS] = { "kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user",
    "impersonatedUser", "sourceIPs", "objectRef", "responseStatus", "requestObject", "requestReceivedTimestamp", "annotations" };

static result put_member(struct buf *out, const char *name, struct span value)
{
    if (!value.n)
        return OK;
    TRY(buf_printf(out, "%s\"%s\":", out->n > 1 ? "," : "", name));
    return buf_put(out, value);
}

/* Of an object's members one alone: an answer's message and an annotation's text may hold whatever a client wrote. */
static result one_of(struct span object, const char *name, struct span *ret)
{
    *ret = (struct span){ 0 };
    return object.n ? scan_members(object, &name, 1, ret) : OK;
}

/* The members that are read, as a small object of its own. */
static result compact(struct span line, struct span *ret_body, struct buf *out)
{
    static const char *const annotations[] = { "seb-fence/exempt", "seb-fence/break-glass", "authorization.k8s.io/decision",
        "authorization.k8s.io/reason" };
    static const char *const as[] = { "exempt", "breakGlass", "decision", "reason" };
    struct span value[MEMBERS], annotation[4] = { { 0 } }, code;
    TRY(scan_members(line, names, MEMBERS, value));
    TRY(one_of(value[M_STATUS], "code", &code));
    if (value[M_ANNOTATIONS].n)
        TRY(scan_members(value[M_ANNOTATIONS], annotations, 4, annotation));
    *ret_body = value[M_BODY];
    value[M_STATUS] = value[M_BODY] = value[M_ANNOTATIONS] = (struct span){ 0 };
    TRY(buf_text(out, "{"));
    for (unsigned i = 0; i < MEMBERS; i++)
        TRY(put_member(out, names[i], value[i]));
    TRY(put_member(out, "code", code));
    for (unsigned i = 0; i < 4; i++)
        TRY(put_member(out, as[i], annotation[i]));
    return buf_text(out, "}");
}

/* A text that may be missing: then "". */
static result text_of(const json_t *o, const char *name, const char **ret)
{
    const json_t *v = json_object_get(o, name);
    *ret = "";
    if (!v)
        return OK;
    if (!json_is_string(v))
        return fail(E_bad_type);
    *ret = json_string_value(v);
    return OK;
}

static result must_be(const json_t *o, const char *name, const char *value)
{
    const char *text;
    TRY(text_of(o, name, &text));
    return span_is(span_text(text), value) ? OK : fail(E_bad_value);
}

static result read_user(struct kube_event *e)
{
    const json_t *as = json_object_get(e->tree, "impersonatedUser");
    e->user = json_object_get(e->tree, "user");
    if (!json_is_object(e->user) || (as && !json_is_object(as)))
        return fail(E_bad_type);
    e->impersonates = as != NULL;
    TRY(text_of(e->user, "username", &e->username));
    return text_of(as, "username", &e->as);
}

static result read_object(struct kube_event *e)
{
    const json_t *o = json_object_get(e->tree, "objectRef");
    e->has_object = o != NULL;
    if (o && !json_is_object(o))
        return fail(E_bad_type);
    TRY(text_of(o, "apiGroup", &e->group));
    TRY(text_of(o, "resource", &e->resource));
    TRY(text_of(o, "subresource", &e->subresource));
    TRY(text_of(o, "namespace", &e->namespace));
    TRY(text_of(o, "name", &e->name));
    TRY(text_of(o, "uid", &e->uid));
    return text_of(o, "resourceVersion", &e->version);
}

/* A guard of the fence is an authorizer that fails, so that the API server answers 500 and says no decision: it went no further. */
static result read_annotations(struct kube_event *e)
{
    const char *exempt, *break_glass, *decision, *reason;
    TRY(text_of(e->tree, "exempt", &exempt));
    TRY(text_of(e->tree, "breakGlass", &break_glass));
    TRY(text_of(e->tree, "decision", &decision));
    TRY(text_of(e->tree, "reason", &reason));
    e->exempt = exempt[0] != 0;
    e->break_glass = break_glass[0] != 0;
    e->unauthorized = !decision[0] && span_is(span_text(reason), "internal error");
    return OK;
}

static result read_rest(struct kube_event *e)
{
    const json_t *sources = json_object_get(e->tree, "sourceIPs"), *code = json_object_get(e->tree, "code");
    if ((sources && !json_is_array(sources)) || (code && !json_is_integer(code)))
        return fail(E_bad_type);
    e->source = json_string_value(json_array_get(sources, 0));
    e->source = e->source ? e->source : "";
    e->code = json_integer_value(code);
    TRY(text_of(e->tree, "auditID", &e->audit_id));
    TRY(text_of(e->tree, "requestURI", &e->uri));
    TRY(read_annotations(e));
    TRY(text_of(e->tree, "requestReceivedTimestamp", &e->time));
    return rfc3339_ms(e->time, &e->time_ms);
}

/* Level None logs nothing, Metadata no bodies. */
static result read_level(struct kube_event *e)
{
    const char *level;
    TRY(json_text(e->tree, "level", 32, &level));
    e->has_bodies = span_is(span_text(level), "Request") || span_is(span_text(level), "RequestResponse");
    return e->has_bodies || span_is(span_text(level), "Metadata") ? OK : fail(E_bad_value);
}

/* DeleteOptions of the request's body: dryRun is a list, and All the one word that may be in it. */
static void read_body(struct kube_event *e, struct span body)
{
    struct span dry;
    AUTO_JSON *list = NULL;
    e->has_body = body.n > 0;
    if (!body.n || body.n > BODY_MAX || !is_ok(one_of(body, "dryRun", &dry)) || !dry.n || !is_ok(json_strict(dry, BODY_MAX, &list)))
        return;
    const char *first = json_string_value(json_array_get(list, 0));
    e->body_dry = first && span_is(span_text(first), "All");
}

static result read_members(struct kube_event *e)
{
    TRY(must_be(e->tree, "kind", "Event"));
    TRY(must_be(e->tree, "apiVersion", "audit.k8s.io/v1"));
    TRY(json_text(e->tree, "stage", 32, &e->stage));
    TRY(json_text(e->tree, "verb", 64, &e->verb));
    TRY(read_level(e));
    TRY(read_user(e));
    TRY(read_object(e));
    return read_rest(e);
}

result kube_event_read(struct span line, struct kube_event *ret)
{
    AUTO_BUF text = BUF(EVENT_MAX);
    struct kube_event e = { 0 };
    struct span body;
    TRY(compact(line, &body, &text));
    TRY(json_strict(buf_span(&text), EVENT_MAX, &e.tree));
    result r = read_members(&e);
    if (!is_ok(r)) {
        kube_event_free(&e);
        return r;
    }
    read_body(&e, body);
    *ret = e;
    return OK;
}

void kube_event_free(struct kube_event *e)
{
    json_free_pointer(&e->tree);
    *e = (struct kube_event){ 0 };
}

static bool is_among(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (span_is(span_text(text), *list))
            return true;
    return false;
}

/* Sessions into a pod, and whatever is asked of it through the API server: no object changes, and what runs there does. */
static bool connects(const struct kube_event *e)
{
    static const char *const sessions[] = { "exec", "attach", "portforward", "proxy", NULL };
    return is_among(e->subresource, sessions);
}

bool kube_event_mutates(const struct kube_event *e)
{
    static const char *const verbs[] = { "create", "update", "patch", "delete", "deletecollection", NULL };
    return e->has_object && (is_among(e->verb, verbs) || connects(e));
}

/* Go's net/url drops a segment with ';' in it, and so does the API server: it is no dry run. Names and values may be escaped; there
 * is no honest reason, so what is escaped isn't taken for one, and the mutation is named. */
bool kube_event_says_dry(const struct kube_event *e)
{
    struct span uri = span_text(e->uri);
    for (size_t at = span_find(uri, 0, '?'); at < uri.n;) {
        size_t end = span_find(uri, at + 1, '&');
        if (span_is(span_part(uri, at + 1, end - at - 1), "dryRun=All"))
            return true;
        at = end;
    }
    return false;
}

/* The handlers of delete and deletecollection read options from the query only where the body is empty: DELETE with ?dryRun=All and
 * a body that doesn't say so deletes. Level Metadata doesn't show the body, and so it may have been no dry run. */
bool kube_event_is_dry(const struct kube_event *e)
{
    static const char *const deletes[] = { "delete", "deletecollection", NULL };
    /* Elsewhere it means nothing: POST serviceaccounts/<name>/token?dryRun=All answers with a token that works. */
    static const char *const stored[] = { "", "eviction", "scale", "status", NULL };
    if (!is_among(e->subresource, stored))
        return false;
    if (!is_among(e->verb, deletes))
        return kube_event_says_dry(e);
    return e->has_body ? e->body_dry : e->has_bodies && kube_event_says_dry(e);
}

bool kube_event_in_group(const struct kube_event *e, const char *group)
{
    const json_t *groups = json_object_get(e->user, "groups"), *g;
    size_t i;
    json_array_foreach (groups, i, g)
        if (json_is_string(g) && span_is(span_text(json_string_value(g)), group))
            return true;
    return false;
}
