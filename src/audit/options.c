/* Words of the command line. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "audit/cover.h"
#include "audit/cover_time.h"

bool number_of(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || *end || text[0] < '0' || text[0] > '9' || n > JSON_INT_MAX)
        return false;
    *ret = n;
    return true;
}

/* seb-audit cover: an option that takes a list takes all that follows up to the next option, and the last word of all is the
 * export. */

enum values { ONE, LIST, NUMBER, TIME, FLAG };
struct option_row {
    const char *name;
    enum values kind;
    size_t at;
};
#define AT(member) offsetof(struct cover_options, member)
static const struct option_row rows[] = {
    { "--trust", ONE, AT(trust) },
    { "--expect", ONE, AT(expect) },
    { "--ek-roots", ONE, AT(ek_roots) },
    { "--target", ONE, AT(target) },
    { "--break-glass", ONE, AT(break_glass) },
    { "--at-least", NUMBER, AT(at_least) },
    { "--since", TIME, AT(since_ms) },
    { "--json", FLAG, AT(json) },
    { "--audit-log", LIST, AT(logs) },
    { "--namespace", LIST, AT(namespaces) },
    { "--cluster-kind", LIST, AT(cluster_kinds) },
    { "--exempt", LIST, AT(exempt) },
};

static const struct option_row *row_of(const char *word)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (span_is(span_text(word), rows[i].name))
            return &rows[i];
    return NULL;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] == '-';
}

static const char *add_list(struct texts *list, int last, char **argv, int *at)
{
    unsigned before = list->n;
    for (; *at < last && !is_option(argv[*at]); ++*at) {
        if (list->n == COVER_LIST_MAX)
            return "an option has too many values";
        list->list[list->n++] = argv[*at];
    }
    return list->n > before ? NULL : "an option without its value";
}

static const char *take_option(struct cover_options *o, const struct option_row *row, int last, char **argv, int *at)
{
    void *to = (char *)o + row->at;
    if (row->kind == FLAG) {
        *(bool *)to = true;
        return NULL;
    }
    if (row->kind == LIST)
        return add_list(to, last, argv, at);
    if (*at >= last)
        return "an option without its value";
    const char *word = argv[(*at)++];
    if (row->kind == ONE)
        *(const char **)to = word;
    else if (row->kind == TIME && !is_ok(rfc3339_ms(word, to)))
        return "--since wants a time as in the audit log: 2026-01-31T00:00:00Z";
    else if (row->kind == NUMBER && !number_of(word, to))
        return "--at-least wants a number";
    return NULL;
}

const char *cover_options_read(int argc, char **argv, struct cover_options *o)
{
    const int last = argc - 1;
    if (argc < 2 || !span_is(span_text(argv[0]), "kubernetes") || is_option(argv[last]))
        return "cover wants kubernetes, options, and EXPORT-DIR as its last word";
    o->export = argv[last];
    for (int at = 1; at < last;) {
        const struct option_row *row = row_of(argv[at++]);
        const char *wrong = row ? take_option(o, row, last, argv, &at) : "cover: an unknown option, or a word that belongs to none";
        if (wrong)
            return wrong;
    }
    return o->trust && o->target && o->logs.n && o->namespaces.n
               ? NULL
               : "cover kubernetes wants --trust FILE --audit-log FILE… --target NAME --namespace NAMESPACE… EXPORT-DIR";
}
