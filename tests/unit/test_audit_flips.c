/* Whatever byte of the log is changed, wherever it is cut: it is found, and nothing crashes. */
#include "config.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/audited.h"

/* start, policy, epoch, enrolment, result, read, permit, outcome, stop: nine records. */
static const char *const files[] = { "tile/entries/000.p/9", "tile/0/000.p/9", "checkpoint", "checkpoints.jsonl", "quotes.jsonl",
    "log.json" };

static void make(struct audit_world *w, const struct aw_keys *keys)
{
    aw_new(w, keys);
    aw_begin(w);
    aw_apply(w, "one");
    aw_quote(w);
    struct entry e = aw_stop(w);
    aw_put(w, &e);
    aw_sign(w);
    aw_quote(w);
    aw_export(w, "out", NULL);
}

static bool is_found(const struct audit_world *w)
{
    struct audited a;
    audited_run(w, "out", NULL, 0, &a);
    bool found = a.a.report.findings > 0;
    audited_free(&a);
    return found;
}

static const char *path_of(const struct audit_world *w, const char *name, struct buf *room)
{
    AUTO_BUF inner = BUF(256);
    must(is_ok(buf_printf(&inner, "out/%s", name)) && is_ok(buf_u8(&inner, 0)), "path");
    return aw_path(w, (const char *)inner.p, room);
}

static void set_byte(const char *path, size_t at, uint8_t value)
{
    FILE *f = fopen(path, "r+");
    must(f && fseek(f, (long)at, SEEK_SET) == 0 && fputc(value, f) != EOF && fclose(f) == 0, path);
}

/* The log's size must be readable from one of two files, or there is nothing to audit: then the program says so and exits with 3.
 */
static bool is_readable(const struct audit_world *w)
{
    AUTO_BUF path = BUF(256);
    struct export_dir x;
    uint64_t size;
    must(is_ok(export_open(aw_path(w, "out", &path), &x)), "export");
    bool readable = is_ok(log_size(&x, &size));
    export_close(&x);
    return readable;
}

/* Each byte of the log's own files; of documents, which are many and long, one of some. */
static void flips(struct checks *c, struct audit_world *w, const char *name, unsigned step)
{
    AUTO_BUF path = BUF(256), content = BUF(1u << 20);
    const char *file = path_of(w, name, &path);
    unsigned missed = 0;
    must(is_ok(file_read(file, content.max, &content)), file);
    for (size_t at = 0; at < content.n; at += step) {
        set_byte(file, at, content.p[at] ^ (uint8_t)(1u << at % 8));
        if (is_readable(w) && !is_found(w)) {
            printf("# not found: %s, byte %zu\n", name, at);
            missed++;
        }
        set_byte(file, at, content.p[at]);
    }
    printf("# %zu bytes of %s\n", content.n, name);
    check_that(c, missed == 0, "each byte that is changed is found");
}

static void restore(const char *path, struct span content)
{
    FILE *f = fopen(path, "w");
    must(f && fwrite(content.p, 1, content.n, f) == content.n && fclose(f) == 0, path);
}

/* Of the newest quotes nothing can be said: they may not have been made yet. The summary says up to where the log is complete. */
static bool is_whole_lines(const char *name, struct span content, size_t n)
{
    return span_is(span_text(name), "quotes.jsonl") && n > 0 && content.p[n - 1] == '\n';
}

static void cuts(struct checks *c, struct audit_world *w, const char *name)
{
    AUTO_BUF path = BUF(256), content = BUF(1u << 20);
    const char *file = path_of(w, name, &path);
    unsigned missed = 0;
    must(is_ok(file_read(file, content.max, &content)), file);
    for (size_t n = 0; n<content.n; n += content.n> 1000 ? 7 : 1) {
        must(truncate(file, (off_t)n) == 0, file);
        missed += !is_whole_lines(name, buf_span(&content), n) && is_readable(w) && !is_found(w);
        restore(file, buf_span(&content));
    }
    check_that(c, missed == 0, "each cut is found");
}

static void document(struct checks *c, struct audit_world *w, const struct digest *d, const char *end)
{
    char text[DIGEST_TEXT + 1], name[DIGEST_TEXT + 16];
    snprintf(name, sizeof name, "blobs/%s.%s", digest_text(d, text), end);
    flips(c, w, name, 7);
}

int main(void)
{
    struct checks c = { 0 };
    struct aw_soft tpm;
    struct audit_world w;
    aw_soft_new(&tpm);
    struct aw_keys keys = aw_soft_keys(&tpm);
    make(&w, &keys);
    check_clean(&c, &w, "out", "clean before");
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        flips(&c, &w, files[i], 1);
        cuts(&c, &w, files[i]);
    }
    document(&c, &w, &w.attested.result, "jwt");
    document(&c, &w, &w.evidence, "raw");
    document(&c, &w, &w.approval, "jws");
    document(&c, &w, &w.enrolment, "jws");
    struct digest cel = sha256(buf_span(&w.cel));
    document(&c, &w, &cel, "raw");
    check_clean(&c, &w, "out", "and after");
    aw_free(&w);
    aw_soft_free(&tpm);
    return checks_end(&c);
}
