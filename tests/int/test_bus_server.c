/* The bus with real peers: who may connect, what is answered `busy`, and that nobody is starved. Run as root: one peer is `nobody`,
 * a process of its own, since nng doesn't survive a fork. */
#include "config.h"

#include "tests/int/bus_room.h"
#include "tests/unit/check.h"

#include "base/clock.h"

#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#define NOBODY 65534
#define TIMEOUT_MS 20000

extern char **environ;

static const struct bus_server_args generous = { .pipes = 64, .in_flight = 4096, .in_flight_per_uid = 4096 };

static bool asks(struct bus_client *c, struct span frame, const char *want)
{
    AUTO_BUF reply = BUF(BUS_FRAME_MAX);
    return is_ok(bus_ask(c, frame, TIMEOUT_MS, &reply)) && span_is(buf_span(&reply), want);
}

static bool calls(const char *path, const char *text)
{
    AUTO_BUF reply = BUF(BUS_FRAME_MAX);
    return is_ok(bus_call(path, span_text(text), TIMEOUT_MS, &reply)) && span_is(buf_span(&reply), text);
}

static bool is_busy(struct bus_client *c)
{
    AUTO_BUF reply = BUF(BUS_FRAME_MAX), want = BUF(BUS_FRAME_MAX);
    return is_ok(bus_ask(c, span_text("x"), TIMEOUT_MS, &reply)) && is_ok(bus_frame_status(&want, "busy", E_busy)) &&
           span_equal(buf_span(&reply), buf_span(&want));
}

static struct bus_client *client_of(const char *path)
{
    struct bus_client *c;
    if (!is_ok(bus_connect(path, &c)))
        abort();
    return c;
}

/* Exit codes of this program as nobody; a sanitizer's are others. */
enum { ANSWERED = 40, UNAVAILABLE, OTHERWISE };

static int as_nobody(const char *path)
{
    char self[] = "/proc/self/exe", role[] = "nobody", copy[108];
    char *argv[] = { self, role, copy, NULL };
    pid_t pid;
    int status;
    snprintf(copy, sizeof copy, "%s", path);
    if (posix_spawn(&pid, self, NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static int be_nobody(const char *path)
{
    AUTO_BUF reply = BUF(BUS_FRAME_MAX);
    if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        return OTHERWISE;
    int64_t begun = clock_mono_ms();
    result r = bus_call(path, span_text("nobody"), TIMEOUT_MS, &reply);
    if (is_ok(r))
        return span_is(buf_span(&reply), "nobody") ? ANSWERED : OTHERWISE;
    return code_of(r) == E_unavailable && clock_mono_ms() - begun < TIMEOUT_MS ? UNAVAILABLE : OTHERWISE;
}

static bool has_mode(const char *path, mode_t mode, gid_t gid)
{
    struct stat st;
    return stat(path, &st) == 0 && (st.st_mode & 0777) == mode && st.st_gid == gid;
}

static void who_may_connect(struct checks *c)
{
    struct bus_server_args args = generous;
    struct room *r = room_open(&args);
    check_that(c, has_mode(room_path(r), 0600, 0), "without a group the socket is its owner's alone");
    check_that(c, calls(room_path(r), "hello") && room_last_uid(r) == 0, "a frame comes back, and the peer's uid is known");
    check_that(c, as_nobody(room_path(r)) == UNAVAILABLE, "another uid can't connect");
    room_close(r);

    args.group = "nogroup";
    r = room_open(&args);
    check_that(c, has_mode(room_path(r), 0660, NOBODY), "with a group it is the group's too");
    check_that(
        c, as_nobody(room_path(r)) == ANSWERED && room_last_uid(r) == NOBODY, "a member of the group is served under its own uid");
    room_close(r);

    args.root_only = true;
    r = room_open(&args);
    check_that(c, as_nobody(room_path(r)) == UNAVAILABLE, "root's socket cuts another uid off at once, whatever the file's mode");
    check_that(c, calls(room_path(r), "root"), "and serves root");
    check_that(c, room_counts(r).cut_off >= 1, "and counts it");
    room_close(r);
}

static void given_up(struct checks *c)
{
    struct room *r = room_open(&generous);
    struct bus_client *client = client_of(room_path(r));
    AUTO_BUF reply = BUF(BUS_FRAME_MAX);
    room_hold(r, true);
    check_code(c, bus_ask(client, span_text("first"), 50, &reply), E_unavailable, "a question without an answer ends in its time");
    room_hold(r, false);
    check_that(c, asks(client, span_text("second"), "second"), "its late answer isn't taken for the next one's");
    bus_client_free(client);
    room_close(r);
}

/* A server that goes while somebody waits, and comes back. */
static void server_gone(struct checks *c)
{
    struct bus_server_args args = generous;
    struct bus_server *s;
    struct bus_client *client;
    char folder[] = "/tmp/seb-bus-XXXXXX", path[64];
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof path, "%s/s", folder);
    args.path = path;
    if (!is_ok(bus_serve(&args, &s)))
        abort();
    client = client_of(path);
    bus_server_free(s);
    AUTO_BUF reply = BUF(BUS_FRAME_MAX);
    int64_t begun = clock_mono_ms();
    check_code(c, bus_ask(client, span_text("x"), TIMEOUT_MS, &reply), E_unavailable, "a server that went is unavailable");
    check_that(c, clock_mono_ms() - begun < TIMEOUT_MS, "before the time is over");
    bus_client_free(client);
    rmdir(folder);
}

static void what_lies_there(struct checks *c)
{
    struct bus_server_args args = generous;
    struct bus_server *s = NULL;
    char folder[] = "/tmp/seb-bus-XXXXXX", path[64], plain[64];
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof path, "%s/s", folder);
    snprintf(plain, sizeof plain, "%s/f", folder);
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    args.path = path;
    check_that(
        c, bind(fd, (struct sockaddr *)&name, sizeof name) == 0 && is_ok(bus_serve(&args, &s)), "a stale socket is replaced");
    bus_server_free(s);
    close(fd);
    check_that(c, access(path, F_OK) != 0, "the socket goes with the server");
    args.path = plain;
    if (!is_ok(file_write(plain, span_text("mine"), 0600, false)))
        abort();
    check_code(c, bus_serve(&args, &s), E_exists, "anything but a socket is left alone");
    check_that(c, access(plain, F_OK) == 0, "and is still there");
    args.path = path;
    args.group = "no such group";
    check_code(c, bus_serve(&args, &s), E_not_found, "an unknown group");
    args.path = "";
    check_code(c, bus_serve(&args, &s), E_bad_value, "no path");
    unlink(plain);
    rmdir(folder);
    struct bus_client *client;
    check_code(c, bus_connect(path, &client), E_unavailable, "nobody listens");
}

static void sizes(struct checks *c)
{
    static uint8_t big[BUS_FRAME_MAX + 1];
    struct room *r = room_open(&generous);
    AUTO_BUF reply = BUF(BUS_FRAME_MAX);
    struct span most = { big, BUS_FRAME_MAX };
    check_that(c, is_ok(bus_call(room_path(r), most, TIMEOUT_MS, &reply)) && span_equal(buf_span(&reply), most),
        "a frame of 64 KiB passes");
    check_code(c, bus_call(room_path(r), SPAN(big), TIMEOUT_MS, &reply), E_too_long, "our own client sends no larger one");

    char url[80];
    nng_socket s;
    nng_msg *m = NULL;
    snprintf(url, sizeof url, "ipc://%s", room_path(r));
    bool sent = nng_req0_open(&s) == 0 && nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, 300) == 0 && nng_dial(s, url, NULL, 0) == 0 &&
                nng_send(s, big, sizeof big, 0) == 0;
    check_that(c, sent && nng_recvmsg(s, &m, 0) != 0, "another's larger frame gets no answer");
    nng_close(s);
    check_that(c, calls(room_path(r), "after"), "and others are served on");
    check_that(c, room_counts(r).received == 2, "and nothing of it was received");
    room_close(r);
}

static bool holds_n(struct room *r, unsigned n)
{
    return room_held(r) == n;
}

/* A request that nobody waits for: sent, and the connection kept or ended. */
struct shot {
    nng_socket socket;
};
static struct shot shoot(const char *path)
{
    struct shot s;
    char url[80];
    snprintf(url, sizeof url, "ipc://%s", path);
    if (nng_req0_open(&s.socket) != 0 || nng_dial(s.socket, url, NULL, 0) != 0 || nng_send(s.socket, url, 4, 0) != 0)
        abort();
    return s;
}

static void in_flight(struct checks *c)
{
    struct bus_server_args args = generous;
    args.in_flight_per_uid = 3;
    struct room *r = room_open(&args);
    struct bus_client *client = client_of(room_path(r));
    struct shot shot[3];
    room_hold(r, true);
    for (unsigned i = 0; i < 3; i++)
        shot[i] = shoot(room_path(r));
    check_that(c, room_wait(r, holds_n, 3), "as many as the bound are under way");
    check_that(c, is_busy(client) && is_busy(client), "one more is answered busy at once");
    nng_close(shot[0].socket);
    check_that(c, is_busy(client), "also when one who waits has hung up");
    room_hold(r, false);
    check_that(c, room_wait(r, holds_n, 0) && asks(client, span_text("x"), "x"), "once they are answered there is room again");
    check_that(c, room_counts(r).busy == 3, "busy answers are counted");
    for (unsigned i = 1; i < 3; i++)
        nng_close(shot[i].socket);
    bus_client_free(client);
    room_close(r);
}

static void rate(struct checks *c)
{
    struct bus_server_args args = generous;
    args.rate_per_s_per_uid = 1;
    struct room *r = room_open(&args);
    struct bus_client *client = client_of(room_path(r));
    check_that(c, asks(client, span_text("x"), "x"), "the first frame of a second");
    unsigned busy = 0;
    for (unsigned i = 0; i < 50; i++)
        busy += is_busy(client);
    check_that(c, busy >= 45, "those beyond the rate are answered busy");
    bus_client_free(client);
    room_close(r);
}

static void connections(struct checks *c)
{
    struct bus_server_args args = generous;
    struct bus_client *client[7];
    args.pipes = 8;
    args.group = "nogroup";
    struct room *r = room_open(&args);
    unsigned served = 0;
    for (unsigned i = 0; i < 7; i++) {
        client[i] = client_of(room_path(r));
        served += asks(client[i], span_text("x"), "x");
    }
    AUTO_BUF reply = BUF(BUS_FRAME_MAX);
    check_that(c, served == 7, "as many connections as one uid may have");
    check_code(c, bus_call(room_path(r), span_text("x"), TIMEOUT_MS, &reply), E_unavailable, "one more is cut off");
    check_that(c, as_nobody(room_path(r)) == ANSWERED, "another uid still gets in");
    for (unsigned i = 0; i < 7; i++)
        bus_client_free(client[i]);
    room_close(r);
}

static void forgotten(struct checks *c)
{
    struct bus_server_args args = generous;
    args.in_flight = 1;
    struct room *r = room_open(&args);
    for (unsigned i = 0; i < 20; i++) {
        room_hold(r, true);
        struct shot s = shoot(room_path(r));
        if (!room_wait(r, holds_n, 1))
            break;
        nng_close(s.socket);
        room_hold(r, false);
        room_wait(r, holds_n, 0);
    }
    check_that(c, calls(room_path(r), "x"), "answers to those who hung up are dropped, and count no more");
    room_close(r);
}

struct crowd {
    const char *path;
    unsigned number, asks, wrong;
};

static void *one_of_many(void *crowd)
{
    struct crowd *k = crowd;
    struct bus_client *client = client_of(k->path);
    for (unsigned i = 0; i < k->asks; i++) {
        AUTO_BUF text = BUF(4096);
        AUTO_BUF reply = BUF(BUS_FRAME_MAX);
        bool same = is_ok(buf_printf(&text, "client %u, frame %u, %*u", k->number, i, (int)(i % 2000) + 1, i)) &&
                    is_ok(bus_ask(client, buf_span(&text), TIMEOUT_MS, &reply)) && span_equal(buf_span(&text), buf_span(&reply));
        k->wrong += !same;
    }
    bus_client_free(client);
    return NULL;
}

static void many(struct checks *c)
{
    struct room *r = room_open(&generous);
    struct crowd k[16];
    pthread_t t[16];
    unsigned wrong = 0;
    for (unsigned i = 0; i < 16; i++) {
        k[i] = (struct crowd){ .path = room_path(r), .number = i, .asks = 1000 };
        if (pthread_create(&t[i], NULL, one_of_many, &k[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < 16; i++) {
        pthread_join(t[i], NULL);
        wrong += k[i].wrong;
    }
    check_that(c, wrong == 0, "16 clients get 1,000 answers each, each its own");
    room_close(r);
}

struct flood {
    const char *path;
    atomic_bool stop;
    atomic_ulong sent;
};

/* Raw REQ: requests one after another, answers never read. */
static void *flood(void *flood)
{
    struct flood *f = flood;
    static uint8_t body[2048];
    char url[80];
    nng_socket s;
    nng_msg *m;
    snprintf(url, sizeof url, "ipc://%s", f->path);
    if (nng_req0_open_raw(&s) != 0 || nng_socket_set_ms(s, NNG_OPT_SENDTIMEO, 100) != 0 ||
        nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, 100) != 0 || nng_dial(s, url, NULL, 0) != 0)
        abort();
    for (uint32_t id = 0x80000000; !atomic_load(&f->stop); id++) {
        if (nng_msg_alloc(&m, 0) != 0 || nng_msg_append(m, body, sizeof body) != 0 || nng_msg_header_append_u32(m, id) != 0)
            abort();
        if (nng_sendmsg(s, m, 0) == 0)
            atomic_fetch_add(&f->sent, 1);
        else
            nng_msg_free(m);
    }
    /* Only now it reads: nng leaks the message that it is sending when its socket is closed. */
    while (nng_recvmsg(s, &m, 0) == 0)
        nng_msg_free(m);
    nng_close(s);
    return NULL;
}

static bool has_flooded(struct room *r, unsigned n)
{
    return room_counts(r).received >= n;
}

static void starved(struct checks *c, const struct bus_server_args *args, const char *name)
{
    struct room *r = room_open(args);
    struct flood f = { .path = room_path(r) };
    pthread_t t;
    if (pthread_create(&t, NULL, flood, &f) != 0)
        abort();
    bool flooded = room_wait(r, has_flooded, 500);
    struct crowd k = { .path = room_path(r), .asks = 2000 };
    one_of_many(&k);
    atomic_store(&f.stop, true);
    pthread_join(t, NULL);
    printf("# 2,000 answers beside %lu requests of a peer that reads nothing\n", atomic_load(&f.sent));
    check_that(c, flooded && atomic_load(&f.sent) > 1000 && k.wrong == 0, name);
    room_close(r);
}

/* The one who floods is root, beyond its own bounds; nobody comes as another uid. */
static void bounds_are_per_uid(struct checks *c)
{
    struct bus_server_args args = generous;
    args.rate_per_s_per_uid = 5;
    args.group = "nogroup";
    struct room *r = room_open(&args);
    struct flood f = { .path = room_path(r) };
    pthread_t t;
    if (pthread_create(&t, NULL, flood, &f) != 0)
        abort();
    bool flooded = room_wait(r, has_flooded, 500);
    bool served = as_nobody(room_path(r)) == ANSWERED && as_nobody(room_path(r)) == ANSWERED;
    atomic_store(&f.stop, true);
    pthread_join(t, NULL);
    check_that(c, flooded && served && room_counts(r).busy > 100, "one uid's flood leaves another's bounds alone");
    room_close(r);
}

/* Connections that say nothing: nng waits ten seconds for each, and knows nobody meanwhile. */
static void half_open(struct checks *c)
{
    enum { N = 200 };
    struct bus_server_args args = generous;
    args.pipes = 8;
    struct room *r = room_open(&args);
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int fd[N];
    unsigned connected = 0;
    snprintf(name.sun_path, sizeof name.sun_path, "%s", room_path(r));
    for (unsigned i = 0; i < N; i++) {
        fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        connected += connect(fd[i], (struct sockaddr *)&name, sizeof name) == 0;
    }
    check_that(c, connected == N && calls(room_path(r), "x"), "connections that never finish their handshake are no bar to others");
    for (unsigned i = 0; i < N; i++)
        close(fd[i]);
    room_close(r);
}

/* Peers that hang up after so many bytes of the handshake, again and again. */
static void *hang_up(void *path)
{
    static const uint8_t handshake[8] = { 0, 'S', 'P', 0, 0, 0x30, 0, 0 }; /* REQ, version 0 */
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf(name.sun_path, sizeof name.sun_path, "%s", (const char *)path);
    for (unsigned i = 0; i < 10000; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
            (void)!send(fd, handshake, i % 9, MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

static void hang_up_early(struct checks *c)
{
    struct room *r = room_open(&generous);
    char path[108];
    pthread_t t[3];
    snprintf(path, sizeof path, "%s", room_path(r));
    for (unsigned i = 0; i < 3; i++)
        if (pthread_create(&t[i], NULL, hang_up, path) != 0)
            abort();
    for (unsigned i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    /* Those of them that got through count as connections for a moment yet, and may fill the bound. */
    bool served = false;
    for (unsigned i = 0; i < 30 && !served; i++) {
        AUTO_BUF reply = BUF(BUS_FRAME_MAX);
        served = is_ok(bus_call(path, span_text("x"), 1000, &reply)) || (poll(NULL, 0, 50), false);
    }
    check_that(c, served, "30,000 peers that hang up in the handshake don't end the listener");
    room_close(r);
}

int main(int argc, char **argv)
{
    struct checks c = { 0 };
    if (argc == 3 && span_is(span_text(argv[1]), "nobody"))
        return be_nobody(argv[2]);
    if (geteuid() != 0) {
        printf("not ok - this test must be root, to have a peer of another uid\n");
        return 1;
    }
    who_may_connect(&c);
    given_up(&c);
    server_gone(&c);
    what_lies_there(&c);
    sizes(&c);
    in_flight(&c);
    rate(&c);
    connections(&c);
    forgotten(&c);
    many(&c);
    starved(&c, &generous, "a peer that never reads starves nobody");
    bounds_are_per_uid(&c);
    half_open(&c);
    hang_up_early(&c);
    return checks_end(&c);
}
