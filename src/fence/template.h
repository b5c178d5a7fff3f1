/* Texts with placeholders. Pure. */
#ifndef SEB_FENCE_TEMPLATE_H
#define SEB_FENCE_TEMPLATE_H

#include "base/bytes.h"

/* What @NAME@ stands for. An open text may hold placeholders itself, of rows further down; any other is put as it is. */
struct template_word {
    const char *name, *text;
    bool open;
};

/* Appends the lines (NULL-terminated, each with its newline), each @NAME@ replaced. A line of nothing but a placeholder whose text
 * is empty is left out, and one whose text ends with a newline gets no second one. invariant: a name that the table doesn't have.
 */
MUST_USE result template_put(const char *const *lines, const struct template_word *words, unsigned words_n, struct buf *out);

#endif
