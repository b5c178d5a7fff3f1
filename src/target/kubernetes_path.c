#include <config.h>

#include "target/kubernetes.h"

#define SEGMENTS_MAX 8 /* /apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE/NAME/SUBRESOURCE */

struct segments {
    unsigned n;
    struct span each[SEGMENTS_MAX];
    size_t end[SEGMENTS_MAX]; /* of each, in the path */
};

static bool is_named(struct span s, const char *const *names)
{
    for (; *names; names++)
        if (span_is(s, *names))
            return true;
    return false;
}

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* RFC 1123 section 2.1 in lower case, as Kubernetes has it. */
static bool is_label(struct span s)
{
    if (s.n == 0 || s.n > KUBERNETES_LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

/* A label that begins with a letter (RFC 1035): versions, resources and subresources. */
static bool is_word(struct span s)
{
    return is_label(s) && is_lower(s.p[0]);
}

static bool is_subdomain(struct span s)
{
    if (s.n > KUBERNETES_NAME_MAX)
        return false;
    for (size_t at = 0;;) {
        size_t dot = span_find(s, at, '.');
        if (!is_label(span_part(s, at, dot - at)))
            return false;
        if (dot == s.n)
            return true;
        at = dot + 1;
    }
}

/* A path segment name (k8s.io/apimachinery, IsValidPathSegmentName), of the characters that need no escape in a path (RFC 3986
 * section 3.3): one way to write it, so that nobody on its way reads another in it. */
static bool is_object_name(struct span s)
{
    static const char also[] = "._~!$&'()*+,;=:@-";
    if (s.n == 0 || s.n > KUBERNETES_NAME_MAX || span_is(s, ".") || span_is(s, ".."))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!is_lower(c) && !is_digit(c) && !(c >= 'A' && c <= 'Z') && span_find(span_text(also), 0, c) == sizeof also - 1)
            return false;
    }
    return true;
}

static bool split(struct span path, struct segments *ret)
{
    struct segments s = { 0 };
    if (path.n == 0 || path.n > TARGET_RESOURCE_MAX || path.p[0] != '/')
        return false;
    for (size_t at = 1;;) {
        size_t end = span_find(path, at, '/');
        if (s.n == SEGMENTS_MAX)
            return false;
        s.each[s.n] = span_part(path, at, end - at);
        s.end[s.n++] = end;
        if (end == path.n)
            break;
        at = end + 1;
    }
    *ret = s;
    return true;
}

/* /api/VERSION or /apis/GROUP/VERSION; how many segments it takes, 0 where it is neither. */
static unsigned read_group(const struct segments *s, struct kubernetes_path *ret)
{
    if (s->n >= 2 && span_is(s->each[0], "api")) {
        ret->version = s->each[1];
        return is_word(s->each[1]) ? 2 : 0;
    }
    if (s->n < 3 || !span_is(s->each[0], "apis") || !is_subdomain(s->each[1]))
        return 0;
    ret->group = s->each[1];
    ret->version = s->each[2];
    return is_word(s->each[2]) ? 3 : 0;
}

/* RequestInfoFactory's namespaceSubresources: behind namespaces/N these are of the namespace, anything else is a resource in it. */
static const char *const namespace_subresources[] = { "status", "finalize", NULL };

/* Segments from `at`: [namespaces/NAMESPACE/]RESOURCE[/NAME[/SUBRESOURCE]]. */
static bool read_rest(const struct segments *s, unsigned at, struct kubernetes_path *ret)
{
    /* Its specialVerbs: a path that begins with one is read without it, and with another verb. */
    static const char *const special[] = { "watch", "proxy", NULL };
    unsigned left = s->n - at;
    if (left >= 3 && span_is(s->each[at], "namespaces") && !is_named(s->each[at + 2], namespace_subresources)) {
        ret->ns = s->each[at + 1];
        if (!is_label(ret->ns) || span_is(s->each[at + 2], "namespaces"))
            return false;
        at += 2;
        left -= 2;
    }
    if (left < 1 || left > 3 || !is_word(s->each[at]) || is_named(s->each[at], special))
        return false;
    ret->resource = s->each[at];
    ret->collection = s->end[at];
    ret->object = s->end[left > 1 ? at + 1 : at];
    if (left > 1)
        ret->name = s->each[at + 1];
    if (left > 2)
        ret->subresource = s->each[at + 2];
    return left < 3 || is_word(ret->subresource);
}

static bool path_read(struct span path, struct kubernetes_path *ret)
{
    struct segments s;
    struct kubernetes_path p = { 0 };
    if (!split(path, &s))
        return false;
    unsigned at = read_group(&s, &p);
    if (at == 0 || !read_rest(&s, at, &p))
        return false;
    /* Of another group RequestInfo would take namespaces/N for both a namespace's attribute and the object. */
    bool namespaces = span_is(p.resource, "namespaces");
    if (namespaces && (p.group.n || (p.name.n && !is_label(p.name))))
        return false;
    *ret = p;
    return true;
}

bool kubernetes_path_read(struct span path, struct kubernetes_path *ret)
{
    return path_read(path, ret) && is_object_name(ret->name);
}

bool kubernetes_path_collection(struct span path, struct kubernetes_path *ret)
{
    return path_read(path, ret) && ret->name.n == 0;
}

bool kubernetes_path_acts(const struct kubernetes_path *p)
{
    /* Connected to with any method, GET too; or answered with a token; or a pod's assignment; or no JSON. */
    static const char *const acts[] = { "attach", "binding", "exec", "log", "portforward", "proxy", "token", NULL };
    return is_named(p->subresource, acts) || (p->group.n == 0 && span_is(p->resource, "bindings"));
}

bool kubernetes_path_evicts(const struct kubernetes_path *p)
{
    return p->group.n == 0 && p->ns.n && span_is(p->resource, "pods") && span_is(p->subresource, "eviction");
}

bool kubernetes_path_secret(const struct kubernetes_path *p)
{
    return p->group.n == 0 && span_is(p->resource, "secrets");
}

struct kubernetes_path kubernetes_path_of_read(const struct kubernetes_path *p)
{
    struct kubernetes_path read = *p;
    if (kubernetes_path_evicts(p) || (p->group.n == 0 && span_is(p->resource, "namespaces") && span_is(p->subresource, "finalize")))
        read.subresource = (struct span){ 0 };
    return read;
}
