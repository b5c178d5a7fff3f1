#include "config.h"

#include "kube/yaml.h"

#include <yaml.h>

struct reading {
    yaml_parser_t parser;
    unsigned nodes;
    struct trouble *trouble;
};

static result complain(struct reading *r, enum seb_code code, const yaml_mark_t *at, const char *what)
{
    return trouble_say(r->trouble, code, "line %zu: %s", at->line + 1, what);
}

/* libyaml's own complaint. Its reader finds ill-encoded text, everything else is syntax. */
static result complain_parser(struct reading *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *what = p->problem ? p->problem : "not YAML";
    switch (p->error) {
    case YAML_MEMORY_ERROR:
        return fail(E_no_memory);
    case YAML_READER_ERROR:
        return trouble_say(r->trouble, E_bad_utf8, "byte %zu: %s", p->problem_offset, what);
    default:
        return complain(r, E_bad_yaml, &p->problem_mark, what);
    }
}

static void event_free(yaml_event_t *e)
{
    yaml_event_delete(e);
}
#define AUTO_EVENT __attribute__((cleanup(event_free))) yaml_event_t

static result next(struct reading *r, yaml_event_t *ret)
{
    return yaml_parser_parse(&r->parser, ret) ? OK : complain_parser(r);
}

/* Of the start of any node: what makes one node of two, or another type of it, isn't taken. */
static result node_plain(struct reading *r, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return complain(r, E_bad_yaml, &e->start_mark, "anchors aren't taken");
    if (tag)
        return complain(r, E_bad_yaml, &e->start_mark, "tags aren't taken");
    return ++r->nodes <= YAML_NODES_MAX ? OK : complain(r, E_too_long, &e->start_mark, "more values than a file like this has");
}

static struct span scalar_span(const yaml_event_t *e)
{
    return (struct span){ e->data.scalar.value, e->data.scalar.length };
}

static json_t *plain_value(struct span s)
{
    if (span_is(s, "true") || span_is(s, "false"))
        return json_boolean(span_is(s, "true"));
    return s.n == 0 || span_is(s, "~") || span_is(s, "null") ? json_null() : NULL;
}

static result scalar_read(struct reading *r, const yaml_event_t *e, json_t **ret)
{
    struct span s = scalar_span(e);
    TRY(node_plain(r, e, e->data.scalar.anchor, e->data.scalar.tag));
    if (span_find(s, 0, 0) < s.n)
        return complain(r, E_bad_yaml, &e->start_mark, "a NUL inside a value");
    json_t *v = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_value(s) : NULL;
    if (!v)
        v = json_stringn((const char *)s.p, s.n);
    *ret = v;
    return v ? OK : fail(E_no_memory);
}

static result value_read(struct reading *r, const yaml_event_t *e, unsigned depth, json_t **ret);

static result member_read(struct reading *r, const yaml_event_t *key, unsigned depth, json_t *o)
{
    AUTO_JSON *v = NULL;
    AUTO_EVENT e = { 0 };
    if (key->type != YAML_SCALAR_EVENT)
        return complain(r, E_bad_yaml, &key->start_mark, "a key that isn't plain text");
    TRY(node_plain(r, key, key->data.scalar.anchor, key->data.scalar.tag));
    struct span name = scalar_span(key);
    if (name.n == 0 || span_find(name, 0, 0) < name.n || span_is(name, "<<"))
        return complain(r, E_bad_yaml, &key->start_mark, "a key that isn't plain text");
    if (json_has(o, (const char *)name.p)) /* libyaml ends it with a NUL */
        return complain(r, E_duplicate_member, &key->start_mark, "the key is there already");
    TRY(next(r, &e));
    TRY(value_read(r, &e, depth, &v));
    return json_put_new(o, (const char *)name.p, json_incref(v));
}

static result mapping_read(struct reading *r, unsigned depth, json_t *o)
{
    for (;;) {
        AUTO_EVENT e = { 0 };
        TRY(next(r, &e));
        if (e.type == YAML_MAPPING_END_EVENT)
            return OK;
        TRY(member_read(r, &e, depth, o));
    }
}

static result sequence_read(struct reading *r, unsigned depth, json_t *list)
{
    for (;;) {
        AUTO_JSON *v = NULL;
        AUTO_EVENT e = { 0 };
        TRY(next(r, &e));
        if (e.type == YAML_SEQUENCE_END_EVENT)
            return OK;
        TRY(value_read(r, &e, depth, &v));
        if (json_array_append(list, v))
            return fail(E_no_memory);
    }
}

static result value_read(struct reading *r, const yaml_event_t *e, unsigned depth, json_t **ret)
{
    AUTO_JSON *v = NULL;
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return scalar_read(r, e, ret);
    case YAML_ALIAS_EVENT:
        return complain(r, E_bad_yaml, &e->start_mark, "aliases aren't taken");
    case YAML_MAPPING_START_EVENT:
        TRY(node_plain(r, e, e->data.mapping_start.anchor, e->data.mapping_start.tag));
        break;
    case YAML_SEQUENCE_START_EVENT:
        TRY(node_plain(r, e, e->data.sequence_start.anchor, e->data.sequence_start.tag));
        break;
    default:
        return complain(r, E_bad_yaml, &e->start_mark, "not a value");
    }
    if (depth == YAML_DEPTH_MAX)
        return complain(r, E_too_deep, &e->start_mark, "nested too deep");
    bool mapping = e->type == YAML_MAPPING_START_EVENT;
    v = mapping ? json_object() : json_array();
    if (!v)
        return fail(E_no_memory);
    TRY(mapping ? mapping_read(r, depth + 1, v) : sequence_read(r, depth + 1, v));
    *ret = v;
    v = NULL;
    return OK;
}

static result expect(struct reading *r, yaml_event_type_t type, const char *what)
{
    AUTO_EVENT e = { 0 };
    TRY(next(r, &e));
    if (e.type != type)
        return complain(r, E_bad_yaml, &e.start_mark, what);
    bool directives =
        type == YAML_DOCUMENT_START_EVENT && e.data.document_start.tag_directives.start != e.data.document_start.tag_directives.end;
    return directives ? complain(r, E_bad_yaml, &e.start_mark, "directives aren't taken") : OK;
}

static result document_read(struct reading *r, json_t **ret)
{
    AUTO_JSON *v = NULL;
    AUTO_EVENT e = { 0 };
    TRY(expect(r, YAML_STREAM_START_EVENT, "not a stream"));
    TRY(expect(r, YAML_DOCUMENT_START_EVENT, "nothing is in it"));
    TRY(next(r, &e));
    TRY(value_read(r, &e, 0, &v));
    TRY(expect(r, YAML_DOCUMENT_END_EVENT, "more than one value"));
    TRY(expect(r, YAML_STREAM_END_EVENT, "more than one document"));
    *ret = v;
    v = NULL;
    return OK;
}

result yaml_read(struct span text, json_t **ret, struct trouble *t)
{
    struct reading r = { .trouble = t };
    if (text.n > YAML_BYTES_MAX)
        return trouble_say(t, E_too_long, "more than %u bytes", YAML_BYTES_MAX);
    if (!yaml_parser_initialize(&r.parser))
        return fail(E_no_memory);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, text.n ? text.p : (const unsigned char *)"", text.n);
    result done = document_read(&r, ret);
    yaml_parser_delete(&r.parser);
    return done;
}
