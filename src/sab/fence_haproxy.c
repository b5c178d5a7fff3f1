/* HAProxy: its map of key ids, and the running process by its runtime API. */
#include <config.h>

#include "fence/files.h"
#include "fence/runtime.h"
#include "sab/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_MAX (256 * 1024)

static const char *const states[] = { NULL, "allowed", "retired" };

static result fail_errno(void)
{
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

/* A line without its end; false at the end of the text. */
static bool next_line(struct span *text, struct span *ret)
{
    if (!text->n)
        return false;
    size_t n = span_find(*text, 0, '\n');
    *ret = span_part(*text, 0, n);
    *text = span_part(*text, n < text->n ? n + 1 : n, text->n);
    return true;
}

static struct span next_word(struct span *line)
{
    size_t from = 0;
    while (from < line->n && line->p[from] == ' ')
        from++;
    size_t to = span_find(*line, from, ' ');
    struct span word = span_part(*line, from, to - from);
    *line = span_part(*line, to, line->n);
    return word;
}

/* A row of the map, "<kid> <state>"; empty where the line is none. */
struct row {
    struct span kid, state;
};
static struct row row_of(struct span line)
{
    struct row row = { .kid = next_word(&line) };
    row.state = next_word(&line);
    return row.kid.n && row.kid.p[0] != '#' ? row : (struct row){ 0 };
}

/* What the running process answers to show map: "0x55… <kid> <state>". */
static struct row shown_row(struct span line)
{
    next_word(&line);
    return row_of(line);
}

/* The map's text with the key's rows taken out and one put in. */
static result map_changed(struct span text, const struct fence_order *o, struct buf *out)
{
    struct span line;
    while (next_line(&text, &line)) {
        if (span_is(row_of(line).kid, o->kid))
            continue;
        TRY(buf_put(out, line));
        TRY(buf_text(out, "\n"));
    }
    return buf_printf(out, "%s %s\n", o->kid, states[o->action]);
}

/* One writer at a time: the lock is on the folder, since the file itself is replaced. The caller closes. */
static result map_lock(const char *map, int *ret_fd)
{
    AUTO_FREE char *copy = NULL;
    TRY(span_dup_text(span_text(map), &copy));
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno();
    if (flock(fd, LOCK_EX)) {
        result r = fail_errno();
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return OK;
}

static result map_write(const struct fence_order *o)
{
    AUTO_BUF text = BUF(MAP_MAX), changed = BUF(MAP_MAX);
    struct stat st;
    TRY(file_read(o->map, MAP_MAX, &text));
    if (stat(o->map, &st))
        return fail_errno();
    TRY(map_changed(buf_span(&text), o, &changed));
    return file_write(o->map, buf_span(&changed), st.st_mode & 0777, true);
}

static result map_show(const struct fence_order *o, struct buf *out)
{
    AUTO_BUF command = BUF(1024);
    TRY(buf_printf(&command, "show map %s", o->map));
    TRY(runtime_ask(o->socket, buf_span(&command), out));
    /* An answer that isn't rows is a complaint: no such map, or no permission. */
    struct span text = buf_span(out), line;
    while (next_line(&text, &line))
        if (line.n && !span_is(span_part(line, 0, 2), "0x"))
            return fail(E_not_found);
    return OK;
}

/* How many rows of the running map are the key's, and whether all of them say `state`. */
static unsigned rows_of(struct span shown, const char *kid, const char *state, bool *ret_all)
{
    struct span line;
    unsigned n = 0;
    *ret_all = true;
    while (next_line(&shown, &line)) {
        struct row row = shown_row(line);
        if (!span_is(row.kid, kid))
            continue;
        n++;
        *ret_all = *ret_all && span_is(row.state, state);
    }
    return n;
}

static result tell(const struct fence_order *o, const char *verb)
{
    AUTO_BUF command = BUF(1024), answer = BUF(RUNTIME_ANSWER_MAX);
    TRY(buf_printf(&command, "%s map %s %s %s", verb, o->map, o->kid, states[o->action]));
    return runtime_ask(o->socket, buf_span(&command), &answer); /* what it says is not believed: the map is read back */
}

static result running_change(const struct fence_order *o)
{
    AUTO_BUF before = BUF(RUNTIME_ANSWER_MAX), after = BUF(RUNTIME_ANSWER_MAX);
    bool all;
    TRY(map_show(o, &before));
    unsigned n = rows_of(buf_span(&before), o->kid, states[o->action], &all);
    if (n == 0)
        TRY(tell(o, "add"));
    else if (!all)
        TRY(tell(o, "set"));
    TRY(map_show(o, &after));
    n = rows_of(buf_span(&after), o->kid, states[o->action], &all);
    return n > 0 && all ? OK : fail(E_io);
}

static int change(const struct fence_order *o)
{
    int lock = -1;
    result r = map_lock(o->map, &lock);
    if (!is_ok(r))
        return fence_say(o->map, r);
    /* The file first: a reload between the two steps then reads what is wanted. */
    result file = map_write(o);
    result running = is_ok(file) || o->action == FENCE_RETIRE ? running_change(o) : OK;
    close(lock);
    if (!is_ok(file))
        fence_say(o->action == FENCE_RETIRE ? "the map file isn't changed: a reload would allow the key again" : o->map, file);
    if (!is_ok(running))
        fence_say("the running fence doesn't say that it holds it; the file does, for its next start", running);
    if (!is_ok(file) || !is_ok(running))
        return EXIT_FAILURE;
    printf("%s %s\n", o->kid, states[o->action]);
    return EXIT_SUCCESS;
}

/* The key's file beside the map, which HAProxy reads at its start: what is in it under the kid's name must be that key. */
static result settle(const struct fence_order *o, const struct pubkey *proved)
{
    AUTO_FREE char *copy = NULL;
    AUTO_BUF path = BUF(4096), text = BUF(4096);
    AUTO_PUBKEY *there = NULL;
    TRY(span_dup_text(span_text(o->map), &copy));
    TRY(buf_printf(&path, "%s/" FENCE_KEY_FILE, dirname(copy), o->kid));
    TRY(buf_u8(&path, 0));
    result r = file_read((const char *)path.p, 4096, &text);
    if (foreign_of(r) == FOREIGN_ERRNO && foreign_code(r) == ENOENT) {
        if (!proved)
            return OK;
        TRY(pubkey_pem(proved, &text));
        return file_write((const char *)path.p, buf_span(&text), 0644, false);
    }
    TRY(r);
    TRY(pubkey_from_pem(buf_span(&text), &there));
    return digest_equal(pubkey_thumbprint(there), &o->digest) ? OK : fail(E_key_mismatch);
}

static struct span state_in_file(struct span text, struct span kid)
{
    struct span line;
    while (next_line(&text, &line)) {
        struct row row = row_of(line);
        if (row.kid.n && span_equal(row.kid, kid))
            return row.state;
    }
    return span_text("missing");
}

static int list(const struct fence_order *o)
{
    AUTO_BUF shown = BUF(RUNTIME_ANSWER_MAX), text = BUF(MAP_MAX);
    result r = map_show(o, &shown);
    if (!is_ok(r))
        return fence_say(o->socket, r);
    r = file_read(o->map, MAP_MAX, &text);
    if (!is_ok(r))
        return fence_say(o->map, r);
    struct span rest = buf_span(&shown), line;
    int code = EXIT_SUCCESS;
    while (next_line(&rest, &line)) {
        struct row row = shown_row(line);
        if (!row.kid.n)
            continue;
        struct span file = state_in_file(buf_span(&text), row.kid);
        bool same = span_equal(file, row.state);
        printf("%.*s %.*s%s%.*s%s\n", (int)row.kid.n, (const char *)row.kid.p, (int)row.state.n, (const char *)row.state.p,
            same ? "" : " (the file: ", same ? 0 : (int)file.n, (const char *)file.p, same ? "" : ")");
        code = same ? code : EXIT_FAILURE;
    }
    return code;
}
/* No character that the runtime API takes as more than itself: space, newline, ';', '\', '#', '<'. */
bool fence_map_is_plain(const char *path)
{
    struct span s = span_text(path), also = span_text("/._-+@=~:");
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) && span_find(also, 0, c) == also.n)
            return false;
    }
    return s.n > 0 && s.n <= 512;
}

const struct fence_kind sab_fence_haproxy = { .settle = settle, .change = change, .list = list };
