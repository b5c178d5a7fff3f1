/* Plays keeper, core and supervisor to one runner, told by lines on stdin:
 *   SLOT USE TARGET METHOD URL TOKEN PRECONDITION VALUE CTYPE BODY [AUDIT-ID DETAILS]   a CALL ("-": empty)
 *               BODY and DETAILS may be @FILE
 *   .           waits for an ANSWER to each, and prints them by slot: SLOT PHASE CODE STATUS LENGTH
 *               and, where the body told something, uid=U version=V reason=R causes=[...] fields=110 (1: found)
 *   !keeper !core !control !raw   closes that end, or sends half a CALL; then waits for the runner's exit code, and prints it
 * runner_driver RUNNER CONFIG */
#include <config.h>

#include "child/child.h"
#include "link/messages.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#define LINE_WORDS 10
#define LINE_WORDS_MOST 12
#define ANSWERS_MAX 1024
#define WAIT_MS 20000

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "runner_driver: %s\n", what);
    exit(1);
}

static void check(result r, const char *what)
{
    char text[256];
    must(is_ok(r), is_ok(r) ? what : result_text(r, text, sizeof text));
}

/* The configuration in RFC 8785 form, as the supervisor hands it over. */
static int sealed(const char *path)
{
    AUTO_BUF text = BUF(CONFIG_MAX), form = BUF(CONFIG_MAX);
    check(file_read(path, CONFIG_MAX, &text), path);
    check(config_canonical(buf_span(&text), &form), path);
    int fd = memfd_create("config", MFD_ALLOW_SEALING);
    must(fd >= 0 && write(fd, form.p, form.n) == (ssize_t)form.n &&
             fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0,
        "memfd");
    return fd;
}

static void pair(int ends[2])
{
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
}

struct played {
    pid_t pid;
    struct link *keeper, *core, *control;
};

static struct played runner_start(const char *program, const char *config)
{
    int keeper[2], core[2], control[2], from[4];
    struct played p;
    pair(keeper);
    pair(core);
    pair(control);
    from[0] = sealed(config), from[1] = control[1], from[2] = keeper[1], from[3] = core[1];
    p.pid = fork();
    must(p.pid >= 0, "fork");
    if (p.pid == 0) {
        static const int to[4] = { FD_CONFIG, FD_CONTROL, FD_RUNNER_KEEPER, FD_RUNNER_CORE };
        for (int i = 0; i < 4; i++) /* above all that is wanted first */
            must((from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 64)) >= 0, "dup");
        for (int i = 0; i < 4; i++)
            must(dup2(from[i], to[i]) == to[i], "dup2");
        execl(program, program, (char *)NULL);
        must(false, program);
    }
    for (int i = 0; i < 4; i++)
        close(from[i]);
    check(link_new(keeper[0], LINK_KEEPER_RUNNER, END_FIRST, &p.keeper), "link");
    check(link_new(core[0], LINK_RUNNER_CORE, END_SECOND, &p.core), "link");
    check(link_new(control[0], LINK_CONTROL, END_FIRST, &p.control), "link");
    return p;
}

/* False: the other end is closed, or nothing came in time. What is queued for the runner is sent meanwhile. */
static bool receive(struct played *played, struct link *l, struct message *m)
{
    for (bool got = false;;) {
        struct pollfd p[2] = {
            { .fd = link_fd(l), .events = link_events(l) },
            { .fd = link_fd(played->keeper), .events = link_events(played->keeper) & POLLOUT },
        };
        if (!is_ok(link_receive(l, m, &got)) || !is_ok(link_flush(played->keeper)))
            return false;
        if (got)
            return true;
        if (poll(p, 2, WAIT_MS) <= 0)
            return false;
    }
}

static void say_exit(struct played *p)
{
    int status = 0;
    alarm(WAIT_MS / 1000);
    must(waitpid(p->pid, &status, 0) == p->pid, "waitpid");
    printf("exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    fflush(stdout);
    exit(0);
}

struct line {
    uint64_t slot;
    char text[5120];
};

static int by_slot(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

static struct buf printed(const struct answer_message *a)
{
    static const char *const phases[] = { "never-sent", "none", "whole" };
    struct buf b = BUF(5000);
    const struct span told[] = { a->uid, a->version, a->reason, a->causes };
    static const char *const names[] = { "uid", "version", "reason", "causes" };
    check(buf_printf(&b, "%s %s %u %" PRIu64, phases[a->phase], code_name((enum seb_code)a->code), a->http_status, a->body_length),
        "text");
    for (unsigned i = 0; i < 4; i++)
        if (told[i].n)
            check(buf_printf(&b, " %s=%.*s", names[i], (int)told[i].n, (const char *)told[i].p), "text");
    if (a->fields_n)
        check(buf_text(&b, " fields="), "text");
    for (unsigned i = 0; i < a->fields_n; i++)
        check(buf_u8(&b, a->field[i].exists ? '1' : '0'), "text");
    check(buf_u8(&b, 0), "text");
    return b;
}

static void finish(struct played *p, unsigned n)
{
    static struct line line[ANSWERS_MAX];
    for (unsigned i = 0; i < n; i++) {
        struct message m;
        struct answer_message a;
        if (!receive(p, p->core, &m))
            say_exit(p);
        check(answer_read(m.fields, &a), "answer");
        line[i].slot = m.slot;
        AUTO_BUF text = printed(&a);
        check(span_copy(buf_span(&text), line[i].text, text.n), "text");
    }
    qsort(line, n, sizeof *line, by_slot);
    for (unsigned i = 0; i < n; i++)
        printf("%" PRIu64 " %s\n", line[i].slot, line[i].text);
    fflush(stdout);
}

static struct span word(const char *w)
{
    return span_is(span_text(w), "-") ? (struct span){ 0 } : span_text(w);
}

/* Text, or @FILE. */
static struct span content(const char *w, struct buf *room)
{
    if (!w || w[0] != '@')
        return w ? word(w) : (struct span){ 0 };
    check(file_read(w + 1, 65536, room), w);
    return buf_span(room);
}

static void send_call(struct played *p, char *const *w, bool half)
{
    AUTO_BUF body = BUF(65536), details = BUF(65536);
    AUTO_BUF fields = BUF(LINK_PACKET_MAX - 64);
    const struct call_message m = {
        .use = (uint8_t)strtoul(w[1], NULL, 10),
        .target = word(w[2]),
        .method = word(w[3]),
        .url = word(w[4]),
        .credential = word(w[5]),
        .precondition = word(w[6]),
        .precondition_value = word(w[7]),
        .media_type = word(w[8]),
        .body = content(w[9], &body),
        .audit_id = w[10] ? word(w[10]) : (struct span){ 0 },
        .details = content(w[11], &details),
    };
    check(call_put(&fields, &m), "call");
    check(link_send(
              p->keeper, MESSAGE_CALL, strtoull(w[0], NULL, 10), span_part(buf_span(&fields), 0, half ? fields.n / 2 : fields.n)),
        "send");
    check(link_flush(p->keeper), "send");
}

static void order(struct played *p, const char *what)
{
    struct message m;
    static char *const some[LINE_WORDS_MOST] = { "1", "1", "docs", "GET", "https://x/a", "a", "-", "-", "-", "-" };
    if (span_is(span_text(what), "!raw"))
        send_call(p, some, true);
    else if (span_is(span_text(what), "!keeper"))
        link_free(p->keeper);
    else if (span_is(span_text(what), "!core"))
        link_free(p->core);
    else if (span_is(span_text(what), "!control"))
        link_free(p->control);
    else
        must(!receive(p, p->core, &m), "an answer"); /* the runner ends by itself */
    say_exit(p);
}

/* Words between single spaces. */
static unsigned split(char *line, char *words[LINE_WORDS_MOST])
{
    unsigned n = 0;
    words[LINE_WORDS] = words[LINE_WORDS + 1] = NULL;
    words[n++] = line;
    for (; *line && *line != '\n'; line++) {
        if (*line != ' ')
            continue;
        *line = 0;
        if (n == LINE_WORDS_MOST)
            return 0;
        words[n++] = line + 1;
    }
    *line = 0;
    return n;
}

int main(int argc, char **argv)
{
    char *line = NULL, *words[LINE_WORDS_MOST];
    size_t room = 0;
    unsigned under_way = 0;
    struct message ready;
    must(argc == 3, "RUNNER CONFIG");
    struct played p = runner_start(argv[1], argv[2]);
    if (!receive(&p, p.control, &ready))
        say_exit(&p);
    must(ready.type == MESSAGE_READY, "READY");
    while (getline(&line, &room, stdin) > 0) {
        unsigned n = split(line, words);
        if (words[0][0] == '!')
            order(&p, words[0]);
        if (words[0][0] == '.') {
            finish(&p, under_way);
            under_way = 0;
            continue;
        }
        must(n == LINE_WORDS || n == LINE_WORDS_MOST, "a line of ten words, or twelve");
        send_call(&p, words, false);
        under_way++;
    }
    free(line);
    order(&p, "!control");
}
