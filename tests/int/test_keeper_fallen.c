/* Somebody who has fallen into the keeper's place: a real keeper was approved and leased here, and was killed; who comes after it
 * has its handles and files, is approved and leased once more, and then talks to the chip directly, with every session that it
 * kept. While the state is approved and the lease lasts it signs: that is what it has. After the lease, after the epoch: not one
 * signature.
 *
 * test_keeper_fallen WORK KEEPER OTHER hsm|tpm, in the world of tests/int/keeper-fallen; OTHER is another TPM's socket. */
#include "config.h"

#include "hsm/tpm_guard_internal.h"
#include "keeper/approvals.h"
#include "tests/int/keeper_room.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define LEASE_SHORT_S 3
#define LEASE_LONG_S 600

struct thief {
    struct checks *c;
    struct room *r;
    struct tpm *tpm;
    struct hsm_key *key[ROLES]; /* mint: NULL in an HSM */
    struct tpm_guard *guard;
    struct approvals files;
};

static void open_key(struct thief *t, enum key_role role, uint32_t handle)
{
    must_ok(tpm_signing_key(t->tpm, handle, t->key[ROLE_ATTESTATION], t->guard, &t->key[role]), "a key at its handle");
}

/* The keeper's own way: handles by the configuration, approvals by the file. */
static void take_its_place(struct thief *t)
{
    const struct config *c = t->r->config;
    int fd;
    enum tpm_transport transport;
    must_ok(tpm_connect(t->r->tpm, &fd, &transport), "TPM");
    must_ok(tpm_open(fd, transport, &t->tpm), "TPM");
    must_ok(tpm_attestation_key(t->tpm, c->handle_attestation, &t->key[ROLE_ATTESTATION]), "attestation key");
    must_ok(tpm_guard_new(t->tpm, c->policy_key, (unsigned)c->measured_pcr, c->nv_epoch, &t->guard), "guard");
    must_ok(tpm_guard_ref(t->guard, &t->r->ref), "ref");
    open_key(t, ROLE_RECORD, c->handle_record);
    if (!t->r->mint_in_hsm)
        open_key(t, ROLE_MINT, c->handle_mint);
    must_ok(approvals_load(c, &t->files), "approvals.json");
    must(t->files.n > 0, "an approval was kept");
}

static void leave(struct thief *t)
{
    approvals_free(&t->files);
    for (unsigned i = 0; i < ROLES; i++)
        hsm_close(t->key[i]);
    tpm_guard_free(t->guard);
    tpm_close(t->tpm);
}

static result approve(struct thief *t, const struct approval_file *f)
{
    struct tpm_approval a = {
        .policy = f->approval.policy, .ref = f->approval.ref, .counter = f->approval.counter, .lease_key = f->approval.lease
    };
    must_ok(span_copy(SPAN(f->signature), a.signature, sizeof a.signature), "signature");
    return tpm_guard_approve(t->guard, &a);
}

/* A verifier who is deceived: it signs for this session. */
static result lease(struct thief *t, uint32_t seconds)
{
    uint8_t nonce[LEASE_NONCE_SIZE], raw[SIGNATURE_SIZE];
    TRY(tpm_guard_lease_begin(t->guard, nonce));
    room_lease_sign(t->r, nonce, seconds, t->r->w.lease, raw);
    return tpm_guard_lease_end(t->guard, seconds, raw);
}

/* Everything that the policy holds, through the guard. */
static result use_record(struct thief *t)
{
    struct digest d = sha256(span_text("a checkpoint"));
    uint8_t raw[SIGNATURE_SIZE];
    return hsm_sign(t->key[ROLE_RECORD], &d, raw);
}
static result use_mint(struct thief *t)
{
    struct digest d = sha256(span_text("a credential"));
    uint8_t raw[SIGNATURE_SIZE];
    return hsm_sign(t->key[ROLE_MINT], &d, raw);
}
static result use_pin(struct thief *t)
{
    struct secret *pin = NULL;
    result r = tpm_unseal(t->guard, t->r->config->handle_pin, &pin);
    secret_free(pin);
    return r;
}
static result use_anchor(struct thief *t)
{
    struct tpm_anchor a = { .clean = true, .size = 0, .root = sha256(span_text("")) };
    return tpm_anchor_write(t->guard, t->r->config->nv_anchor, &a);
}

static void each(struct thief *t, enum seb_code want, const char *when)
{
    static const struct {
        const char *what;
        result (*use)(struct thief *);
    } uses[] = { { "record key", use_record }, { "mint key", use_mint }, { "PIN", use_pin }, { "anchor", use_anchor } };
    for (unsigned i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        char name[128];
        if (uses[i].use == (t->r->mint_in_hsm ? use_mint : use_pin))
            continue;
        snprintf(name, sizeof name, "%s: %s", when, uses[i].what);
        check_code(t->c, uses[i].use(t), want, name);
    }
}

/* The chip's own commands, with sessions as they are. */

static bool signs(struct thief *t, enum key_role role, ESYS_TR session)
{
    const struct tpm_key *k = (const struct tpm_key *)t->key[role];
    const TPM2B_DIGEST digest = { .size = DIGEST_SIZE };
    const TPMT_SIG_SCHEME own_scheme = { .scheme = TPM2_ALG_NULL };
    const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
    AUTO_ESYS TPMT_SIGNATURE *signature = NULL;
    return k && Esys_Sign(t->tpm->esys, k->tr, session, ESYS_TR_NONE, ESYS_TR_NONE, &digest, &own_scheme, &no_ticket, &signature) ==
                    TSS2_RC_SUCCESS;
}

static unsigned armed_sign(struct thief *t)
{
    unsigned n = 0;
    for (unsigned i = 0; i < GUARD_SESSIONS; i++) {
        if (t->guard->session[i].stage == STAGE_ARMED)
            n += signs(t, ROLE_RECORD, t->guard->session[i].tr) + signs(t, ROLE_MINT, t->guard->session[i].tr);
        t->guard->session[i].stage = STAGE_EMPTY;
    }
    return n;
}

static void arm_all(struct thief *t)
{
    bool armed = true;
    while (armed && tpm_guard_armed(t->guard) < GUARD_SESSIONS)
        must_ok(tpm_guard_arm(t->guard, &armed), "arm");
    check_that(t->c, tpm_guard_armed(t->guard) == GUARD_SESSIONS, "two sessions are satisfied, and kept");
}

static result satisfy_pcr(struct thief *t, ESYS_TR s)
{
    const TPM2B_DIGEST any = { 0 };
    TPML_PCR_SELECTION pcrs;
    tpm_pcr_select(UINT32_C(1) << t->r->config->measured_pcr, &pcrs);
    return tpm_result(Esys_PolicyPCR(t->tpm->esys, s, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &any, &pcrs));
}
static result satisfy_counter(struct thief *t, ESYS_TR s)
{
    TPM2B_OPERAND operand = { .size = 8 };
    ESYS_TR counter;
    TRY(tpm_nv_keep(t->tpm, t->r->config->nv_epoch, &counter));
    for (unsigned i = 0; i < 8; i++)
        operand.buffer[i] = (uint8_t)(t->guard->approved_counter >> (56 - 8 * i));
    return tpm_result(
        Esys_PolicyNV(t->tpm->esys, counter, counter, s, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &operand, 0, TPM2_EO_EQ));
}
static result satisfy_lease(struct thief *t, ESYS_TR s)
{
    const TPM2B_DIGEST none = { 0 };
    TPM2B_NONCE ref = { .size = DIGEST_SIZE };
    TRY(span_copy(digest_span(&t->guard->ref), ref.buffer, DIGEST_SIZE));
    return tpm_result(Esys_PolicyTicket(t->tpm->esys, s, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &t->guard->timeout, &none, &ref,
        &t->guard->lessor.name, &t->guard->ticket));
}
static result satisfy_approval(struct thief *t, ESYS_TR s, const struct digest *with_ref)
{
    TPM2B_DIGEST policy = { .size = DIGEST_SIZE };
    TPM2B_NONCE ref = { .size = DIGEST_SIZE };
    TRY(span_copy(digest_span(&t->guard->policy), policy.buffer, DIGEST_SIZE));
    TRY(span_copy(digest_span(with_ref), ref.buffer, DIGEST_SIZE));
    return tpm_result(Esys_PolicyAuthorize(
        t->tpm->esys, s, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &policy, &ref, &t->guard->authority.name, &t->guard->approval));
}

/* Satisfied up to the lease's ticket or, `leased`, up to the approval. */
static struct tpm_transient half(struct thief *t, bool leased)
{
    struct tpm_transient s = TPM_TRANSIENT(t->tpm);
    must_ok(tpm_policy_session(t->tpm, ESYS_TR_NONE, &s), "session");
    must_ok(satisfy_pcr(t, s.tr), "PolicyPCR");
    must_ok(satisfy_counter(t, s.tr), "PolicyNV");
    if (leased)
        must_ok(satisfy_lease(t, s.tr), "PolicyTicket");
    return s;
}

/* Whatever of the rest the chip takes: whether it then signs. */
static bool finish_and_sign(struct thief *t, struct tpm_transient *s, bool leased)
{
    bool finished = (leased || is_ok(satisfy_lease(t, s->tr))) && is_ok(satisfy_approval(t, s->tr, &t->guard->ref));
    bool signed_ = signs(t, ROLE_RECORD, s->tr) || signs(t, ROLE_MINT, s->tr);
    tpm_transient_flush(s);
    return finished && signed_;
}

static void control(struct thief *t)
{
    const struct approval_file *f = &t->files.held[t->files.n - 1].file;
    check_code(t->c, approve(t, f), E_ok, "the kept approval is taken by the chip");
    each(t, E_lease_missing, "before a lease");
    check_code(t->c, lease(t, LEASE_SHORT_S), E_ok, "a verifier leases the keys for three seconds");
    each(t, E_ok, "approved and leased");
    struct tpm_transient s = half(t, false);
    check_that(
        t->c, finish_and_sign(t, &s, false), "a session half satisfied, then finished, signs: so these attacks would be seen");
}

static void after_the_lease(struct thief *t)
{
    check_code(t->c, lease(t, LEASE_SHORT_S), E_ok, "a lease of three seconds");
    struct tpm_transient ticketless, ticketed;
    arm_all(t);
    ticketless = half(t, false);
    poll(NULL, 0, (LEASE_SHORT_S + 1) * 1000); /* the chip's own clock: until the lease is over */
    check_that(t->c, armed_sign(t) == 0, "after the lease: the sessions that were satisfied in time sign nothing");
    check_that(t->c, !finish_and_sign(t, &ticketless, false), "after the lease: a half satisfied one, finished, signs nothing");
    each(t, E_lease_over, "after the lease");
    check_code(t->c, lease(t, LEASE_SHORT_S), E_ok, "another lease of three seconds");
    tpm_guard_disarm(t->guard);
    ticketed = half(t, true);
    poll(NULL, 0, (LEASE_SHORT_S + 1) * 1000);
    check_that(t->c, !finish_and_sign(t, &ticketed, true), "after the lease: one that had its ticket, finished, signs nothing");
}

static void wrong_leases(struct thief *t, const char *other_path)
{
    uint8_t nonce[LEASE_NONCE_SIZE], older[LEASE_NONCE_SIZE], raw[SIGNATURE_SIZE];
    struct tpm *other;
    struct tpm_guard *guard;
    int fd;
    enum tpm_transport transport;
    must_ok(tpm_guard_lease_begin(t->guard, older), "nonce");
    must_ok(tpm_guard_lease_begin(t->guard, nonce), "nonce");
    room_lease_sign(t->r, older, LEASE_LONG_S, t->r->w.lease, raw);
    check_code(t->c, tpm_guard_lease_end(t->guard, LEASE_LONG_S, raw), E_lease_invalid, "a lease for another nonce");
    must_ok(tpm_connect(other_path, &fd, &transport), "other TPM");
    must_ok(tpm_open(fd, transport, &other), "other TPM");
    must_ok(tpm_guard_new(other, t->r->config->policy_key, (unsigned)t->r->config->measured_pcr, t->r->config->nv_epoch, &guard),
        "guard");
    must_ok(tpm_guard_lease_begin(guard, older), "nonce");
    must_ok(tpm_guard_lease_begin(t->guard, nonce), "nonce");
    room_lease_sign(t->r, older, LEASE_LONG_S, t->r->w.lease, raw);
    check_code(t->c, tpm_guard_lease_end(t->guard, LEASE_LONG_S, raw), E_lease_invalid, "a lease for another TPM's session");
    tpm_guard_free(guard);
    tpm_close(other);
    must_ok(tpm_guard_lease_begin(t->guard, nonce), "nonce");
    struct digest ref = t->r->ref;
    t->r->ref.b[0] ^= 1;
    room_lease_sign(t->r, nonce, LEASE_LONG_S, t->r->w.lease, raw);
    t->r->ref = ref;
    check_code(t->c, tpm_guard_lease_end(t->guard, LEASE_LONG_S, raw), E_lease_invalid, "a lease that names another TPM");
    each(t, E_lease_over, "with none of these");
}

/* An approval that the policy authority signed for another TPM: the guard names it, and the chip doesn't let it pass either. */
static void wrong_approval(struct thief *t)
{
    const struct approval *mine = &t->files.held[t->files.n - 1].file.approval;
    struct approval theirs = *mine;
    struct approval_file f;
    AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
    theirs.ref.b[0] ^= 1;
    theirs.ak.b[0] ^= 1;
    room_approval_text(t->r, &theirs, t->r->policy_key, &text);
    must_ok(approval_open(buf_span(&text), t->r->config->policy_key, &f), "approval");
    check_code(t->c, approve(t, &f), E_approval_other_tpm, "an approval of another TPM");
    check_code(t->c, lease(t, LEASE_LONG_S), E_ok, "while leased");
    struct tpm_transient s = half(t, true);
    bool taken = is_ok(satisfy_approval(t, s.tr, &theirs.ref));
    check_that(
        t->c, !signs(t, ROLE_RECORD, s.tr), taken ? "its policyRef in the chip: nothing" : "its policyRef: the chip refuses it");
    tpm_transient_flush(&s);
    approval_file_free(&f);
}

/* What a keeper does with a new statement, and an honest one did here: the counter, then the PCR beside the policy. */
static void move_epoch(struct thief *t)
{
    struct digest statement = sha256(span_text("a statement of a new epoch"));
    must_ok(tpm_counter_increment(t->tpm, t->r->config->nv_epoch), "counter");
    must_ok(tpm_pcr_extend(t->tpm, (unsigned)t->r->config->epoch_pcr, &statement), "epoch PCR");
}

static void after_the_epoch(struct thief *t)
{
    check_code(t->c, lease(t, LEASE_LONG_S), E_ok, "a lease of ten minutes");
    arm_all(t);
    struct tpm_transient s = half(t, true);
    move_epoch(t);
    check_that(t->c, armed_sign(t) == 0, "after the epoch: sessions that were satisfied before it sign nothing");
    check_that(t->c, !finish_and_sign(t, &s, true), "after the epoch: a half satisfied one, finished, signs nothing");
    each(t, E_epoch_not_approved, "after the epoch");
    check_code(t->c, approve(t, &t->files.held[t->files.n - 1].file), E_ok, "the old approval can be given again");
    check_code(t->c, lease(t, LEASE_LONG_S), E_ok, "and leased");
    each(t, E_epoch_not_approved, "after the epoch, all the same");
}

/* The same state, approved at the counter that is now. */
static void approved_again(struct thief *t)
{
    struct approval now = t->files.held[t->files.n - 1].file.approval;
    struct approval_file f;
    AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
    now.counter++;
    room_approval_text(t->r, &now, t->r->policy_key, &text);
    must_ok(approval_open(buf_span(&text), t->r->config->policy_key, &f), "approval");
    check_code(t->c, approve(t, &f), E_ok, "a new approval, at the new epoch");
    each(t, E_ok, "and with the lease all works again");
    approval_file_free(&f);
}

/* Another measurement, whoever extends it. */
static void another_state(struct thief *t)
{
    struct digest d = sha256(span_text("another binary"));
    arm_all(t);
    struct tpm_transient s = half(t, true);
    must_ok(tpm_pcr_extend(t->tpm, (unsigned)t->r->config->measured_pcr, &d), "extend");
    check_that(t->c, armed_sign(t) == 0, "in another state: sessions that were satisfied before sign nothing");
    check_that(t->c, !finish_and_sign(t, &s, true), "in another state: a half satisfied one signs nothing");
    each(t, E_state_not_approved, "in another state");
}

/* An honest keeper that is approved and leased, and killed as it signs. */
static void keeper_was_here(struct room *r)
{
    room_start(r, r->tpm);
    room_load_all(r);
    room_append(r, span_text("{\"counts\":{},\"from\":0,\"time\":1,\"type\":\"noise\",\"until\":1,\"v\":1}"));
    room_sign(r);
    room_kill(r);
}

/* The honest keeper again, with what the thief left. */
static void keeper_comes_back(struct room *r)
{
    room_start(r, r->tpm);
    check_that(r->c, r->ready, "the keeper starts again, though somebody extended its PCR");
    check_code(r->c, fail(room_resume(r, &r->frontier, buf_span(&r->note))), E_ok, "the log goes on");
    check_code(r->c, fail(room_load(r, MESSAGE_POLICY, &r->policy.jws)), E_ok, "policy");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == E_state_not_approved);
    check_code(r->c, fail(r->health), E_state_not_approved, "and HEALTH says that its state isn't approved");
    room_stop(r);
}

int main(int argc, char **argv)
{
    struct checks c = { 0 };
    struct room r;
    must(argc == 5, "usage: test_keeper_fallen WORK KEEPER OTHER hsm|tpm");
    room_make(&r, &c, argv[1], argv[2], span_is(span_text(argv[4]), "hsm"));
    keeper_was_here(&r);
    struct thief t = { .c = &c, .r = &r };
    take_its_place(&t);
    control(&t);
    after_the_lease(&t);
    wrong_leases(&t, argv[3]);
    wrong_approval(&t);
    after_the_epoch(&t);
    approved_again(&t);
    another_state(&t);
    leave(&t);
    keeper_comes_back(&r);
    check_that(&c, r.wrong == 0, "the keeper sent nothing that was wrong");
    room_free(&r);
    return checks_end(&c);
}
