#include "config.h"

#include "base/result.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

struct row {
    const char *name;
    enum blame blame;
    const char *words;
};

static const struct row rows[E_CODES] = {
#define ERR(name, blame, words) [E_##name] = { #name, BLAME_##blame, words },
#include "base/err.def"
#undef ERR
};

static const char *const foreign_names[] = {
    [FOREIGN_NONE] = "foreign",
    [FOREIGN_ERRNO] = "errno",
    [FOREIGN_TSS2] = "tss2",
    [FOREIGN_PKCS11] = "pkcs11",
    [FOREIGN_CURL] = "curl",
    [FOREIGN_SQLITE] = "sqlite",
    [FOREIGN_NNG] = "nng",
    [FOREIGN_OPENSSL] = "openssl",
};

/* A code may come from another process: one that isn't ours must not index the table. */
static const struct row *row_of(enum seb_code code)
{
    static const struct row unknown = { "unknown", BLAME_US, "not a code that this build knows" };
    return (unsigned)code < E_CODES ? &rows[code] : &unknown;
}

const char *code_name(enum seb_code code)
{
    return row_of(code)->name;
}

const char *code_words(enum seb_code code)
{
    return row_of(code)->words;
}

enum blame code_blame(enum seb_code code)
{
    return row_of(code)->blame;
}

enum seb_code code_named(const char *name)
{
    for (unsigned i = 0; name && i < E_CODES; i++)
        if (!strcmp(rows[i].name, name))
            return (enum seb_code)i;
    return E_CODES;
}

/* What the foreign code says in its library's own words, where base can ask that library; else NULL. */
static const char *foreign_words(enum foreign whose, uint32_t code)
{
    if (whose == FOREIGN_ERRNO)
        return strerrordesc_np((int)code);
    if (whose == FOREIGN_OPENSSL)
        return ERR_reason_error_string(code);
    return NULL;
}

const char *result_text(result r, char *text, unsigned n)
{
    const struct row *row = row_of(code_of(r));
    enum foreign whose = foreign_of(r);
    uint32_t code = foreign_code(r);
    const char *whose_name = whose < sizeof foreign_names / sizeof *foreign_names ? foreign_names[whose] : "foreign";
    const char *words = foreign_words(whose, code);

    if (!n)
        return text;
    if (whose == FOREIGN_NONE)
        snprintf(text, n, "%s: %s", row->name, row->words);
    else if (words)
        snprintf(text, n, "%s: %s (%s 0x%x, %s)", row->name, row->words, whose_name, (unsigned)code, words);
    else
        snprintf(text, n, "%s: %s (%s 0x%x)", row->name, row->words, whose_name, (unsigned)code);
    return text;
}
