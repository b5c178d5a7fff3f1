/* The members of one JSON object that are wanted, as spans of its text. What isn't wanted (whole objects, in an audit log of level
 * Request and above) is passed over without a tree of it: memory is bounded by the line, however deep and broad it is. */
#include "config.h"

#include "audit/cover.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void pass_space(struct reader *r)
{
    while (r->at < r->s.n && is_space(r->s.p[r->at]))
        r->at++;
}

static uint8_t next(const struct reader *r)
{
    return r->at < r->s.n ? r->s.p[r->at] : 0;
}

static result expect(struct reader *r, uint8_t c)
{
    pass_space(r);
    if (next(r) != c)
        return fail(E_bad_json);
    r->at++;
    return OK;
}

/* Behind the closing quotation mark; *ret views what is between the two. */
static result pass_string(struct reader *r, struct span *ret)
{
    TRY(expect(r, '"'));
    const size_t from = r->at;
    for (; r->at < r->s.n; r->at++) {
        if (r->s.p[r->at] == '\\')
            r->at++;
        else if (r->s.p[r->at] == '"') {
            *ret = span_part(r->s, from, r->at - from);
            r->at++;
            return OK;
        }
    }
    return fail(E_bad_json);
}

/* A number or a word: up to what can follow a value. */
static result pass_scalar(struct reader *r)
{
    const size_t from = r->at;
    while (r->at < r->s.n && !is_space(r->s.p[r->at]) && next(r) != ',' && next(r) != '}' && next(r) != ']')
        r->at++;
    return r->at > from ? OK : fail(E_bad_json);
}

/* Opening and closing brackets are counted, and not which closes which: nothing of it is believed. */
static result pass_nested(struct reader *r)
{
    struct span text;
    for (size_t depth = 0; r->at < r->s.n;) {
        const uint8_t c = next(r);
        if (c == '"') {
            TRY(pass_string(r, &text));
            continue;
        }
        r->at++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return OK;
    }
    return fail(E_bad_json);
}

static result pass_value(struct reader *r, struct span *ret)
{
    struct span text;
    pass_space(r);
    const size_t from = r->at;
    const uint8_t c = next(r);
    if (c == '"')
        TRY(pass_string(r, &text));
    else
        TRY(c == '{' || c == '[' ? pass_nested(r) : pass_scalar(r));
    *ret = span_part(r->s, from, r->at - from);
    return OK;
}

/* A name with an escape could be one of the wanted in disguise: no API server writes one so. */
static result take_member(struct reader *r, const char *const *names, unsigned n, struct span *ret)
{
    struct span name, value;
    TRY(pass_string(r, &name));
    if (span_find(name, 0, '\\') < name.n)
        return fail(E_bad_json);
    TRY(expect(r, ':'));
    TRY(pass_value(r, &value));
    for (unsigned i = 0; i < n; i++)
        if (span_is(name, names[i])) {
            if (ret[i].n)
                return fail(E_duplicate_member);
            ret[i] = value;
        }
    return OK;
}

result scan_members(struct span object, const char *const *names, unsigned n, struct span *ret)
{
    struct reader r = reader_of(object);
    for (unsigned i = 0; i < n; i++)
        ret[i] = (struct span){ 0 };
    TRY(expect(&r, '{'));
    pass_space(&r);
    if (next(&r) == '}')
        r.at++;
    else
        for (bool more = true; more;) {
            TRY(take_member(&r, names, n, ret));
            pass_space(&r);
            more = next(&r) == ',';
            TRY(expect(&r, more ? ',' : '}'));
        }
    pass_space(&r);
    return read_end(&r);
}
