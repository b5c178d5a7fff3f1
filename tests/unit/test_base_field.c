/* Fields and JSON pointers: RFC 6901's own examples, every way in which a field is none, and what holds of what was found. */
#include "config.h"

#include <stdio.h>

#include "base/field.h"
#include "tests/unit/check.h"

static json_t *json_of(const char *text)
{
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

/* RFC 6901 section 5: the document, and what each pointer leads to. */
static const char example[] =
    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}";
static const struct {
    const char *pointer, *value; /* NULL: nothing is there */
} led[] = {
    { "/foo", "[\"bar\",\"baz\"]" },
    { "/foo/0", "\"bar\"" },
    { "/", "0" },
    { "/a~1b", "1" },
    { "/c%d", "2" },
    { "/e^f", "3" },
    { "/g|h", "4" },
    { "/i\\j", "5" },
    { "/k\"l", "6" },
    { "/ ", "7" },
    { "/m~0n", "8" },
    { "/foo/1", "\"baz\"" },
    { "/foo/2", NULL },
    { "/foo/-", NULL },
    { "/foo/00", NULL },
    { "/foo/01", NULL },
    { "/foo/+1", NULL },
    { "/foo/1 ", NULL },
    { "/foo/", NULL },
    { "/foo/18446744073709551616", NULL },
    { "/foo/4294967296", NULL },
    { "/foo/0/0", NULL },
    { "/foo/0/", NULL },
    { "/a/b", NULL },
    { "/m~n", NULL },
    { "/m~2n", NULL },
    { "/m~", NULL },
    { "foo", NULL },
    { "/nothing/below/it", NULL },
};

static void check_pointers(struct checks *c)
{
    AUTO_JSON *o = json_of(example);
    for (unsigned i = 0; i < sizeof led / sizeof *led; i++) {
        AUTO_JSON *want = led[i].value ? json_of(led[i].value) : NULL;
        const json_t *got = json_pointer(o, led[i].pointer);
        check_that(c, want ? got && json_equal(got, want) : !got, led[i].pointer);
    }
    check_that(c, json_pointer(o, "") == o, "the empty pointer is the whole");
    char longest[POINTER_MAX + 3] = "/";
    for (unsigned i = 1; i < POINTER_MAX + 1; i++)
        longest[i] = 'x';
    AUTO_JSON *deep = json_object();
    json_object_set_new(deep, longest + 1, json_true());
    check_that(c, !json_pointer(deep, longest), "a pointer of 257 bytes leads nowhere");
}

#define ABC "\"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0\""
static const struct {
    const char *list;
    enum seb_code code;
} lists[] = {
    { "[{\"pointer\":\"/a\",\"value\":1}]", E_ok },
    { "[{\"pointer\":\"/\",\"value\":null}]", E_ok },
    { "[{\"pointer\":\"/a\",\"value\":{\"b\":[true,\"x\",{}]}}]", E_ok },
    { "[{\"pointer\":\"/a\",\"sha256\":" ABC "}]", E_ok },
    { "[{\"pointer\":\"/a\",\"absent\":true},{\"pointer\":\"/a/b\",\"absent\":true}]", E_ok },
    { "[{\"pointer\":\"/a~0~1\",\"value\":1}]", E_ok },
    { "[{\"pointer\":\"/\u00e4\",\"value\":\"\u00e4\"}]", E_ok },
    { "{}", E_bad_type },
    { "[]", E_bad_value },
    { "[1]", E_bad_type },
    { "[{}]", E_missing_member },
    { "[{\"value\":1}]", E_missing_member },
    { "[{\"pointer\":\"/a\"}]", E_missing_member },
    { "[{\"pointer\":1,\"value\":1}]", E_bad_type },
    { "[{\"pointer\":\"\",\"value\":1}]", E_bad_value },
    { "[{\"pointer\":\"a\",\"value\":1}]", E_bad_value },
    { "[{\"pointer\":\"/a~\",\"value\":1}]", E_bad_value },
    { "[{\"pointer\":\"/a~2\",\"value\":1}]", E_bad_value },
    { "[{\"pointer\":\"/a=1\",\"absent\":true}]", E_bad_value },
    { "[{\"pointer\":\"/a\\u0007\",\"value\":1}]", E_bad_value },
    { "[{\"pointer\":\"/a\\u007f\",\"value\":1}]", E_bad_value },
    { "[{\"pointer\":\"/a\",\"value\":1},{\"pointer\":\"/a\",\"absent\":true}]", E_bad_value },
    { "[{\"pointer\":\"/a\",\"value\":1,\"absent\":true}]", E_bad_value },
    { "[{\"pointer\":\"/a\",\"value\":1,\"sha256\":" ABC "}]", E_bad_value },
    { "[{\"pointer\":\"/a\",\"absent\":false}]", E_bad_value },
    { "[{\"pointer\":\"/a\",\"absent\":1}]", E_bad_type },
    { "[{\"pointer\":\"/a\",\"sha256\":1}]", E_bad_type },
    { "[{\"pointer\":\"/a\",\"sha256\":\"abc\"}]", E_bad_value },
    { "[{\"pointer\":\"/a\",\"value\":1,\"x\":1}]", E_unknown_member },
    { "[{\"pointer\":\"/a\",\"value\":1.5}]", E_not_integer },
};

static void check_lists(struct checks *c)
{
    for (unsigned i = 0; i < sizeof lists / sizeof *lists; i++) {
        AUTO_JSON *list = json_of(lists[i].list);
        struct fields f = { .n = 77 };
        result r = fields_read(list, &f);
        check_code(c, r, lists[i].code, lists[i].list);
        if (is_ok(r))
            fields_free(&f);
        else
            check_that(c, f.n == 77 && !f.field, "and nothing is returned");
    }
}

/* n fields "/0", "/1", … */
static json_t *many(unsigned n)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:o,s:i}", "pointer", json_sprintf("/%u", i), "value", i));
    return list;
}

static enum seb_code code_of_text(unsigned pointer, unsigned value)
{
    AUTO_JSON *list = json_array();
    AUTO_BUF p = BUF(4096), v = BUF(4096);
    result r = buf_u8(&p, '/');
    while (is_ok(r) && p.n < pointer)
        r = buf_u8(&p, 'p');
    while (is_ok(r) && v.n < value)
        r = buf_u8(&v, 'v');
    json_array_append_new(list, json_pack("{s:s%,s:s%}", "pointer", p.p, p.n, "value", v.p, v.n));
    struct fields f = { 0 };
    enum seb_code code = code_of(fields_read(list, &f));
    fields_free(&f);
    return code;
}

static void check_bounds(struct checks *c)
{
    AUTO_JSON *most = many(FIELDS_MAX), *more = many(FIELDS_MAX + 1);
    struct fields f = { 0 };
    check_code(c, fields_read(more, &f), E_too_long, "33 fields are too many");
    check_code(c, fields_read(most, &f), E_ok, "32 are not");
    check_that(c, f.n == FIELDS_MAX && span_is(span_text(f.field[31].pointer), "/31"), "and all of them are read");
    fields_free(&f);
    check_that(c, f.n == 0 && !f.field, "what is freed is empty");
    fields_free(&f);
    check_that(c, code_of_text(POINTER_MAX, 1) == E_ok, "a pointer of 256 bytes");
    check_that(c, code_of_text(POINTER_MAX + 1, 1) == E_too_long, "one of 257");
    check_that(c, code_of_text(2, FIELD_VALUE_MAX - 2) == E_ok, "a value of 1,024 bytes with its quotes");
    check_that(c, code_of_text(2, FIELD_VALUE_MAX - 1) == E_too_long, "one of 1,025");
}

static void check_holds(struct checks *c)
{
    AUTO_JSON *list = json_of("[{\"pointer\":\"/a\",\"value\":{\"c\":1,\"b\":\"x\"}},{\"pointer\":\"/b\",\"sha256\":" ABC "},"
                              "{\"pointer\":\"/c\",\"absent\":true}]");
    struct fields f = { 0 };
    check_code(c, fields_read(list, &f), E_ok, "a field of each form");
    check_that(c, span_is(span_text(f.field[0].value), "{\"b\":\"x\",\"c\":1}"), "a value in RFC 8785 form");
    check_that(c, !f.field[1].value && !f.field[2].value && f.field[2].absent, "and none where there is none");
    struct live_field live[3] = { { true, sha256(span_text("{\"b\":\"x\",\"c\":1}")) }, { true, sha256(span_text("abc")) }, { 0 } };
    check_that(c, fields_hold(&f, live), "all hold");
    live[2] = (struct live_field){ true, sha256(span_text("null")) };
    check_that(c, !fields_hold(&f, live), "null is something");
    live[2] = (struct live_field){ 0 };
    live[1].exists = false;
    check_that(c, !fields_hold(&f, live), "what isn't there has no digest");
    live[1].exists = true;
    live[0].sha256.b[31] ^= 1;
    check_that(c, !fields_hold(&f, live), "another value");
    check_that(c, fields_hold(&(struct fields){ 0 }, NULL), "no fields hold of anything");
    fields_free(&f);
}

int main(void)
{
    struct checks c = { 0 };
    check_pointers(&c);
    check_lists(&c);
    check_bounds(&c);
    check_holds(&c);
    return checks_end(&c);
}
