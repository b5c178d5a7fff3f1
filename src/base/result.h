/* What every function of seb that can fail returns: one field, so that it is never mistaken for a number, and the compiler
 * warns when it is dropped. It carries a code of err.def (a stable name) and, where a foreign library refused, that library's
 * own code beside it, unflattened. */
#ifndef SEB_BASE_RESULT_H
#define SEB_BASE_RESULT_H

#include <stdbool.h>
#include <stdint.h>

enum seb_code {
#define ERR(name, blame, words) E_##name,
#include "base/err.def"
#undef ERR
    E_CODES
};

/* Who has to act on it. */
enum blame { BLAME_NOBODY, BLAME_AGENT, BLAME_AUTHORITY, BLAME_OPERATOR, BLAME_KEYS, BLAME_TARGET, BLAME_US };

/* Whose code `foreign` is. */
enum foreign {
    FOREIGN_NONE,
    FOREIGN_ERRNO,
    FOREIGN_TSS2,
    FOREIGN_PKCS11,
    FOREIGN_CURL,
    FOREIGN_SQLITE,
    FOREIGN_NNG,
    FOREIGN_OPENSSL
};

typedef struct {
    uint64_t bits; /* code in 0..15, enum foreign in 16..31, the foreign code in 32..63 */
} result;

#define MUST_USE __attribute__((warn_unused_result))

static inline result fail_foreign(enum seb_code code, enum foreign whose, uint32_t foreign)
{
    return (result){ (uint64_t)code | (uint64_t)whose << 16 | (uint64_t)foreign << 32 };
}
static inline result fail(enum seb_code code)
{
    return fail_foreign(code, FOREIGN_NONE, 0);
}
#define OK ((result){ 0 })

static inline enum seb_code code_of(result r)
{
    return (enum seb_code)(r.bits & 0xffff);
}
static inline bool is_ok(result r)
{
    return code_of(r) == E_ok;
}
static inline enum foreign foreign_of(result r)
{
    return (enum foreign)(r.bits >> 16 & 0xffff);
}
static inline uint32_t foreign_code(result r)
{
    return (uint32_t)(r.bits >> 32);
}

/* The code's stable name, as in replies and records ("expired"); what it means and what to do, one sentence. Static. */
const char *code_name(enum seb_code code);
const char *code_words(enum seb_code code);
enum blame code_blame(enum seb_code code);
/* The code named so; E_CODES where none is. */
enum seb_code code_named(const char *name);

/* Writes "name: words (whose code 0x…)" into text of size n, cut where it doesn't fit, and returns text. */
const char *result_text(result r, char *text, unsigned n);

/* Returns from the calling function, which must return result, when expr failed. */
#define TRY(expr)                    \
    do {                             \
        result try_result_ = (expr); \
        if (!is_ok(try_result_))     \
            return try_result_;      \
    } while (0)

#endif
