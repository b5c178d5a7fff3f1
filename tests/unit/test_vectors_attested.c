/* Approvals, event logs and reference values against the vectors. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/vectors.h"

#include "attest/approval.h"
#include "attest/ima.h"
#include "attest/reference.h"
#include "attest/tcg_log.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_digest(const struct digest *d, const json_t *v, const char *name)
{
    struct digest wanted = vector_digest(v, name);
    return digest_equal(d, &wanted);
}

static struct pubkey *key_at(const json_t *v, const char *name)
{
    struct pubkey *k = NULL;
    if (!is_ok(pubkey_from_jwk(json_object_get(v, name), &k)))
        abort();
    return k;
}

static void hex_at(const json_t *v, const char *name, struct buf *out)
{
    if (!is_ok(hex_read(span_text(vector_text(v, name)), out)))
        abort();
}

static bool is_name(const struct pubkey *k, const json_t *v, const char *name)
{
    AUTO_BUF wanted = BUF(TPM_NAME_SIZE);
    uint8_t made[TPM_NAME_SIZE];
    hex_at(v, name, &wanted);
    return is_ok(tpm_external_name(k, made)) && span_equal(SPAN(made), buf_span(&wanted));
}

static void check_digests(struct checks *c, const json_t *v)
{
    AUTO_PUBKEY *policy_key = key_at(v, "policy_key"), *lease = key_at(v, "lease");
    AUTO_BUF ak_name = BUF(TPM_NAME_SIZE), nonce = BUF(32);
    struct digest ref, policy, hash;
    hex_at(v, "ak_name", &ak_name);
    vector_bytes(v, "nonce", &nonce);
    check_that(c, is_name(policy_key, v, "policy_key_name") && is_name(lease, v, "lease_name"), "names of external keys");
    check_code(c, policy_ref(vector_text(v, "origin"), ak_name.p, &ref), E_ok, "a policyRef");
    check_that(c, is_digest(&ref, v, "ref"), "is the one");
    check_code(c, key_policy(policy_key, &ref, &policy), E_ok, "a key's policy");
    check_that(c, is_digest(&policy, v, "key_policy"), "is the one");
    check_code(c, lease_hash(nonce.p, (uint32_t)vector_int(v, "seconds"), &ref, &hash), E_ok, "what a lease signs");
    check_that(c, is_digest(&hash, v, "lease_hash"), "is the one");
}

static void check_plan(struct checks *c, const json_t *v)
{
    AUTO_BUF plan = BUF(JWS_PAYLOAD_MAX), payload = BUF(JWS_PAYLOAD_MAX);
    struct approval a = { 0 };
    check_code(c, approval_plan_parse(span_text(vector_text(v, "plan")), &a), E_ok, "a plan");
    check_that(c, is_digest(&a.policy, v, "policy"), "gives the approved policy");
    bool same = is_ok(approval_plan_write(&a, &plan)) && span_is(buf_span(&plan), vector_text(v, "plan")) &&
                is_ok(approval_payload(&a, &payload)) && span_is(buf_span(&payload), vector_text(v, "payload"));
    check_that(c, same, "and is written as the same bytes");
    check_code(c, approval_plan_parse(span_text(vector_text(v, "payload")), &(struct approval){ 0 }), E_unknown_member,
        "a payload is no plan");
    check_code(
        c, approval_parse(span_text(vector_text(v, "plan")), &(struct approval){ 0 }), E_missing_member, "nor a plan a payload");
    approval_free(&a);
}

static void check_file(struct checks *c, const json_t *v)
{
    AUTO_PUBKEY *policy_key = key_at(v, "policy_key");
    AUTO_APPROVAL_FILE f = { 0 };
    AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
    const json_t *people = json_object_get(v, "people");
    struct pubkey *keys[4] = { NULL };
    unsigned distinct = 9, n = 0;
    for (; n < json_array_size(people); n++)
        if (!is_ok(pubkey_from_jwk(json_array_get(people, n), &keys[n])))
            abort();
    keys[n++] = pubkey_hold(keys[0]);
    keys[n++] = pubkey_hold(policy_key);
    struct span file = span_text(vector_text(v, "file"));
    check_code(c, approval_open(file, policy_key, &f), E_ok, "an approval file");
    check_that(c, is_digest(&f.approval.policy, v, "policy") && span_is(f.jws.payload, vector_text(v, "payload")), "as signed");
    check_code(c, approval_countersigned(&f, policy_key, (const struct pubkey *const *)keys, n, &distinct), E_ok, "countersigners");
    check_that(c, distinct == (unsigned)vector_int(v, "countersigned"), "are counted once each, and the policy key isn't one");
    check_that(
        c, is_ok(approval_write(&f.jws, f.signature, &text)) && span_equal(buf_span(&text), file), "it is written as it was");
    for (unsigned i = 0; i < n; i++)
        pubkey_free(keys[i]);
}

static void check_approvals(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("approvals");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        printf("# %s\n", vector_text(v, "name"));
        check_digests(c, v);
        check_plan(c, v);
        check_file(c, v);
    }
}

static struct digest pcr_of(const json_t *v, const char *pcr)
{
    AUTO_BUF value = BUF(DIGEST_SIZE);
    struct digest d;
    hex_at(json_object_get(v, "pcrs"), pcr, &value);
    if (!is_ok(span_copy(buf_span(&value), d.b, DIGEST_SIZE)))
        abort();
    return d;
}

static void check_cel(struct checks *c, const json_t *v, struct span log)
{
    struct digest value = { { 1 } }, wanted = pcr_of(v, "12"), event;
    struct cel_state state, given = { 0 };
    AUTO_BUF again = BUF(CEL_LOG_MAX);
    const char *name;
    const json_t *digest;
    size_t n = 0;
    check_code(c, cel_replay(log, 12, &value, &state), E_ok, vector_text(v, "name"));
    json_object_foreach (json_object_get(v, "state"), name, digest) {
        struct digest d = vector_digest(json_object_get(v, "state"), name);
        if (!is_ok(cel_put(&given, name, &d)))
            abort();
    }
    check_that(c, digest_equal(&value, &wanted) && cel_equal(&state, &given), "replays to the PCR and the state");
    check_that(c, is_ok(cel_prefix(log, 12, &wanted, &n)) && n == log.n, "all of which the PCR's value is of");
    if (!is_ok(buf_put(&again, log)) || !is_ok(cel_append(&again, 12, "sebd", &wanted, &event)))
        abort();
    check_that(c, is_ok(cel_prefix(buf_span(&again), 12, &wanted, &n)) && n == log.n, "a record more isn't in it");
    check_that(c, is_ok(cel_replay(buf_span(&again), 12, &value, &state)) && digest_equal(cel_find(&state, "sebd"), &wanted),
        "and is the last that holds");
}

static void check_firmware(struct checks *c, const json_t *v, struct span log)
{
    struct tcg_replay r;
    bool same = true;
    check_code(c, tcg_log_replay(log, &r), E_ok, vector_text(v, "name"));
    for (unsigned i = 0; i < TPM_PCRS; i++) {
        char pcr[16];
        snprintf(pcr, sizeof pcr, "%u", i);
        struct digest wanted = { { 0 } };
        bool there = json_has(json_object_get(v, "pcrs"), pcr);
        if (there)
            wanted = pcr_of(v, pcr);
        same = same && digest_equal(&r.pcr[i], &wanted) && (r.extended >> i & 1) == there;
    }
    check_that(c, same, "each PCR");
}

static void check_ima(struct checks *c, const json_t *v, struct span log)
{
    struct digest wanted = pcr_of(v, "10");
    struct ima_state s = { 0 };
    check_code(c, ima_advance(log, IMA_PCR, &wanted, &s), E_ok, vector_text(v, "name"));
    check_that(c, s.offset == log.n && s.entries == 6 && s.violations == 1 && digest_equal(&s.pcr, &wanted), "to its end");
}

static void check_logs(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("eventlogs");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_BUF log = BUF(CEL_LOG_MAX);
        vector_bytes(v, "log", &log);
        const char *kind = vector_text(v, "kind");
        if (span_is(span_text(kind), "cel"))
            check_cel(c, v, buf_span(&log));
        else if (span_is(span_text(kind), "ima"))
            check_ima(c, v, buf_span(&log));
        else
            check_firmware(c, v, buf_span(&log));
    }
}

static void check_references(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("references");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_BUF text = BUF(REFERENCE_TEXT_MAX), arena = BUF(JWS_TEXT_MAX);
        AUTO_PUBKEY *policy_key = vector_key("policy");
        struct reference r;
        struct jws j;
        check_code(c, reference_parse(span_text(vector_text(v, "payload")), &r), E_ok, vector_text(v, "name"));
        check_that(c, is_digest(&r.digest, v, "digest"), "its digest");
        bool same = is_ok(reference_write(&r, &text)) && span_is(buf_span(&text), vector_text(v, "payload"));
        check_that(c, same, "and it is written as the same bytes");
        bool signed_ = is_ok(jws_parse(json_object_get(v, "jws"), &arena, &j)) && span_is(j.payload, vector_text(v, "payload")) &&
                       is_ok(jws_verify(policy_key, TYP_REFERENCE, j.payload, &j.sig[0]));
        check_that(c, signed_, "signed by the policy key");
    }
}

int main(void)
{
    struct checks c = { 0 };
    check_approvals(&c);
    check_logs(&c);
    check_references(&c);
    return checks_end(&c);
}
