/* Runs each file of the folders given, and each beginning of it, through a harness. Without arguments the folder is the harness's
 * own corpus: tests/fuzz/corpus/<name> under $srcdir, for a program named fuzz_<name>. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "base/bytes.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX ((size_t)1 << 20)
#define BEGINNINGS_MAX 4096 /* of larger files no more, or the check would take minutes */

/* A copy of exactly n bytes, so that AddressSanitizer sees a read beyond them. */
static void run_beginning(struct span s, size_t n)
{
    AUTO_BUF copy = BUF(n);
    if (is_ok(buf_put(&copy, span_part(s, 0, n))))
        LLVMFuzzerTestOneInput(copy.p, copy.n);
}

static bool run_file(const char *path)
{
    AUTO_BUF content = BUF(FILE_MAX);
    if (!is_ok(file_read(path, FILE_MAX, &content)))
        return false;
    for (size_t n = 0; n < content.n && n < BEGINNINGS_MAX; n++)
        run_beginning(buf_span(&content), n);
    run_beginning(buf_span(&content), content.n);
    return true;
}

static unsigned run_folder(const char *folder)
{
    unsigned files = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        AUTO_FREE char *path = NULL;
        if (e->d_name[0] == '.')
            continue;
        if (asprintf(&path, "%s/%s", folder, e->d_name) < 0 || !run_file(path)) {
            printf("not ok - %s/%s can't be read\n", folder, e->d_name);
            exit(1);
        }
        files++;
    }
    if (d)
        closedir(d);
    printf("%sok - %s: %u files\n", files ? "" : "not ", folder, files);
    return files;
}

int main(int argc, char **argv)
{
    bool all = true;
    for (int i = 1; i < argc; i++)
        all = run_folder(argv[i]) && all;
    if (argc > 1)
        return all ? 0 : 1;
    const char *srcdir = getenv("srcdir"), *name = program_invocation_short_name;
    AUTO_FREE char *own = NULL;
    if (!span_is(span_part(span_text(name), 0, 5), "fuzz_") ||
        asprintf(&own, "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", name + 5) < 0)
        return 1;
    return run_folder(own) ? 0 : 1;
}
