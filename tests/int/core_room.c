#include "config.h"

#include "tests/int/core_room.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void must_ok(result r, const char *what)
{
    char text[256];
    if (!is_ok(r))
        printf("# %s\n", result_text(r, text, sizeof text));
    must(is_ok(r), what);
}

static void at_front(struct core_room *r, const struct message *m)
{
    struct span text;
    must_ok(text_read(m->fields, &text), "REPLY");
    json_decref(r->reply);
    must_ok(json_strict(text, LINK_PACKET_MAX, &r->reply), "REPLY");
    r->reply_slot = m->slot;
}

static void at_control(struct core_room *r, const struct message *m)
{
    r->ready |= m->type == MESSAGE_READY;
}

static void drain(struct core_room *r, struct link *l, void (*take)(struct core_room *, const struct message *))
{
    struct message m;
    bool got = l != NULL;
    while (got) {
        result e = link_receive(l, &m, &got);
        if (!is_ok(e)) {
            must(code_of(e) == E_peer_gone, "the core sends only what is legal");
            r->gone = true;
            return;
        }
        if (got)
            take(r, &m);
    }
}

bool core_pump(struct core_room *r, int64_t end_ms)
{
    struct link *links[] = { r->control, r->front, r->keeper };
    struct pollfd fds[3];
    int64_t left = end_ms - clock_mono_ms();
    if (r->gone || left < 0)
        return false;
    for (unsigned i = 0; i < 3; i++)
        fds[i] = (struct pollfd){ .fd = links[i] ? link_fd(links[i]) : -1, .events = POLLIN };
    must(poll(fds, 3, (int)left) >= 0 || errno == EINTR, "poll");
    drain(r, r->keeper, core_keeper_takes);
    drain(r, r->front, at_front);
    drain(r, r->control, at_control);
    return true;
}

static enum seb_code reply_code(const struct core_room *r)
{
    const char *code = json_string_value(json_object_get(r->reply, "code"));
    return code ? code_named(code) : E_ok;
}

enum seb_code core_ask(struct core_room *r, enum message_type type, const struct buf *fields)
{
    uint64_t slot = ++r->next_slot;
    must_ok(link_send(r->front, type, slot, buf_span(fields)), "the front sends");
    CORE_WAIT(r, r->reply_slot == slot || r->gone);
    return r->reply_slot == slot ? reply_code(r) : E_CODES;
}

static int config_memfd(struct span text)
{
    int fd = memfd_create("config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    must(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n, "memfd");
    must(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0, "seals");
    return fd;
}

static void run_core(struct core_room *r, const int *fds, unsigned n)
{
    char path[256];
    int moved[8];
    snprintf(path, sizeof path, "%s/core.log", r->work);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log >= 0)
        dup2(log, 2);
    for (unsigned i = 0; i < n; i++)
        moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 32);
    for (unsigned i = 0; i < n; i++)
        dup2(moved[i], FD_CONFIG + (int)i);
    execl(r->program, "seb-core", (char *)NULL);
    _exit(127);
}

void core_start(struct core_room *r)
{
    int control[2], front[2], keeper[2], runner[2];
    const int kind = SOCK_SEQPACKET | SOCK_CLOEXEC;
    must(!socketpair(AF_UNIX, kind, 0, control) && !socketpair(AF_UNIX, kind, 0, front) && !socketpair(AF_UNIX, kind, 0, keeper) &&
             !socketpair(AF_UNIX, kind, 0, runner),
        "socketpair");
    const int fds[] = { config_memfd(buf_span(&r->config_text)), control[1], front[1], keeper[1], runner[1] };
    fflush(stdout);
    r->pid = fork();
    must(r->pid >= 0, "fork");
    if (r->pid == 0)
        run_core(r, fds, sizeof fds / sizeof fds[0]);
    for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++)
        close(fds[i]);
    must_ok(link_new(control[0], LINK_CONTROL, END_FIRST, &r->control), "link");
    must_ok(link_new(front[0], LINK_FRONT_CORE, END_FIRST, &r->front), "link");
    must_ok(link_new(keeper[0], LINK_CORE_KEEPER, END_SECOND, &r->keeper), "link");
    must_ok(link_new(runner[0], LINK_RUNNER_CORE, END_FIRST, &r->runner), "link");
    r->gone = r->ready = r->resumed = false;
    r->run[0]++;
    core_tell_keys(r, r->keys[ROLE_MINT]);
    CORE_WAIT(r, r->ready || r->gone);
}

static void ended(struct core_room *r)
{
    link_free(r->control);
    link_free(r->front);
    link_free(r->keeper);
    link_free(r->runner);
    r->control = r->front = r->keeper = r->runner = NULL;
    r->pid = 0;
}

void core_kill(struct core_room *r)
{
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    ended(r);
}

/* Closes the control link; the core's exit code, -1 where it doesn't end. */
static int close_control(struct core_room *r)
{
    int status = 0;
    pid_t pid = 0;
    link_free(r->control);
    r->control = NULL;
    for (int64_t end = clock_mono_ms() + ROOM_WAIT_MS; pid == 0 && clock_mono_ms() < end;) {
        pid = waitpid(r->pid, &status, WNOHANG);
        if (pid == 0 && !core_pump(r, clock_mono_ms() + 20))
            poll(NULL, 0, 5);
    }
    if (pid == 0)
        kill(r->pid, SIGKILL);
    ended(r);
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void core_stop(struct core_room *r)
{
    if (!r->pid)
        return;
    /* It may have ended already: then its code says so. */
    (void)is_ok(link_send(r->control, MESSAGE_STOP, 0, (struct span){ NULL, 0 }));
    check_that(r->c, close_control(r) == 0, "the core stops when told to");
}

void core_orphan(struct core_room *r)
{
    check_that(r->c, close_control(r) == CHILD_EXIT_PEER_GONE, "the core ends with its supervisor");
    r->newest_ms = 0; /* what was signed last may not be stored, and comes once more */
}

static json_t *jwk_of(struct testkey *k)
{
    json_t *jwk;
    must_ok(pubkey_jwk(testkey_public(k), &jwk), "jwk");
    return jwk;
}

void core_make(struct core_room *r, struct checks *c, const char *work, const char *program)
{
    *r = (struct core_room){ .c = c, .work = work, .program = program, .answers = true };
    r->config_text = BUF(CONFIG_MAX);
    r->note = BUF(NOTE_MAX);
    world_new(&r->w);
    r->policy_key = testkey_new(ALG_ES256);
    r->revocation_key = testkey_new(ALG_EDDSA);
    r->next_mint = testkey_new(ALG_ES256);
    for (unsigned i = 0; i < ROLES; i++)
        r->keys[i] = testkey_new(ALG_ES256);
    json_object_set_new(r->w.policy_json, "hsm", json_null());
    char state[256];
    snprintf(state, sizeof state, "%s/state", work);
    AUTO_JSON *o = json_pack("{s:s,s:s,s:s,s:{s:s},s:{s:s},s:{s:o,s:o},s:{s:{s:s,s:s,s:s,s:s}}}", "domain", "prod.example",
        "instance", "b1", "state_dir", state, "tpm", "path", "/dev/tpmrm0", "mint_key", "backend", "tpm", "pinned", "policy",
        jwk_of(r->policy_key), "revocation", jwk_of(r->revocation_key), "targets", "docs", "kind", "http", "prefix",
        "https://docs.example/", "audience", "docs", "ca", "/ca.pem");
    json_object_set_new(json_object_get(o, "targets"), "cluster",
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i}", "kind", "kubernetes", "prefix", "https://cluster.example/", "audience",
            "cluster", "ca", "/ca.pem", "issuer", "https://cluster.example/i", "settle_ms", 100, "timeout_ms", 1000));
    must(o != NULL, "configuration");
    must_ok(json_canonical(o, &r->config_text), "configuration");
}

void core_free(struct core_room *r)
{
    core_stop(r);
    world_free(&r->w);
    testkey_free(r->policy_key);
    testkey_free(r->revocation_key);
    testkey_free(r->next_mint);
    for (unsigned i = 0; i < ROLES; i++)
        testkey_free(r->keys[i]);
    for (unsigned i = 0; i < ROOM_ENTRIES; i++)
        buf_free(&r->entry[i]);
    buf_free(&r->config_text);
    buf_free(&r->note);
    json_decref(r->reply);
}
