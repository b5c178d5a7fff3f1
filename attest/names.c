#include "config.h"

#include "attest/names.h"

static bool is_name_character(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

result name_at(const json_t *o, const char *member, char *ret, size_t room)
{
    const char *text;
    TRY(json_text(o, member, room - 1, &text));
    struct span s = span_text(text);
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_character(s.p[i]))
            return fail(E_bad_value);
    return span_copy_text(s, ret, room);
}
