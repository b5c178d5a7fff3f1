#include "config.h"

#include "tests/unit/cover_world.h"

#include <stdio.h>

#include "audit/cover_time.h"

const struct cover_contract cover_scale = {
    .operation = "patch",
    .resource = "/apis/apps/v1/namespaces/prod/deployments/web",
    .parameters = PATCH_BODY ",\"field_manager\":\"seb\",\"fields\":[{\"pointer\":\"/spec/replicas\",\"value\":3}]",
    .preconditions = "\"resource_version\":\"41\",\"uid\":\"u-1\"",
};

void cover_world_new(struct cover_world *w, const char *mapping)
{
    *w = (struct cover_world){ .lines = BUF(4u << 20) };
    w->target = (struct aw_target){ .name = "cluster-a",
        .kind = "kubernetes",
        .prefix = "https://kube.example:6443/",
        .audience = "cluster-a",
        .issuer = "https://tokens.example",
        .mapping = mapping,
        .exists = true,
        .uid = "u-1",
        .version = "41" };
    aw_soft_new(&w->s.tpm);
    struct aw_keys keys = aw_soft_keys(&w->s.tpm);
    aw_new(&w->s.w, &keys);
    edit(w->s.w.policy.policy_json, "authorities.0.admit.0",
        "{\"operations\":[\"create\",\"update\",\"patch\",\"delete\"],\"resources\":[{\"prefix\":\"/\"}],\"risk\":\"L1\","
        "\"target\":\"cluster-a\"}");
    w->s.w.target = &w->target;
    aw_begin(&w->s.w);
    w->options = (struct cover_options){ .target = "cluster-a",
        .logs = { .n = 1 },
        .namespaces = { .n = 1, .list = { COVER_NAMESPACE } },
        .cluster_kinds = { .n = 1, .list = { "clusterroles.rbac.authorization.k8s.io" } } };
}

void cover_world_free(struct cover_world *w)
{
    cover_free(w->got.a.cover);
    if (w->got.a.keys)
        audited_free(&w->got);
    aw_change_free(&w->last);
    buf_free(&w->lines);
    story_end(&w->s);
}

static void contract_text(const struct cover_contract *k, struct buf *out)
{
    must(is_ok(buf_printf(out,
             "contract={\"constraints\":%s,\"operation\":\"%s\",\"parameters\":{%s},\"preconditions\":{%s},\"resource\":\"%s\","
             "\"risk\":\"L1\",\"target\":\"cluster-a\"}",
             k->constraints ? k->constraints : "{\"credential_s\":10}", k->operation, k->parameters, k->preconditions,
             k->resource)) &&
             is_ok(buf_u8(out, 0)),
        "contract");
}

struct entry cover_permit(struct cover_world *w, const struct cover_contract *k)
{
    AUTO_BUF text = BUF(4096);
    char name[16];
    contract_text(k, &text);
    snprintf(name, sizeof name, "change-%u", w->n);
    aw_change_free(&w->last);
    aw_change_new(&w->s.w, name, name, (const char *)text.p, &w->last);
    struct entry entry = aw_read(&w->s.w, &w->last, NO_INDEX);
    const uint64_t read = aw_put(&w->s.w, &entry);
    entry = aw_decision(&w->s.w, &w->last, read, false);
    must(entry.decision.permitted, entry.decision.code);
    return entry;
}

struct entry cover_outcome(struct cover_world *w, const struct entry *permit, enum outcome_result r, enum outcome_evidence e)
{
    const unsigned n = w->n++;
    w->decision[n] = aw_put(&w->s.w, permit);
    w->leaf[n] = w->s.w.leaf;
    aw_sign(&w->s.w);
    struct entry entry = aw_outcome(&w->s.w, w->decision[n], &w->leaf[n], r, e);
    if (entry.outcome.http_status)
        entry.outcome.http_status = r == RESULT_APPLIED ? 200 : r == RESULT_REJECTED ? 422 : 504;
    return entry;
}

unsigned cover_change(struct cover_world *w, const struct cover_contract *k, enum outcome_result r, enum outcome_evidence e)
{
    struct entry entry = cover_permit(w, k);
    entry = cover_outcome(w, &entry, r, e);
    aw_put(&w->s.w, &entry);
    return w->n - 1;
}

void cover_export(struct cover_world *w)
{
    aw_sign(&w->s.w);
    aw_quote(&w->s.w);
    aw_export(&w->s.w, "out", NULL);
}

static void claims_read(struct cover_world *w, unsigned change, json_t **ret)
{
    AUTO_BUF path = BUF(256), claims = BUF(16384);
    struct trust t;
    struct export_dir x;
    const char *wrong = "";
    uint64_t size;
    must(is_ok(trust_load(aw_path(&w->s.w, "trust.json", &path), &t, &wrong)), wrong);
    must(is_ok(export_open(aw_path(&w->s.w, "out", &path), &x)) && is_ok(log_size(&x, &size)), "export");
    must(is_ok(claims_of(&t, &x, size, w->decision[change], NULL, &claims, &wrong)), wrong);
    must(is_ok(json_strict(buf_span(&claims), 16384, ret)), "claims");
    export_close(&x);
    trust_free(&t);
}

static const char *claim(const json_t *claims, const char *name)
{
    return json_string_value(json_object_get(claims, name));
}

static void put_extra(json_t *extra, const char *word, json_t *values)
{
    char key[64];
    snprintf(key, sizeof key, "seb.internal/%s", word);
    must(json_object_set_new(extra, key, values) == 0, word);
}

/* What the fence's AuthenticationConfiguration makes of a token (docs/kubernetes.md). */
static json_t *user_of_extra(const json_t *claims, const char *key)
{
    static const char *const words[][2] = { { "attestation", "att" }, { "body", "body" }, { "cid", "cid" },
        { "contract", "contract" }, { "decision", "jti" }, { "group", "group" }, { "instance", "ins" }, { "name", "name" },
        { "namespace", "namespace" }, { "resource", "resource" }, { "subresource", "subresource" }, { "uid", "uid" },
        { "use", "use" }, { "verb", "verb" }, { "version", "version" } };
    json_t *extra = json_object();
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        put_extra(extra, words[i][0], json_pack("[s]", claim(claims, words[i][1])));
    put_extra(extra, "fields", json_deep_copy(json_object_get(claims, "fields")));
    put_extra(extra, "key", json_pack("[s]", key));
    return json_pack(
        "{s:s,s:[s,s],s:o}", "username", claim(claims, "sub"), "groups", "seb-brokers", "system:authenticated", "extra", extra);
}

static json_t *user_of_groups(const json_t *claims, const char *key)
{
    json_t *groups = json_pack("[s]", "system:authenticated"), *g;
    size_t i;
    json_array_foreach (json_object_get(claims, "groups"), i, g)
        json_array_append_new(groups, json_sprintf("seb:%s:%s", key, json_string_value(g)));
    return json_pack("{s:s,s:o}", "username", claim(claims, "sub"), "groups", groups);
}

static void put_object(json_t *object, const json_t *claims, const char *name, const char *member)
{
    const char *text = claim(claims, name);
    if (!span_is(span_text(text), "-"))
        json_object_set_new(object, member, json_string(text));
}

static json_t *event_of(struct cover_world *w, const char *verb, json_t *user, json_t *object)
{
    char time[32];
    json_t *e = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:o,s:[s],s:o,s:{s:{},s:i},s:s,s:s}", "kind", "Event", "apiVersion",
        "audit.k8s.io/v1", "level", "Metadata", "auditID", "9a3c", "stage", "ResponseComplete", "requestURI",
        "/apis/apps/v1/namespaces/prod/x?fieldManager=seb", "verb", verb, "user", user, "sourceIPs", "192.0.2.7", "objectRef",
        object, "responseStatus", "metadata", "code", 200, "requestReceivedTimestamp", rfc3339_text(w->s.w.now_ms, time),
        "stageTimestamp", time);
    must(e != NULL, "event");
    return e;
}

json_t *cover_event(struct cover_world *w, unsigned change)
{
    AUTO_JSON *claims = NULL;
    char key[DIGEST_TEXT + 1];
    digest_text(pubkey_thumbprint(w->s.w.keys.public(w->s.w.keys.ctx, ROLE_MINT)), key);
    claims_read(w, change, &claims);
    json_t *object = json_pack("{s:s}", "apiVersion", "v1");
    put_object(object, claims, "group", "apiGroup");
    put_object(object, claims, "resource", "resource");
    put_object(object, claims, "subresource", "subresource");
    put_object(object, claims, "namespace", "namespace");
    put_object(object, claims, "name", "name");
    return event_of(
        w, claim(claims, "verb"), json_has(claims, "groups") ? user_of_groups(claims, key) : user_of_extra(claims, key), object);
}

json_t *cover_other(struct cover_world *w, const char *user, const char *verb)
{
    return event_of(w, verb, json_pack("{s:s,s:[s,s]}", "username", user, "groups", "agents", "system:authenticated"),
        json_pack("{s:s,s:s,s:s,s:s}", "resource", "configmaps", "namespace", "prod", "name", "c1", "apiVersion", "v1"));
}

void cover_put_text(struct cover_world *w, const char *line)
{
    must(is_ok(buf_text(&w->lines, line)) && is_ok(buf_text(&w->lines, "\n")), "line");
}

void cover_put(struct cover_world *w, json_t *event)
{
    AUTO_FREE char *text = json_dumps(event, JSON_COMPACT);
    cover_put_text(w, text);
    json_decref(event);
}

void cover_run(struct cover_world *w)
{
    AUTO_BUF path = BUF(256), trust = BUF(256), export = BUF(256);
    struct audit *a = &w->got.a;
    const char *what = "";
    cover_free(a->cover);
    if (a->keys)
        audited_free(&w->got);
    w->got = (struct audited){ 0 };
    must(is_ok(file_write(aw_path(&w->s.w, "audit.log", &path), buf_span(&w->lines), 0600, true)), "audit log");
    w->options.logs.list[0] = (const char *)path.p;
    must(is_ok(trust_load(aw_path(&w->s.w, "trust.json", &trust), &a->trust, &what)), what);
    must(is_ok(export_open(aw_path(&w->s.w, "out", &export), &a->export)) && is_ok(log_size(&a->export, &a->size)), "export");
    must(is_ok(report_open(&a->report, true, false)) && is_ok(keycache_new(64, &a->keys)), "report");
    must(is_ok(cover_new(&w->options, &a->cover)), "cover");
    must(is_ok(audit_pass(a)), "the pass");
    must(is_ok(cover_logs(a)), "the audit log");
}

void cover_expect(struct checks *c, struct cover_world *w, enum finding f, const char *name)
{
    cover_run(w);
    const struct report *r = &w->got.a.report;
    const bool as_wanted = f == FINDINGS ? r->findings == 0 : r->findings == 1 && r->found[f] == 1;
    check_that(c, as_wanted, name);
    if (!as_wanted)
        audited_print(&w->got);
    buf_clear(&w->lines);
}
