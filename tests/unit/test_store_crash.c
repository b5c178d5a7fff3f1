/* The store under what the world does to it: kill -9, a second process, a full disk, a folder that can't be written. */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "check.h"
#include "store_fixture.h"

#define GROUP 3 /* entries a batch: a decision, its outcome, and one more */
#define KILLS 12

static void commit_group(struct store *s)
{
    AUTO_STORE_BATCH *b = NULL;
    must(store_batch_new(store_frontier(s)->size, &b));
    uint64_t decision = add_decision(b, true);
    add_entries(b, 2);
    must(store_batch_outcome(b, decision, decision + 1, true));
    must(store_commit(s, b));
}

/* Commits until it is killed, and says through the pipe how much is durable, after it is. */
static void commit_for_ever(const char *path, int pipe_to)
{
    struct store *s;
    must(store_open(path, &s));
    for (;;) {
        commit_group(s);
        uint64_t size = store_frontier(s)->size;
        if (write(pipe_to, &size, sizeof(size)) != sizeof(size))
            _exit(1);
    }
}

static uint64_t last_said(int pipe_from, uint64_t before)
{
    uint64_t size = before, next;
    while (read(pipe_from, &next, sizeof(next)) == sizeof(next))
        size = next;
    return size;
}

static pid_t start_writer(const char *path, int ret_pipe[2])
{
    fflush(stdout);
    if (pipe(ret_pipe) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        close(ret_pipe[0]);
        commit_for_ever(path, ret_pipe[1]);
    }
    close(ret_pipe[1]);
    return child;
}

static result check_entry(void *ctx, uint64_t index, struct span entry)
{
    struct frontier *f = ctx;
    AUTO_BUF want = BUF(1024);
    entry_text(index, &want);
    struct digest leaf = merkle_leaf(entry);
    bool next = index == f->size && span_equal(entry, buf_span(&want));
    frontier_append(f, &leaf, NULL, NULL);
    return next ? OK : fail(E_bad_entry);
}

/* Whole groups, no gap, nodes that fit the entries, and each decision with all that came with it. */
static bool is_whole(const char *path, uint64_t *ret_size)
{
    AUTO_STORE_READER *r = NULL;
    struct frontier f = { 0 };
    struct digest root, want;
    must(store_reader_open(path, &r));
    must(store_read_size(r, ret_size));
    struct merkle_source nodes = store_source(r);
    bool whole = *ret_size % GROUP == 0 && is_ok(store_each_entry(r, 0, *ret_size, check_entry, &f)) && f.size == *ret_size;
    want = frontier_root(&f);
    whole = whole && is_ok(merkle_root(&nodes, *ret_size, &root)) && digest_equal(&root, &want);
    for (uint64_t i = 0; i < *ret_size; i += GROUP) {
        char cid[32];
        bool used, known;
        struct used_certificate u;
        struct known_request k;
        struct digest agent = digest_of("agent");
        snprintf(cid, sizeof(cid), "c-%d", (int)i);
        must(store_find_used(r, cid, &used, &u));
        must(store_find_request(r, &agent, cid, &known, &k));
        whole = whole && used && u.decision == i && known && k.permitted && k.outcome == i + 1;
    }
    return whole;
}

static void test_kills(struct checks *c, const struct place *p)
{
    bool durable = true, whole = true, grown = true;
    uint64_t said = 0, size = 0;
    for (unsigned i = 0; i < KILLS; i++) {
        int from[2];
        uint8_t wait_for;
        uint64_t before = size, first;
        pid_t child = start_writer(p->path, from);
        if (read(from[0], &first, sizeof(first)) != sizeof(first)) /* it runs */
            abort();
        must(random_bytes(&wait_for, 1));
        poll(NULL, 0, wait_for / 4); /* somewhere within a commit */
        kill(child, SIGKILL);
        said = last_said(from[0], first);
        waitpid(child, NULL, 0);
        close(from[0]);
        whole &= is_whole(p->path, &size);
        durable &= size >= said;
        grown &= first == before + GROUP;
    }
    check_that(c, size > KILLS * GROUP, "a writer was killed in the middle of many commits");
    check_that(c, durable, "what it said is durable is there");
    check_that(c, whole, "groups are there whole or not at all, without a gap, and the tree fits the entries");
    check_that(c, grown, "each next writer goes on where the last one ended");
}

/* A reader beside a busy writer of another process sees whole groups that only grow. */
static void test_beside(struct checks *c, const struct place *p)
{
    int from[2];
    bool grows = true, whole = true;
    uint64_t size = 0, first;
    pid_t child = start_writer(p->path, from);
    if (read(from[0], &first, sizeof(first)) != sizeof(first))
        abort();
    {
        AUTO_STORE_READER *r = NULL;
        must(store_reader_open(p->path, &r));
        uint64_t begin, now;
        must(store_read_size(r, &begin));
        size = begin;
        while (size < begin + 60 * GROUP) {
            must(store_read_size(r, &now));
            grows &= now >= size;
            whole &= now % GROUP == 0;
            size = now;
            struct merkle_source nodes = store_source(r);
            struct merkle_proof proof;
            struct digest root;
            AUTO_BUF entry = BUF(1024);
            must(store_read_entry(r, size - 1, &entry));
            struct digest leaf = merkle_leaf(buf_span(&entry));
            whole &= is_ok(merkle_root(&nodes, size, &root)) && is_ok(merkle_inclusion(&nodes, size - 1, size, &proof)) &&
                     is_ok(merkle_verify_inclusion(&leaf, size - 1, size, &proof, &root));
        }
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(from[0]);
    check_that(c, grows, "a reader in another process sees the log grow");
    check_that(c, whole, "and never half a group");
}

/* Nothing beyond the files' first page can be written: the commit is refused, nothing of it is there, and it goes through when
 * there is room again. */
static void test_full_disk(struct checks *c, const struct place *p)
{
    AUTO_STORE *s = NULL;
    struct rlimit before, full;
    must(store_open(p->path, &s));
    uint64_t size = store_frontier(s)->size;
    commit_group(s);
    if (getrlimit(RLIMIT_FSIZE, &before) != 0)
        abort();
    signal(SIGXFSZ, SIG_IGN);
    full = (struct rlimit){ .rlim_cur = 4096, .rlim_max = before.rlim_max };
    setrlimit(RLIMIT_FSIZE, &full);
    AUTO_STORE_BATCH *b = NULL;
    must(store_batch_new(size + GROUP, &b));
    add_entries(b, 200);
    result r = store_commit(s, b);
    setrlimit(RLIMIT_FSIZE, &before);
    check_code(c, r, E_disk, "a full disk refuses the commit");
    check_that(c, foreign_of(r) == FOREIGN_SQLITE && foreign_code(r) != 0, "with SQLite's code beside");
    check_that(c, store_frontier(s)->size == size + GROUP, "the frontier stayed");
    check_code(c, store_commit(s, b), E_ok, "with room the same batch goes through");
    store_close(s);
    s = NULL;
    must(store_open(p->path, &s));
    check_that(c, store_frontier(s)->size == size + GROUP + 200, "and is there after reopening");
}

/* Root may write everywhere: the child becomes nobody. */
static void test_unwritable_folder(struct checks *c, const struct place *p)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct store *s;
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        result r = store_open(place_at(p, "closed/log.sqlite"), &s);
        _exit(code_of(r) == E_disk && foreign_code(r) != 0 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    check_that(c, WIFEXITED(status) && WEXITSTATUS(status) == 0, "a folder that can't be written is a disk error that says why");
}

int main(void)
{
    struct checks c = { 0 };
    struct place p;
    place_make(&p);
    if (chmod(p.folder, 0755) != 0 || mkdir(place_at(&p, "closed"), 0555) != 0)
        abort();
    test_kills(&c, &p);
    test_beside(&c, &p);
    test_full_disk(&c, &p);
    test_unwritable_folder(&c, &p);
    place_remove(&p);
    return checks_end(&c);
}
