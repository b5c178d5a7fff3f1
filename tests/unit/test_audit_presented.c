/* One certificate, presented with these signatures and then with others: each presentation is judged by itself. */
#include "config.h"

#include "tests/unit/audit_story.h"

/* The certificate "one", as these presented it, under a policy by which the second authority may not admit it. */
static void present(struct story *s, const char *id, struct testkey *const *keys, unsigned n, struct aw_change *ret)
{
    aw_change_new(&s->w, "one", id, "policy_epoch=8", ret);
    aw_change_sign(ret, keys, n);
}

/* Records 0 to 5, the last that policy; then (6) the refusal of what the second authority alone signed. */
static void begin_refused(struct story *s)
{
    struct aw_change first;
    story_begin(s);
    edit(s->w.policy.policy_json, "policy_epoch", "8");
    edit(s->w.policy.policy_json, "authorities.1.admit.1.operations", "[\"DELETE\"]");
    story_put(s, aw_policy(&s->w));
    present(s, "one", &s->w.policy.authority[1], 1, &first);
    struct entry e = aw_decision(&s->w, &first, NO_INDEX, false);
    must(span_is(span_text(e.decision.code), "not_admissible"), "the refusal");
    story_put(s, e);
    aw_change_free(&first);
}

/* Refused as the second authority signed it, then (7, 8, 9) applied as these did, then (10) refused as at first. */
static void permitted_later(struct checks *c, unsigned n, const char *name)
{
    struct story s;
    struct aw_change ch;
    begin_refused(&s);
    present(&s, "two", s.w.policy.authority, n, &ch);
    story_put(&s, aw_read(&s.w, &ch, NO_INDEX)); /* 7 */
    story_put(&s, aw_decision(&s.w, &ch, 7, false)); /* 8 */
    story_apply(&s, 8, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    present(&s, "three", &s.w.policy.authority[1], 1, &ch);
    story_put(&s, aw_decision(&s.w, &ch, NO_INDEX, true)); /* 10 */
    aw_change_free(&ch);
    story_clean(c, &s, name);
}

static void drifted_later(struct checks *c)
{
    struct story s;
    struct aw_change ch;
    begin_refused(&s);
    present(&s, "two", s.w.policy.authority, 2, &ch);
    story_put(&s, aw_read(&s.w, &ch, NO_INDEX)); /* 7 */
    struct entry e = aw_decision(&s.w, &ch, 7, false);
    aw_change_free(&ch);
    e.decision.live.sha256 = sha256(span_text("other"));
    e.decision.permitted = false;
    must(is_ok(span_copy_text(span_text("drift"), e.decision.rule, 16)) &&
             is_ok(span_copy_text(span_text("state_drifted"), e.decision.code, 40)),
        "text");
    story_put(&s, e); /* 8 */
    story_clean(c, &s, "refused as one signed it, and refused as two did, whose certificate holds, for drift");
}

static void lies(struct checks *c)
{
    struct story s;
    struct aw_change ch, fewer;
    /* A permit on what the second authority alone signed. */
    begin_refused(&s);
    present(&s, "two", s.w.policy.authority, 2, &ch);
    present(&s, "two", &s.w.policy.authority[1], 1, &fewer);
    struct entry read = aw_read(&s.w, &fewer, NO_INDEX), e = aw_decision(&s.w, &ch, 7, false);
    e.decision.signed_ = read.read.signed_;
    aw_change_free(&fewer);
    aw_change_free(&ch);
    story_put(&s, read); /* 7 */
    story_put(&s, e); /* 8 */
    story_apply(&s, 8, RESULT_APPLIED, EVIDENCE_RESPONSE);
    story_expect(c, &s, FOUND_decision_verdict, 8, FOUND_read_uncertified, "a permit that only more signatures would justify");

    /* Live state read for one presentation, the decision on another that holds, too. */
    begin_refused(&s);
    present(&s, "two", s.w.policy.authority, 2, &ch);
    present(&s, "two", s.w.policy.authority, 1, &fewer);
    story_put(&s, aw_read(&s.w, &fewer, NO_INDEX)); /* 7 */
    story_put(&s, aw_decision(&s.w, &ch, 7, false)); /* 8 */
    story_apply(&s, 8, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&fewer);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_read_unknown, 8, FINDINGS, "a read for the same certificate as others signed it");

    /* What was signed is another certificate than the one that the record names. */
    e = story_drafted(&s, &ch, "");
    e.decision.certificate.b[0] ^= 1;
    story_put(&s, e);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_decision_facts, 6, FINDINGS, "a decision that names another certificate than was presented");

    story_begin(&s);
    aw_change_new(&s.w, "one", "one", "", &ch);
    e = aw_read(&s.w, &ch, NO_INDEX);
    e.read.certificate.b[0] ^= 1;
    story_put(&s, e);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_read_mismatch, 5, FINDINGS, "a read that names another certificate than was presented");
}

int main(void)
{
    struct checks c = { 0 };
    permitted_later(&c, 1, "refused as one authority signed it, permitted as another alone did");
    permitted_later(&c, 2, "refused as one authority signed it, permitted as two did");
    drifted_later(&c);
    lies(&c);
    return checks_end(&c);
}
