/* A cluster's audit log against the log's records: each mutation without its record, each record without its mutation, each that
 * doesn't fit is named, and an honest pair is not. */
#include "config.h"

#include <stdlib.h>

#include "audit/cover_time.h"
#include "tests/unit/cover_world.h"

/* A read comes first: the time that the audit log reaches over begins with it. */
static void put_first(struct cover_world *w)
{
    json_t *e = cover_other(w, "agent", "get");
    edit(e, "requestReceivedTimestamp", "\"2025-12-31T23:59:00.000000Z\"");
    cover_put(w, e);
}

static void honest(struct checks *c, const char *mapping)
{
    struct cover_world w;
    struct cover_contract later = cover_scale, gone = cover_scale, slow = cover_scale;
    cover_world_new(&w, mapping);
    const unsigned scale = cover_change(&w, &cover_scale, RESULT_APPLIED, EVIDENCE_RESPONSE);
    gone.operation = "delete";
    gone.parameters = "\"propagation\":\"Foreground\"";
    const unsigned deleted = cover_change(&w, &gone, RESULT_APPLIED, EVIDENCE_RESPONSE);
    later.resource = "/apis/rbac.authorization.k8s.io/v1/clusterroles/edit:more";
    const unsigned role = cover_change(&w, &later, RESULT_APPLIED, EVIDENCE_RESPONSE);
    const unsigned refused = cover_change(&w, &cover_scale, RESULT_REJECTED, EVIDENCE_RESPONSE);
    slow.resource = "/api/v1/namespaces/prod/pods/p/eviction";
    slow.operation = "create";
    slow.parameters = "";
    const unsigned evicted = cover_change(&w, &slow, RESULT_OPEN, EVIDENCE_NONE);
    cover_export(&w);
    put_first(&w);
    json_t *received = cover_event(&w, scale);
    edit(received, "stage", "\"RequestReceived\"");
    edit(received, "responseStatus", NULL);
    cover_put(&w, received);
    cover_put(&w, cover_event(&w, scale));
    cover_put(&w, cover_event(&w, deleted));
    cover_put(&w, cover_event(&w, role));
    json_t *no = cover_event(&w, refused);
    edit(no, "responseStatus.code", "422");
    cover_put(&w, no);
    cover_put(&w, cover_event(&w, evicted));
    cover_expect(c, &w, FINDINGS, "honest changes and their events pair");
    const struct cover_summary *n = &w.got.a.cover->counts;
    check_that(c, n->recorded == 4 && n->applied == 3 && n->paired == 3 && n->refused == 1 && n->unrecorded == 0 && n->outside == 0,
        "and are counted");
    check_that(c, w.got.a.report.remarked[REMARK_event_settles] == 1 && w.got.a.report.remarked[REMARK_event_refused] == 0,
        "what a record leaves open, its event settles; a refusal that the record knows needs no remark");
    check_that(c, !cover_is_partial(w.got.a.cover), "both reach over the same time");
    cover_world_free(&w);
}

static json_t *with(json_t *e, const char *path, const char *json)
{
    edit(e, path, json);
    return e;
}

/* One applied change, for tests of what is said of it. */
static unsigned begin(struct cover_world *w)
{
    cover_world_new(w, "extra");
    const unsigned n = cover_change(w, &cover_scale, RESULT_APPLIED, EVIDENCE_RESPONSE);
    cover_export(w);
    return n;
}

static void others(struct checks *c)
{
    struct cover_world w;
    const unsigned n = begin(&w);
    static const char *const verbs[] = { "create", "update", "patch", "delete", "deletecollection" };
    for (unsigned i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        cover_put(&w, cover_event(&w, n));
        cover_put(&w, cover_other(&w, "agent", verbs[i]));
        cover_expect(c, &w, FOUND_mutation_unrecorded, verbs[i]);
    }
    static const struct {
        const char *verb, *path, *value, *name;
    } ways[] = {
        { "create", "objectRef.subresource", "\"token\"", "a service account's token" },
        { "create", "objectRef.subresource", "\"eviction\"", "an eviction" },
        { "patch", "objectRef.subresource", "\"scale\"", "a scale" },
        { "get", "objectRef.subresource", "\"exec\"", "a session into a pod" },
        { "create", "responseStatus.code", "201", "what was created" },
        { "delete", "requestURI", "\"/api/v1/x?dryRun=All\"", "a deletion whose query says dryRun, which its body overrides" },
        { "create", "requestURI", "\"/api/v1/x?a=1;dryRun=All\"", "a segment of the query that the API server drops" },
        { "create", "requestURI", "\"/api/v1/x?x=dryRun=All\"", "another parameter's value" },
        { "patch", "user", "{\"username\":\"admin\",\"groups\":[\"system:masters\"]}", "an administrator" },
        { "patch", "user", "{}", "nobody" },
        { "patch", "impersonatedUser", "{\"username\":\"seb:seb-1:x\",\"extra\":{\"seb.internal/use\":[\"mutate\"]}}",
            "in disguise" },
        { "patch", "annotations", "{\"x\":\"\\\"seb-fence/exempt\\\":\\\"agent\\\"\",\"seb-fence/exempt\":\"\"}",
            "with an annotation that looks like it" },
    };
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        cover_put(&w, cover_event(&w, n));
        cover_put(&w, with(cover_other(&w, "agent", ways[i].verb), ways[i].path, ways[i].value));
        cover_expect(c, &w, FOUND_mutation_unrecorded, ways[i].name);
    }
    cover_put(&w, cover_event(&w, n));
    json_t *e = with(cover_other(&w, "agent", "delete"), "objectRef", "{\"resource\":\"clusterroles\",\"name\":\"x\"}");
    cover_put(&w, with(e, "objectRef.apiGroup", "\"rbac.authorization.k8s.io\""));
    cover_expect(c, &w, FOUND_mutation_unrecorded, "a protected kind without a namespace");
    cover_put(&w, cover_event(&w, n));
    e = with(cover_other(&w, "agent", "create"), "requestURI", "\"/api/v1/serviceaccounts/x/token?dryRun=All\"");
    cover_put(&w, with(e, "objectRef.subresource", "\"token\""));
    cover_expect(c, &w, FOUND_mutation_unrecorded, "a token, which dryRun doesn't keep from working");
    cover_put(&w, cover_event(&w, n));
    cover_put(&w, with(cover_other(&w, "agent", "patch"), "responseStatus.code", "504"));
    cover_expect(c, &w, FOUND_mutation_open, "one that timed out");
    cover_put(&w, cover_event(&w, n));
    e = with(cover_other(&w, "agent", "patch"), "responseStatus.code", "500");
    cover_put(&w,
        with(e, "annotations", "{\"authorization.k8s.io/decision\":\"allow\",\"authorization.k8s.io/reason\":\"internal error\"}"));
    cover_expect(c, &w, FOUND_mutation_open, "one that was authorized and broke");
    cover_put(&w, cover_event(&w, n));
    cover_put(&w, with(cover_other(&w, "agent", "patch"), "stage", "\"Panic\""));
    cover_expect(c, &w, FOUND_mutation_open, "one that panicked behind its answer");
    cover_world_free(&w);
}

/* What isn't a mutation in a protected namespace, or is one that the fence lets pass. */
static void harmless(struct checks *c)
{
    struct cover_world w;
    const unsigned n = begin(&w);
    static const struct {
        const char *verb, *path, *value, *name;
    } ways[] = {
        { "create", "requestURI", "\"/api/v1/x?fieldManager=y&dryRun=All\"", "a dry run" },
        { "patch", "responseStatus.code", "403", "a refusal" },
        { "patch", "objectRef.namespace", "\"elsewhere\"", "another namespace" },
        { "list", "objectRef.subresource", "\"\"", "a list" },
        { "patch", "objectRef", "{\"resource\":\"clusterroles\",\"name\":\"x\"}", "a kind of another group" },
        { "create", "objectRef", NULL, "no object" },
        { "create", "objectRef.namespace", "\"prod2\"", "a namespace whose name begins like it" },
    };
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        cover_put(&w, cover_event(&w, n));
        cover_put(&w, with(cover_other(&w, "agent", ways[i].verb), ways[i].path, ways[i].value));
        cover_expect(c, &w, FINDINGS, ways[i].name);
    }
    static const struct {
        const char *level, *uri, *body, *name;
    } dry[] = {
        { "\"Request\"", "\"/api/v1/x\"", "{\"kind\":\"DeleteOptions\",\"dryRun\":[\"All\"]}",
            "a deletion whose body says dryRun" },
        { "\"RequestResponse\"", "\"/api/v1/x?dryRun=All\"", NULL, "a deletion without a body whose query says dryRun" },
    };
    for (unsigned i = 0; i < sizeof dry / sizeof *dry; i++) {
        cover_put(&w, cover_event(&w, n));
        json_t *e = with(with(cover_other(&w, "agent", "delete"), "level", dry[i].level), "requestURI", dry[i].uri);
        cover_put(&w, dry[i].body ? with(e, "requestObject", dry[i].body) : e);
        cover_expect(c, &w, FINDINGS, dry[i].name);
    }
    cover_put(&w, cover_event(&w, n));
    json_t *guarded = with(cover_other(&w, "agent", "create"), "responseStatus.code", "500");
    cover_put(&w, with(guarded, "annotations", "{\"authorization.k8s.io/reason\":\"internal error\"}"));
    cover_expect(c, &w, FINDINGS, "what the fence's guard denied");
    static const char *const own[] = { "system:serviceaccount:kube-system:job-controller", "system:node:n1", "system:apiserver" };
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++) {
        cover_put(&w, cover_event(&w, n));
        cover_put(&w, with(cover_other(&w, own[i], "create"), "annotations", "{\"seb-fence/exempt\":\"it\"}"));
        cover_expect(c, &w, FINDINGS, own[i]);
    }
    cover_put(&w, cover_event(&w, n));
    cover_put(&w, with(cover_other(&w, "system:anonymous", "create"), "annotations", "{\"seb-fence/exempt\":\"it\"}"));
    cover_expect(c, &w, FOUND_mutation_unrecorded, "whom a fence annotates that somebody changed");
    w.options.exempt = (struct texts){ .n = 1, .list = { "system:serviceaccount:kube-system:job-controller" } };
    cover_put(&w, cover_event(&w, n));
    cover_put(&w, cover_other(&w, "system:serviceaccount:kube-system:job-controller", "create"));
    cover_expect(c, &w, FINDINGS, "a user that the command line exempts");
    check_that(c, w.got.a.cover->counts.exempt == 1 && w.got.a.cover->counts.mutations == 2, "is counted, and not hidden");
    cover_put(&w, cover_event(&w, n));
    cover_put(&w, with(cover_other(&w, "system:serviceaccount:kube-system:job-controller", "create"), "impersonatedUser", "{}"));
    cover_expect(c, &w, FOUND_mutation_unrecorded, "who speaks as another isn't exempt");
    cover_put(&w, cover_event(&w, n));
    cover_put(&w, with(cover_other(&w, "alice", "patch"), "annotations", "{\"seb-fence/break-glass\":\"alice: UPDATE\"}"));
    cover_expect(c, &w, FOUND_mutation_break_glass, "break-glass, as the fence marks it");
    w.options.break_glass = "keepers";
    cover_put(&w, cover_event(&w, n));
    cover_put(&w, with(cover_other(&w, "alice", "patch"), "user.groups", "[\"keepers\"]"));
    cover_expect(c, &w, FOUND_mutation_break_glass, "break-glass, as the command line names it");
    cover_world_free(&w);
}

/* Each word in turn is another's. */
static void words(struct checks *c)
{
    static const char *const names[] = { "attestation", "body", "cid", "contract", "fields", "group", "instance", "key", "name",
        "namespace", "resource", "subresource", "uid", "use", "verb", "version" };
    struct cover_world w;
    const unsigned n = begin(&w);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        char key[64];
        json_t *e = cover_event(&w, n);
        snprintf(key, sizeof key, "seb.internal/%s", names[i]);
        json_object_set_new(at_path(e, "user.extra"), key, json_pack("[s]", "another"));
        cover_put(&w, e);
        cover_run(&w);
        check_that(c, w.got.a.report.found[FOUND_event_words] == 1, names[i]);
        buf_clear(&w.lines);
    }
    static const struct {
        const char *path, *value, *name;
    } odd[] = {
        { "user.extra", "{\"seb.internal/use\":\"mutate\"}", "a word that is no list" },
        { "user.extra", "{\"seb.internal/use\":[1]}", "a word that is no text" },
        { "user.groups.0", "\"seb:k1:verb=patch\"", "words as groups beside words as extra" },
        { "user.extra", "{}", "a broker's name without words" },
    };
    for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) {
        cover_put(&w, with(cover_event(&w, n), odd[i].path, odd[i].value));
        cover_run(&w);
        check_that(c, w.got.a.report.found[FOUND_event_unknown] == 1, odd[i].name);
        buf_clear(&w.lines);
    }
    cover_world_free(&w);
}

static void objects(struct checks *c)
{
    static const struct {
        const char *path, *value, *name;
    } other[] = {
        { "verb", "\"update\"", "another verb" },
        { "objectRef.apiGroup", "\"extensions\"", "another group" },
        { "objectRef.resource", "\"statefulsets\"", "another resource" },
        { "objectRef.subresource", "\"scale\"", "a subresource" },
        { "objectRef.namespace", "\"elsewhere\"", "another namespace" },
        { "objectRef.name", "\"web2\"", "another name" },
        { "objectRef.uid", "\"u-2\"", "another uid" },
        { "objectRef.resourceVersion", "\"42\"", "another resourceVersion" },
        { "user.username", "\"seb:seb-2:x\"", "another instance's name" },
    };
    struct cover_world w;
    const unsigned n = begin(&w);
    for (unsigned i = 0; i < sizeof other / sizeof *other; i++) {
        cover_put(&w, with(cover_event(&w, n), other[i].path, other[i].value));
        cover_expect(c, &w, FOUND_event_object, other[i].name);
    }
    cover_put(&w, with(cover_event(&w, n), "objectRef.resourceVersion", "\"41\""));
    cover_expect(c, &w, FINDINGS, "the resourceVersion of the words");
    cover_world_free(&w);
}

static void set_word(json_t *e, const char *word, const char *value)
{
    char key[64];
    snprintf(key, sizeof key, "seb.internal/%s", word);
    json_object_set_new(at_path(e, "user.extra"), key, json_pack("[s]", value));
}

static void decisions(struct checks *c)
{
    struct cover_world w;
    char text[DIGEST_TEXT + 1];
    cover_world_new(&w, "extra");
    const unsigned done = cover_change(&w, &cover_scale, RESULT_APPLIED, EVIDENCE_RESPONSE);
    const unsigned refused = cover_change(&w, &cover_scale, RESULT_REJECTED, EVIDENCE_RESPONSE);
    cover_export(&w);
    const struct digest none = sha256(span_text("no record"));

    json_t *e = with(cover_event(&w, done), "requestReceivedTimestamp", "\"2026-01-01T00:00:00.001000Z\"");
    set_word(e, "decision", digest_text(&none, text));
    cover_put(&w, cover_event(&w, done));
    cover_put(&w, e);
    cover_expect(c, &w, FOUND_event_unknown, "a decision that isn't in the log");

    cover_put(&w, cover_event(&w, done));
    cover_put(&w, with(cover_event(&w, done), "auditID", "\"another\""));
    cover_expect(c, &w, FOUND_event_again, "two events for one decision");

    cover_put(&w, cover_event(&w, done));
    cover_put(&w, cover_event(&w, done));
    cover_expect(c, &w, FINDINGS, "the same line twice");
    check_that(c, w.got.a.report.remarked[REMARK_event_repeated] == 1, "is remarked");

    cover_put(&w, cover_event(&w, done));
    cover_put(&w, cover_event(&w, refused));
    cover_expect(c, &w, FOUND_event_unapplied, "done, where the record says refused");

    cover_put(&w, cover_event(&w, done));
    cover_put(&w, with(cover_event(&w, done), "responseStatus.code", "409"));
    cover_expect(c, &w, FINDINGS, "an attempt with a spent credential");
    check_that(c, w.got.a.report.remarked[REMARK_event_refused] == 1, "is remarked");

    cover_put(&w, with(cover_event(&w, done), "responseStatus.code", "504"));
    cover_expect(c, &w, FINDINGS, "a lost answer of what was applied after all");

    /* The read's credential names the read's record. */
    struct record read;
    AUTO_BUF arena = BUF(1u << 20), path = BUF(256);
    struct export_dir x;
    uint64_t size;
    must(is_ok(export_open(aw_path(&w.s.w, "out", &path), &x)) && is_ok(log_size(&x, &size)), "export");
    must(is_ok(log_record(&x, size, w.decision[done] - 1, &arena, &read)), "read");
    export_close(&x);
    e = cover_event(&w, done);
    set_word(e, "decision", digest_text(&read.leaf, text));
    cover_put(&w, cover_event(&w, done));
    cover_put(&w, e);
    cover_expect(c, &w, FOUND_event_read, "a mutation with a read's credential");
    cover_world_free(&w);
}

static void gaps(struct checks *c)
{
    struct cover_world w;
    cover_world_new(&w, "extra");
    const unsigned one = cover_change(&w, &cover_scale, RESULT_APPLIED, EVIDENCE_RESPONSE);
    const unsigned two = cover_change(&w, &cover_scale, RESULT_APPLIED, EVIDENCE_RESPONSE);
    cover_export(&w);
    put_first(&w);
    cover_put(&w, cover_event(&w, one));
    cover_expect(c, &w, FOUND_event_missing, "an applied record without its event");
    check_that(c, audited_found(&w.got, FOUND_event_missing, w.decision[two]), "is named");

    cover_put(&w, with(cover_event(&w, one), "requestReceivedTimestamp", "\"2025-12-31T00:00:00Z\""));
    cover_expect(c, &w, FINDINGS, "an audit log that ends before a record");
    check_that(c, cover_is_partial(w.got.a.cover) && w.got.a.cover->counts.outside == 1, "doesn't reach over it");

    w.options.since_ms = INT64_C(1798761600000); /* 2027 */
    cover_put(&w, cover_other(&w, "agent", "patch"));
    cover_expect(c, &w, FINDINGS, "what came before isn't asked about");
    check_that(c, w.got.a.cover->counts.outside == 0 && w.got.a.cover->counts.events == 0, "neither events nor records");
    w.options.since_ms = 0;

    cover_expect(c, &w, FINDINGS, "an audit log without an event");
    check_that(c, cover_is_partial(w.got.a.cover) && w.got.a.cover->counts.outside == 2, "reaches over nothing");

    char text[DIGEST_TEXT + 1];
    const struct digest none = sha256(span_text("no record"));
    json_t *e = with(cover_event(&w, one), "requestReceivedTimestamp", "\"2026-12-31T00:00:00Z\"");
    set_word(e, "decision", digest_text(&none, text));
    cover_put(&w, e);
    cover_put(&w, cover_event(&w, one));
    cover_put(&w, cover_event(&w, two));
    cover_expect(c, &w, FINDINGS, "a decision behind the export's last record");
    check_that(c, cover_is_partial(w.got.a.cover) && w.got.a.cover->counts.after == 1, "isn't known yet");

    put_first(&w);
    cover_put(&w, cover_event(&w, one));
    cover_put(&w, cover_event(&w, two));
    e = with(cover_other(&w, "agent", "patch"), "stage", "\"RequestReceived\"");
    cover_put(&w, with(e, "requestReceivedTimestamp", "\"2025-12-31T23:58:00Z\""));
    cover_expect(c, &w, FOUND_event_cut, "a request of which only its coming in was logged");
    put_first(&w);
    cover_put(&w, cover_event(&w, one));
    cover_put(&w, cover_event(&w, two));
    cover_put(&w, with(cover_other(&w, "agent", "patch"), "stage", "\"RequestReceived\""));
    cover_expect(c, &w, FINDINGS, "a request that was under way at the end");
    check_that(c, w.got.a.report.remarked[REMARK_event_under_way] == 1, "is remarked");
    cover_world_free(&w);
}

static void lines(struct checks *c)
{
    static const char *const bad[] = {
        "x",
        "{",
        "{}",
        "[]",
        "{\"kind\":\"Event\"}",
        "{\"kind\":\"Event\",\"kind\":\"Event\"}",
        "{\"\\u006bind\":\"Event\"}",
        "{\"kind\":\"Event\"} x",
        "{\"requestObject\":[[[[}",
        "{\"verb\":\"unended",
        "\xff\xfe",
        "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/"
        "v1\",\"level\":\"Metadata\",\"stage\":\"ResponseComplete\",\"verb\":\"get\","
        "\"user\":{},\"imperson\\u0061tedUser\":{},\"requestReceivedTimestamp\":\"2026-01-01T00:00:00Z\"}",
    };
    static const struct {
        const char *path, *value, *name;
    } odd[] = {
        { "kind", "\"EventList\"", "another kind" },
        { "apiVersion", "\"audit.k8s.io/v1beta1\"", "another version" },
        { "level", "\"None\"", "no level" },
        { "verb", "1", "a verb that is a number" },
        { "verb", NULL, "no verb" },
        { "user", "[]", "a user that is a list" },
        { "user", NULL, "no user" },
        { "user.username", "{}", "a name that is an object" },
        { "impersonatedUser", "\"x\"", "whom it spoke as, as a text" },
        { "objectRef", "\"x\"", "an object that is a text" },
        { "objectRef.name", "7", "a name that is a number" },
        { "responseStatus", "[]", "an answer that is a list" },
        { "responseStatus.code", "\"200\"", "an answer that is a text" },
        { "responseStatus.code", "200.0", "an answer that is a real" },
        { "requestReceivedTimestamp", "\"2026-02-01 00:00:00Z\"", "a time of another form" },
        { "requestReceivedTimestamp", "\"2026-13-01T00:00:00Z\"", "a thirteenth month" },
        { "requestReceivedTimestamp", "\"2026-01-01T00:00:00.Z\"", "a fraction without a digit" },
        { "annotations", "{\"seb-fence/exempt\":1}", "an annotation that is a number" },
    };
    struct cover_world w;
    const unsigned n = begin(&w);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        cover_put(&w, cover_event(&w, n));
        cover_put_text(&w, bad[i]);
        cover_expect(c, &w, FOUND_line_malformed, bad[i][0] < 0 ? "bytes that are no text" : bad[i]);
    }
    for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) {
        cover_put(&w, cover_event(&w, n));
        cover_put(&w, with(cover_other(&w, "agent", "get"), odd[i].path, odd[i].value));
        cover_expect(c, &w, FOUND_line_malformed, odd[i].name);
    }
    cover_put(&w, cover_event(&w, n));
    must(is_ok(buf_text(&w.lines, "{\"kind\":\"Event\"")), "line");
    cover_expect(c, &w, FOUND_line_malformed, "a last line that was cut");

    cover_put(&w, cover_event(&w, n));
    cover_put_text(&w, "");
    cover_expect(c, &w, FINDINGS, "an empty line");

    /* Somebody's text in what isn't read: bad JSON inside a string, deep nesting, numbers that no integer holds. */
    cover_put(&w, cover_event(&w, n));
    cover_put_text(&w, "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/"
                       "v1\",\"level\":\"Request\",\"stage\":\"ResponseComplete\",\"verb\":\"get\","
                       "\"user\":{},\"responseStatus\":{\"message\":\"\\u0000 "
                       "\\\"code\\\":200\",\"code\":404},\"requestObject\":{\"a\":1e300,\"a\":"
                       "[[[]]],\"b\":\"\\\"}{\\u0000\"},\"requestReceivedTimestamp\":\"2026-01-01T00:00:00Z\"}");
    cover_expect(c, &w, FINDINGS, "what a client wrote, in members that aren't read");
    cover_world_free(&w);
}

/* 16 MiB and a byte: passed over by name, and what follows is read. */
static void long_line(struct checks *c)
{
    struct cover_world w;
    const unsigned n = begin(&w);
    w.lines.max = 32u << 20;
    uint8_t *room;
    must(is_ok(buf_room(&w.lines, EVENT_LINE_MAX + 1, &room)), "memory");
    cover_put_text(&w, "");
    cover_put(&w, cover_event(&w, n));
    cover_expect(c, &w, FOUND_line_malformed, "a line that is too long");
    check_that(c, w.got.a.cover->counts.paired == 1 && w.got.a.cover->counts.lines == 2, "and the one behind it is read");
    cover_world_free(&w);
}

static void command_line(struct checks *c)
{
    char *words[] = { "kubernetes", "--trust", "t", "--audit-log", "a", "b", "--target", "x", "--json", "--namespace", "n", "m",
        "EXPORT" };
    struct cover_options o = { 0 };
    check_that(c, !cover_options_read(13, words, &o), "the command line is read");
    check_that(c, o.logs.n == 2 && o.namespaces.n == 2 && o.json && span_is(span_text(o.export), "EXPORT"), "with its lists");
    o = (struct cover_options){ 0 };
    check_that(c, cover_options_read(9, words, &o) != NULL, "an option isn't the export");
    o = (struct cover_options){ 0 };
    check_that(c, cover_options_read(8, words, &o) != NULL, "an option without its value");
    char *since[] = { "kubernetes", "--trust", "t", "--audit-log", "a", "--target", "x", "--namespace", "n", "--since",
        "2026-01-01T00:00:00Z", "EXPORT" };
    o = (struct cover_options){ 0 };
    check_that(c, !cover_options_read(12, since, &o) && o.since_ms == INT64_C(1767225600000), "a time is read");
    since[10] = "yesterday";
    o = (struct cover_options){ 0 };
    check_that(c, cover_options_read(12, since, &o) != NULL, "another form of it isn't");
    words[0] = "nomad";
    o = (struct cover_options){ 0 };
    check_that(c, cover_options_read(13, words, &o) != NULL, "another kind of target");
}

static void times(struct checks *c)
{
    static const struct {
        const char *text;
        int64_t ms;
    } known[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2000-02-29T12:00:00.5Z", INT64_C(951825600500) },
        { "2026-11-26T04:07:19.697984Z", INT64_C(1795666039697) },
        { "2100-03-01T00:00:00.000Z", INT64_C(4107542400000) },
    };
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        int64_t ms = -1;
        check_that(c, is_ok(rfc3339_ms(known[i].text, &ms)) && ms == known[i].ms, known[i].text);
    }
}

int main(void)
{
    struct checks c = { 0 };
    honest(&c, "extra");
    honest(&c, "groups");
    others(&c);
    harmless(&c);
    words(&c);
    objects(&c);
    decisions(&c);
    gaps(&c);
    lines(&c);
    long_line(&c);
    command_line(&c);
    times(&c);
    return checks_end(&c);
}
