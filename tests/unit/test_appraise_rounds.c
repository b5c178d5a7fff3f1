/* attest/appraise, round after round: what is known moves only where it was proved. */
#include "config.h"

#include "tests/unit/attest_world.h"
#include "tests/unit/check.h"

static void moves_on(struct checks *c)
{
    struct attest_world *w = world_seen_once();
    struct appraisal v;
    check_that(c, w->known.log.size == 5 && w->known.has_quote && w->known.clock.clock_ms == 1000, "what was seen is known");
    world_round(w, &v);
    check_that(c, v.status == EAR_AFFIRMING && w->known.log.size == 9 && w->known.clock.clock_ms == 11000, "and moves on");
    check_that(c, v.policy_epoch == 4 && v.epoch == 9 && v.log.size == 9, "as the result says");
    check_that(c, span_equal(SPAN(v.lease_nonce), SPAN(w->evidence->lease_nonce)), "the lease's nonce is the quoted one");
    check_that(c, v.mint_key && pubkey_equal(v.mint_key, testkey_public(w->mint)), "the mint key is proved");
    appraisal_free(&v);
    /* A new mint key, certified with the policy. */
    testkey_free(w->mint);
    w->mint = testkey_new(ALG_ES256);
    world_challenge(w);
    world_round(w, &v);
    check_that(c, v.status == EAR_AFFIRMING && digest_equal(&v.mint, pubkey_thumbprint(testkey_public(w->mint))),
        "a new mint key that the AK certified is taken");
    appraisal_free(&v);
    world_free(w);
}

static enum ear_status round_status(struct attest_world *w)
{
    struct appraisal v;
    world_challenge(w);
    world_round(w, &v);
    enum ear_status s = v.status;
    appraisal_free(&v);
    return s;
}

/* A crash of the machine: resetCount grows, the clock is unsafe for a while, the processes are new. */
static void crashes(struct checks *c)
{
    struct attest_world *w = world_seen_once();
    w->clock = (struct tpm_clock){ .clock_ms = 900, .reset_count = 4, .restart_count = 0, .safe = false };
    w->run[0]++;
    check_that(c, round_status(w) == EAR_AFFIRMING, "after a reset an unsafe clock is taken");
    w->clock.clock_ms = 2000;
    check_that(c, round_status(w) == EAR_AFFIRMING, "and while it stays unsafe in that reset");
    w->clock.safe = true;
    check_that(c, round_status(w) == EAR_AFFIRMING, "until it is safe");
    w->clock.safe = false;
    check_that(c, round_status(w) == EAR_WARNING, "then never again without a reset");
    w->clock.safe = true;
    w->clock.reset_count++;
    check_that(c, round_status(w) == EAR_CONTRAINDICATED && round_status(w) == EAR_CONTRAINDICATED,
        "a reset under a run is refused for as long as that run lasts");
    w->run[0]++;
    check_that(c, round_status(w) == EAR_AFFIRMING, "and no longer");
    w->firmware++;
    check_that(c, round_status(w) == EAR_WARNING && round_status(w) == EAR_WARNING, "other firmware waits to be confirmed");
    world_free(w);
}

static void first_time(struct checks *c)
{
    struct attest_world *w = world_new();
    struct appraisal v;
    w->has_note = false;
    world_round(w, &v);
    check_that(c, v.status == EAR_AFFIRMING && v.log.size == 0, "before the first checkpoint there is none to show");
    appraisal_free(&v);
    w->has_note = true;
    check_that(c, round_status(w) == EAR_AFFIRMING && w->known.log.size == 0, "the first checkpoint is of size 0");
    w->log_size = 7;
    check_that(c, round_status(w) == EAR_AFFIRMING && w->known.log.size == 7, "from the empty log everything follows");
    w->challenge.seen.size = 3;
    world_answer(w);
    check_code(c, appraise(&w->args, &v), E_bad_value, "a challenge that asked from elsewhere is the verifier's own fault");
    w->challenge.seen = w->known.log;
    w->challenge.instance[0] ^= 1;
    check_code(c, appraise(&w->args, &v), E_bad_value, "and so is another instance's");
    world_free(w);
}

/* After a rekey: the log goes on from the old record key's last note, and the new one's first ends that for ever. */
static void rekeyed(struct checks *c)
{
    struct attest_world *w = world_seen_once();
    struct testkey *old = testkey_new(ALG_ES256);
    const struct pubkey *earlier[] = { testkey_public(w->stranger), testkey_public(old) };
    struct appraisal v;
    w->known.noted_by = *pubkey_thumbprint(testkey_public(old));
    w->noter = old;
    world_round(w, &v);
    check_that(
        c, v.codes_n == 1 && v.codes[0] == E_note_forged && w->known.log.size == 5, "a note of a key that was never enrolled");
    appraisal_free(&v);
    w->identity.earlier = earlier;
    w->identity.earlier_n = 2;
    check_that(
        c, round_status(w) == EAR_AFFIRMING && w->known.log.size == 9, "of one that was enrolled before: what it signed last");
    w->forks = true;
    world_challenge(w);
    world_round(w, &v);
    check_that(c, v.codes_n == 1 && v.codes[0] == E_log_forked, "what was seen of the log holds across the rekey");
    appraisal_free(&v);
    w->forks = false;
    w->noter = NULL;
    w->log_size = 11;
    check_that(c, round_status(w) == EAR_AFFIRMING && w->known.log.size == 11, "the new key's first note goes on from there");
    w->noter = old;
    w->log_size = 13;
    world_challenge(w);
    world_round(w, &v);
    check_that(
        c, v.codes_n == 1 && v.codes[0] == E_note_forged && w->known.log.size == 11, "from then on the old key's count no more");
    appraisal_free(&v);
    testkey_free(old);
    world_free(w);
}

int main(void)
{
    struct checks c = { 0 };
    moves_on(&c);
    crashes(&c);
    first_time(&c);
    rekeyed(&c);
    return checks_end(&c);
}
