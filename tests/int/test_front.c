/* seb-front as the supervisor runs it, between real bus clients and a core that only echoes. Run as root. Arguments: none;
 * seb-front and seb-submit are in the current folder. */
#include "config.h"

#include "tests/fake/front_stand.h"
#include "tests/int/strangers.h"
#include "tests/unit/busframes.h"
#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/json.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 20000
#define EXAMPLE "/docs/examples/sebd.json"

static struct stand *stand(int64_t in_flight, int64_t rate)
{
    AUTO_BUF example = BUF(4096);
    const char *srcdir = getenv("srcdir");
    if (!is_ok(buf_printf(&example, "%s" EXAMPLE, srcdir ? srcdir : ".")) || !is_ok(buf_u8(&example, 0)))
        abort();
    return stand_open("./seb-front", (const char *)example.p, in_flight, rate);
}

/* The answer's member, or its status where the answer isn't JSON with such a member: "". */
static bool answers(const char *path, struct span frame, const char *member, const char *want)
{
    AUTO_BUF reply = BUF(BUS_FRAME_MAX);
    AUTO_JSON *v = NULL;
    struct bus_frame f;
    const char *got = "";
    bool ok = is_ok(bus_call(path, frame, TIMEOUT_MS, &reply)) && is_ok(bus_frame_read(buf_span(&reply), &f)) &&
              is_ok(json_strict(f.json, BUS_FRAME_MAX, &v)) && is_ok(json_text(v, member, 128, &got)) &&
              span_is(span_text(got), want);
    if (!ok)
        printf("# %s: %s, not %s\n", member, got, want);
    return ok;
}

static void doors(struct checks *c, const struct testkey *agent, struct testkey *authority)
{
    struct stand *s = stand(256, 2000);
    AUTO_BUF submit = BUF(BUS_FRAME_MAX), status = BUF(BUS_FRAME_MAX);
    struct stat st;
    char digest[DIGEST_TEXT + 1];
    struct digest d = sha256(span_text("the certificate"));
    frame_submit(&(struct submit_frame){ &authority, 1, agent, "the certificate", "request", span_text("body") }, &submit);
    frame_of("{\"op\":\"status\"}", (struct span){ 0 }, &status);
    check_that(c, stat(stand_agents(s), &st) == 0 && (st.st_mode & 0777) == 0660 && st.st_gid == 65534,
        "the agents' socket is its group's");
    check_that(c, stat(stand_admin(s), &st) == 0 && (st.st_mode & 0777) == 0600, "the administration's is root's");
    check_that(c, answers(stand_agents(s), buf_span(&submit), "certificate", digest_text(&d, digest)),
        "a submission's parts reach the core, and its answer comes back");
    check_that(c, answers(stand_admin(s), buf_span(&status), "status", "ok"), "a status goes through root's socket");
    check_that(c, answers(stand_agents(s), buf_span(&status), "status", "invalid"), "not through the agents'");
    check_that(c, answers(stand_admin(s), buf_span(&submit), "status", "invalid"), "and no submission through root's");
    check_that(c, stand_close(s) == 0, "it ends when the supervisor lets go, and leaves no socket");
}

static void noise(struct checks *c)
{
    struct stand *s = stand(256, 100000);
    AUTO_BUF bad = BUF(BUS_FRAME_MAX);
    unsigned answered = 0;
    frame_of("{\"op\":\"submit\"", (struct span){ 0 }, &bad);
    int64_t begun = clock_mono_ms();
    for (unsigned i = 0; i < 300; i++)
        answered += answers(stand_agents(s), i % 2 ? buf_span(&bad) : span_text("SEB0"), "code", i % 2 ? "bad_json" : "bad_frame");
    check_that(c, answered == 300, "what isn't well-formed is answered with the name of what is wrong");
    for (unsigned i = 0; i < 5000 && stand_noise(s, E_bad_json) + stand_noise(s, E_bad_frame) < 300; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    check_that(
        c, stand_noise(s, E_bad_json) == 150 && stand_noise(s, E_bad_frame) == 150, "and the core learns how many there were");
    unsigned seconds = (unsigned)((clock_mono_ms() - begun) / 1000) + 1;
    check_that(c, stand_noise_messages(s) <= 2 * (seconds + 1), "once a second for each name at most");
    stand_close(s);
}

struct ask {
    const char *path;
    struct span frame;
    atomic_uint *pending;
};

static void *ask(void *ask)
{
    struct ask *a = ask;
    if (answers(a->path, a->frame, "status", "pending"))
        atomic_fetch_add(a->pending, 1);
    return NULL;
}

static void silent_core(struct checks *c, const struct testkey *agent, struct testkey *authority)
{
    struct stand *s = stand(8, 100000);
    AUTO_BUF submit = BUF(BUS_FRAME_MAX), status = BUF(BUS_FRAME_MAX);
    pthread_t t[8];
    atomic_uint pending = 0;
    struct ask a = { stand_agents(s), { 0 }, &pending };
    frame_submit(&(struct submit_frame){ &authority, 1, agent, "certificate", "request", { 0 } }, &submit);
    frame_of("{\"op\":\"status\"}", (struct span){ 0 }, &status);
    a.frame = buf_span(&submit);
    stand_silence(s, true);
    for (unsigned i = 0; i < 8; i++)
        if (pthread_create(&t[i], NULL, ask, &a) != 0)
            abort();
    for (unsigned i = 0; i < 5000 && stand_kept(s) < 8; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    check_that(c, stand_kept(s) == 8, "as many as one uid may have are with the core");
    check_that(c, answers(stand_agents(s), buf_span(&submit), "code", "busy"), "the next is answered busy at once");
    check_that(c, answers(stand_agents(s), span_text("x"), "code", "busy"), "before anything of it is read");
    stand_silence(s, false);
    for (unsigned i = 0; i < 8; i++)
        pthread_join(t[i], NULL);
    check_that(c, atomic_load(&pending) == 8, "those who waited get their answers");
    check_that(c, answers(stand_admin(s), buf_span(&status), "status", "ok"), "and it goes on");
    stand_close(s);
}

/* The verifiers' door: files, port and end of one test. */
static char tls_folder[] = "/tmp/seb-tls-XXXXXX";
static char tls_file[5][64];
static void make_tls(void)
{
    static const char *const name[5] = { "ca.pem", "server.pem", "server.key", "client.pem", "client.key" };
    char command[512];
    const char *srcdir = getenv("srcdir");
    snprintf(command, sizeof command, "bash '%s/tests/lib/tls.sh' %s", srcdir ? srcdir : ".", mkdtemp(tls_folder));
    if (system(command) != 0)
        abort();
    for (unsigned i = 0; i < 5; i++)
        snprintf(tls_file[i], sizeof tls_file[i], "%s/%s", tls_folder, name[i]);
}

static bool asks_door(struct bus_client *client, struct span frame, const char *member, const char *want)
{
    AUTO_BUF reply = BUF(BUS_FRAME_MAX);
    AUTO_JSON *v = NULL;
    struct bus_frame f;
    const char *got = "";
    return is_ok(bus_ask(client, frame, TIMEOUT_MS, &reply)) && is_ok(bus_frame_read(buf_span(&reply), &f)) &&
           is_ok(json_strict(f.json, BUS_FRAME_MAX, &v)) && is_ok(json_text(v, member, 128, &got)) && span_is(span_text(got), want);
}

/* {"op":"challenge","challenge":JWS}, of which the front wants no more than that it is one. */
static void challenge_frame(struct testkey *verifier, struct buf *out)
{
    AUTO_BUF json = BUF(BUS_FRAME_MAX);
    if (!is_ok(buf_text(&json, "{\"op\":\"challenge\",\"challenge\":")))
        abort();
    testkey_jws(&verifier, 1, TYP_CHALLENGE, span_text("the challenge"), &json);
    if (!is_ok(buf_text(&json, "}")) || !is_ok(bus_frame_put(out, &(struct bus_frame){ .json = buf_span(&json) })))
        abort();
}

static void third_door(struct checks *c, const struct testkey *agent, struct testkey *authority)
{
    char listen[32], digest[DIGEST_TEXT + 1];
    unsigned port = 20000 + (unsigned)getpid() % 20000;
    const char *example = getenv("srcdir");
    AUTO_BUF config = BUF(4096), challenge = BUF(BUS_FRAME_MAX), submit = BUF(BUS_FRAME_MAX), status = BUF(BUS_FRAME_MAX);
    make_tls();
    snprintf(listen, sizeof listen, "127.0.0.1:%u", port);
    if (!is_ok(buf_printf(&config, "%s" EXAMPLE, example ? example : ".")) || !is_ok(buf_u8(&config, 0)))
        abort();
    struct stand *s = stand_open_with("./seb-front", (const char *)config.p, 256, 100000,
        &(struct stand_door){ .ca = tls_file[0], .certificate = tls_file[1], .key = tls_file[2], .listen = listen });
    struct bus_tls tls = { .certificate = tls_file[3], .key = tls_file[4], .ca = tls_file[0] };
    struct bus_client *client = NULL;
    struct digest d = sha256(span_text("the challenge"));
    challenge_frame(authority, &challenge);
    frame_submit(&(struct submit_frame){ &authority, 1, agent, "the certificate", "request", span_text("body") }, &submit);
    frame_of("{\"op\":\"status\"}", (struct span){ 0 }, &status);
    check_code(c, bus_connect_tls(&tls, listen, &client), E_ok, "a verifier is let in");
    check_that(c, asks_door(client, buf_span(&challenge), "payload", digest_text(&d, digest)), "its challenge reaches the core");
    check_that(c, asks_door(client, buf_span(&status), "status", "invalid"), "no administration through its door");
    check_that(c, asks_door(client, buf_span(&submit), "status", "invalid"), "and no submission");
    check_that(c, answers(stand_agents(s), buf_span(&challenge), "status", "invalid"), "no challenge through the agents'");
    struct strangers f = { .port = port, .from = "127.0.0.2" };
    pthread_t t;
    if (pthread_create(&t, NULL, strangers_half_open, &f) != 0)
        abort();
    while (atomic_load(&f.made) < 400)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    unsigned agents = 0, verifiers = 0;
    for (unsigned i = 0; i < 300; i++)
        agents += answers(stand_agents(s), buf_span(&submit), "status", "refused");
    for (unsigned i = 0; i < 30; i++)
        verifiers += asks_door(client, buf_span(&challenge), "status", "ok");
    atomic_store(&f.stop, true);
    pthread_join(t, NULL);
    check_that(c, agents == 300 && verifiers == 30, "a flood of strangers at its door is in nobody's way");
    unsigned busy = 0;
    for (unsigned i = 0; i < 300; i++)
        busy += asks_door(client, buf_span(&challenge), "status", "busy");
    check_that(c, busy > 0, "who asks too often is answered busy");
    bus_client_free(client);
    check_that(c, stand_close(s) == 0, "it ends with its doors");
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", tls_folder);
    if (system(command) != 0)
        abort();
}

int main(void)
{
    struct checks c = { 0 };
    struct testkey *agent = testkey_new(ALG_ES256), *authority = testkey_new(ALG_ES256);
    doors(&c, agent, authority);
    noise(&c);
    silent_core(&c, agent, authority);
    third_door(&c, agent, authority);
    testkey_free(agent);
    testkey_free(authority);
    return checks_end(&c);
}
