/* A keeper whose hardware is slow, hangs, goes and comes back, or isn't the one that init recorded.
 *
 * test_keeper_hardware WORK KEEPER SLOW_TPM HARDWARE, in the world of tests/int/keeper-hardware; HARDWARE is a script that kills
 * and starts TPM and token. */
#include "config.h"

#include "tests/int/keeper_room.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOW_MS "50"
#define LOAD_CHECKPOINTS 8
#define LOAD_MOST_MS 60000

struct world_of_hardware {
    struct checks c;
    const char *work, *program, *slow_tpm, *script;
};

/* HARDWARE ACTION WORK */
static void hardware(const struct world_of_hardware *h, const char *action)
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execl(h->script, h->script, action, h->work, (char *)NULL);
        _exit(127);
    }
    must(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0, action);
}

/* Its commands are lines of `log`, where that isn't NULL. */
static pid_t start_slow_tpm(
    const struct world_of_hardware *h, const char *listens, const char *tpm, const char *ms, const char *log)
{
    int ready[2];
    char c;
    fflush(stdout);
    must(pipe(ready) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ready[1], 1);
        execl(h->slow_tpm, "slow_tpm", listens, tpm, ms, log, (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    must(pid > 0 && read(ready[0], &c, 1) == 1, "slow_tpm");
    close(ready[0]);
    return pid;
}

static void end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

struct asked { /* a certificate and its decision, under a signed checkpoint */
    struct document certificate;
    uint64_t index;
};

static struct asked ask(struct room *r, bool reads)
{
    room_fresh_certificate(r);
    struct asked a = { .certificate = room_certificate(r, r->w.authority[0]) };
    struct entry e = reads ? room_read(r, &a.certificate) : room_decision(r, &a.certificate);
    a.index = room_append_entry(r, &e);
    return a;
}

/* What is asked under a signed checkpoint, with the result that is held now. */
static enum seb_code mint_asked(struct room *r, struct asked *a, bool reads)
{
    enum seb_code code = room_mint(r, a->index, &a->certificate.jws, reads ? (struct span){ NULL, 0 } : ROOM_BODY);
    document_free(&a->certificate);
    return code;
}

static enum seb_code mint_honestly(struct room *r)
{
    struct asked a = ask(r, false);
    room_sign(r);
    return mint_asked(r, &a, false);
}

static void killed_tpm(struct world_of_hardware *h, struct room *r)
{
    room_start(r, r->tpm);
    room_load_all(r);
    check_code(&h->c, fail(mint_honestly(r)), E_ok, "a credential, while the TPM is there");
    struct asked before = ask(r, false);
    room_sign(r);
    hardware(h, "kill");
    struct asked during = ask(r, false);
    room_send(r, MESSAGE_SIGN, 0, NULL);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == E_tpm_unavailable && r->tpm_again);
    check_that(&h->c, r->health == E_tpm_unavailable, "the TPM is killed with -9: HEALTH says tpm_unavailable");
    unsigned quotes = r->quotes;
    check_that(&h->c, r->tpm_again > 0, "and the supervisor is asked for a new descriptor");
    check_code(&h->c, fail(mint_asked(r, &before, false)), E_tpm_unavailable, "no credential without the record key");
    unsigned asked = r->tpm_again;
    room_give_tpm(r, NULL);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->tpm_again > asked);
    check_that(&h->c, r->tpm_again > asked, "an answer without a descriptor: it is asked again");
    hardware(h, "start");
    room_give_tpm(r, r->tpm);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == E_lease_missing);
    check_that(&h->c, r->health == E_lease_missing, "with the new descriptor all is proved again: HEALTH says lease_missing");
    check_code(
        &h->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "the verifier affirms the TPM that was reset, and leases the keys again");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == E_ok && r->signed_size == r->frontier.size);
    check_that(&h->c, r->health == E_ok, "HEALTH says ok");
    check_that(&h->c, r->signed_size == r->frontier.size, "what waited for a signature is signed");
    check_code(&h->c, fail(mint_asked(r, &during, false)), E_ok, "and a credential for it is minted");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->quoted_size == r->signed_size);
    check_that(&h->c, r->quoted_size == r->signed_size && r->quotes == quotes + 1, "and the first quote covers it");
    check_code(&h->c, fail(mint_honestly(r)), E_ok, "work goes on");
    room_stop(r);
}

/* Keys at the same handles of another TPM. */
static void provision_other(struct room *r, const char *path)
{
    const uint32_t handle[] = { r->config->handle_attestation, r->config->handle_record };
    struct tpm *t;
    int fd;
    enum tpm_transport transport;
    must_ok(tpm_connect(path, &fd, &transport), "TPM");
    must_ok(tpm_open(fd, transport, &t), "TPM");
    for (unsigned i = 0; i < 2; i++) {
        char pem[160];
        bool made;
        snprintf(pem, sizeof pem, "%s.%u.pem", path, i);
        must_ok(tpm_provision(t, (enum tpm_role)i, handle[i], pem, NULL, &made), pem);
    }
    tpm_close(t);
}

/* Another TPM in its place has other keys. */
static void another_tpm(struct world_of_hardware *h, struct room *r)
{
    char other[128];
    snprintf(other, sizeof other, "%s/t2/tpm", h->work);
    provision_other(r, other);
    room_start(r, r->tpm);
    room_load_all(r);
    hardware(h, "kill");
    room_send(r, MESSAGE_SIGN, 0, NULL);
    struct asked a = ask(r, false);
    room_send(r, MESSAGE_SIGN, 0, NULL);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->tpm_again && r->health != E_ok);
    unsigned checkpoints = r->checkpoints;
    room_give_tpm(r, other);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == E_key_mismatch);
    check_that(&h->c, r->health == E_key_mismatch && r->checkpoints == checkpoints,
        "another TPM's keys: HEALTH says key_mismatch, nothing is signed");
    hardware(h, "start");
    room_give_tpm(r, r->tpm);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == E_lease_missing);
    check_code(&h->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "with the right one a lease is taken");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == E_ok && r->signed_size == r->frontier.size);
    check_code(&h->c, fail(mint_asked(r, &a, false)), E_ok, "and work goes on");
    room_stop(r);
    room_start(r, other);
    check_that(&h->c, !r->ready && room_wait_end(r) == CHILD_EXIT_ABORT, "over another TPM the keeper doesn't start");
    room_start(r, NULL);
    check_that(&h->c, !r->ready && room_wait_end(r) == CHILD_EXIT_ABORT, "nor without one");
}

/* A TPM that hangs answers nothing: quotes fall behind, and mutations stop. */
static void hanging_tpm(struct world_of_hardware *h, struct room *r)
{
    room_start(r, r->tpm);
    room_load_all(r);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->quoted_size == r->signed_size && r->quotes);
    struct asked mutation = ask(r, false), soon = ask(r, false);
    room_sign(r);
    hardware(h, "stop");
    struct asked read = ask(r, true);
    check_code(&h->c, fail(mint_asked(r, &soon, false)), E_ok, "a quote that is less than a second behind is no obstacle");
    room_pump(r, clock_mono_ms());
    ROOM_WAIT(r, 1200, false);
    check_code(
        &h->c, fail(mint_asked(r, &mutation, false)), E_quote_stale, "a quote that is more than a second behind: no mutation");
    check_code(&h->c, fail(mint_asked(r, &read, true)), E_ok, "a read goes on");
    hardware(h, "continue");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->quoted_size == r->signed_size);
    check_code(&h->c, fail(mint_honestly(r)), E_ok, "the quote is there again, and so are mutations");
    room_stop(r);
}

/* Entry after entry, each to be signed at once, over a TPM that takes 50 ms longer for each command; for so long, and until so many
 * checkpoints came, which they do sooner or later as the machine is busy with others. */
static void load_for(struct room *r, int64_t ms, unsigned checkpoints)
{
    const unsigned wanted = r->checkpoints + checkpoints;
    AUTO_BUF noise = BUF(ENTRY_MAX);
    struct entry e = { .type = ENTRY_NOISE, .time = 1, .noise = { .from = 0, .until = 1 } };
    must_ok(entry_write(&e, &noise), "entry");
    const int64_t begun = clock_mono_ms();
    for (int64_t now = begun; (now < begun + ms || (r->checkpoints < wanted && now < begun + LOAD_MOST_MS)) && !r->gone;
         now = clock_mono_ms()) {
        room_append(r, buf_span(&noise));
        room_send(r, MESSAGE_SIGN, 0, NULL);
        room_pump(r, clock_mono_ms());
        room_pump(r, clock_mono_ms() + 2);
    }
}

static void slow_tpm(struct world_of_hardware *h, struct room *r)
{
    char slow[128];
    snprintf(slow, sizeof slow, "%s/slow-%d", h->work, r->mint_in_hsm);
    pid_t pid = start_slow_tpm(h, slow, r->tpm, SLOW_MS, NULL);
    room_start(r, slow);
    room_load_all(r);
    r->worst_quote_ms = 0;
    unsigned checkpoints = r->checkpoints, quotes = r->quotes;
    uint64_t size = r->frontier.size;
    load_for(r, 4000, LOAD_CHECKPOINTS);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->quoted_size == r->frontier.size);
    printf("# TPM + " SLOW_MS
           " ms a command, 4 s or more: %llu entries, %u checkpoints, %u quotes, longest without a quote %lld ms\n",
        (unsigned long long)(r->frontier.size - size), r->checkpoints - checkpoints, r->quotes - quotes,
        (long long)r->worst_quote_ms);
    /* Each takes the chip five commands: four to arm a session, one to sign. */
    check_that(&h->c, r->checkpoints - checkpoints >= LOAD_CHECKPOINTS, "signatures go on under load");
    check_that(&h->c, r->worst_quote_ms > 0 && r->worst_quote_ms <= 1000, "and each checkpoint has a quote within a second");
    check_code(&h->c, fail(mint_honestly(r)), E_ok, "a credential is minted over a slow TPM");

    /* Many at once: with the mint key in the TPM each takes a command, and neither signatures nor quotes wait for all of them. */
    enum { MANY = 24 };
    struct asked a[MANY];
    unsigned calls = r->calls;
    /* For as long as the policy lets them, on a machine that is busy with others. */
    edit(r->w.certificate_json, "contract.constraints.credential_s", "30");
    for (unsigned i = 0; i < MANY; i++)
        a[i] = ask(r, false);
    edit(r->w.certificate_json, "contract.constraints.credential_s", "10");
    room_sign(r);
    r->worst_quote_ms = 0;
    for (unsigned i = 0; i < MANY; i++) {
        AUTO_BUF fields = BUF(LINK_PACKET_MAX);
        must_ok(mint_put(
                    &fields, &(struct mint_message){ .index = a[i].index, .certificate = a[i].certificate.jws, .body = ROOM_BODY }),
            "MINT");
        room_send(r, MESSAGE_MINT, ++r->next_slot, &fields);
        document_free(&a[i].certificate);
    }
    int64_t begun = clock_mono_ms();
    struct asked later = ask(r, false);
    room_sign(r);
    printf("# a checkpoint behind %u mints: %lld ms\n", (unsigned)MANY, (long long)(clock_mono_ms() - begun));
    document_free(&later.certificate);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->calls == calls + MANY && r->quoted_size == r->frontier.size);
    check_that(&h->c, r->calls == calls + MANY, "many at once are all minted");
    check_that(&h->c, r->worst_quote_ms <= 1000, "and quotes are in time");
    room_stop(r);
    end_process(pid);
}

/* TPM 2.0 Part 2, TPM_CC: in the order in which a session is armed. */
#define CC_SIGN 0x15d
#define CC_QUOTE 0x158
#define CC_PCR 0x17f
#define CC_NV 0x149
#define CC_TICKET 0x172
#define CC_AUTHORIZE 0x16a
#define CC_RESTART 0x180

#define LOG_LINES 4096
struct command_log {
    const char *path;
    unsigned n, code[LOG_LINES];
};

static void command_log_read(struct command_log *l)
{
    FILE *f = fopen(l->path, "r");
    must(f != NULL, l->path);
    for (l->n = 0; l->n < LOG_LINES && fscanf(f, "%8x\n", &l->code[l->n]) == 1;)
        l->n++;
    fclose(f);
}

/* Until the proxy is at such a command, or past it. */
static bool wait_for_command(struct room *r, struct command_log *l, unsigned from, unsigned code)
{
    for (int64_t end = clock_mono_ms() + ROOM_WAIT_MS; clock_mono_ms() < end && !r->gone;) {
        command_log_read(l);
        for (unsigned i = from; i < l->n; i++)
            if (l->code[i] == code)
                return true;
        room_pump(r, clock_mono_ms() + 1);
    }
    return false;
}

/* How many commands the chip had begun from line `from` on until it signed, the signature among them; quotes aside, which go ahead
 * of it. */
static unsigned commands_to_sign(struct room *r, struct command_log *l, unsigned from)
{
    unsigned n = 0;
    if (!wait_for_command(r, l, from, CC_SIGN))
        return LOG_LINES;
    for (unsigned i = from; i < l->n; i++) {
        n += l->code[i] != CC_QUOTE;
        if (l->code[i] == CC_SIGN)
            return n;
    }
    return LOG_LINES;
}

static void sign_another(struct room *r)
{
    AUTO_BUF noise = BUF(ENTRY_MAX);
    struct entry e = { .type = ENTRY_NOISE, .time = 1, .noise = { .from = 0, .until = 1 } };
    must_ok(entry_write(&e, &noise), "entry");
    room_append(r, buf_span(&noise));
    room_send(r, MESSAGE_SIGN, 0, NULL);
}

/* Both sessions are armed: nothing is left to do for a while. */
static void wait_until_idle(struct room *r, struct command_log *l)
{
    unsigned before;
    do {
        command_log_read(l);
        before = l->n;
        ROOM_WAIT(r, 600, false); /* a quote is due within that */
        command_log_read(l);
    } while (l->n != before && !r->gone);
}

/* One signature uses one session; while that is being armed again another one is due, at each of the commands that it takes. */
static void arms_by_steps(struct world_of_hardware *h, struct room *r)
{
    static const unsigned at[] = { CC_PCR, CC_NV, CC_TICKET, CC_AUTHORIZE };
    static const char *const names[] = { "PolicyPCR", "PolicyNV", "PolicyTicket", "PolicyAuthorize" };
    char slow[128], path[128];
    snprintf(slow, sizeof slow, "%s/stepped", h->work);
    snprintf(path, sizeof path, "%s/stepped.log", h->work);
    struct command_log l = { .path = path };
    pid_t pid = start_slow_tpm(h, slow, r->tpm, SLOW_MS, path);
    room_start(r, slow);
    room_load_all(r);
    sign_another(r); /* the run's first, after which the anchor is written */
    for (unsigned i = 0; i < sizeof at / sizeof *at; i++) {
        wait_until_idle(r, &l);
        sign_another(r);
        bool met = wait_for_command(r, &l, l.n, at[i]);
        unsigned from = l.n - 1; /* the command that is under way */
        sign_another(r);
        unsigned n = commands_to_sign(r, &l, from + 1);
        printf("# due while the other session is at %s: signed with command %u after it\n", names[i], n);
        check_that(&h->c, met && n <= 2, "a signature that is due while a session is armed waits for the command under way alone");
    }
    wait_until_idle(r, &l);
    unsigned from = l.n;
    check_code(&h->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "the lease is renewed while both sessions are armed");
    wait_until_idle(r, &l);
    unsigned restarted = 0, armed = 0;
    for (unsigned i = from; i < l.n; i++) {
        restarted += l.code[i] == CC_RESTART;
        armed += l.code[i] == CC_AUTHORIZE;
    }
    check_that(&h->c, restarted == 2 && armed == 2, "and both are armed by the new one, ahead of need");
    room_stop(r);
    end_process(pid);
}

/* A policy comes while the chip quotes for a verifier. Evidence that is told behind LOADED is completed by a core that has the new
 * one in force, and so must quote it. */
static void policy_overtakes(struct world_of_hardware *h, struct room *r)
{
    char slow[128], path[128];
    snprintf(slow, sizeof slow, "%s/overtaken", h->work);
    snprintf(path, sizeof path, "%s/overtaken.log", h->work);
    struct command_log l = { .path = path };
    pid_t pid = start_slow_tpm(h, slow, r->tpm, SLOW_MS, path);
    struct quote_challenge q;
    room_start(r, slow);
    room_load_all(r);
    wait_until_idle(r, &l);
    struct challenge c = room_challenge_now(r);
    const unsigned before = r->evidences;
    room_challenge_post(r, &c, r->w.verifier);
    check_that(&h->c, wait_for_command(r, &l, l.n, CC_QUOTE), "the chip quotes");
    edit(r->w.policy_json, "policy_epoch", "8");
    edit(r->w.certificate_json, "policy_epoch", "8");
    document_free(&r->policy);
    document_sign(&r->policy, r->policy_key, TYP_POLICY, r->w.policy_json);
    check_code(&h->c, fail(room_load(r, MESSAGE_POLICY, &r->policy.jws)), E_ok, "meanwhile another policy is loaded");
    const uint64_t quoted = r->loaded_behind > before ? 7 : 8;
    ROOM_WAIT(r, ROOM_WAIT_MS, r->evidences > before);
    must(r->evidences == before + 1 && r->evidence_code == E_ok, "evidence");
    room_evidence_check(r, &c, &q);
    printf("# the evidence was told %s the policy\n", quoted == 7 ? "before" : "behind");
    check_that(&h->c, q.policy_epoch == quoted, "what is quoted is in force when it is told");
    check_code(&h->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "and a lease is given");
    room_stop(r);
    end_process(pid);
}

/* PCR 10 is extended before each sixth command on an average, as IMA does it. */
static void storm(struct world_of_hardware *h, struct room *r)
{
    enum { MANY = 40 };
    char slow[128], path[128];
    snprintf(slow, sizeof slow, "%s/storm", h->work);
    snprintf(path, sizeof path, "%s/storm.log", h->work);
    struct command_log l = { .path = path };
    setenv("SLOW_TPM_EXTENDS", "6", 1);
    pid_t pid = start_slow_tpm(h, slow, r->tpm, "0", path);
    unsetenv("SLOW_TPM_EXTENDS");
    room_start(r, slow);
    room_load_all(r);
    unsigned minted = 0, signatures = 0;
    command_log_read(&l);
    unsigned from = l.n, healths = r->healths;
    for (unsigned i = 0; i < MANY; i++)
        minted += mint_honestly(r) == E_ok;
    command_log_read(&l);
    for (unsigned i = from; i < l.n; i++)
        signatures += l.code[i] == CC_SIGN;
    printf("# PCR 10 extended all the time: %u credentials with %u tries to sign\n", minted, signatures);
    check_that(&h->c, minted == MANY, "however often a PCR is extended, signatures get through");
    check_that(&h->c, signatures > (r->mint_in_hsm ? 1 : 2) * MANY, "and some were tried again");
    check_that(&h->c, r->healths == healths && r->health == E_ok, "which is no obstacle in HEALTH");
    room_stop(r);
    end_process(pid);
}

static void lost_hsm(struct world_of_hardware *h, struct room *r)
{
    room_start(r, r->tpm);
    room_load_all(r);
    check_code(&h->c, fail(mint_honestly(r)), E_ok, "a credential, while the HSM is there");
    hardware(h, "hide-key");
    struct asked a = ask(r, false);
    room_sign(r);
    enum seb_code code = mint_asked(r, &a, false);
    check_that(&h->c, code == E_hsm_unavailable || code == E_key_missing, "the key goes from the HSM: no credential");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == code);
    check_that(&h->c, r->health == code, "and HEALTH says so");
    hardware(h, "show-key");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == E_ok);
    check_that(&h->c, r->health == E_ok, "it comes back: HEALTH says ok, though nobody asked for a credential");
    check_code(&h->c, fail(mint_honestly(r)), E_ok, "and credentials are minted again");
    room_stop(r);
}

/* The token's folder goes and comes back: SoftHSM sees it again after C_Finalize and C_Initialize alone. */
static void lost_token(struct world_of_hardware *h, struct room *r)
{
    room_start(r, r->tpm);
    room_load_all(r);
    hardware(h, "hide-token");
    struct asked first = ask(r, false), during = ask(r, false);
    room_sign(r);
    check_code(&h->c, fail(mint_asked(r, &first, false)), E_hsm_unavailable, "the token goes: no credential");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health != E_ok);
    check_code(&h->c, fail(r->health), E_hsm_unavailable, "and HEALTH says so");
    enum seb_code code = room_mint(r, during.index, &during.certificate.jws, ROOM_BODY);
    check_code(&h->c, fail(code), E_hsm_unavailable, "nor one that is asked for meanwhile");
    unsigned quotes = r->quotes;
    ROOM_WAIT(r, 2500, false); /* long enough for the first try to fail */
    check_that(&h->c, r->health == E_hsm_unavailable && r->quotes > quotes, "it stays away, and the TPM works on");
    hardware(h, "show-token");
    int64_t back = clock_mono_ms();
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == E_ok);
    printf("# the HSM is in use again %lld ms after it came back\n", (long long)(clock_mono_ms() - back));
    check_code(&h->c, fail(r->health), E_ok, "it comes back: HEALTH says ok, though nobody asked for a credential");
    check_code(&h->c, fail(mint_asked(r, &during, false)), E_ok, "what was refused before the HSM was asked is minted now");
    check_code(&h->c, fail(mint_honestly(r)), E_ok, "and so is the rest");
    room_stop(r);
}

/* instance.json holds what init recorded. */
static void other_instance(struct world_of_hardware *h, struct room *r)
{
    AUTO_BUF path = BUF(512), was = BUF(8192);
    struct instance changed = r->instance;
    bool made;
    changed.key[ROLE_RECORD] = testkey_public(r->w.stranger);
    must_ok(config_state_path(r->config, "instance.json", &path), "path");
    must_ok(file_read((const char *)path.p, 8192, &was), "instance.json");
    must(unlink((const char *)path.p) == 0, "unlink");
    room_start(r, r->tpm);
    check_that(&h->c, !r->ready && room_wait_end(r) == CHILD_EXIT_ABORT, "without what init recorded the keeper doesn't start");
    must_ok(instance_write(r->config, &changed, &made), "instance.json");
    room_start(r, r->tpm);
    check_that(&h->c, !r->ready && room_wait_end(r) == CHILD_EXIT_ABORT, "nor with another record key than the recorded one");
    must_ok(file_write((const char *)path.p, buf_span(&was), 0644, true), "instance.json");
}

int main(int argc, char **argv)
{
    must(argc == 5, "usage: test_keeper_hardware WORK KEEPER SLOW_TPM HARDWARE");
    struct world_of_hardware h = { .work = argv[1], .program = argv[2], .slow_tpm = argv[3], .script = argv[4] };
    struct room hsm, tpm;
    room_make(&hsm, &h.c, h.work, h.program, true);
    killed_tpm(&h, &hsm);
    another_tpm(&h, &hsm);
    hanging_tpm(&h, &hsm);
    lost_hsm(&h, &hsm);
    lost_token(&h, &hsm);
    other_instance(&h, &hsm);
    slow_tpm(&h, &hsm);
    arms_by_steps(&h, &hsm);
    policy_overtakes(&h, &hsm);
    hardware(&h, "kill");
    hardware(&h, "start"); /* another state folder, another event log: its PCR begins anew */
    room_make(&tpm, &h.c, h.work, h.program, false);
    slow_tpm(&h, &tpm);
    storm(&h, &tpm);
    check_that(&h.c, hsm.wrong + tpm.wrong == 0, "the keeper sent nothing that was wrong");
    room_free(&hsm);
    room_free(&tpm);
    return checks_end(&h.c);
}
