/* seb-submit against the real front and a core that only echoes: exit codes, polling, what it sends. Run as root, in the folder
 * that holds seb-front and seb-submit. */
#include "config.h"

#include "tests/fake/front_stand.h"
#include "tests/unit/busframes.h"
#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/json.h"
#include "submit/reply.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define CONTRACT                                                                                                            \
    "{\"contract\":{\"operation\":\"PUT\",\"parameters\":{\"body\":{\"length\":4,\"media_type\":\"text/plain\",\"sha256\":" \
    "\"AAAA\"}},\"resource\":\"https://h/a\",\"target\":\"t\",\"other\":1}}"

struct place {
    char folder[32], certificate[64], request[64], body[64], out[64];
    char pin_file[64];
};
/* The options that name the agent's key, on a token of SoftHSM2. */
#define KEY(p) "--module", SOFTHSM, "--token", "agent", "--pin-file", (p)->pin_file, "--key", "agent-1"
#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Exit code; stdout goes to the file, where one is given. */
static int spawn(const char *const *argv, const char *out)
{
    posix_spawn_file_actions_t fa;
    pid_t pid;
    int status;
    must(posix_spawn_file_actions_init(&fa) == 0);
    if (out)
        must(posix_spawn_file_actions_addopen(&fa, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600) == 0);
    must(posix_spawnp(&pid, argv[0], &fa, NULL, (char *const *)(uintptr_t)argv, environ) == 0);
    posix_spawn_file_actions_destroy(&fa);
    must(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void place_make(struct place *p)
{
    AUTO_BUF certificate = BUF(8192);
    struct testkey *authority = testkey_new(ALG_ES256);
    snprintf(p->folder, sizeof p->folder, "/tmp/seb-submit-XXXXXX");
    must(mkdtemp(p->folder) != NULL);
    snprintf(p->certificate, sizeof p->certificate, "%s/certificate", p->folder);
    snprintf(p->request, sizeof p->request, "%s/request", p->folder);
    snprintf(p->pin_file, sizeof p->pin_file, "%s/pin", p->folder);
    snprintf(p->body, sizeof p->body, "%s/body", p->folder);
    snprintf(p->out, sizeof p->out, "%s/out", p->folder);
    testkey_jws(&authority, 1, TYP_CERTIFICATE, span_text(CONTRACT), &certificate);
    must(is_ok(file_write(p->certificate, buf_span(&certificate), 0600, false)));
    must(is_ok(file_write(p->body, span_text("body"), 0600, false)));
    testkey_free(authority);
}

static void place_remove(const struct place *p)
{
    must(spawn((const char *const[]){ "rm", "-r", p->folder, NULL }, NULL) == 0);
}

/* Exit code; stdout is in p->out. */
static int run(const struct place *p, const char *const *args)
{
    const char *argv[32] = { "./seb-submit" };
    int n = 1;
    while (*args && n < 31)
        argv[n++] = *args++;
    return spawn(argv, p->out);
}

static void token_make(const struct place *p, const char *srcdir)
{
    AUTO_BUF script = BUF(4096);
    char conf[64];
    snprintf(conf, sizeof conf, "%s/softhsm2.conf", p->folder);
    must(is_ok(buf_printf(&script, ". '%s/tests/lib/hw.sh' && start_softhsm '%s' agent", srcdir, p->folder)));
    must(is_ok(buf_u8(&script, 0)));
    must(spawn((const char *const[]){ "bash", "-c", (const char *)script.p, NULL }, NULL) == 0);
    must(setenv("SOFTHSM2_CONF", conf, 1) == 0);
    must(run(p, (const char *const[]){ "key", "new", KEY(p), NULL }) == 0);
}

/* One that was signed elsewhere. */
static void request_write(const struct place *p, const char *payload)
{
    AUTO_BUF text = BUF(8192);
    struct testkey *agent = testkey_new(ALG_EDDSA);
    testkey_jws(&agent, 1, TYP_REQUEST, span_text(payload), &text);
    must(is_ok(file_write(p->request, buf_span(&text), 0600, true)));
    testkey_free(agent);
}

static bool out_has(const struct place *p, const char *member, const char *want)
{
    AUTO_BUF text = BUF(65536);
    AUTO_JSON *v = NULL;
    const char *got;
    must(is_ok(file_read(p->out, text.max, &text)));
    if (text.n)
        text.n--; /* the newline */
    return is_ok(json_strict(buf_span(&text), 65536, &v)) && is_ok(json_text(v, member, 128, &got)) &&
           span_is(span_text(got), want);
}

static void online(struct checks *c, struct stand *s, const struct place *p)
{
    const char *agents = stand_agents(s);
    const char *const submit[] = { "--socket", agents, "--certificate", p->certificate, KEY(p), "--body", p->body, "--json",
        "--wait-ms", "10", "--timeout", "20", NULL };
    const char *const later[] = { "--socket", agents, "--certificate", p->certificate, KEY(p), "--id", "again", "--json",
        "--wait-ms", "0", "--timeout", "0", NULL };
    const char *const altered[] = { "--socket", agents, "--certificate", p->certificate, KEY(p), "--operation", "DELETE",
        "--resource", "https://h/b", "--target", "u", "--media-type", "text/html", "--describe-body", "--body", p->body, NULL };
    char text[DIGEST_TEXT + 1];
    struct digest d = sha256(span_text(CONTRACT)), body = sha256(span_text("body"));
    check_that(c, run(p, submit) == SUBMIT_REFUSED && out_has(p, "certificate", digest_text(&d, text)), "a refusal is 3");
    check_that(c, out_has(p, "body", digest_text(&body, text)), "the body travels as it is");
    stand_pending(s, 5);
    check_that(c, run(p, submit) == SUBMIT_REFUSED && out_has(p, "status", "refused"), "it asks again while the answer is pending");
    stand_pending(s, 1000000);
    check_that(c, run(p, later) == SUBMIT_LATER && out_has(p, "status", "pending"), "and says so when its time is over: 5");
    stand_pending(s, 0);
    check_that(c, run(p, altered) == SUBMIT_REFUSED, "altered fields are sent, for the broker to refuse");
}

/* What was signed elsewhere is sent as it is, each time. */
static void signed_elsewhere(struct checks *c, struct stand *s, const struct place *p)
{
    static const char payload[] = "{\"id\":\"elsewhere\",\"wait_ms\":0}";
    const char *const submit[] = { "--socket", stand_agents(s), "--certificate", p->certificate, "--request", p->request, "--body",
        p->body, "--json", "--timeout", "20", NULL };
    char text[DIGEST_TEXT + 1];
    struct digest d = sha256(span_text(payload)), body = sha256(span_text("body"));
    request_write(p, payload);
    check_that(c, run(p, submit) == SUBMIT_REFUSED && out_has(p, "request", digest_text(&d, text)), "a request signed elsewhere");
    check_that(c, out_has(p, "body", digest_text(&body, text)), "its body");
    stand_pending(s, 3);
    int64_t before = clock_mono_ms();
    check_that(c, run(p, submit) == SUBMIT_REFUSED && out_has(p, "request", digest_text(&d, text)), "the same while it is pending");
    check_that(c, clock_mono_ms() - before >= 3 * 200, "without haste, though it says not to wait");
    request_write(p, "{\"id\":\"elsewhere\",\"wait_ms\":60001}");
    check_that(c, run(p, submit) == SUBMIT_LOCAL, "one that wants to wait too long isn't sent");
}

static void offline(struct checks *c, const struct place *p)
{
    const char *const nobody[] = { "--socket", "/nonexistent/s", "--certificate", p->certificate, KEY(p), NULL };
    const char *const no_certificate[] = { "--certificate", "/nonexistent", KEY(p), NULL };
    const char *const no_contract[] = { "--certificate", p->body, KEY(p), NULL };
    check_that(c, run(p, nobody) == SUBMIT_LATER, "where nobody listens it is 5");
    check_that(c, run(p, no_certificate) == SUBMIT_LOCAL && run(p, no_contract) == SUBMIT_LOCAL, "without a certificate it is 1");
}

int main(void)
{
    struct checks c = { 0 };
    struct place p;
    AUTO_BUF example = BUF(4096);
    const char *srcdir = getenv("srcdir");
    must(is_ok(buf_printf(&example, "%s/docs/examples/sebd.json", srcdir ? srcdir : ".")) && is_ok(buf_u8(&example, 0)));
    place_make(&p);
    token_make(&p, srcdir ? srcdir : ".");
    struct stand *s = stand_open("./seb-front", (const char *)example.p, 256, 2000);
    online(&c, s, &p);
    signed_elsewhere(&c, s, &p);
    offline(&c, &p);
    stand_close(s);
    place_remove(&p);
    return checks_end(&c);
}
