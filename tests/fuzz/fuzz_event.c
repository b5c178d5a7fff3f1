/* A line of an audit log is anybody's. What is taken for an event has what is told of it, and its user's words are one list however
 * often they are asked for; what certainly was a dry run said so. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "audit/cover.h"

#include <stdlib.h>

static void ask_words(const struct kube_event *e)
{
    struct words first, again;
    char names[64];
    if (!is_ok(words_of_user(e->user, &first)))
        return;
    if (!is_ok(words_of_user(e->user, &again)))
        abort();
    const struct digest a = words_digest(&first), b = words_digest(&again);
    words_differ(&first, &again, names, sizeof names);
    if (!digest_equal(&a, &b) || !span_is(span_text(names), "\"\""))
        abort();
    words_free(&first);
    words_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kube_event e;
    if (!is_ok(kube_event_read((struct span){ data, size }, &e)))
        return 0;
    if (!*e.verb || !*e.stage || !e.username || !e.name || !e.source || !json_is_object(e.user))
        abort();
    if (kube_event_is_dry(&e) && !kube_event_says_dry(&e) && !e.body_dry)
        abort();
    ask_words(&e);
    kube_event_free(&e);
    return 0;
}
