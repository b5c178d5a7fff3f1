/* Each predicate alone: one world in which it holds, and each of its refusals, all other predicates satisfied. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/policy_world.h"

/* Documents are edited before they are signed, facts after. */
struct refused {
    const char *name;
    void (*documents)(struct world *w);
    void (*facts)(struct world *w);
    const char *rule;
    enum seb_code code;
};
#define DOCUMENTS(name, ...)          \
    static void name(struct world *w) \
    {                                 \
        __VA_ARGS__;                  \
    }
#define FACTS DOCUMENTS

/* sig */
DOCUMENTS(signed_by_stranger, w->signs[0] = w->stranger)
DOCUMENTS(signed_by_stranger_twice, w->signs[0] = w->signs[1] = w->stranger; w->signs_n = 2)
FACTS(forged, ((uint8_t *)w->certificate_jws.sig[0].signature.p)[40] ^= 1; world_verify(w))
DOCUMENTS(signed_by_two, w->signs[1] = w->authority[2]; w->signs_n = 2)
FACTS(second_forged, ((uint8_t *)w->certificate_jws.sig[1].signature.p)[40] ^= 1; world_verify(w))
FACTS(payload_changed, ((uint8_t *)w->certificate_jws.payload.p)[12] ^= 1; world_verify(w))
DOCUMENTS(other_typ, w->typ = TYP_REQUEST)
DOCUMENTS(two_wanted, edit(w->policy_json, "signatures.L1", "2"))
DOCUMENTS(same_authority_twice, two_wanted(w); w->signs[1] = w->authority[0]; w->signs_n = 2)
DOCUMENTS(one_and_a_stranger, two_wanted(w); w->signs[1] = w->stranger; w->signs_n = 2)
FACTS(no_policy, w->facts.policy = NULL)
/* pop */
DOCUMENTS(other_key_requests, w->requests = w->stranger)
DOCUMENTS(authority_requests, w->requests = w->authority[0])
FACTS(request_changed, ((uint8_t *)w->request_jws.payload.p)[70] ^= 1; world_verify(w))
FACTS(request_twice_signed, w->request_jws.n = 2; w->request_jws.sig[1] = w->request_jws.sig[0]; world_verify(w))
FACTS(request_of_other_typ, ((uint8_t *)w->request_jws.sig[0].protected_.p)[w->request_jws.sig[0].protected_.n - 3] ^= 1;
      world_verify(w))
DOCUMENTS(other_certificate, w->keep_digest = true;
          edit(w->request_json, "certificate", "\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ\""))
FACTS(request_missing, w->facts.request = NULL)
/* time */
static void attested_now(struct world *w)
{
    w->attested.iat = w->facts.now_ms / 1000;
    w->attested.exp = w->attested.iat + 30;
}
FACTS(at_exp, w->facts.now_ms = w->certificate.exp * 1000; w->request.iat = w->certificate.exp; attested_now(w))
FACTS(before_nbf, w->facts.now_ms = w->certificate.nbf * 1000 - 1; w->request.iat = w->certificate.nbf; attested_now(w))
DOCUMENTS(issued_later, edit(w->certificate_json, "iat", "1767225601"))
FACTS(request_old, w->request.iat = NOW_S - 301)
FACTS(request_ahead, w->request.iat = NOW_S + 31)
FACTS(issued_before_restart, w->facts.certificates_from = w->certificate.iat + 1)
/* policy */
DOCUMENTS(other_aud, edit(w->certificate_json, "aud", "\"test.example\""))
DOCUMENTS(older_policy, edit(w->certificate_json, "policy_epoch", "6"))
DOCUMENTS(newer_policy, edit(w->certificate_json, "policy_epoch", "8"))
DOCUMENTS(too_long, edit(w->policy_json, "validity_s", "659"))
DOCUMENTS(other_target, edit(w->certificate_json, "contract.target", "\"wiki\""))
DOCUMENTS(other_operation, edit(w->certificate_json, "contract.operation", "\"POST\""))
DOCUMENTS(other_resource, edit(w->certificate_json, "contract.resource", "\"https://docs.example/page\""))
DOCUMENTS(longer_than_exact, edit(w->certificate_json, "contract.resource", "\"https://docs.example/one/more\""))
DOCUMENTS(shorter_than_prefix, edit(w->certificate_json, "contract.resource", "\"https://docs.example/pages\""))
DOCUMENTS(riskier, edit(w->policy_json, "authorities.0.admit.1.risk", "\"L0\""))
DOCUMENTS(rows_together, edit(w->policy_json, "authorities.0.admit.1.operations", "[\"DELETE\"]");
          edit(w->policy_json, "authorities.0.admit.0.operations", "[\"PUT\"]"))
DOCUMENTS(cosigner_elsewhere, signed_by_two(w); two_wanted(w); edit(w->policy_json, "authorities.2.admit.1.target", "\"wiki\""))
DOCUMENTS(body_limit, edit(w->policy_json, "body_bytes", "4"))
DOCUMENTS(all_frozen, edit(w->policy_json, "freezes", "[{\"from\":1767225600,\"targets\":[],\"until\":1767225601}]"))
DOCUMENTS(docs_frozen,
    edit(w->policy_json, "freezes",
        "[{\"from\":0,\"targets\":[\"wiki\"],\"until\":9},{\"from\":0,\"targets\":[\"wiki\",\"docs\"],\"until\":1767229200}]"))
DOCUMENTS(version_wanted, edit(w->policy_json, "version_from", "\"L1\"");
          edit(w->certificate_json, "contract.preconditions.etag", NULL))
FACTS(other_broker, w->facts.domain = "test.example";
      w->epoch = (struct epoch_statement){ .epoch = 3, .exp = NOW_S + 9, .domain = "test.example" })
/* rev */
DOCUMENTS(older_epoch, edit(w->certificate_json, "epoch", "2"))
DOCUMENTS(newer_epoch, edit(w->certificate_json, "epoch", "4"))
DOCUMENTS(stale_epoch, edit(w->epoch_json, "exp", "1767225600"))
DOCUMENTS(other_domains_epoch, edit(w->epoch_json, "domain", "\"test.example\""))
FACTS(no_epoch, w->facts.epoch = NULL)
/* match */
FACTS(target_differs, w->request.mutation.target[0] = 'x')
FACTS(operation_differs, w->request.mutation.operation[0] = 'x')
FACTS(resource_differs, w->request.mutation.resource[30] = 'x')
FACTS(length_differs, w->request.mutation.body.length++)
FACTS(sha256_differs, w->request.mutation.body.sha256.b[31] ^= 1)
FACTS(media_type_differs, w->request.mutation.body.media_type[0] = 'x')
FACTS(body_left_out, w->request.mutation.body = (struct body_ref){ 0 })
FACTS(other_body, w->facts.body.b[0] ^= 1)
FACTS(longer_body, w->facts.body_length++)
FACTS(no_body, w->facts.has_body = false)
DOCUMENTS(contract_without_body, edit(w->certificate_json, "contract.parameters", "{}"))
/* scope */
FACTS(no_target, w->facts.target = NULL)
FACTS(unsupported, w->target.scope = E_operation_unsupported)
FACTS(invalid, w->target.scope = E_resource_invalid)
FACTS(unconditional, w->target.scope = E_precondition_missing)
FACTS(wants_five_s, w->target.least_s = 5)
DOCUMENTS(contract_of_four_s, edit(w->certificate_json, "contract.constraints.credential_s", "4"))
DOCUMENTS(policy_of_four_s, edit(w->policy_json, "credential_s", "4"))
DOCUMENTS(of_five_s, edit(w->certificate_json, "contract.constraints.credential_s", "5"); edit(w->policy_json, "credential_s", "5"))
/* attest */
FACTS(unattested, w->facts.attested = NULL)
FACTS(result_over, w->attested.exp = NOW_S)
FACTS(result_ahead, w->attested.iat = NOW_S + 31)
FACTS(not_affirmed, w->attested.affirming = false)
FACTS(other_keys, w->attested.keys_match = false)
DOCUMENTS(at_l0, edit(w->certificate_json, "risk", "\"L0\""); edit(w->certificate_json, "contract.risk", "\"L0\""))
DOCUMENTS(at_l2, edit(w->certificate_json, "risk", "\"L2\""); edit(w->certificate_json, "contract.risk", "\"L2\"");
          signed_by_two(w))
/* replay */
FACTS(used, w->facts.used = true)
/* drift */
FACTS(not_read, w->facts.live = NULL)
FACTS(gone, w->live = (struct live_facts){ 0 })
FACTS(other_etag, w->live.etag = "\"v2\"")
FACTS(other_weak_etag, w->live.etag = "W/\"v2\"")
FACTS(same_etag_but_weak, w->live.etag = "W/\"v1\"")
FACTS(other_content, w->live.sha256.b[5] ^= 1)
FACTS(no_etag, w->live.has_etag = false)
FACTS(two_etags, w->live.etag = "\"v1\", \"v2\"")
DOCUMENTS(creates, edit(w->certificate_json, "contract.preconditions", "{\"absent\":true}"))
DOCUMENTS(by_content, edit(w->certificate_json, "contract.preconditions.etag", NULL))

static const struct refused refused[] = {
    { "a stranger's signature", signed_by_stranger, NULL, "sig", E_authority_unknown },
    { "two by one stranger", signed_by_stranger_twice, NULL, "sig", E_authority_unknown },
    { "a forged signature", NULL, forged, "sig", E_certificate_forged },
    { "a forged one beside a good one", signed_by_two, second_forged, "sig", E_certificate_forged },
    { "a changed payload", NULL, payload_changed, "sig", E_certificate_forged },
    { "a header of another type", other_typ, NULL, "sig", E_bad_header },
    { "one signature where two are wanted", two_wanted, NULL, "sig", E_signatures_too_few },
    { "one authority twice where two are wanted", same_authority_twice, NULL, "sig", E_signatures_too_few },
    { "an authority and a stranger where two are wanted", one_and_a_stranger, NULL, "sig", E_signatures_too_few },
    { "another key's request", other_key_requests, NULL, "pop", E_request_forged },
    { "an authority's request", authority_requests, NULL, "pop", E_request_forged },
    { "a changed request", NULL, request_changed, "pop", E_request_forged },
    { "a request of another type", NULL, request_of_other_typ, "pop", E_bad_header },
    { "a request with two signatures", NULL, request_twice_signed, "pop", E_request_forged },
    { "a request for another certificate", other_certificate, NULL, "pop", E_certificate_mismatch },
    { "now is exp", NULL, at_exp, "time", E_expired },
    { "now is before nbf", NULL, before_nbf, "time", E_not_yet_valid },
    { "issued in the future", issued_later, NULL, "time", E_not_yet_valid },
    { "issued before an unclean start", NULL, issued_before_restart, "time", E_certificate_before_restart },
    { "an old request", NULL, request_old, "time", E_request_stale },
    { "a request of the future", NULL, request_ahead, "time", E_request_stale },
    { "another domain's certificate", other_aud, NULL, "policy", E_domain_mismatch },
    { "another domain's broker", NULL, other_broker, "policy", E_domain_mismatch },
    { "an older policy epoch", older_policy, NULL, "policy", E_policy_epoch_mismatch },
    { "a newer policy epoch", newer_policy, NULL, "policy", E_policy_epoch_mismatch },
    { "a window that is too long", too_long, NULL, "policy", E_validity_too_long },
    { "a target that isn't admitted", other_target, NULL, "policy", E_not_admissible },
    { "an operation that isn't admitted", other_operation, NULL, "policy", E_not_admissible },
    { "a resource that isn't admitted", other_resource, NULL, "policy", E_not_admissible },
    { "a resource below an exact one", longer_than_exact, NULL, "policy", E_not_admissible },
    { "a resource that is the prefix without its slash", shorter_than_prefix, NULL, "policy", E_not_admissible },
    { "a risk that isn't admitted", riskier, NULL, "policy", E_not_admissible },
    { "two rows that would cover it only together", rows_together, NULL, "policy", E_not_admissible },
    { "a needed cosigner who may not admit it", cosigner_elsewhere, NULL, "policy", E_not_admissible },
    { "a body beyond the policy", body_limit, NULL, "policy", E_body_too_large },
    { "a freeze of everything", all_frozen, NULL, "policy", E_frozen },
    { "a freeze of the target", docs_frozen, NULL, "policy", E_frozen },
    { "no ETag where the policy wants one", version_wanted, NULL, "policy", E_version_required },
    { "an older revocation epoch", older_epoch, NULL, "rev", E_epoch_mismatch },
    { "a newer revocation epoch", newer_epoch, NULL, "rev", E_epoch_mismatch },
    { "a statement past its end", stale_epoch, NULL, "rev", E_epoch_stale },
    { "another domain's statement", other_domains_epoch, NULL, "rev", E_domain_mismatch },
    { "no statement", NULL, no_epoch, "rev", E_no_epoch },
    { "another target", NULL, target_differs, "match", E_target_mismatch },
    { "another operation", NULL, operation_differs, "match", E_operation_mismatch },
    { "another resource", NULL, resource_differs, "match", E_resource_mismatch },
    { "another length", NULL, length_differs, "match", E_parameter_mismatch },
    { "another digest", NULL, sha256_differs, "match", E_parameter_mismatch },
    { "another media type", NULL, media_type_differs, "match", E_parameter_mismatch },
    { "no body where one is certified", NULL, body_left_out, "match", E_parameter_mismatch },
    { "another body came", NULL, other_body, "match", E_body_mismatch },
    { "a longer body came", NULL, longer_body, "match", E_body_mismatch },
    { "no body came", NULL, no_body, "match", E_body_mismatch },
    { "a body came where none is certified", contract_without_body, NULL, "match", E_body_mismatch },
    { "an unknown target", NULL, no_target, "scope", E_target_unknown },
    { "an operation that the target doesn't do", NULL, unsupported, "scope", E_operation_unsupported },
    { "a resource that the target doesn't have", NULL, invalid, "scope", E_resource_invalid },
    { "no precondition", NULL, unconditional, "scope", E_precondition_missing },
    { "a contract of fewer seconds than the target wants", contract_of_four_s, wants_five_s, "scope", E_credential_too_short },
    { "a policy of fewer", policy_of_four_s, wants_five_s, "scope", E_credential_too_short },
    { "no result", NULL, unattested, "attest", E_attestation_missing },
    { "no result at the lowest risk", at_l0, unattested, "attest", E_attestation_missing },
    { "no result at L2", at_l2, unattested, "attest", E_attestation_missing },
    { "a result that is over", NULL, result_over, "attest", E_attestation_expired },
    { "a result of the future", NULL, result_ahead, "attest", E_attestation_expired },
    { "a result that doesn't affirm", NULL, not_affirmed, "attest", E_attestation_failed },
    { "a result for other keys", NULL, other_keys, "attest", E_attestation_other_keys },
    { "a used certificate", NULL, used, "replay", E_certificate_used },
    { "live state that wasn't read", NULL, not_read, "drift", E_read_failed },
    { "a resource that is gone", NULL, gone, "drift", E_state_drifted },
    { "another ETag", NULL, other_etag, "drift", E_state_drifted },
    { "another ETag, weak", NULL, other_weak_etag, "drift", E_state_drifted },
    { "the same ETag, weak for now", NULL, same_etag_but_weak, "drift", E_precondition_unusable },
    { "other content under the same ETag", NULL, other_content, "drift", E_state_drifted },
    { "no ETag", NULL, no_etag, "drift", E_precondition_unusable },
    { "a list of ETags", NULL, two_etags, "drift", E_state_drifted },
    { "a resource that is there already", creates, NULL, "drift", E_state_drifted },
    { "by content, and a weak ETag", by_content, same_etag_but_weak, "drift", E_precondition_unusable },
    { "by content, and no ETag", by_content, no_etag, "drift", E_precondition_unusable },
    { "by content, and other content", by_content, other_content, "drift", E_state_drifted },
};

static void make(struct world *w, void (*documents)(struct world *w), void (*facts)(struct world *w))
{
    world_new(w);
    if (documents)
        documents(w);
    world_build(w);
    if (facts)
        facts(w);
}

static bool is_named(const char *a, const char *b)
{
    return span_equal(span_text(a), span_text(b));
}

/* The other rules hold, so that it is this one that refuses. policy counts authorities by who signed; where nobody did, which is
 * what sig is about, it is asked as though all had. */
static bool others_hold(const struct world *w, const char *rule)
{
    struct facts f = w->facts;
    if (is_named(rule, "sig"))
        f.signers = (struct signers){ .authorities = 7, .distinct = 3 };
    for (unsigned i = 0; i < rules_n; i++) {
        enum seb_code code = is_named(rules[i].name, rule) ? E_ok : rules[i].holds(&f);
        if (code != E_ok) {
            printf("# %s says %s too\n", rules[i].name, code_name(code));
            return false;
        }
    }
    return true;
}

static void check_refused(struct checks *c, const struct refused *t)
{
    struct world w;
    struct refusal why = { 0 };
    make(&w, t->documents, t->facts);
    AUTO_PERMIT *permit = judge(&w.facts, &why);
    bool right = !permit && why.rule && is_named(why.rule, t->rule) && why.code == t->code;
    check_that(c, right && others_hold(&w, t->rule), t->name);
    if (!right)
        printf("# %s: %s\n", why.rule ? why.rule : "none", code_name(why.code));
    world_free(&w);
}

/* Holds at the very edge of each refusal. */
FACTS(at_nbf, w->facts.now_ms = w->certificate.nbf * 1000; w->request.iat = w->certificate.nbf; attested_now(w))
FACTS(just_before_exp, w->facts.now_ms = w->certificate.exp * 1000 - 1; w->request.iat = w->certificate.exp - 1; attested_now(w))
FACTS(oldest_request, w->request.iat = NOW_S - 300)
FACTS(request_30_ahead, w->request.iat = NOW_S + 30)
DOCUMENTS(longest_window, edit(w->policy_json, "validity_s", "660"))
DOCUMENTS(largest_body, edit(w->policy_json, "body_bytes", "5"))
DOCUMENTS(
    freeze_over, edit(w->policy_json, "freezes",
                     "[{\"from\":0,\"targets\":[],\"until\":1767225600},{\"from\":1767225601,\"targets\":[],\"until\":1767225700},"
                     "{\"from\":0,\"targets\":[\"wiki\"],\"until\":1767229200}]"))
DOCUMENTS(exact_resource, edit(w->certificate_json, "contract.resource", "\"https://docs.example/one\""))
DOCUMENTS(two_sign, two_wanted(w); signed_by_two(w))
DOCUMENTS(two_and_a_stranger, two_sign(w); w->signs[2] = w->stranger; w->signs_n = 3)
DOCUMENTS(third_may_not_and_is_not_needed, two_sign(w); w->signs[2] = w->authority[1]; w->signs_n = 3;
          edit(w->policy_json, "authorities.1.admit.1.target", "\"wiki\""))
DOCUMENTS(version_never, edit(w->policy_json, "version_from", "\"never\""); by_content(w))
DOCUMENTS(creates_at_version_level, edit(w->policy_json, "version_from", "\"L1\""); creates(w))
FACTS(nothing_there, w->live = (struct live_facts){ 0 })
DOCUMENTS(empty_body, edit(w->certificate_json, "contract.parameters.body.length", "0");
          edit(w->certificate_json, "contract.parameters.body.sha256", "\"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\""))
FACTS(came_without_body, w->facts.has_body = false)
FACTS(last_second_of_the_result, w->attested.exp = NOW_S + 1)
FACTS(result_30_ahead, w->attested.iat = NOW_S + 30)
FACTS(issued_at_the_restart, w->facts.certificates_from = w->certificate.iat)

static const struct refused taken[] = {
    { "the world as it is", NULL, NULL, NULL, E_ok },
    { "now is nbf", NULL, at_nbf, NULL, E_ok },
    { "the last millisecond", NULL, just_before_exp, NULL, E_ok },
    { "the oldest request", NULL, oldest_request, NULL, E_ok },
    { "a request 30 s ahead", NULL, request_30_ahead, NULL, E_ok },
    { "the longest window", longest_window, NULL, NULL, E_ok },
    { "the largest body", largest_body, NULL, NULL, E_ok },
    { "freezes over, to come, and elsewhere", freeze_over, NULL, NULL, E_ok },
    { "an exact resource", exact_resource, NULL, NULL, E_ok },
    { "two signatures, ES256 and EdDSA", two_sign, NULL, NULL, E_ok },
    { "a stranger's signature beside enough others", two_and_a_stranger, NULL, NULL, E_ok },
    { "a third who may not admit it and isn't needed", third_may_not_and_is_not_needed, NULL, NULL, E_ok },
    { "no ETag, and the policy never wants one", version_never, NULL, NULL, E_ok },
    { "creation where the policy wants a version", creates_at_version_level, nothing_there, NULL, E_ok },
    { "no body, and none came", contract_without_body, came_without_body, NULL, E_ok },
    { "an empty body, and none came", empty_body, came_without_body, NULL, E_ok },
    { "L2", at_l2, NULL, NULL, E_ok },
    { "the result's last second", NULL, last_second_of_the_result, NULL, E_ok },
    { "a result 30 s ahead", NULL, result_30_ahead, NULL, E_ok },
    { "a certificate of the very second of an unclean start", NULL, issued_at_the_restart, NULL, E_ok },
    { "just the seconds that the target wants", of_five_s, wants_five_s, NULL, E_ok },
    { "by content", by_content, NULL, NULL, E_ok },
};

static void check_taken(struct checks *c, const struct refused *t)
{
    struct world w;
    struct refusal why = { 0 };
    make(&w, t->documents, t->facts);
    AUTO_PERMIT *permit = judge(&w.facts, &why);
    check_that(c, permit && judge_before_read(&w.facts, &why) && judge_at_mint(&w.facts, &why), t->name);
    if (!permit)
        printf("# %s: %s\n", why.rule, code_name(why.code));
    world_free(&w);
}

/* Gaps that no peer can make: still no permit. */
static void check_gaps(struct checks *c)
{
    static const struct refused gaps[] = {
        { "no policy", NULL, no_policy, "sig", E_no_policy },
        { "no request", NULL, request_missing, "pop", E_invariant },
    };
    for (unsigned i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        struct world w;
        struct refusal why = { 0 };
        make(&w, NULL, gaps[i].facts);
        check_that(c, !judge(&w.facts, &why) && is_named(why.rule, gaps[i].rule) && why.code == gaps[i].code, gaps[i].name);
        world_free(&w);
    }
    struct facts nothing = { 0 };
    struct refusal why = { 0 };
    check_that(c, !judge(&nothing, &why) && why.code == E_no_policy, "no facts at all");
}

int main(void)
{
    struct checks c = { 0 };
    for (unsigned i = 0; i < sizeof taken / sizeof *taken; i++)
        check_taken(&c, &taken[i]);
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++)
        check_refused(&c, &refused[i]);
    check_gaps(&c);
    return checks_end(&c);
}
