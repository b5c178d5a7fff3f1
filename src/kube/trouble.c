#include "config.h"

#include "kube/trouble.h"

#include <stdarg.h>
#include <stdio.h>

result trouble_say(struct trouble *t, enum seb_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->text, sizeof t->text, format, args);
    va_end(args);
    if (n < 0)
        t->text[0] = 0;
    /* Words of a server or a file on somebody's terminal: nothing that a terminal obeys. */
    for (char *c = t->text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return fail(code);
}
