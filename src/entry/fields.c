#include "config.h"

#include "entry/fields.h"

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_word(const char *text)
{
    if (!*text)
        return false;
    while (*text && is_lower(*text))
        text++;
    return !*text;
}

bool is_a_name(const char *text)
{
    if (!*text)
        return false;
    while (*text && (is_lower(*text) || (*text >= 'A' && *text <= 'Z') || *text == '.' || *text == '-'))
        text++;
    return !*text;
}

static result text_allowed(const struct member *f, const char *text)
{
    bool good = f->kind == FIELD_NAME ? is_a_name(text) : f->kind == FIELD_WORD ? is_word(text) : *text != 0;
    return good ? OK : fail(E_bad_value);
}

static result put_text(json_t *o, const struct member *f, const char *text)
{
    TRY(text_allowed(f, text));
    return json_put_text(o, f->name, text);
}

static result put_number(json_t *o, const struct member *f, uint64_t v)
{
    return v <= JSON_INT_MAX ? json_put_int(o, f->name, (int64_t)v) : fail(E_bad_value);
}

static result put_choice(json_t *o, const struct member *f, unsigned v)
{
    for (unsigned i = 1; f->names[i - 1]; i++)
        if (i == v)
            return json_put_text(o, f->name, f->names[i - 1]);
    return fail(E_bad_value);
}

static result put_field(json_t *o, const struct member *f, const void *p)
{
    switch (f->kind) {
    case FIELD_BYTES:
        return json_put_b64url(o, f->name, (struct span){ p, f->size });
    case FIELD_NAME:
    case FIELD_WORD:
    case FIELD_TEXT:
        return put_text(o, f, p);
    case FIELD_NUMBER:
        return put_number(o, f, (uint64_t)(*(const int64_t *)p));
    case FIELD_INDEX:
        return put_number(o, f, *(const uint64_t *)p);
    case FIELD_FLAG:
        return json_put_flag(o, f->name, *(const bool *)p);
    case FIELD_CHOICE:
        return put_choice(o, f, *(const unsigned *)p);
    }
    return fail(E_invariant);
}

static result get_text(const json_t *o, const struct member *f, char *to)
{
    const char *text;
    TRY(json_text(o, f->name, f->size - 1, &text));
    TRY(text_allowed(f, text));
    struct span s = span_text(text);
    to[s.n] = 0;
    return span_copy(s, to, s.n);
}

static result get_bytes(const json_t *o, const struct member *f, void *to)
{
    const char *text;
    TRY(json_text(o, f->name, B64URL_LEN(f->size), &text));
    return b64url_fixed(span_text(text), to, f->size);
}

static result get_index(const json_t *o, const struct member *f, uint64_t *to)
{
    int64_t v;
    TRY(json_int(o, f->name, 0, JSON_INT_MAX, &v));
    *to = (uint64_t)v;
    return OK;
}

static result get_choice(const json_t *o, const struct member *f, unsigned *to)
{
    const char *text;
    TRY(json_text(o, f->name, 64, &text));
    for (unsigned i = 1; f->names[i - 1]; i++)
        if (span_is(span_text(text), f->names[i - 1])) {
            *to = i;
            return OK;
        }
    return fail(E_bad_value);
}

static result get_field(const json_t *o, const struct member *f, void *p)
{
    switch (f->kind) {
    case FIELD_BYTES:
        return get_bytes(o, f, p);
    case FIELD_NAME:
    case FIELD_WORD:
    case FIELD_TEXT:
        return get_text(o, f, p);
    case FIELD_NUMBER:
        return json_int(o, f->name, 0, JSON_INT_MAX, p);
    case FIELD_INDEX:
        return get_index(o, f, p);
    case FIELD_FLAG:
        return json_flag(o, f->name, p);
    case FIELD_CHOICE:
        return get_choice(o, f, p);
    }
    return fail(E_invariant);
}

result fields_put(json_t *o, const struct member *f, size_t n, const void *from)
{
    for (size_t i = 0; i < n; i++)
        TRY(put_field(o, &f[i], (const uint8_t *)from + f[i].at));
    return OK;
}

result fields_get(const json_t *o, const struct member *f, size_t n, void *to)
{
    for (size_t i = 0; i < n; i++)
        TRY(get_field(o, &f[i], (uint8_t *)to + f[i].at));
    return OK;
}
