/* A contract as its target takes it: what the contract says goes before what was read; and the longest credential of the longest
 * contract in scope fits, with groups too. */
#include "config.h"

#include "mint/mint.h"
#include "scope/scope.h"
#include "tests/unit/check.h"

#include <stdio.h>

#define BODY \
    "\"body\":{\"length\":2,\"media_type\":\"application/json\",\"sha256\":\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ\"}"
static const char contract_text[] =
    "{\"constraints\":{\"credential_s\":10,\"dry_run\":true},\"operation\":\"update\",\"parameters\":{" BODY
    ",\"field_manager\":\"m\",\"fields\":[{\"pointer\":\"/a\",\"value\":1}],\"grace_s\":5,\"propagation\":\"Orphan\"},"
    "\"preconditions\":%s,\"resource\":\"/api/v1/namespaces/prod/configmaps/c\",\"risk\":\"L1\",\"target\":\"cluster\"}";

static bool parse(const char *preconditions, struct contract *ret)
{
    char text[2048];
    snprintf(text, sizeof text, contract_text, preconditions);
    return is_ok(contract_parse(span_text(text), ret));
}

static bool is(const char *text, const char *wanted)
{
    return wanted ? text && span_is(span_text(text), wanted) : !text;
}

/* What the write carries, of what the contract says and what was read. */
static void test_versions(struct checks *c)
{
    static const struct {
        const char *name, *preconditions;
        struct live_view live;
        const char *uid, *version, *etag;
    } rows[] = {
        { "the contract's own, whatever was read", "{\"etag\":\"\\\"e\\\"\",\"resource_version\":\"1\",\"uid\":\"u\"}",
            { "\"f\"", "v", "2" }, "u", "1", "\"e\"" },
        { "what was read", "{\"fields\":[{\"pointer\":\"/a\",\"absent\":true}]}", { "\"f\"", "v", "2" }, "v", "2", "\"f\"" },
        { "one of each", "{\"uid\":\"u\"}", { "", "v", "2" }, "u", "2", NULL },
        { "nothing was read", "{\"uid\":\"u\"}", { NULL, NULL, NULL }, "u", NULL, NULL },
        { "what is to be created carries nothing", "{\"absent\":true}", { "\"f\"", "v", "2" }, NULL, NULL, NULL },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct contract k = { 0 };
        check_that(c, parse(rows[i].preconditions, &k), rows[i].name);
        struct target_mutation m = scope_mutation(&k, &rows[i].live);
        check_that(c, is(m.uid, rows[i].uid) && is(m.version, rows[i].version) && is(m.etag, rows[i].etag), "is carried");
        struct target_mutation unread = scope_mutation(&k, NULL);
        check_that(c,
            is(unread.uid, k.pre.has_uid ? rows[i].uid : NULL) && is(unread.version, k.pre.has_version ? rows[i].version : NULL) &&
                is(unread.etag, k.pre.has_etag ? rows[i].etag : NULL),
            "and before the read the contract's alone");
        contract_free(&k);
    }
}

static void test_members(struct checks *c)
{
    struct contract k = { 0 };
    check_that(c, parse("{\"resource_version\":\"1\"}", &k), "a contract");
    struct target_mutation m = scope_mutation(&k, NULL);
    check_that(c, m.fields == &k.fields && m.pre_fields == &k.pre.fields && m.post_fields == &k.post, "its fields are viewed");
    check_that(
        c, is(m.field_manager, "m") && is(m.propagation, "Orphan") && m.grace_s == 5 && m.dry_run && !m.force, "its parameters");
    check_that(c, m.has_version && !m.has_uid && digest_equal(&m.contract, &k.digest), "its preconditions and digest");
    contract_free(&k);
}

static void fill(char *to, char with, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = with;
    to[n] = 0;
}

/* /apis/GROUP/v…/namespaces/…/RESOURCE/NAME/SUBRESOURCE, each part as long as it may be. */
static void longest_resource(char *to, size_t room)
{
    char name[254], group[254], label[64], word[64];
    fill(name, 'n', 253);
    fill(group, 'g', 253);
    group[63] = group[127] = group[191] = '.';
    fill(label, 'l', 63);
    fill(word, 'w', 63);
    snprintf(to, room, "/apis/%s/%s/namespaces/%s/%s/%s/%s", group, word, label, word, name, word);
}

/* As many fields as there may be, of values in which every byte is escaped, as many as Phi_scope lets through. */
static result longest_contract(unsigned fields, unsigned value, struct contract *ret)
{
    char resource[1100];
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    longest_resource(resource, sizeof resource);
    TRY(buf_printf(&text, "{\"constraints\":{\"credential_s\":10},\"operation\":\"update\",\"parameters\":{" BODY ",\"fields\":["));
    for (unsigned i = 0; i < fields; i++) {
        TRY(buf_printf(&text, "%s{\"pointer\":\"/data/%02u\",\"value\":\"", i ? "," : "", i));
        for (unsigned n = 0; n < value; n++)
            TRY(buf_text(&text, "\\\""));
        TRY(buf_text(&text, "\"}"));
    }
    TRY(buf_printf(&text,
        "]},\"preconditions\":{\"resource_version\":\"%064u\",\"uid\":\"%064u\"},\"resource\":\"%s\",\"risk\":\"L1\",\"target\":"
        "\"c\"}",
        1, 1, resource));
    return contract_parse(buf_span(&text), ret);
}

static result credential_length(const struct contract *k, size_t *ret)
{
    char long_text[256], name[65], domain[129], issuer[201], audience[129];
    struct target_mutation m = scope_mutation(k, NULL);
    struct call_plan plan;
    AUTO_JSON *claims = json_object();
    AUTO_BUF text = BUF(CREDENTIAL_TEXT_MAX), compact = BUF(CREDENTIAL_TEXT_MAX), header = BUF(512);
    static const uint8_t signature[SIGNATURE_SIZE];
    struct digest d = sha256(span_text("key"));
    fill(name, 'i', 64);
    fill(domain, 'd', 128);
    fill(issuer, 'u', 200);
    fill(audience, 'a', 128);
    TRY(target_plan("kubernetes", "https://h/", CALL_MUTATE, &m, &plan));
    TRY(target_claims("kubernetes", CALL_MUTATE, &m, &plan, claims));
    const struct mint_words w = {
        .domain = domain,
        .instance = name,
        .audience = audience,
        .cid = name,
        .attestation = digest_text(&d, long_text),
        .issuer = issuer,
        .key = d,
        .groups = true,
        .leaf = d,
        .iat = JSON_INT_MAX - 1,
        .exp = JSON_INT_MAX,
        .target_claims = claims,
    };
    TRY(mint_claims(&w, &text));
    /* The header of jws_signing_input, whose length is every key's. */
    TRY(buf_printf(&header, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", long_text));
    TRY(b64url_put(&compact, buf_span(&header)));
    TRY(buf_u8(&compact, '.'));
    TRY(b64url_put(&compact, buf_span(&text)));
    size_t n = compact.n;
    AUTO_BUF whole = BUF(CREDENTIAL_TEXT_MAX);
    TRY(mint_compact(buf_span(&compact), SPAN(signature), &whole));
    *ret = whole.n;
    return n < whole.n ? OK : fail(E_invariant);
}

static void test_longest(struct checks *c)
{
    static const unsigned numbers[] = { 1, 4, 32 }, longest[] = { 510, 510, 100 };
    for (unsigned i = 0; i < 3; i++) {
        unsigned value = longest[i];
        enum seb_code code = E_fields_too_long;
        struct contract k = { 0 };
        size_t n = 0;
        for (; value > 0 && code != E_ok; value--) {
            contract_free(&k);
            result r = longest_contract(numbers[i], value, &k);
            struct target_mutation m = scope_mutation(&k, NULL);
            code = is_ok(r) ? target_scope("kubernetes", "https://h/", &m) : code_of(r);
            if (code != E_ok && code != E_fields_too_long)
                break;
        }
        check_that(c, code == E_ok, "the longest values that are in scope");
        check_code(c, credential_length(&k, &n), E_ok, "their credential fits, with groups");
        printf("# %u fields, %u escaped characters each: %zu bytes of %d\n", numbers[i], value + 1, n, CREDENTIAL_TEXT_MAX);
        contract_free(&k);
    }
}

int main(void)
{
    struct checks c = { 0 };
    test_versions(&c);
    test_members(&c);
    test_longest(&c);
    return checks_end(&c);
}
