/* attest/appraise: for each name one accept and one refusal, with exactly the codes that are due and nothing beside; what is known
 * moves only where it was proved. */
#include "config.h"

#include "tests/unit/attest_world.h"
#include "tests/unit/check.h"

#include <stdlib.h>

#define CODES_MAX 4
struct attack {
    const char *name;
    void (*before)(struct attest_world *w); /* the instance answers after it */
    void (*after)(struct attest_world *w); /* what is done to the answer */
    enum seb_code want[CODES_MAX]; /* all of them; E_ok ends them early */
    enum ear_status status;
};

static void swap_quote_key(struct attest_world *w)
{
    world_sign(w, w->stranger);
}
static void flip_attest(struct attest_world *w)
{
    w->evidence->attest.p[40] ^= 1;
}
static void other_preimage(struct attest_world *w)
{
    w->evidence->preimage.p[30] ^= 1;
}
static void other_lease_nonce(struct attest_world *w)
{
    w->evidence->lease_nonce[0] ^= 1;
}
static void certification_as_quote(struct attest_world *w)
{
    w->evidence->attest.p[5] = 0x17;
    world_sign(w, w->ak);
}
static void no_tpm_statement(struct attest_world *w)
{
    w->evidence->attest.p[0] ^= 1;
    world_sign(w, w->ak);
}
static void checkpoint_quote(struct attest_world *w)
{
    w->quote_of_checkpoint = true;
}
static void other_nonce(struct attest_world *w)
{
    w->quoted_nonce[0] ^= 1;
}
static uint8_t earlier_nonces[1][NONCE_SIZE];
static void old_nonce(struct attest_world *w)
{
    w->quoted_nonce[0] ^= 1;
    if (!is_ok(span_copy(SPAN(w->quoted_nonce), earlier_nonces[0], NONCE_SIZE)))
        abort();
    w->args.earlier = (const uint8_t(*)[NONCE_SIZE])earlier_nonces;
    w->args.earlier_n = 1;
}

static void not_enrolled(struct attest_world *w)
{
    w->args.identity = NULL;
}
static void other_ak(struct attest_world *w)
{
    struct testkey *mine = w->ak;
    w->ak = w->stranger;
    w->stranger = mine;
}
static void unrestricted_ak(struct attest_world *w)
{
    w->ak_attributes = WORLD_FREE_ATTRIBUTES;
}
static void decrypting_ak(struct attest_world *w)
{
    w->ak_attributes |= UINT32_C(1) << 17;
}
static void other_record(struct attest_world *w)
{
    struct testkey *mine = w->record;
    w->record = w->stranger;
    w->stranger = mine;
}
static void uncertified_mint(struct attest_world *w)
{
    struct evidence_key *k = &w->evidence->key[EVIDENCE_MINT];
    buf_clear(&k->evidence);
    world_key_evidence(w->mint, WORLD_BOUND_ATTRIBUTES, digest_span(&w->key_policy), w->stranger, &k->evidence);
}
static void renamed_mint(struct attest_world *w)
{
    w->evidence->key[EVIDENCE_MINT].kid = *pubkey_thumbprint(testkey_public(w->stranger));
}
static void record_as_mint(struct attest_world *w)
{
    struct evidence_key *k = &w->evidence->key[EVIDENCE_MINT];
    buf_clear(&k->evidence);
    world_key_evidence(w->record, WORLD_BOUND_ATTRIBUTES, digest_span(&w->key_policy), w->ak, &k->evidence);
    k->kid = *pubkey_thumbprint(testkey_public(w->record));
}
static void restricted_mint(struct attest_world *w)
{
    w->mint_attributes |= UINT32_C(1) << 16;
}
static void exportable_record(struct attest_world *w)
{
    w->record_attributes &= ~(UINT32_C(1) << 1);
}
static void imported_record(struct attest_world *w)
{
    w->record_attributes &= ~(UINT32_C(1) << 5);
}
static void free_mint(struct attest_world *w)
{
    w->mint_attributes = WORLD_FREE_ATTRIBUTES;
}
static void other_policy_record(struct attest_world *w)
{
    w->record_policy.b[0] ^= 1;
}
static void extractable_hsm(struct attest_world *w)
{
    struct evidence_key *k = &w->evidence->key[EVIDENCE_MINT];
    buf_clear(&k->evidence);
    world_key_statement(w->mint, w->record, WORLD_INSTANCE, true, &k->evidence);
}
static void statement_of_another(struct attest_world *w)
{
    struct evidence_key *k = &w->evidence->key[EVIDENCE_MINT];
    buf_clear(&k->evidence);
    world_key_statement(w->mint, w->stranger, WORLD_INSTANCE, false, &k->evidence);
}
static void statement_for_another(struct attest_world *w)
{
    struct evidence_key *k = &w->evidence->key[EVIDENCE_MINT];
    buf_clear(&k->evidence);
    world_key_statement(w->mint, w->record, "seb-2", false, &k->evidence);
}
static void not_stated(struct attest_world *w)
{
    struct evidence_key *k = &w->evidence->key[EVIDENCE_MINT];
    buf_clear(&k->evidence);
    if (!is_ok(buf_text(&k->evidence, "{}")))
        abort();
}
static void hsm(struct attest_world *w)
{
    w->mint_in_hsm = true;
    w->policy.hsm_manufacturer = "SoftHSM project";
    w->policy.hsm_model = "SoftHSM v2";
    w->policy.hsm_serial = "1";
}
static void unnamed_hsm(struct attest_world *w)
{
    w->mint_in_hsm = true;
}
static void other_hsm(struct attest_world *w)
{
    hsm(w);
    w->policy.hsm_serial = "2";
}
static void no_hsm(struct attest_world *w)
{
    hsm(w);
    w->mint_in_hsm = false;
}

static void clock_back(struct attest_world *w)
{
    w->clock.clock_ms = 999;
}
static void clock_back_over_reset(struct attest_world *w)
{
    clock_back(w);
    w->clock.reset_count++;
    w->run[0]++;
}
static void unsafe(struct attest_world *w)
{
    w->clock.safe = false;
}
static void unsafe_after_reset_strictly(struct attest_world *w)
{
    w->clock.safe = false;
    w->clock.reset_count++;
    w->run[0]++;
    w->args.options.strict_clock = true;
}
static void resets_back(struct attest_world *w)
{
    w->clock.reset_count--;
}
static void restarts_back(struct attest_world *w)
{
    w->clock.restart_count--;
}
static void reset_in_run(struct attest_world *w)
{
    w->clock.reset_count++;
}
static void reset_with_old_log(struct attest_world *w)
{
    w->clock.reset_count++;
    w->run[0]++;
    w->pcr[12] = (struct digest){ 0 };
}
static void firmware(struct attest_world *w)
{
    w->firmware++;
}

static void value_swapped(struct attest_world *w)
{
    w->evidence->pcr[0].b[0] ^= 1;
}
static void value_left_out(struct attest_world *w)
{
    w->evidence->pcr_mask &= ~1u;
}
static void measured_not_quoted(struct attest_world *w)
{
    w->pcr_mask &= ~(1u << 12);
}
static void forged_cel(struct attest_world *w)
{
    struct digest d = sha256(span_text("another sebd")), pcr = w->pcr[12];
    world_measure(w, "sebd", &d);
    w->pcr[12] = pcr;
}
static void other_cel(struct attest_world *w)
{
    w->documents.cel.n--;
}
static void no_cel(struct attest_world *w)
{
    w->documents.cel = (struct span){ NULL, 0 };
}
static void needs_firmware(struct attest_world *w)
{
    w->args.options.needs_firmware_log = true;
}
static void needs_ima(struct attest_world *w)
{
    w->args.options.needs_ima = true;
}
static void bad_firmware(struct attest_world *w)
{
    w->has_firmware = true;
    if (!is_ok(buf_text(&w->firmware_log, "no log")))
        abort();
}
static void bad_ima(struct attest_world *w)
{
    w->has_ima = true;
    w->pcr[10].b[0] = 1;
    if (!is_ok(buf_text(&w->ima_log, "no log")))
        abort();
}
static void ima_not_handed_over(struct attest_world *w)
{
    w->documents.ima = (struct span){ NULL, 0 };
}
static void cut_ima(struct attest_world *w)
{
    w->has_ima = true;
    w->known.ima.offset = 1;
}

static void changed_binary(struct attest_world *w)
{
    struct digest d = sha256(span_text("seb-core, one byte changed"));
    world_measure(w, "seb-core", &d);
}
static void other_boot(struct attest_world *w)
{
    w->reference.pcrs[4] = (struct digests){ .n = 1, .v = { sha256(span_text("this loader")) } };
}
static void no_reference(struct attest_world *w)
{
    w->args.reference = NULL;
}
static void reference_of_another(struct attest_world *w)
{
    w->reference.domain[0] ^= 1;
}
static void other_authority_measured(struct attest_world *w)
{
    world_measure(w, CEL_POLICY_AUTHORITY, pubkey_thumbprint(testkey_public(w->stranger)));
    w->approved.pcr_value = w->pcr[12];
    if (!is_ok(cel_put(&w->approved.measured, CEL_POLICY_AUTHORITY, pubkey_thumbprint(testkey_public(w->stranger)))))
        abort();
    world_approve(w, true);
}
static void other_key_measured(struct attest_world *w)
{
    world_measure(w, CEL_KEY_RECORD, pubkey_thumbprint(testkey_public(w->stranger)));
    w->approved.pcr_value = w->pcr[12];
    if (!is_ok(cel_put(&w->approved.measured, CEL_KEY_RECORD, pubkey_thumbprint(testkey_public(w->stranger)))))
        abort();
    world_approve(w, true);
}

static void no_approval(struct attest_world *w)
{
    buf_clear(&w->approval);
}
static void forged_approval(struct attest_world *w)
{
    w->args.policy_key = testkey_public(w->policy_key);
    w->approval.p[w->approval.n - 10] = w->approval.p[w->approval.n - 10] == 'A' ? 'B' : 'A';
}
static void other_approval(struct attest_world *w)
{
    w->evidence->approval.b[0] ^= 1;
}
static void approval_of_another_tpm(struct attest_world *w)
{
    w->approved.ref = sha256(span_text("another"));
    world_approve(w, true);
}
static void approval_of_another_ak(struct attest_world *w)
{
    w->approved.ak = sha256(span_text("another"));
    world_approve(w, true);
}
static void not_countersigned(struct attest_world *w)
{
    world_approve(w, false);
}
static void approved_otherwise(struct attest_world *w)
{
    w->approved.pcr_value.b[0] ^= 1;
    world_approve(w, true);
}
static void approved_names_other(struct attest_world *w)
{
    w->approved.measured.value[0].digest.b[0] ^= 1;
    world_approve(w, true);
}
static void epoch_moved(struct attest_world *w)
{
    w->epoch++;
}
static void no_policy(struct attest_world *w)
{
    w->args.policy = NULL;
}
static void other_policy(struct attest_world *w)
{
    w->policy.digest.b[0] ^= 1;
}
static void other_policy_epoch(struct attest_world *w)
{
    w->policy_epoch--;
}

static void rolled_back(struct attest_world *w)
{
    w->log_size = 3;
}
static void endless(struct attest_world *w)
{
    w->epoch = UINT64_MAX;
}
static void forked(struct attest_world *w)
{
    w->forks = true;
}
static void forked_at_size(struct attest_world *w)
{
    w->forks = true;
    w->log_size = 5;
}
static void no_proof(struct attest_world *w)
{
    w->evidence->proof.n = 0;
}
static void wrong_proof(struct attest_world *w)
{
    w->evidence->proof.hash[0].b[0] ^= 1;
}
static void no_note(struct attest_world *w)
{
    w->has_note = false;
}
static void note_hidden(struct attest_world *w)
{
    buf_clear(&w->evidence->note);
}
static void note_changed(struct attest_world *w)
{
    struct span s = buf_span(&w->evidence->note);
    w->evidence->note.p[span_find(s, 0, '\n') + 1] = '8';
}

static const struct attack attacks[] = {
    { "nothing wrong", NULL, NULL, { E_ok }, EAR_AFFIRMING },
    { "mint key in an HSM", hsm, NULL, { E_ok }, EAR_AFFIRMING },
    { "instance not enrolled", not_enrolled, NULL, { E_not_enrolled }, EAR_CONTRAINDICATED },
    { "quote by another key", NULL, swap_quote_key, { E_quote_forged }, EAR_CONTRAINDICATED },
    { "a bit of the quote", NULL, flip_attest, { E_quote_forged }, EAR_CONTRAINDICATED },
    { "another preimage", NULL, other_preimage, { E_quote_forged }, EAR_CONTRAINDICATED },
    { "another lease nonce", NULL, other_lease_nonce, { E_quote_forged }, EAR_CONTRAINDICATED },
    { "a certification in a quote's place", NULL, certification_as_quote, { E_quote_forged }, EAR_CONTRAINDICATED },
    { "no statement of a TPM", NULL, no_tpm_statement, { E_quote_forged }, EAR_CONTRAINDICATED },
    { "epochs that nobody can say", endless, NULL, { E_quote_forged }, EAR_CONTRAINDICATED },
    { "a checkpoint's quote", checkpoint_quote, NULL, { E_quote_purpose }, EAR_CONTRAINDICATED },
    { "another nonce", other_nonce, NULL, { E_nonce_mismatch }, EAR_CONTRAINDICATED },
    { "an earlier nonce", old_nonce, NULL, { E_quote_old }, EAR_CONTRAINDICATED },
    { "another TPM's AK", other_ak, NULL, { E_quote_forged, E_key_other, E_key_not_certified }, EAR_CONTRAINDICATED },
    { "an AK that isn't restricted", unrestricted_ak, NULL, { E_ak_attributes }, EAR_CONTRAINDICATED },
    { "an AK that decrypts", decrypting_ak, NULL, { E_ak_attributes }, EAR_CONTRAINDICATED },
    { "another record key", other_record, NULL, { E_key_other, E_note_forged }, EAR_CONTRAINDICATED },
    { "a mint key that the AK didn't certify", NULL, uncertified_mint, { E_key_not_certified }, EAR_CONTRAINDICATED },
    { "a mint key under another's name", NULL, renamed_mint, { E_key_other }, EAR_CONTRAINDICATED },
    { "the record key as mint key", NULL, record_as_mint, { E_key_other }, EAR_CONTRAINDICATED },
    { "a restricted mint key", restricted_mint, NULL, { E_key_not_certified }, EAR_CONTRAINDICATED },
    { "a record key that may leave", exportable_record, NULL, { E_key_not_certified }, EAR_CONTRAINDICATED },
    { "a record key from elsewhere", imported_record, NULL, { E_key_not_certified }, EAR_CONTRAINDICATED },
    { "a mint key without a policy", free_mint, NULL, { E_key_without_policy }, EAR_CONTRAINDICATED },
    { "a record key under another policy", other_policy_record, NULL, { E_key_without_policy }, EAR_CONTRAINDICATED },
    { "an HSM's key that may leave", hsm, extractable_hsm, { E_key_not_certified }, EAR_CONTRAINDICATED },
    { "a key statement by another key", hsm, statement_of_another, { E_key_not_certified }, EAR_CONTRAINDICATED },
    { "a key statement for another instance", hsm, statement_for_another, { E_key_not_certified }, EAR_CONTRAINDICATED },
    { "an HSM that the policy doesn't name", unnamed_hsm, NULL, { E_hsm_not_approved }, EAR_CONTRAINDICATED },
    { "another HSM than the policy names", other_hsm, NULL, { E_hsm_not_approved }, EAR_CONTRAINDICATED },
    { "a TPM's key where the policy names an HSM", no_hsm, NULL, { E_hsm_not_approved }, EAR_CONTRAINDICATED },
    { "an HSM's key that isn't stated yet", hsm, not_stated, { E_key_not_stated }, EAR_WARNING },
    { "a TPM's key without evidence", NULL, not_stated, { E_key_not_certified }, EAR_CONTRAINDICATED },
    { "clock back", clock_back, NULL, { E_clock_went_back }, EAR_CONTRAINDICATED },
    { "clock back over a reset", clock_back_over_reset, NULL, { E_clock_went_back }, EAR_CONTRAINDICATED },
    { "clock unsafe without a reset", unsafe, NULL, { E_clock_unsafe }, EAR_WARNING },
    { "clock unsafe after a reset, strictly", unsafe_after_reset_strictly, NULL, { E_clock_unsafe }, EAR_WARNING },
    { "resets back", resets_back, NULL, { E_reset_count_back }, EAR_CONTRAINDICATED },
    { "restarts back", restarts_back, NULL, { E_restart_count_back }, EAR_CONTRAINDICATED },
    { "a reset under a run", reset_in_run, NULL, { E_tpm_reset }, EAR_CONTRAINDICATED },
    { "a reset, and a log of before", reset_with_old_log, NULL, { E_state_not_approved, E_event_log_mismatch, E_tpm_reset },
        EAR_CONTRAINDICATED },
    { "other firmware", firmware, NULL, { E_firmware_changed }, EAR_WARNING },
    { "another PCR value", NULL, value_swapped, { E_pcr_mismatch }, EAR_CONTRAINDICATED },
    { "a PCR left out", NULL, value_left_out, { E_pcr_mismatch }, EAR_CONTRAINDICATED },
    { "the measured PCR not quoted", measured_not_quoted, NULL, { E_state_not_approved, E_pcr_mismatch }, EAR_CONTRAINDICATED },
    { "an event log with one record more", forged_cel, NULL, { E_event_log_mismatch }, EAR_CONTRAINDICATED },
    { "another event log", NULL, other_cel, { E_event_log_mismatch }, EAR_CONTRAINDICATED },
    { "no event log", NULL, no_cel, { E_event_log_missing }, EAR_WARNING },
    { "no firmware log where it must be", needs_firmware, NULL, { E_event_log_missing }, EAR_WARNING },
    { "no IMA log where it must be", needs_ima, NULL, { E_event_log_missing }, EAR_WARNING },
    { "a firmware log that is none", bad_firmware, NULL, { E_event_log_mismatch }, EAR_CONTRAINDICATED },
    { "an IMA log that is none", bad_ima, NULL, { E_event_log_mismatch }, EAR_CONTRAINDICATED },
    { "an IMA log that isn't handed over", bad_ima, ima_not_handed_over, { E_event_log_missing }, EAR_WARNING },
    { "an IMA log that was longer", cut_ima, NULL, { E_event_log_mismatch }, EAR_CONTRAINDICATED },
    { "a binary changed by one byte", changed_binary, NULL, { E_state_not_approved, E_reference_mismatch }, EAR_WARNING },
    { "a PCR with a reference value", other_boot, NULL, { E_reference_mismatch }, EAR_WARNING },
    { "no reference values", no_reference, NULL, { E_reference_missing }, EAR_WARNING },
    { "another domain's reference values", reference_of_another, NULL, { E_reference_missing }, EAR_WARNING },
    { "another policy authority measured", other_authority_measured, NULL, { E_reference_mismatch }, EAR_WARNING },
    { "another record key measured", other_key_measured, NULL, { E_key_other }, EAR_CONTRAINDICATED },
    { "no approval", no_approval, NULL, { E_approval_missing }, EAR_WARNING },
    { "a forged approval", forged_approval, NULL, { E_approval_invalid }, EAR_CONTRAINDICATED },
    { "another approval than named", NULL, other_approval, { E_approval_invalid }, EAR_CONTRAINDICATED },
    { "an approval of another TPM", approval_of_another_tpm, NULL, { E_approval_other_tpm }, EAR_CONTRAINDICATED },
    { "an approval of another AK", approval_of_another_ak, NULL, { E_approval_other_tpm }, EAR_CONTRAINDICATED },
    { "an approval by one person", not_countersigned, NULL, { E_countersignatures_too_few }, EAR_CONTRAINDICATED },
    { "another state approved", approved_otherwise, NULL, { E_state_not_approved }, EAR_WARNING },
    { "an approval that names other measurements", approved_names_other, NULL, { E_state_not_approved }, EAR_WARNING },
    { "the epoch moved", epoch_moved, NULL, { E_epoch_not_approved }, EAR_WARNING },
    { "no policy held", no_policy, NULL, { E_policy_missing }, EAR_WARNING },
    { "another policy in force", other_policy, NULL, { E_policy_other }, EAR_WARNING },
    { "another policy epoch quoted", other_policy_epoch, NULL, { E_policy_other }, EAR_WARNING },
    { "log rolled back", rolled_back, NULL, { E_log_rolled_back }, EAR_CONTRAINDICATED },
    { "log forked", forked, NULL, { E_log_forked }, EAR_CONTRAINDICATED },
    { "log forked at the same size", forked_at_size, NULL, { E_log_forked }, EAR_CONTRAINDICATED },
    { "log cut: no proof", NULL, no_proof, { E_log_cut }, EAR_CONTRAINDICATED },
    { "another proof", NULL, wrong_proof, { E_log_forked }, EAR_CONTRAINDICATED },
    { "log cut: no note", no_note, NULL, { E_log_cut }, EAR_CONTRAINDICATED },
    { "a note that was quoted, hidden", NULL, note_hidden, { E_log_cut, E_note_forged }, EAR_CONTRAINDICATED },
    { "a note changed", NULL, note_changed, { E_note_forged }, EAR_CONTRAINDICATED },
};

static bool codes_are(const struct appraisal *v, const enum seb_code want[CODES_MAX])
{
    unsigned n = 0;
    while (n < CODES_MAX && want[n] != E_ok)
        n++;
    bool all = v->codes_n == n;
    for (unsigned i = 0; i < n && all; i++) {
        bool found = false;
        for (unsigned k = 0; k < v->codes_n; k++)
            found |= v->codes[k] == want[i];
        all = found;
    }
    for (unsigned i = 0; !all && i < v->codes_n; i++)
        printf("# said %s\n", code_name(v->codes[i]));
    return all;
}

static bool known_stands(const struct appraisal_known *a, const struct appraisal_known *b)
{
    return a->log.size == b->log.size && a->clock.clock_ms == b->clock.clock_ms && a->clock.reset_count == b->clock.reset_count;
}

static void runs(struct checks *c, const struct attack *t)
{
    struct attest_world *w = world_seen_once();
    struct appraisal v;
    if (t->before)
        t->before(w);
    world_answer(w);
    if (t->after)
        t->after(w);
    check_code(c, appraise(&w->args, &v), E_ok, t->name);
    check_that(c, codes_are(&v, t->want), "what is wrong is named, and nothing else");
    check_that(c, v.status == t->status && trust_vector_status(&v.vector) == t->status, "its status");
    bool unproved = t->want[0] == E_quote_forged || t->want[0] == E_nonce_mismatch || t->want[0] == E_quote_old ||
                    t->want[0] == E_quote_purpose || t->want[0] == E_pcr_mismatch || t->want[0] == E_not_enrolled;
    if (unproved && t->after != NULL)
        check_that(c, known_stands(&v.known, &w->known), "nothing is learnt of it");
    struct result_claims claims = { .build = "seb", .developer = "x", .appraisal_policy = "y" };
    AUTO_BUF text = BUF(RESULT_MAX);
    check_code(c, appraisal_claims(&w->args, &v, 30, &claims), E_ok, "its claims");
    check_code(c, result_write(&claims, &text), E_ok, "make a result");
    appraisal_free(&v);
    world_free(w);
}

int main(void)
{
    struct checks c = { 0 };
    for (unsigned i = 0; i < sizeof attacks / sizeof *attacks; i++)
        runs(&c, &attacks[i]);
    return checks_end(&c);
}
