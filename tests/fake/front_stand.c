#include "config.h"

#include "tests/fake/front_stand.h"

#include "child/child.h"
#include "link/messages.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT_MAX 4096

extern char **environ;

struct stand {
    char folder[32], agents[64], admin[64];
    pid_t pid;
    int control, wake;
    struct link *link;
    pthread_t thread;
    pthread_mutex_t lock;
    bool silent, stop;
    unsigned kept, pending, noise_messages;
    uint64_t slot[KEPT_MAX];
    uint32_t noise[E_CODES];
};

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    abort();
}

static void put(json_t *o, const char *name, json_t *v)
{
    need(v && json_object_set_new(o, name, v) == 0, name);
}

/* A sealed memfd of the example's configuration with this stand's paths and limits. */
static int config_fd(const struct stand *s, const char *example, int64_t in_flight, int64_t rate, const struct stand_door *door)
{
    AUTO_BUF text = BUF(CONFIG_MAX), ours = BUF(CONFIG_MAX), form = BUF(CONFIG_MAX);
    AUTO_JSON *v = NULL;
    need(is_ok(file_read(example, CONFIG_MAX, &text)) && is_ok(json_strict(buf_span(&text), CONFIG_MAX, &v)), example);
    put(v, "run_dir", json_string(s->folder));
    put(json_object_get(v, "bus"), "agents_group", json_string("nogroup"));
    (void)json_object_del(json_object_get(v, "bus"), "verifier");
    if (door)
        put(json_object_get(v, "bus"), "verifier",
            json_pack("{ssssssss}", "ca", door->ca, "certificate", door->certificate, "key", door->key, "listen", door->listen));
    put(json_object_get(v, "limits"), "in_flight_per_uid", json_integer(in_flight));
    put(json_object_get(v, "limits"), "rate_per_s_per_uid", json_integer(rate));
    need(is_ok(json_canonical(v, &ours)) && is_ok(config_canonical(buf_span(&ours), &form)), "config_canonical");
    int fd = memfd_create("config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    need(fd >= 0 && write(fd, form.p, form.n) == (ssize_t)form.n, "memfd");
    need(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0, "seals");
    return fd;
}

static void reply(struct stand *s, uint64_t slot, struct span json)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    need(is_ok(text_put(&fields, json)) && is_ok(link_send(s->link, MESSAGE_REPLY, slot, buf_span(&fields))), "REPLY");
}

/* What the core would have had: who, how many signatures, the digest of each part. */
static void answer_submit(struct stand *s, const struct message *m)
{
    struct submit_message q;
    AUTO_BUF json = BUF(4096);
    char certificate[DIGEST_TEXT + 1], request[DIGEST_TEXT + 1], body[DIGEST_TEXT + 1];
    need(is_ok(submit_read(m->fields, &q)), "SUBMIT");
    struct digest dc = sha256(q.certificate.payload), dr = sha256(q.request.payload), db = sha256(q.body);
    need(is_ok(buf_printf(&json,
             "{\"body\":\"%s\",\"certificate\":\"%s\",\"n\":%u,\"request\":\"%s\",\"status\":\"refused\",\"uid\":%u}",
             digest_text(&db, body), digest_text(&dc, certificate), q.certificate.n, digest_text(&dr, request), q.uid)),
        "printf");
    reply(s, m->slot, buf_span(&json));
}

static void answer_admin(struct stand *s, const struct message *m)
{
    struct admin_message q;
    AUTO_BUF json = BUF(4096);
    need(is_ok(admin_read(m->fields, &q)), "ADMIN");
    need(is_ok(buf_printf(&json, "{\"n\":%u,\"operation\":%d,\"status\":\"ok\"}", q.statement.n, (int)q.operation)), "printf");
    reply(s, m->slot, buf_span(&json));
}

static void answer_attest(struct stand *s, const struct message *m)
{
    struct attest_message q;
    AUTO_BUF json = BUF(4096);
    char payload[DIGEST_TEXT + 1];
    need(is_ok(attest_read(m->fields, &q)), "ATTEST");
    struct digest d = sha256(q.statement.payload);
    need(is_ok(buf_printf(&json, "{\"n\":%u,\"payload\":\"%s\",\"status\":\"ok\"}", q.statement.n, digest_text(&d, payload))),
        "printf");
    reply(s, m->slot, buf_span(&json));
}

static void take(struct stand *s, const struct message *m)
{
    struct noise_message n;
    if (m->type == MESSAGE_NOISE) {
        need(is_ok(noise_read(m->fields, &n)), "NOISE");
        s->noise[n.code] += n.count;
        s->noise_messages++;
    } else if (s->silent) {
        need(s->kept < KEPT_MAX, "kept");
        s->slot[s->kept++] = m->slot;
    } else if (m->type == MESSAGE_SUBMIT && s->pending) {
        s->pending--;
        reply(s, m->slot, span_text("{\"code\":\"pending\",\"status\":\"pending\"}"));
    } else if (m->type == MESSAGE_SUBMIT) {
        answer_submit(s, m);
    } else if (m->type == MESSAGE_ATTEST) {
        answer_attest(s, m);
    } else {
        answer_admin(s, m);
    }
}

static void let_go(struct stand *s)
{
    while (!s->silent && s->kept)
        reply(s, s->slot[--s->kept], span_text("{\"status\":\"pending\"}"));
}

static void *be_core(void *stand)
{
    struct stand *s = stand;
    for (;;) {
        struct pollfd p[2] = { { .fd = link_fd(s->link), .events = link_events(s->link) }, { .fd = s->wake, .events = POLLIN } };
        uint64_t n;
        poll(p, 2, -1);
        pthread_mutex_lock(&s->lock);
        if (p[1].revents)
            need(read(s->wake, &n, sizeof n) == sizeof n, "eventfd");
        let_go(s);
        bool stop = s->stop || !is_ok(link_flush(s->link));
        for (bool got = !stop; got;) {
            struct message m;
            got = false;
            stop = !is_ok(link_receive(s->link, &m, &got));
            if (!stop && got)
                take(s, &m);
        }
        pthread_mutex_unlock(&s->lock);
        if (stop)
            return NULL;
    }
}

static void spawn(struct stand *s, const char *program, int config, int control, int core)
{
    posix_spawn_file_actions_t fa;
    char name[] = "seb-front";
    char *argv[] = { name, NULL };
    /* Above the numbers that the child gets, so that no dup2 overwrites a source. */
    int from[3] = { fcntl(config, F_DUPFD_CLOEXEC, 50), fcntl(control, F_DUPFD_CLOEXEC, 50), fcntl(core, F_DUPFD_CLOEXEC, 50) };
    need(posix_spawn_file_actions_init(&fa) == 0, "spawn");
    for (int i = 0; i < 3; i++)
        need(posix_spawn_file_actions_adddup2(&fa, from[i], FD_CONFIG + i) == 0, "spawn");
    need(posix_spawn(&s->pid, program, &fa, NULL, argv, environ) == 0, program);
    posix_spawn_file_actions_destroy(&fa);
    for (int i = 0; i < 3; i++)
        close(from[i]);
}

/* The supervisor's part: until the front says READY. */
static void await_ready(int control)
{
    struct link *l;
    struct message m;
    bool got = false;
    need(is_ok(link_new(dup(control), LINK_CONTROL, END_FIRST, &l)), "control");
    while (!got) {
        struct pollfd p = { .fd = link_fd(l), .events = POLLIN };
        need(poll(&p, 1, 20000) == 1 && is_ok(link_receive(l, &m, &got)), "READY");
    }
    need(m.type == MESSAGE_READY, "READY");
    link_free(l);
}

struct stand *stand_open(const char *program, const char *config, int64_t in_flight_per_uid, int64_t rate_per_s_per_uid)
{
    return stand_open_with(program, config, in_flight_per_uid, rate_per_s_per_uid, NULL);
}

struct stand *stand_open_with(
    const char *program, const char *config, int64_t in_flight, int64_t rate, const struct stand_door *door)
{
    int control[2], core[2];
    struct stand *s = calloc(1, sizeof *s);
    need(s != NULL, "calloc");
    snprintf(s->folder, sizeof s->folder, "/tmp/seb-front-XXXXXX");
    need(mkdtemp(s->folder) && chmod(s->folder, 0755) == 0, "mkdtemp");
    snprintf(s->agents, sizeof s->agents, "%s/agents.sock", s->folder);
    snprintf(s->admin, sizeof s->admin, "%s/admin.sock", s->folder);
    need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) == 0, "socketpair");
    need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, core) == 0, "socketpair");
    int fd = config_fd(s, config, in_flight, rate, door);
    spawn(s, program, fd, control[1], core[1]);
    close(fd);
    close(control[1]);
    close(core[1]);
    s->control = control[0];
    await_ready(s->control);
    need(is_ok(link_new(core[0], LINK_FRONT_CORE, END_SECOND, &s->link)), "link");
    pthread_mutex_init(&s->lock, NULL);
    need((s->wake = eventfd(0, EFD_CLOEXEC)) >= 0, "eventfd");
    need(pthread_create(&s->thread, NULL, be_core, s) == 0, "pthread_create");
    return s;
}

const char *stand_agents(const struct stand *s)
{
    return s->agents;
}

const char *stand_admin(const struct stand *s)
{
    return s->admin;
}

static void wake(struct stand *s)
{
    uint64_t one = 1;
    need(write(s->wake, &one, sizeof one) == sizeof one, "eventfd");
}

void stand_silence(struct stand *s, bool silent)
{
    pthread_mutex_lock(&s->lock);
    s->silent = silent;
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

void stand_pending(struct stand *s, unsigned n)
{
    pthread_mutex_lock(&s->lock);
    s->pending = n;
    pthread_mutex_unlock(&s->lock);
}

unsigned stand_kept(struct stand *s)
{
    pthread_mutex_lock(&s->lock);
    unsigned n = s->kept;
    pthread_mutex_unlock(&s->lock);
    return n;
}

uint32_t stand_noise(struct stand *s, enum seb_code code)
{
    pthread_mutex_lock(&s->lock);
    uint32_t n = s->noise[code];
    pthread_mutex_unlock(&s->lock);
    return n;
}

unsigned stand_noise_messages(struct stand *s)
{
    pthread_mutex_lock(&s->lock);
    unsigned n = s->noise_messages;
    pthread_mutex_unlock(&s->lock);
    return n;
}

int stand_close(struct stand *s)
{
    int status;
    close(s->control);
    need(waitpid(s->pid, &status, 0) == s->pid, "waitpid");
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    link_free(s->link);
    close(s->wake);
    pthread_mutex_destroy(&s->lock);
    int left = rmdir(s->folder);
    free(s);
    return left == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
