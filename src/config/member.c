#include <config.h>

#include "config/member.h"

#include <stdio.h>

result no_config(const char *where, const char **ret_where)
{
    *ret_where = where;
    return fail(E_no_config);
}

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name(struct span s, const char *also)
{
    struct span more = span_text(also);
    for (size_t i = 0; i < s.n; i++)
        if (!is_letter_or_digit(s.p[i]) && span_find(span_text("._-"), 0, s.p[i]) == 3 && span_find(more, 0, s.p[i]) == more.n)
            return false;
    return s.n > 0;
}

bool is_plain_path(struct span s)
{
    if (!s.n || s.p[0] != '/' || !is_name(s, "/+@,=~:"))
        return false;
    for (size_t from = 1, to; from <= s.n; from = to + 1) {
        to = span_find(s, from, '/');
        struct span part = span_part(s, from, to - from);
        if (!part.n || span_is(part, ".") || span_is(part, ".."))
            return false;
    }
    return true;
}

static bool is_printable(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return false;
    return s.n > 0;
}

/* TCG "Registry of Reserved TPM 2.0 Handles and Localities": of the persistent ones 81 00 00 00 to 81 7F FF FF are the owner's; of
 * the NV indices 01 C0 00 00 and above are the TCG's. */
static bool read_handle(struct span s, enum member_type type, uint32_t *ret)
{
    uint8_t bytes[4];
    AUTO_BUF raw = BUF(sizeof bytes);
    if (s.n != 10 || !span_is(span_part(s, 0, 2), "0x") || !is_ok(hex_read(span_part(s, 2, 8), &raw)) ||
        !is_ok(span_copy(buf_span(&raw), bytes, sizeof bytes)))
        return false;
    uint32_t handle = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    const uint32_t first = type == MEMBER_NV ? 0x01000000 : 0x81000000, last = type == MEMBER_NV ? 0x01bfffff : 0x817fffff;
    if (handle < first || handle > last)
        return false;
    *ret = handle;
    return true;
}

static bool is_wanted_text(const struct member *m, struct span s)
{
    switch (m->type) {
    case MEMBER_NAME:
        return is_name(s, m->also);
    case MEMBER_PRINT:
        return is_printable(s);
    case MEMBER_PATH:
        return is_plain_path(s);
    default:
        return false;
    }
}

static bool put_text(const struct member *m, const char *text, uint8_t *field)
{
    int n = snprintf((char *)field, m->room, "%s", text);
    return n >= 0 && (size_t)n < m->room;
}

static bool read_member(const json_t *o, const struct member *m, uint8_t *field)
{
    const char *text;
    if (m->type == MEMBER_INT)
        return is_ok(json_int(o, m->name, m->min, m->max, (int64_t *)(void *)field));
    if (m->type == MEMBER_HANDLE || m->type == MEMBER_NV)
        return is_ok(json_text(o, m->name, 10, &text)) && read_handle(span_text(text), m->type, (uint32_t *)(void *)field);
    return is_ok(json_text(o, m->name, m->room - 1, &text)) && is_wanted_text(m, span_text(text)) && put_text(m, text, field);
}

static bool put_standard(const struct member *m, uint8_t *field)
{
    if (m->type == MEMBER_INT)
        *(int64_t *)(void *)field = m->number;
    else if (m->type == MEMBER_HANDLE || m->type == MEMBER_NV)
        *(uint32_t *)(void *)field = (uint32_t)m->number;
    else if (m->text)
        return put_text(m, m->text, field);
    return true;
}

/* The port after the last colon: 1 to 65535, without leading zeros. */
static bool is_port(struct span s)
{
    long port = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || s.n > 5)
            return false;
        port = port * 10 + (s.p[i] - '0');
    }
    return s.n && s.p[0] != '0' && port <= 65535;
}

bool is_host_port(struct span s, bool port_required)
{
    size_t colon = s.n;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ':')
            colon = i;
    struct span host = span_part(s, 0, colon);
    bool in_brackets = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (s.n && s.p[0] == '[' && s.p[s.n - 1] == ']')
        return !port_required && is_name(span_part(s, 1, s.n - 2), ":"); /* the last colon is the address's own */
    if (colon == s.n ? port_required : !is_port(span_part(s, colon + 1, s.n)))
        return false;
    return in_brackets ? is_name(span_part(host, 1, host.n - 2), ":") : is_name(host, "*");
}

static bool is_known(const struct member *table, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++)
        if (span_is(span_text(name), table[i].name))
            return true;
    return false;
}

result members_read(const json_t *o, const struct member *table, unsigned n, void *to, const char *unknown, const char **ret_where)
{
    const char *key;
    json_t *value;
    if (!json_is_object(o))
        return no_config(unknown, ret_where);
    json_object_foreach ((json_t *)o, key, value)
        if (!is_known(table, n, key))
            return no_config(unknown, ret_where);
    for (const struct member *m = table; m < table + n; m++) {
        uint8_t *field = (uint8_t *)to + m->at;
        if (m->type == MEMBER_ELSEWHERE)
            continue;
        bool there = json_has(o, m->name);
        if (there ? !read_member(o, m, field) : m->required || !put_standard(m, field))
            return no_config(m->where, ret_where);
    }
    return OK;
}
