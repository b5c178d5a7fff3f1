/* The parsers of certificate, request, policy and epoch statement: each member missing, unknown, of the wrong type, out of range;
 * and each text cut short or with a bit flipped. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/policy_world.h"

enum document { CERTIFICATE, REQUEST, POLICY, EPOCH, DOCUMENTS };
static const char *const names[DOCUMENTS] = { "certificate", "request", "policy", "epoch" };

static result parse(enum document d, struct span text)
{
    struct certificate certificate = { 0 };
    struct request request;
    struct epoch_statement epoch;
    struct policy *policy = NULL;
    result r;
    switch (d) {
    case CERTIFICATE:
        r = certificate_parse(text, NULL, &certificate);
        certificate_free(&certificate);
        return r;
    case REQUEST:
        return request_parse(text, &request);
    case POLICY:
        r = policy_parse(text, &policy);
        policy_free(policy);
        return r;
    default:
        return epoch_parse(text, &epoch);
    }
}

static result parse_json(enum document d, const json_t *v)
{
    AUTO_BUF text = BUF(2 * JWS_PAYLOAD_MAX);
    must(is_ok(json_canonical(v, &text)), "canonical");
    return parse(d, buf_span(&text));
}

#define ED25519_JWK "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"_vyuiV4WlJesWYmV42zTri4JDF-T68DuVIInOTUAp6E\"}"

static json_t *document_of(struct world *w, enum document d)
{
    json_t *const all[] = { w->certificate_json, w->request_json, w->policy_json, w->epoch_json };
    return all[d];
}

/* A world in whose documents every optional member is there, too. */
static void full_world(struct world *w)
{
    world_new(w);
    edit(w->certificate_json, "ext", "{\"note\":{\"any\":[1,true,null]}}");
    edit(w->policy_json, "freezes", "[{\"from\":1,\"targets\":[\"docs\"],\"until\":2}]");
    edit(w->policy_json, "approval", "{\"countersigners\":[" ED25519_JWK "],\"needed\":1}");
    world_build(w);
}

static bool is_under(const char *path, const char *top)
{
    struct span t = span_text(top);
    return span_equal(span_part(span_text(path), 0, t.n), t);
}

static bool is_in_jwk(const char *path)
{
    return is_under(path, "cnf.jwk.") || is_under(path, "authorities.0.jwk.") || is_under(path, "verifiers.0.jwk.") ||
           is_under(path, "verifiers.0.lease.") || is_under(path, "approval.countersigners.0.");
}

/* What is expected where a member is removed, or one is added to the object. */
static enum seb_code missing_code(const char *path)
{
    if (span_is(span_text(path), "ext"))
        return E_ok;
    if (is_in_jwk(path))
        return E_bad_key;
    if (is_under(path, "contract.preconditions."))
        return E_bad_value; /* well-formed, but `state` is of others */
    if (span_is(span_text(path), "contract.parameters.body") || span_is(span_text(path), "mutation.parameters.body"))
        return E_ok;
    return E_missing_member;
}

static bool is_jwk(const char *path)
{
    static const char *const keys[] = { "cnf.jwk", "authorities.0.jwk", "verifiers.0.jwk", "verifiers.0.lease",
        "approval.countersigners.0" };
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        if (span_is(span_text(path), keys[i]))
            return true;
    return false;
}

static void expect(struct checks *c, enum document d, const json_t *v, enum seb_code want, const char *what, const char *path)
{
    char name[256];
    snprintf(name, sizeof name, "%s: %s %s", names[d], path, what);
    check_code(c, parse_json(d, v), want, name);
}

static void try_removed(struct checks *c, enum document d, const json_t *whole, const char *path)
{
    AUTO_JSON *copy = json_deep_copy(whole);
    edit(copy, path, NULL);
    expect(c, d, copy, missing_code(path), "missing", path);
}

/* JSON types that a member never has. */
static void try_other_types(struct checks *c, enum document d, const json_t *whole, const char *path)
{
    const json_t *v = at_path((json_t *)whole, path);
    AUTO_JSON *copy = json_deep_copy(whole);
    edit(copy, path, json_is_boolean(v) ? "1" : "true");
    expect(c, d, copy, is_in_jwk(path) ? E_bad_key : E_bad_type, "of another type", path);
    edit(copy, path, json_is_object(v) ? "[]" : "{}");
    expect(c, d, copy, is_in_jwk(path) ? E_bad_key : E_bad_type, "of another type again", path);
}

static void try_added(struct checks *c, enum document d, const json_t *whole, const char *path)
{
    AUTO_JSON *copy = json_deep_copy(whole);
    char added[200];
    snprintf(added, sizeof added, "%s%szz", path, *path ? "." : "");
    edit(copy, added, "1");
    expect(c, d, copy, is_jwk(path) ? E_bad_key : E_unknown_member, "with an unknown member", *path ? path : "top");
}

/* All members below path, first elements of arrays only. */
static void walk(struct checks *c, enum document d, const json_t *whole, const char *path)
{
    json_t *v = at_path((json_t *)whole, path), *member;
    const char *key;
    if (is_under(path, "ext"))
        return;
    if (json_is_object(v))
        try_added(c, d, whole, path);
    json_object_foreach (v, key, member) {
        char below[160];
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", key);
        try_removed(c, d, whole, below);
        try_other_types(c, d, whole, below);
        if (json_is_object(member))
            walk(c, d, whole, below);
        if (json_is_array(member) && json_array_size(member)) {
            char first[164];
            snprintf(first, sizeof first, "%s.0", below);
            try_other_types(c, d, whole, first);
            if (json_is_object(json_array_get(member, 0)))
                walk(c, d, whole, first);
        }
    }
}

/* Any cut and any flipped bit: refused by a name, or a document of other values; never a crash (the sanitizers watch). */
static void sweep(struct checks *c, enum document d, const json_t *whole)
{
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    must(is_ok(json_canonical(whole, &text)), "canonical");
    unsigned wrong = 0;
    for (size_t n = 0; n < text.n; n++) {
        enum seb_code code = code_of(parse(d, span_part(buf_span(&text), 0, n)));
        wrong += code == E_ok || code >= E_CODES || code_blame(code) != BLAME_AGENT;
    }
    check_that(c, wrong == 0, "each cut is refused");
    wrong = 0;
    size_t step = d == POLICY ? 3 : 1; /* its keys cost time; 3 is prime to 8, so that each bit's turn comes */
    for (size_t bit = 0; bit < text.n * 8; bit += step) {
        text.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum seb_code code = code_of(parse(d, buf_span(&text)));
        wrong += code >= E_CODES || (code != E_ok && code_blame(code) != BLAME_AGENT && code_blame(code) != BLAME_AUTHORITY);
        text.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    check_that(c, wrong == 0, "each flipped bit is taken or refused by a name");
    check_code(c, parse(d, buf_span(&text)), E_ok, names[d]);
    must(is_ok(buf_text(&text, " {}")), "room");
    check_code(c, parse(d, buf_span(&text)), E_trailing_bytes, "bytes after it");
}

struct value {
    enum document document;
    const char *path, *json_text;
    enum seb_code code;
};
#define DIGEST "\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ\""
#define TEXT_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
static const struct value values[] = {
    { CERTIFICATE, "aud", "\"\"", E_bad_value },
    { CERTIFICATE, "aud", "\"prod/example\"", E_bad_value },
    { CERTIFICATE, "aud", "\"" TEXT_64 TEXT_64 "\"", E_ok },
    { CERTIFICATE, "aud", "\"" TEXT_64 TEXT_64 "0\"", E_too_long },
    { CERTIFICATE, "cid", "\"" TEXT_64 "\"", E_ok },
    { CERTIFICATE, "cid", "\"" TEXT_64 "0\"", E_too_long },
    { CERTIFICATE, "cid", "\"a b\"", E_bad_value },
    { CERTIFICATE, "cid", "\"a\\u0000\"", E_bad_json },
    { CERTIFICATE, "epoch", "0", E_ok },
    { CERTIFICATE, "epoch", "-1", E_bad_value },
    { CERTIFICATE, "epoch", "9007199254740991", E_ok },
    { CERTIFICATE, "policy_epoch", "0", E_bad_value },
    { CERTIFICATE, "iat", "-1", E_bad_value },
    { CERTIFICATE, "nbf", "1767226200", E_bad_value },
    { CERTIFICATE, "exp", "1767225540", E_bad_value },
    { CERTIFICATE, "evidence", "\"\"", E_bad_value },
    { CERTIFICATE, "evidence", "\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCR\"", E_bad_base64url },
    { CERTIFICATE, "evidence", "\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\"", E_bad_base64url },
    { CERTIFICATE, "state", DIGEST, E_bad_value },
    { CERTIFICATE, "nonce", "\"AAECAwQFBgcICQoLDA0O\"", E_bad_value },
    { CERTIFICATE, "nonce", "\"AAECAwQFBgcICQoLDA0OD0\"", E_bad_base64url },
    { CERTIFICATE, "nonce", "\"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8\"", E_ok },
    { CERTIFICATE, "nonce", "\"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8A\"", E_too_long },
    { CERTIFICATE, "risk", "\"L6\"", E_bad_value },
    { CERTIFICATE, "risk", "\"l1\"", E_bad_value },
    { CERTIFICATE, "risk", "\"L10\"", E_too_long },
    { CERTIFICATE, "risk", "\"L2\"", E_bad_value }, /* not the contract's */
    { CERTIFICATE, "contract.risk", "\"L0\"", E_bad_value },
    { CERTIFICATE, "crit", "[\"note\"]", E_unknown_critical },
    { CERTIFICATE, "crit", "[\"other\"]", E_bad_value },
    { CERTIFICATE, "crit", "[]", E_bad_value },
    { CERTIFICATE, "crit", "[1]", E_bad_type },
    { CERTIFICATE, "crit", "\"note\"", E_bad_type },
    { CERTIFICATE, "crit", "[\"note\",\"note\",\"note\",\"note\",\"note\",\"note\",\"note\",\"note\",\"note\"]", E_too_long },
    { CERTIFICATE, "ext", "{}", E_ok },
    { CERTIFICATE, "ext", "{\"a\":[[[[[[[[[[[[[[1]]]]]]]]]]]]]]}", E_ok },
    { CERTIFICATE, "ext", "{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", E_too_deep },
    { CERTIFICATE, "cnf.jwk", "{}", E_bad_key },
    { CERTIFICATE, "contract.target", "\"do/cs\"", E_bad_value },
    { CERTIFICATE, "contract.operation", "\"0123456789abcdef0123456789abcdef\"", E_ok },
    { CERTIFICATE, "contract.operation", "\"0123456789abcdef0123456789abcdef0\"", E_too_long },
    { CERTIFICATE, "contract.operation", "\"PUT \"", E_bad_value },
    { CERTIFICATE, "contract.resource", "\"\"", E_bad_value },
    { CERTIFICATE, "contract.resource", "\"https://docs.example/\\r\\n\"", E_bad_value },
    { CERTIFICATE, "contract.resource", "\"https://docs.example/\\u007f\"", E_bad_value },
    { CERTIFICATE, "contract.constraints.credential_s", "0", E_bad_value },
    { CERTIFICATE, "contract.constraints.credential_s", "60", E_ok },
    { CERTIFICATE, "contract.constraints.credential_s", "61", E_bad_value },
    { CERTIFICATE, "contract.parameters.body.length", "-1", E_bad_value },
    { CERTIFICATE, "contract.parameters.body.length", "32768", E_ok },
    { CERTIFICATE, "contract.parameters.body.length", "32769", E_bad_value },
    { CERTIFICATE, "contract.parameters.body.media_type", "\"\"", E_bad_value },
    { CERTIFICATE, "contract.parameters.body.media_type", "\"a/b;c=\\\"d\\\"\"", E_bad_value },
    { CERTIFICATE, "contract.parameters.body.media_type", "\"a/b\\r\\nX: y\"", E_bad_value },
    { CERTIFICATE, "contract.parameters.body.media_type", "\" text/plain\"", E_bad_value },
    { CERTIFICATE, "contract.parameters.body.media_type", "\"text/plain \"", E_bad_value },
    { CERTIFICATE, "contract.parameters.body.media_type", "\"application/vnd.a+json; q=1\"", E_ok },
    { CERTIFICATE, "contract.parameters.body.media_type", "\"" TEXT_64 TEXT_64 "\"", E_too_long },
    { CERTIFICATE, "contract.preconditions", "{}", E_ok },
    { CERTIFICATE, "contract.preconditions", "{\"absent\":true}", E_ok },
    { CERTIFICATE, "contract.preconditions", "{\"absent\":false}", E_bad_value },
    { CERTIFICATE, "contract.preconditions", "{\"absent\":1}", E_bad_type },
    { CERTIFICATE, "contract.preconditions", "{\"absent\":true,\"etag\":\"\\\"v1\\\"\"}", E_bad_value },
    { CERTIFICATE, "contract.preconditions", "{\"absent\":true,\"sha256\":" DIGEST "}", E_bad_value },
    { CERTIFICATE, "contract.preconditions.etag", "\"\\\"\\\"\"", E_bad_value },
    { CERTIFICATE, "contract.preconditions.etag", "\"v1\"", E_bad_value },
    { CERTIFICATE, "contract.preconditions.etag", "\"W/\\\"v1\\\"\"", E_bad_value },
    { CERTIFICATE, "contract.preconditions.etag", "\"\\\"v1\\\", \\\"v2\\\"\"", E_bad_value },
    { CERTIFICATE, "contract.preconditions.etag", "\"\\\"v\xc3\xa4\\\"\"", E_bad_value },
    { CERTIFICATE, "contract.preconditions.etag", "\"*\"", E_bad_value },
    { CERTIFICATE, "contract.preconditions.sha256", "\"abc\"", E_bad_value },
    { REQUEST, "certificate", "\"abc\"", E_bad_value },
    { REQUEST, "iat", "-1", E_bad_value },
    { REQUEST, "id", "\"" TEXT_64 "\"", E_ok },
    { REQUEST, "id", "\"" TEXT_64 "0\"", E_too_long },
    { REQUEST, "id", "\"\xc3\xa4\"", E_bad_value },
    { REQUEST, "wait_ms", "-1", E_bad_value },
    { REQUEST, "wait_ms", "60000", E_ok },
    { REQUEST, "wait_ms", "60001", E_bad_value },
    { REQUEST, "mutation.target", "\"\"", E_bad_value },
    { POLICY, "domain", "\"a b\"", E_bad_value },
    { POLICY, "policy_epoch", "0", E_bad_value },
    { POLICY, "authorities", "[]", E_bad_value },
    { POLICY, "authorities.0.name", "\"\"", E_bad_value },
    { POLICY, "authorities.1.name", "\"authority-0\"", E_bad_value },
    { POLICY, "authorities.0.jwk", "{}", E_bad_key },
    { POLICY, "authorities.0.admit", "[]", E_bad_value },
    { POLICY, "authorities.0.admit.0.operations", "[]", E_bad_value },
    { POLICY, "authorities.0.admit.0.operations", "[\"PUT\",\"\"]", E_bad_value },
    { POLICY, "authorities.0.admit.0.operations", "[\"0123456789abcdef0123456789abcdef0\"]", E_too_long },
    { POLICY, "authorities.0.admit.0.resources", "[]", E_bad_value },
    { POLICY, "authorities.0.admit.0.resources.0", "{}", E_missing_member },
    { POLICY, "authorities.0.admit.0.resources.0", "{\"exact\":\"a\",\"prefix\":\"a/\"}", E_bad_value },
    { POLICY, "authorities.0.admit.0.resources.0", "{\"prefix\":\"https://docs.example/a\"}", E_bad_value },
    { POLICY, "authorities.0.admit.0.resources.0", "{\"prefix\":\"\"}", E_bad_value },
    { POLICY, "authorities.0.admit.0.resources.0", "{\"prefix\":\"/\"}", E_ok },
    { POLICY, "authorities.0.admit.0.risk", "\"L7\"", E_bad_value },
    { POLICY, "signatures.L0", "0", E_bad_value },
    { POLICY, "signatures.L5", "9", E_bad_value },
    { POLICY, "validity_s", "0", E_bad_value },
    { POLICY, "validity_s", "86400", E_ok },
    { POLICY, "validity_s", "86401", E_bad_value },
    { POLICY, "credential_s", "0", E_bad_value },
    { POLICY, "credential_s", "61", E_bad_value },
    { POLICY, "request_age_s", "0", E_bad_value },
    { POLICY, "request_age_s", "3601", E_bad_value },
    { POLICY, "body_bytes", "-1", E_bad_value },
    { POLICY, "body_bytes", "32769", E_bad_value },
    { POLICY, "version_from", "\"L9\"", E_bad_value },
    { POLICY, "version_from", "\"ever\"", E_bad_value },
    { POLICY, "version_from", "\"nevermore\"", E_too_long },
    { POLICY, "version_from", "\"L0\"", E_ok },
    { POLICY, "freezes", "[]", E_ok },
    { POLICY, "freezes.0.until", "1", E_bad_value },
    { POLICY, "freezes.0.targets", "[]", E_ok },
    { POLICY, "freezes.0.targets", "[\"a b\"]", E_bad_value },
    { POLICY, "hsm", "null", E_ok },
    { POLICY, "hsm.serial", "\"0123456789abcdef0\"", E_too_long },
    { POLICY, "hsm.manufacturer", "\"a\\nb\"", E_bad_value },
    { POLICY, "attestation", "\"none\"", E_unknown_member },
    { POLICY, "verifiers", "[]", E_bad_value },
    { POLICY, "verifiers.0.name", "\"\"", E_bad_value },
    { POLICY, "verifiers.0.jwk", "{}", E_bad_key },
    { POLICY, "verifiers.0.lease", ED25519_JWK, E_bad_key },
    { POLICY, "verifiers.0.jwk", ED25519_JWK, E_bad_key },
    { POLICY, "approval", "{\"countersigners\":[],\"needed\":1}", E_bad_value },
    { POLICY, "approval", "{\"countersigners\":[" ED25519_JWK "],\"needed\":1}", E_ok },
    { POLICY, "approval", "{\"countersigners\":[" ED25519_JWK "],\"needed\":2}", E_bad_value },
    { POLICY, "approval.needed", "-1", E_bad_value },
    { EPOCH, "domain", "\"\"", E_bad_value },
    { EPOCH, "epoch", "-1", E_bad_value },
    { EPOCH, "epoch", "0", E_ok },
    { EPOCH, "exp", "1767225000", E_bad_value },
    { EPOCH, "iat", "-5", E_bad_value },
};

/* `state` as it must be for the value that is about to stand at the path. */
static void restate(json_t *certificate, const struct value *t)
{
    struct digest state;
    AUTO_JSON *then = json_deep_copy(certificate);
    edit(then, t->path, t->json_text);
    must(is_ok(contract_state(at_path(then, "contract"), &state)) && is_ok(json_put_digest(certificate, "state", &state)), "state");
}

/* The value goes in as text: some aren't JSON that could be built. */
static void check_value(struct checks *c, const struct value *t)
{
    struct world w;
    char name[400];
    size_t at = 0;
    world_new(&w);
    edit(w.certificate_json, "ext", "{\"note\":1}");
    edit(w.policy_json, "freezes", "[{\"from\":1,\"targets\":[\"docs\"],\"until\":2}]");
    world_build(&w);
    json_t *document = document_of(&w, t->document);
    AUTO_BUF text = BUF(2 * JWS_PAYLOAD_MAX), whole = BUF(2 * JWS_PAYLOAD_MAX);
    if (is_under(t->path, "contract.preconditions") && t->code == E_ok)
        restate(document, t);
    edit(document, t->path, "\"@@\"");
    must(is_ok(json_canonical(document, &text)), "canonical");
    while (!span_is(span_part(buf_span(&text), at, 4), "\"@@\""))
        at++;
    must(is_ok(buf_put(&whole, span_part(buf_span(&text), 0, at))) && is_ok(buf_text(&whole, t->json_text)) &&
             is_ok(buf_put(&whole, span_part(buf_span(&text), at + 4, text.n))),
        "room");
    snprintf(name, sizeof name, "%s: %s = %.80s", names[t->document], t->path, t->json_text);
    check_code(c, parse(t->document, buf_span(&whole)), t->code, name);
    world_free(&w);
}

/* A list of n copies of its first element. */
static void check_count(struct checks *c, enum document d, const char *path, unsigned n, enum seb_code want)
{
    struct world w;
    full_world(&w);
    json_t *list = at_path(document_of(&w, d), path);
    while (json_array_size(list) < n)
        json_array_append(list, json_array_get(list, 0));
    expect(c, d, document_of(&w, d), want, n == 33 || n == 17 || n == 65 || n == 9 ? "one too many" : "as many as may be", path);
    world_free(&w);
}

static void check_digests(struct checks *c)
{
    struct world w;
    struct request again;
    world_new(&w);
    world_build(&w);
    struct digest d = sha256(buf_span(&w.request_text));
    check_that(c, digest_equal(&w.request.digest, &d), "a request's digest is of its payload bytes");
    edit(w.request_json, "iat", "1767225599");
    edit(w.request_json, "wait_ms", "0");
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    must(is_ok(json_canonical(w.request_json, &text)) && is_ok(request_parse(buf_span(&text), &again)), "request");
    check_that(c, digest_equal(&w.request.core, &again.core) && !digest_equal(&w.request.digest, &again.digest),
        "asked again later, the core is the same");
    edit(w.request_json, "mutation.operation", "\"DELETE\"");
    buf_clear(&text);
    must(is_ok(json_canonical(w.request_json, &text)) && is_ok(request_parse(buf_span(&text), &again)), "request");
    check_that(c, !digest_equal(&w.request.core, &again.core), "over another mutation it is another core");
    world_free(&w);
}

static void check_follows(struct checks *c)
{
    struct world w;
    world_new(&w);
    world_build(&w);
    struct epoch_statement later = w.epoch;
    check_code(c, epoch_follows(NULL, &later, "prod.example"), E_ok, "a first statement");
    check_code(c, epoch_follows(NULL, &later, "test.example"), E_domain_mismatch, "another domain's statement");
    check_code(c, epoch_follows(&w.epoch, &later, "prod.example"), E_not_newer, "the same statement");
    later.iat++;
    check_code(c, epoch_follows(&w.epoch, &later, "prod.example"), E_ok, "the same epoch, issued later");
    later.epoch--;
    check_code(c, epoch_follows(&w.epoch, &later, "prod.example"), E_not_newer, "an older epoch, issued later");
    later = w.epoch;
    later.epoch++;
    later.iat--;
    check_code(c, epoch_follows(&w.epoch, &later, "prod.example"), E_ok, "a later epoch");
    check_code(c, policy_follows(NULL, w.policy, "prod.example"), E_ok, "a first policy");
    check_code(c, policy_follows(NULL, w.policy, "test.example"), E_domain_mismatch, "another domain's policy");
    check_code(c, policy_follows(w.policy, w.policy, "prod.example"), E_not_newer, "the same policy");
    world_free(&w);
}

static void put_key(json_t *verifier, const char *name, const struct testkey *k)
{
    json_t *jwk = NULL;
    must(is_ok(pubkey_jwk(testkey_public(k), &jwk)) && json_object_set_new(verifier, name, jwk) == 0, "jwk");
}

/* A second verifier that shares a name or a key with the first. */
static void check_verifiers(struct checks *c)
{
    static const struct {
        const char *what, *name;
        bool jwk_is_lease, lease_is_jwk, own_twice;
        enum seb_code code;
    } seconds[] = {
        { "another verifier", "verifier-1", false, false, false, E_ok },
        { "a verifier's name again", "verifier-0", false, false, false, E_bad_value },
        { "a key that is the other's lease key", "verifier-1", true, false, false, E_bad_value },
        { "a lease key that is the other's key", "verifier-1", false, true, false, E_bad_value },
        { "a lease key that is its own key", "verifier-1", false, false, true, E_bad_value },
    };
    for (unsigned i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        struct world w;
        world_new(&w);
        json_t *second = json_deep_copy(at_path(w.policy_json, "verifiers.0"));
        json_object_set_new(second, "name", json_string(seconds[i].name));
        put_key(second, "jwk", seconds[i].jwk_is_lease ? w.lease : w.stranger);
        put_key(second, "lease", seconds[i].lease_is_jwk ? w.verifier : seconds[i].own_twice ? w.stranger : w.authority[0]);
        json_array_append_new(at_path(w.policy_json, "verifiers"), second);
        check_code(c, parse_json(POLICY, w.policy_json), seconds[i].code, seconds[i].what);
        world_free(&w);
    }
    struct world w;
    full_world(&w);
    const struct policy *p = w.policy;
    check_that(c,
        policy_verifiers(p) == 1 && pubkey_equal(policy_verifier_key(p, 0), testkey_public(w.verifier)) &&
            pubkey_equal(policy_verifier_lease(p, 0), testkey_public(w.lease)) &&
            span_is(span_text(policy_verifier_name(p, 0)), "verifier-0"),
        "a verifier's keys and name");
    check_that(c,
        policy_countersigners(p) == 1 && policy_countersigners_needed(p) == 1 &&
            pubkey_alg(policy_countersigner(p, 0)) == ALG_EDDSA,
        "who countersigns");
    world_free(&w);
}

int main(void)
{
    struct checks c = { 0 };
    struct world w;
    full_world(&w);
    for (enum document d = CERTIFICATE; d < DOCUMENTS; d++) {
        walk(&c, d, document_of(&w, d), "");
        sweep(&c, d, document_of(&w, d));
    }
    world_free(&w);
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++)
        check_value(&c, &values[i]);
    check_count(&c, POLICY, "authorities.0.admit", 64, E_ok);
    check_count(&c, POLICY, "authorities.0.admit", 65, E_too_long);
    check_count(&c, POLICY, "authorities.0.admit.0.operations", 16, E_ok);
    check_count(&c, POLICY, "authorities.0.admit.0.operations", 17, E_too_long);
    check_count(&c, POLICY, "authorities.0.admit.0.resources", 64, E_ok);
    check_count(&c, POLICY, "authorities.0.admit.0.resources", 65, E_too_long);
    check_count(&c, POLICY, "freezes", 64, E_ok);
    check_count(&c, POLICY, "freezes", 65, E_too_long);
    check_count(&c, POLICY, "freezes.0.targets", 64, E_ok);
    check_count(&c, POLICY, "freezes.0.targets", 65, E_too_long);
    check_count(&c, POLICY, "authorities", 32, E_bad_value); /* not distinct */
    check_count(&c, POLICY, "authorities", 33, E_too_long);
    check_count(&c, POLICY, "verifiers", 2, E_bad_value);
    check_count(&c, POLICY, "verifiers", 9, E_too_long);
    check_count(&c, POLICY, "approval.countersigners", 2, E_bad_value);
    check_count(&c, POLICY, "approval.countersigners", 9, E_too_long);
    check_verifiers(&c);
    check_digests(&c);
    check_follows(&c);
    return checks_end(&c);
}
