/* Contracts over objects with versions and fields: each member that they bring, how the request is held to it, and what Phi_policy
 * and Phi_drift make of it. The rest of a contract is test_policy_documents.c's and test_policy_rules.c's. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/policy_world.h"

#define CONTRACT(rest) "contract." rest
static const char parameters[] =
    "{\"body\":{\"length\":5,\"media_type\":\"application/merge-patch+json\",\"sha256\":"
    "\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ\"},\"field_manager\":\"seb/web:1.x_y-z\",\"fields\":[{\"pointer\":"
    "\"/spec/replicas\",\"value\":3},{\"pointer\":\"/spec/paused\",\"absent\":true}],\"force\":true,\"grace_s\":30,"
    "\"propagation\":\"Foreground\"}";
static const char preconditions[] =
    "{\"fields\":[{\"pointer\":\"/spec/replicas\",\"value\":2},{\"pointer\":\"/spec/template\",\"sha256\":"
    "\"y6BrVzb69n5UsHtWHq6UOV53TFF6fZEKVDaeEmPM-9Q\"},{\"pointer\":\"/metadata/deletionTimestamp\",\"absent\":true}],"
    "\"resource_version\":\"8123\",\"uid\":\"0b4f7e0c-51c4-4c1c-9f0e-2b7a0b1f9d10\"}";
static const char postconditions[] = "{\"fields\":[{\"pointer\":\"/spec/replicas\",\"value\":3}]}";

/* What was found of the three fields of the preconditions, then of the parameters' two. */
static struct live_field found[5];

static void objects_world(struct world *w)
{
    world_new(w);
    edit(w->certificate_json, CONTRACT("operation"), "\"patch\"");
    edit(w->certificate_json, CONTRACT("resource"), "\"/apis/apps/v1/namespaces/prod/deployments/web\"");
    edit(w->certificate_json, CONTRACT("parameters"), parameters);
    edit(w->certificate_json, CONTRACT("preconditions"), preconditions);
    edit(w->certificate_json, CONTRACT("postconditions"), postconditions);
    edit(w->policy_json, "authorities.0.admit.1.operations", "[\"create\",\"delete\",\"patch\",\"update\"]");
    edit(w->policy_json, "authorities.0.admit.1.resources", "[{\"prefix\":\"/apis/apps/v1/namespaces/prod/\"}]");
    edit(w->policy_json, "authorities.2.admit.1.operations", "[\"create\",\"delete\",\"patch\",\"update\"]");
    edit(w->policy_json, "authorities.2.admit.1.resources", "[{\"prefix\":\"/apis/apps/v1/namespaces/prod/\"}]");
}

static void build(struct world *w)
{
    static const char old[] = { 'o', 'l', 'd' };
    world_build(w);
    found[0] = (struct live_field){ true, sha256(span_text("2")) };
    found[1] = (struct live_field){ true, sha256(SPAN(old)) };
    found[2] = (struct live_field){ 0 };
    found[3] = (struct live_field){ true, sha256(span_text("2")) };
    found[4] = (struct live_field){ 0 };
    w->target = (struct target_facts){ .kind = "kubernetes", .prefix = "https://cluster.example:6443/", .scope = E_ok };
    w->live = (struct live_facts){
        .exists = true,
        .sha256 = sha256(SPAN(old)),
        .uid = "0b4f7e0c-51c4-4c1c-9f0e-2b7a0b1f9d10",
        .version = "8123",
        .fields_n = 5,
        .field = found,
    };
}

static void check_parsed(struct checks *c)
{
    struct world w;
    objects_world(&w);
    build(&w);
    const struct contract *k = &w.certificate.contract;
    check_that(c, k->fields.n == 2 && k->fields.field[1].absent && span_is(span_text(k->fields.field[0].value), "3"), "fields");
    check_that(c, span_is(span_text(k->field_manager), "seb/web:1.x_y-z") && k->force && k->grace_s == 30, "manager, force, grace");
    check_that(c, span_is(span_text(k->propagation), "Foreground"), "propagation");
    check_that(c,
        k->pre.has_uid && k->pre.has_version && span_is(span_text(k->pre.version), "8123") && k->pre.uid[0] == '0' &&
            k->pre.fields.n == 3 && !k->pre.has_etag && !k->pre.absent,
        "preconditions");
    check_that(c, k->post.n == 1 && k->dry_run, "postconditions, which ask for a dry run");
    struct digest d;
    must(is_ok(json_digest(at_path(w.certificate_json, "contract"), &d)), "digest");
    check_that(c, digest_equal(&k->digest, &d), "the contract's digest is over its RFC 8785 form");
    must(is_ok(json_digest(at_path(w.certificate_json, "contract.parameters"), &d)), "digest");
    check_that(c, digest_equal(&k->mutation.parameters, &d) && digest_equal(&w.request.mutation.parameters, &d),
        "and so is its parameters'");
    world_free(&w);
    world_new(&w);
    world_build(&w);
    const struct contract *plain = &w.certificate.contract;
    check_that(c,
        plain->fields.n == 0 && plain->pre.fields.n == 0 && plain->post.n == 0 && !plain->field_manager[0] &&
            !plain->propagation[0] && !plain->force && !plain->dry_run && plain->grace_s == GRACE_NONE && !plain->pre.has_uid &&
            !plain->pre.has_version,
        "a contract without them has none of them");
    world_free(&w);
}

#define LONG64 "0123456789012345678901234567890123456789012345678901234567890123"
#define PRE CONTRACT("preconditions")
#define PAR CONTRACT("parameters")
static const struct {
    const char *path, *value; /* NULL: taken away */
    enum seb_code code;
} values[] = {
    { PAR ".fields", NULL, E_ok }, { PAR ".fields", "[]", E_bad_value }, { PAR ".fields", "{}", E_bad_type },
    { PAR ".fields.0.sha256", "\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ\"", E_bad_value },
    { PAR ".fields.0", "{\"pointer\":\"/a\",\"sha256\":\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ\"}", E_bad_value },
    { PAR ".fields.1", "{\"pointer\":\"/spec/replicas\",\"value\":4}", E_bad_value }, { PAR ".field_manager", NULL, E_ok },
    { PAR ".field_manager", "\"\"", E_bad_value }, { PAR ".field_manager", "\"" LONG64 LONG64 "\"", E_ok },
    { PAR ".field_manager", "\"" LONG64 LONG64 "0\"", E_too_long }, { PAR ".field_manager", "\"a b\"", E_bad_value },
    { PAR ".field_manager", "\"a&force=true\"", E_bad_value }, { PAR ".field_manager", "\"a%20\"", E_bad_value },
    { PAR ".field_manager", "1", E_bad_type }, { PAR ".force", "false", E_ok }, { PAR ".force", "1", E_bad_type },
    { PAR ".grace_s", "0", E_ok }, { PAR ".grace_s", "86400", E_ok }, { PAR ".grace_s", "86401", E_bad_value },
    { PAR ".grace_s", "-1", E_bad_value }, { PAR ".grace_s", "\"1\"", E_bad_type }, { PAR ".propagation", "\"Background\"", E_ok },
    { PAR ".propagation", "\"Orphan\"", E_ok }, { PAR ".propagation", "\"orphan\"", E_bad_value },
    { PAR ".propagation", "\"Foreground, Background\"", E_too_long }, { PAR ".propagation", "true", E_bad_type },
    { PAR ".dry_run", "true", E_unknown_member }, { PRE ".uid", "\"" LONG64 "\"", E_ok },
    { PRE ".uid", "\"" LONG64 "0\"", E_too_long }, { PRE ".uid", "\"\"", E_bad_value }, { PRE ".uid", "\"a/b\"", E_bad_value },
    { PRE ".uid", "1", E_bad_type }, { PRE ".resource_version", "\"0\"", E_ok }, { PRE ".resource_version", "8123", E_bad_type },
    { PRE ".resource_version", "\"8123 \"", E_bad_value }, { PRE ".fields", "[]", E_bad_value },
    { PRE ".fields.1.absent", "true", E_bad_value }, { PRE ".absent", "true", E_bad_value }, { PRE, "{\"absent\":true}", E_ok },
    { PRE, "{\"absent\":true,\"uid\":\"a\"}", E_bad_value }, { PRE, "{\"absent\":true,\"resource_version\":\"1\"}", E_bad_value },
    { PRE, "{\"absent\":true,\"fields\":[{\"pointer\":\"/a\",\"absent\":true}]}", E_bad_value },
    { PRE, "{\"absent\":false}", E_bad_value }, { PRE, "{}", E_ok }, { PRE ".version", "\"1\"", E_unknown_member },
    { CONTRACT("postconditions"), "{}", E_missing_member }, { CONTRACT("postconditions"), "[]", E_bad_type },
    { CONTRACT("postconditions.fields"), "[]", E_bad_value }, { CONTRACT("postconditions.uid"), "\"1\"", E_unknown_member },
    { CONTRACT("constraints.dry_run"), "true", E_ok }, { CONTRACT("constraints.dry_run"), "1", E_bad_type },
    { CONTRACT("constraints.dry_run"), "false", E_bad_value }, /* postconditions ask for it */
};

static void check_values(struct checks *c)
{
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        struct world w;
        struct digest state;
        struct certificate parsed = { 0 };
        AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
        char name[400];
        objects_world(&w);
        edit(w.certificate_json, values[i].path, values[i].value);
        must(is_ok(contract_state(at_path(w.certificate_json, "contract"), &state)), "state");
        must(is_ok(json_put_digest(w.certificate_json, "state", &state)), "state");
        must(is_ok(json_canonical(w.certificate_json, &text)), "canonical");
        snprintf(name, sizeof name, "%s = %.200s", values[i].path, values[i].value ? values[i].value : "nothing");
        check_code(c, certificate_parse(buf_span(&text), NULL, &parsed), values[i].code, name);
        certificate_free(&parsed);
        world_free(&w);
    }
}

/* A text cut anywhere, and each byte changed: refused or taken, and nothing is lost or freed twice. */
static void check_sweep(struct checks *c)
{
    struct world w;
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    unsigned taken = 0;
    objects_world(&w);
    must(is_ok(json_canonical(at_path(w.certificate_json, "contract"), &text)), "canonical");
    for (size_t n = 0; n < text.n; n++) {
        struct contract k = { 0 };
        taken += is_ok(contract_parse((struct span){ text.p, n }, &k));
        contract_free(&k);
    }
    check_that(c, taken == 0, "no beginning of a contract is one");
    for (size_t i = 0; i < text.n; i++) {
        struct contract k = { 0 };
        text.p[i] ^= 1;
        if (is_ok(contract_parse(buf_span(&text), &k)))
            taken++;
        contract_free(&k);
        text.p[i] ^= 1;
    }
    check_that(c, taken > 0 && taken < text.n, "changed bytes");
    world_free(&w);
}

#define EDIT(name, ...)               \
    static void name(struct world *w) \
    {                                 \
        __VA_ARGS__;                  \
    }
EDIT(requests_other_fields, w->keep_mutation = true; edit(w->request_json, "mutation.parameters.fields.0.value", "4"))
EDIT(requests_other_manager, w->keep_mutation = true; edit(w->request_json, "mutation.parameters.field_manager", "\"x\""))
EDIT(requests_no_force, w->keep_mutation = true; edit(w->request_json, "mutation.parameters.force", NULL))
EDIT(requests_other_grace, w->keep_mutation = true; edit(w->request_json, "mutation.parameters.grace_s", "0"))
EDIT(wants_version, edit(w->policy_json, "version_from", "\"L0\""))
EDIT(wants_version_of_none, wants_version(w); edit(w->certificate_json, PRE ".resource_version", NULL))
EDIT(secret, w->target.secret = true)
EDIT(secrets_refused, edit(w->policy_json, "secrets", "\"refuse\""))
EDIT(secrets_unfenced, edit(w->policy_json, "secrets", "\"unfenced\""))
EDIT(other_uid, w->live.uid = "0b4f7e0c-51c4-4c1c-9f0e-2b7a0b1f9d11")
EDIT(no_uid, w->live.uid = NULL)
EDIT(longer_uid, w->live.uid = "0b4f7e0c-51c4-4c1c-9f0e-2b7a0b1f9d100")
EDIT(other_version, w->live.version = "8124")
EDIT(no_version, w->live.version = "")
EDIT(version_read, edit(w->certificate_json, PRE ".resource_version", NULL))
EDIT(gone, w->live = (struct live_facts){ 0 })
EDIT(other_field, found[0].sha256 = sha256(span_text("3")))
EDIT(other_digest, found[1].sha256.b[0] ^= 1)
EDIT(field_gone, found[1].exists = false)
EDIT(field_came, found[2].exists = true)
EDIT(fewer_fields, w->live.fields_n = 2)
EDIT(no_fields, w->live.fields_n = 0; w->live.field = NULL)
EDIT(other_parameter_field, found[3].sha256.b[0] ^= 1)
EDIT(creates, edit(w->certificate_json, PRE, "{\"absent\":true}"))
EDIT(wants_version_of_what_isnt_there, wants_version(w); creates(w))
EDIT(by_fields, edit(w->certificate_json, PRE ".uid", NULL); version_read(w))

static const struct {
    const char *name;
    void (*documents)(struct world *w);
    void (*facts)(struct world *w);
    const char *rule; /* NULL: permitted */
    enum seb_code code;
} judged[] = {
    { "the world as it is", NULL, NULL, NULL, E_ok },
    { "a request of another field's value", requests_other_fields, NULL, "match", E_parameter_mismatch },
    { "a request of another field manager", requests_other_manager, NULL, "match", E_parameter_mismatch },
    { "a request that doesn't force", requests_no_force, NULL, "match", E_parameter_mismatch },
    { "a request of another grace period", requests_other_grace, NULL, "match", E_parameter_mismatch },
    { "a version where the policy wants one", wants_version, NULL, NULL, E_ok },
    { "none where it does", wants_version_of_none, NULL, "policy", E_version_required },
    { "creation where it does", wants_version_of_what_isnt_there, gone, NULL, E_ok },
    { "a Secret's body, and the policy says nothing", NULL, secret, "policy", E_secret_unfenced },
    { "a Secret's body, and the policy refuses it", secrets_refused, secret, "policy", E_secret_unfenced },
    { "a Secret's body that the policy takes unfenced", secrets_unfenced, secret, NULL, E_ok },
    { "no Secret's body", secrets_refused, NULL, NULL, E_ok },
    { "another uid", NULL, other_uid, "drift", E_state_drifted },
    { "no uid", NULL, no_uid, "drift", E_state_drifted },
    { "a uid that begins with it", NULL, longer_uid, "drift", E_state_drifted },
    { "another version", NULL, other_version, "drift", E_state_drifted },
    { "no version, and the contract has one", NULL, no_version, "drift", E_state_drifted },
    { "the version that was read", version_read, other_version, NULL, E_ok },
    { "no version at all", version_read, no_version, "drift", E_precondition_unusable },
    { "nothing there", NULL, gone, "drift", E_state_drifted },
    { "a field of another value", NULL, other_field, "drift", E_state_drifted },
    { "a field of another digest", NULL, other_digest, "drift", E_state_drifted },
    { "a field that is gone", NULL, field_gone, "drift", E_state_drifted },
    { "a field that must not be there", NULL, field_came, "drift", E_state_drifted },
    { "fewer findings than fields", NULL, fewer_fields, "drift", E_read_failed },
    { "no findings", NULL, no_fields, "drift", E_read_failed },
    { "a field that the contract will set is no precondition", NULL, other_parameter_field, NULL, E_ok },
    { "creation of what is there", creates, NULL, "drift", E_state_drifted },
    { "creation", creates, gone, NULL, E_ok },
    { "fields alone", by_fields, NULL, NULL, E_ok },
};

static void check_judged(struct checks *c)
{
    for (unsigned i = 0; i < sizeof judged / sizeof *judged; i++) {
        struct world w;
        struct refusal why = { 0 };
        objects_world(&w);
        w.keep_mutation = false;
        if (judged[i].documents && span_is(span_text(judged[i].rule), "match")) {
            /* The request's mutation is made first, and then edited. */
            json_object_set(w.request_json, "mutation", at_path(w.certificate_json, "contract"));
            AUTO_JSON *mutation = json_deep_copy(at_path(w.request_json, "mutation"));
            const char *const more[] = { "constraints", "postconditions", "preconditions", "risk" };
            for (unsigned m = 0; m < 4; m++)
                json_object_del(mutation, more[m]);
            json_object_set(w.request_json, "mutation", mutation);
        }
        if (judged[i].documents)
            judged[i].documents(&w);
        build(&w);
        if (judged[i].facts)
            judged[i].facts(&w);
        AUTO_PERMIT *p = judge(&w.facts, &why);
        bool right = judged[i].rule ? !p && why.rule && span_is(span_text(why.rule), judged[i].rule) && why.code == judged[i].code
                                    : p && !*permit_if_match(p);
        check_that(c, right, judged[i].name);
        if (!right)
            printf("# %s: %s\n", why.rule ? why.rule : "none", code_name(why.code));
        world_free(&w);
    }
}

static void check_policy_member(struct checks *c)
{
    static const struct {
        const char *value;
        enum seb_code code;
    } members[] = { { "\"refuse\"", E_ok }, { "\"unfenced\"", E_ok }, { "\"fenced\"", E_bad_value }, { "true", E_bad_type },
        { "\"\"", E_bad_value } };
    for (unsigned i = 0; i < sizeof members / sizeof *members; i++) {
        struct world w;
        struct policy *p = NULL;
        AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
        world_new(&w);
        edit(w.policy_json, "secrets", members[i].value);
        must(is_ok(json_canonical(w.policy_json, &text)), "canonical");
        check_code(c, policy_parse(buf_span(&text), &p), members[i].code, members[i].value);
        policy_free(p);
        world_free(&w);
    }
}

int main(void)
{
    struct checks c = { 0 };
    check_parsed(&c);
    check_values(&c);
    check_sweep(&c);
    check_judged(&c);
    check_policy_member(&c);
    return checks_end(&c);
}
