/* From a token back to the EK: each step says what it was verified by, and the first that fails is the last that is said. */
#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "audit/trace.h"
#include "mint/mint.h"
#include "tests/unit/audit_internal.h"
#include "tests/unit/audit_story.h"
#include "tests/unit/ek_maker.h"

#define STEPS 13
#define TOKEN_MAX CREDENTIAL_TEXT_MAX

/* What a trace said, as JSON, and its exit code. */
struct traced {
    json_t *o;
    int code;
};

/* audit_trace speaks to stdout: it goes to a file meanwhile. */
static void trace(const struct audit_world *w, const char *export, const char *token, const char *roots, struct traced *ret)
{
    AUTO_BUF trust = BUF(256), folder = BUF(256), said = BUF(256), text = BUF(1u << 20);
    struct trace_options o = { .trust = aw_path(w, "trust.json", &trust), .ek_roots = roots, .json = true };
    const char *file = aw_path(w, "said", &said);
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    must(kept >= 0 && freopen(file, "w", stdout) != NULL, file);
    ret->code = audit_trace(&o, aw_path(w, export, &folder), token);
    fflush(stdout);
    must(dup2(kept, STDOUT_FILENO) == STDOUT_FILENO && close(kept) == 0, "stdout");
    must(is_ok(file_read(file, text.max, &text)), file);
    ret->o = NULL;
    if (text.n)
        must(is_ok(json_strict((struct span){ text.p, text.n - 1 }, text.max, &ret->o)), "what was said");
}

static const json_t *last_step(const struct traced *t)
{
    const json_t *steps = json_object_get(t->o, "steps");
    return json_array_get(steps, json_array_size(steps) - 1);
}

static bool is_text(const json_t *o, const char *name, const char *want)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text && span_is(span_text(text), want);
}

static void print(const struct traced *t)
{
    size_t i;
    json_t *o;
    json_array_foreach (json_object_get(t->o, "steps"), i, o) {
        AUTO_FREE char *text = json_dumps(o, JSON_COMPACT);
        printf("# %s\n", text);
    }
}

/* Of all steps the last, and that it holds; or fails so. */
static void check_trace_ends(
    struct checks *c, const struct audit_world *w, const char *token, const char *step, enum finding f, const char *name)
{
    struct traced t;
    trace(w, "out", token, NULL, &t);
    const json_t *last = last_step(&t);
    bool as_wanted = t.code == AUDIT_FOUND && is_text(last, "name", step) && is_text(last, "finding", finding_name(f)) &&
                     json_is_false(json_object_get(last, "holds"));
    check_that(c, as_wanted, name);
    if (!as_wanted)
        print(&t);
    json_free_pointer(&t.o);
}

/* A credential as the broker mints it for this record, edited before it is signed. */
static void mint(
    const struct audit_world *w, struct testkey *key, uint64_t index, const char *path, const char *json, struct buf *out)
{
    AUTO_BUF trust_path = BUF(256), folder = BUF(256), claims = BUF(TOKEN_MAX), edited = BUF(TOKEN_MAX), text = BUF(TOKEN_MAX),
             arena = BUF(TOKEN_MAX);
    AUTO_JSON *o = NULL;
    struct trust trust = { 0 };
    struct export_dir x;
    struct jws jws;
    const char *wrong = "";
    uint64_t size;
    must(is_ok(trust_load(aw_path(w, "trust.json", &trust_path), &trust, &wrong)), wrong);
    must(is_ok(export_open(aw_path(w, "out", &folder), &x)) && is_ok(log_size(&x, &size)), "export");
    must(is_ok(claims_of(&trust, &x, size, index, NULL, &claims, &wrong)), wrong);
    must(is_ok(json_strict(buf_span(&claims), TOKEN_MAX, &o)), "claims");
    if (path)
        edit(o, path, json);
    must(is_ok(json_canonical(o, &edited)), "claims");
    testkey_jws(&key, 1, TYP_CREDENTIAL, buf_span(&edited), &text);
    must(is_ok(jws_parse_text(buf_span(&text), &arena, &jws)) && is_ok(jws_compact(&jws, out)) && is_ok(buf_u8(out, 0)), "token");
    export_close(&x);
    trust_free(&trust);
}

/* 0 to 4, 5 6 7 applied. */
static void begin(struct story *s)
{
    story_begin(s);
    aw_apply(&s->w, "one");
    aw_sign(&s->w);
    aw_quote(&s->w);
    aw_export(&s->w, "out", NULL);
}

static void tokens(struct checks *c)
{
    struct story s;
    struct traced t;
    AUTO_BUF token = BUF(TOKEN_MAX);
    begin(&s);
    mint(&s.w, s.tpm.key[ROLE_MINT], 6, NULL, NULL, &token);
    trace(&s.w, "out", (const char *)token.p, NULL, &t);
    check_that(c,
        t.code == AUDIT_PARTIAL && json_array_size(json_object_get(t.o, "steps")) == STEPS && is_text(last_step(&t), "name", "ek"),
        "a mutation's token, traced to an EK whose root nobody gave");
    if (t.code != AUDIT_PARTIAL)
        print(&t);
    json_free_pointer(&t.o);

    buf_clear(&token);
    mint(&s.w, s.tpm.key[ROLE_MINT], 5, NULL, NULL, &token);
    trace(&s.w, "out", (const char *)token.p, NULL, &t);
    check_that(c, t.code == AUDIT_PARTIAL, "a read's token");
    if (t.code != AUDIT_PARTIAL)
        print(&t);
    json_free_pointer(&t.o);

    buf_clear(&token);
    mint(&s.w, s.w.policy.stranger, 6, NULL, NULL, &token);
    check_trace_ends(c, &s.w, (const char *)token.p, "token", FOUND_token_signature, "a token by a stranger's key");
    buf_clear(&token);
    mint(&s.w, s.tpm.key[ROLE_RECORD], 6, NULL, NULL, &token);
    check_trace_ends(c, &s.w, (const char *)token.p, "token", FOUND_token_signature, "a token by the record key");
    buf_clear(&token);
    mint(&s.w, s.tpm.key[ROLE_MINT], 6, "exp", "1767229200", &token);
    check_trace_ends(
        c, &s.w, (const char *)token.p, "claims", FOUND_token_claims, "a token that lives longer than its record allows");
    buf_clear(&token);
    mint(&s.w, s.tpm.key[ROLE_MINT], 6, "aud", "\"elsewhere\"", &token);
    check_trace_ends(c, &s.w, (const char *)token.p, "claims", FOUND_token_claims, "a token for another audience");
    buf_clear(&token);
    mint(&s.w, s.tpm.key[ROLE_MINT], 6, "jti", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", &token);
    check_trace_ends(c, &s.w, (const char *)token.p, "record", FOUND_token_unknown, "a token for no record");
    check_trace_ends(c, &s.w, "not.a.token", "record", FOUND_token_malformed, "what isn't a token");
    AUTO_BUF path = BUF(256);
    const char *file = aw_path(&s.w, "token", &path);
    must(is_ok(file_write(file, span_text("\n"), 0644, true)), file);
    check_trace_ends(c, &s.w, file, "record", FOUND_token_malformed, "a file with nothing in it");
    buf_clear(&token);
    mint(&s.w, s.tpm.key[ROLE_MINT], 6, NULL, NULL, &token);
    token.p[token.n - 1] = '\n';
    must(is_ok(file_write(file, buf_span(&token), 0644, true)), file);
    trace(&s.w, "out", file, NULL, &t);
    check_that(c, t.code == AUDIT_PARTIAL, "a token in a file");
    json_free_pointer(&t.o);
    trace(&s.w, "out", "/nonexistent", NULL, &t);
    check_that(c, t.code == AUDIT_UNREADABLE && !t.o, "no such file");
    story_end(&s);
}

/* A log that goes wrong before the token's record. */
static void traced_lie(struct checks *c, struct story *s, const char *step, enum finding f, const char *name)
{
    AUTO_BUF token = BUF(TOKEN_MAX);
    aw_sign(&s->w);
    aw_quote(&s->w);
    aw_export(&s->w, "out", NULL);
    mint(&s->w, s->tpm.key[ROLE_MINT], s->w.size - 2, NULL, NULL, &token);
    check_trace_ends(c, &s->w, (const char *)token.p, step, f, name);
    story_end(s);
}

static void spoiled(struct story *s, struct aw_result *d)
{
    story_begin(s);
    aw_wait(&s->w, &s->tpm, 5000);
    aw_result_draft(&s->w, d);
}

static void apply_on(struct story *s, struct aw_result *d)
{
    story_put(s, aw_result_done(&s->w, d));
    aw_apply(&s->w, "one");
}

static void wrong_approval(struct approval *a)
{
    a->counter += 2;
}

static void chains(struct checks *c)
{
    struct story s;
    struct aw_result d;
    spoiled(&s, &d);
    aw_result_quote(&s.w, &d);
    d.verifier = s.w.policy.stranger;
    apply_on(&s, &d);
    traced_lie(c, &s, "result", FOUND_result_signature, "a result of another verifier");

    spoiled(&s, &d);
    aw_result_quote(&s.w, &d);
    d.c.exp = d.c.iat + 1;
    story_put(&s, aw_result_done(&s.w, &d));
    aw_wait(&s.w, &s.tpm, 2000);
    s.w.attested.exp += 1000;
    aw_apply(&s.w, "one");
    traced_lie(c, &s, "result", FOUND_decision_verdict, "a result that was over");

    spoiled(&s, &d);
    d.q.nonce[0] ^= 1;
    aw_result_quote(&s.w, &d);
    apply_on(&s, &d);
    traced_lie(c, &s, "evidence", FOUND_evidence_nonce, "a quote of another nonce");

    spoiled(&s, &d);
    aw_result_quote(&s.w, &d);
    d.e->pcr[3].b[0] ^= 1;
    apply_on(&s, &d);
    traced_lie(c, &s, "evidence", FOUND_evidence_pcrs, "other PCRs");

    story_begin(&s);
    aw_approve(&s.w, wrong_approval);
    story_put(&s, aw_result(&s.w));
    aw_apply(&s.w, "one");
    traced_lie(c, &s, "approval", FOUND_evidence_approval, "an approval for another counter");

    spoiled(&s, &d);
    aw_result_quote(&s.w, &d);
    d.c.enrolment.b[0] ^= 1;
    apply_on(&s, &d);
    traced_lie(c, &s, "enrolment", FOUND_enrolment_missing, "an enrolment that isn't in the log");

    story_begin(&s);
    s.tpm.key_policy = (struct digest){ { 1 } };
    story_put(&s, aw_keys_entry(&s.w, 3));
    aw_apply(&s.w, "one");
    traced_lie(c, &s, "keys", FOUND_key_policy, "a record key without the approved policy");

    /* Signed by another record key from some checkpoint on. */
    story_begin(&s);
    struct testkey *right = s.tpm.key[ROLE_RECORD];
    aw_export(&s.w, "first", NULL); /* pins the right one */
    AUTO_BUF pinned = BUF(65536), path = BUF(256), token = BUF(TOKEN_MAX);
    must(is_ok(file_read(aw_path(&s.w, "trust.json", &path), pinned.max, &pinned)), "trust");
    s.tpm.key[ROLE_RECORD] = s.w.policy.stranger;
    aw_apply(&s.w, "one");
    aw_sign(&s.w);
    s.tpm.key[ROLE_RECORD] = right;
    aw_quote(&s.w);
    aw_export(&s.w, "out", NULL);
    mint(&s.w, s.tpm.key[ROLE_MINT], 6, NULL, NULL, &token);
    check_trace_ends(c, &s.w, (const char *)token.p, "checkpoint", FOUND_checkpoint_signature, "checkpoints by another key");
    story_end(&s);
}

/* Whoever hands out the export can put so many findings before the one that matters. */
static void spoil_quotes(struct audit_world *w, const char *name, unsigned lines)
{
    AUTO_BUF file_name = BUF(256), path = BUF(256), good = BUF(1u << 20), text = BUF(2u << 20);
    aw_export(w, name, NULL);
    must(is_ok(buf_printf(&file_name, "%s/quotes.jsonl", name)) && is_ok(buf_u8(&file_name, 0)), name);
    const char *file = aw_path(w, (const char *)file_name.p, &path);
    must(is_ok(file_read(file, good.max, &good)), file);
    for (unsigned i = 0; i < lines; i++)
        must(is_ok(buf_text(&text, "{}\n")), file);
    must(is_ok(buf_put(&text, buf_span(&good))) && is_ok(file_write(file, buf_span(&text), 0644, true)), file);
}

static struct digest spki_of(const struct test_ek *k)
{
    AUTO_EK_ROOTS *r = NULL;
    struct ek ek;
    must(is_ok(ek_roots_read(test_ek_root(k), &r)), "roots");
    must(is_ok(ek_certificate_check(r, test_ek_certificate(k), TEST_EK_NOW, &ek)), "EK");
    return ek.spki;
}

static void roots(struct checks *c)
{
    struct story s;
    struct traced t;
    struct test_ek *ek = test_ek_new(), *other = test_ek_new();
    AUTO_BUF token = BUF(TOKEN_MAX), path = BUF(256);
    aw_soft_new(&s.tpm);
    struct aw_keys keys = aw_soft_keys(&s.tpm);
    aw_new(&s.w, &keys);
    buf_clear(&s.w.ek_certificate);
    must(is_ok(buf_put(&s.w.ek_certificate, test_ek_certificate(ek))), "EK");
    s.w.ek_spki = spki_of(ek);
    s.w.ek_activated = TEST_EK_NOW;
    aw_begin(&s.w);
    aw_apply(&s.w, "one");
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "out", NULL);
    mint(&s.w, s.tpm.key[ROLE_MINT], 6, NULL, NULL, &token);
    must(is_ok(file_write(aw_path(&s.w, "roots.pem", &path), test_ek_root(ek), 0644, true)), "roots");
    trace(&s.w, "out", (const char *)token.p, aw_path(&s.w, "roots.pem", &path), &t);
    check_that(c, t.code == AUDIT_CLEAN && json_array_size(json_object_get(t.o, "steps")) == STEPS,
        "a token, traced to a manufacturer's root");
    if (t.code != AUDIT_CLEAN)
        print(&t);
    json_free_pointer(&t.o);
    must(is_ok(file_write(aw_path(&s.w, "roots.pem", &path), test_ek_root(other), 0644, true)), "roots");
    trace(&s.w, "out", (const char *)token.p, aw_path(&s.w, "roots.pem", &path), &t);
    check_that(c,
        t.code == AUDIT_FOUND && is_text(last_step(&t), "finding", "enrolment_chain") && is_text(last_step(&t), "name", "ek"),
        "and to nowhere, where the root is another's");
    json_free_pointer(&t.o);
    spoil_quotes(&s.w, "spoiled", 300);
    trace(&s.w, "spoiled", (const char *)token.p, aw_path(&s.w, "roots.pem", &path), &t);
    check_that(c, t.code == AUDIT_FOUND && is_text(last_step(&t), "finding", "enrolment_chain"), "nor behind 300 other findings");
    json_free_pointer(&t.o);
    spoil_quotes(&s.w, "worse", HEARD_MAX + 1);
    trace(&s.w, "worse", (const char *)token.p, aw_path(&s.w, "roots.pem", &path), &t);
    check_that(c, t.code == AUDIT_FOUND, "nor behind more findings than are kept");
    json_free_pointer(&t.o);
    trace(&s.w, "out", (const char *)token.p, "/nonexistent", &t);
    check_that(c, t.code == AUDIT_UNREADABLE && !t.o, "no file of roots");

    /* The audit follows it too, where the trust file pins roots. */
    AUTO_FREE char *pem = NULL;
    must(is_ok(span_dup_text(test_ek_root(ek), &pem)), "roots");
    s.w.ek_roots = pem;
    aw_trust(&s.w);
    check_clean(c, &s.w, "out", "roots in the trust file");
    AUTO_FREE char *theirs = NULL;
    must(is_ok(span_dup_text(test_ek_root(other), &theirs)), "roots");
    s.w.ek_roots = theirs;
    aw_trust(&s.w);
    check_tampered(c, &s.w, "out", FOUND_enrolment_chain, 3, "another's roots in the trust file");
    aw_free(&s.w);
    aw_soft_free(&s.tpm);
    test_ek_free(ek);
    test_ek_free(other);
}

int main(void)
{
    struct checks c = { 0 };
    tokens(&c);
    chains(&c);
    roots(&c);
    return checks_end(&c);
}
