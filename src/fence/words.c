#include <config.h>

#include "fence/words.h"

bool word_is_plain(struct span s, const char *also)
{
    struct span more = span_text(also);
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';
        if (!good && span_find(more, 0, c) == more.n)
            return false;
    }
    return s.n > 0;
}

result word_want(bool holds, const char *what, const char **ret_where)
{
    if (holds)
        return OK;
    *ret_where = what;
    return fail(E_no_config);
}
