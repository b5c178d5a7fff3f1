#include <config.h>

#include "fence/template.h"

/* A placeholder that begins at `at`: the name's length, 0 where none does. Nothing else in YAML or CEL looks like one. */
static size_t name_at(struct span s, size_t at)
{
    size_t n = 0;
    if (s.p[at] != '@')
        return 0;
    while (at + 1 + n < s.n && ((s.p[at + 1 + n] >= 'A' && s.p[at + 1 + n] <= 'Z') || s.p[at + 1 + n] == '_'))
        n++;
    return at + 1 + n < s.n && s.p[at + 1 + n] == '@' ? n : 0;
}

static result word_find(struct span name, const struct template_word *words, unsigned n, unsigned *ret)
{
    for (unsigned i = 0; i < n; i++)
        if (span_is(name, words[i].name)) {
            *ret = i;
            return OK;
        }
    return fail(E_invariant);
}

static result put(struct span s, const struct template_word *words, unsigned n, struct buf *out);

/* A row's text; the rows further down are those of the same table, so that it ends. */
static result put_word(const struct template_word *words, unsigned row, unsigned n, struct buf *out)
{
    struct span text = span_text(words[row].text);
    return words[row].open ? put(text, words + row + 1, n - row - 1, out) : buf_put(out, text);
}

static result put(struct span s, const struct template_word *words, unsigned n, struct buf *out)
{
    for (size_t at = 0; at < s.n;) {
        unsigned row;
        size_t name = name_at(s, at);
        if (!name) {
            size_t next = span_find(s, at + 1, '@');
            TRY(buf_put(out, span_part(s, at, next - at)));
            at = next;
            continue;
        }
        TRY(word_find(span_part(s, at + 1, name), words, n, &row));
        TRY(put_word(words, row, n, out));
        at += name + 2;
    }
    return OK;
}

static result put_line(struct span line, const struct template_word *words, unsigned n, struct buf *out)
{
    size_t name = line.n ? name_at(line, 0) : 0;
    unsigned row;
    if (!name || name + 3 != line.n)
        return put(line, words, n, out);
    TRY(word_find(span_part(line, 1, name), words, n, &row));
    struct span text = span_text(words[row].text);
    TRY(put_word(words, row, n, out));
    return text.n == 0 || text.p[text.n - 1] == '\n' ? OK : buf_u8(out, '\n');
}

result template_put(const char *const *lines, const struct template_word *words, unsigned words_n, struct buf *out)
{
    for (; *lines; lines++)
        TRY(put_line(span_text(*lines), words, words_n, out));
    return OK;
}
