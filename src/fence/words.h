/* Words that are printed into other people's configuration languages, where they must not mean anything but themselves. */
#ifndef SEB_FENCE_WORDS_H
#define SEB_FENCE_WORDS_H

#include "base/bytes.h"

/* Letters, digits, '.', '_', '-' and what `also` has, one at least. */
bool word_is_plain(struct span s, const char *also);
/* no_config, with *ret_where naming it, where it doesn't hold. */
MUST_USE result word_want(bool holds, const char *what, const char **ret_where);

#endif
