/* What was wrong, in words for whoever ran the tool: beside the code, which says what kind of thing it is. */
#ifndef SEB_KUBE_TROUBLE_H
#define SEB_KUBE_TROUBLE_H

#include "base/result.h"

#define TROUBLE_MAX 512
struct trouble {
    char text[TROUBLE_MAX]; /* "" where nothing is to be said; printable, whoever's words are in it */
};
/* Sets the text, cut where it is too long, with '?' for what isn't printable, and returns the code's failure. */
MUST_USE result trouble_say(struct trouble *t, enum seb_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
