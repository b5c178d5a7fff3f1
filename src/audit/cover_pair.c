/* Each mutation that the API server did, held against its record; and what the records then lack. The pairing goes by the
 * decision word, which the mint key signed and the API server repeats; by the other words, which are a function of the record; and
 * by the object that was really changed. The Audit-ID is the client's to choose: it is only repeated, for looking up. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "audit/cover.h"

#define WHAT_MAX 700
#define BROKERS "seb-brokers"
#define USERNAME "seb:"
/* What an API server gives a request by default (--request-timeout): what came in later than that before the log's end may go on.
 */
#define REQUEST_MS INT64_C(60000)

struct taken {
    struct audit *a;
    struct cover *c;
    const struct kube_event *e;
    struct span line;
    struct where at;
    struct words words;
    bool is_broker, has_words; /* is_broker: it has words, or a broker's name or group */
};

static const char *quoted(const char *s, char *text, unsigned n)
{
    return log_quote(span_text(s), text, n);
}

/* Who, what, when: the log's words, quoted. */
static const char *what_of(const struct kube_event *e, char text[WHAT_MAX])
{
    char user[128], as[100], object[400], raw[512], id[64], source[64];
    snprintf(raw, sizeof raw, "%s%s%s%s%s%s%s%s%s", e->resource, *e->group ? "." : "", e->group, *e->subresource ? "/" : "",
        e->subresource, *e->namespace ? " in " : "", e->namespace, *e->name ? ": " : "", e->name);
    snprintf(text, WHAT_MAX, "%s%s%s %.20s %s at %.40s, status %" PRId64 ", from %s, Audit-ID %s",
        quoted(e->username, user, sizeof user), e->impersonates ? " as " : "", e->impersonates ? quoted(e->as, as, sizeof as) : "",
        e->verb, quoted(raw, object, sizeof object), e->time, e->code, quoted(e->source, source, sizeof source),
        quoted(e->audit_id, id, sizeof id));
    return text;
}

static void found(const struct taken *t, enum finding f, const char *about)
{
    char what[WHAT_MAX];
    report_found(&t->a->report, f, t->at, "%s%s%s", what_of(t->e, what), *about ? "; " : "", about);
}

static bool is_listed(const struct texts *list, const char *text)
{
    for (unsigned i = 0; i < list->n; i++)
        if (span_is(span_text(text), list->list[i]))
            return true;
    return false;
}

/* A namespace by its name (the API server gives a Namespace object its own), a cluster-scoped kind as RESOURCE.GROUP. */
static bool is_protected(const struct cover *c, const struct kube_event *e)
{
    char kind[512];
    if (*e->namespace)
        return is_listed(&c->options->namespaces, e->namespace);
    snprintf(kind, sizeof kind, "%s%s%s", e->resource, *e->group ? "." : "", e->group);
    return is_listed(&c->options->cluster_kinds, kind);
}

static bool starts_with(const char *text, const char *with)
{
    return span_is(span_part(span_text(text), 0, span_text(with).n), with);
}

/* Kubernetes' own, whom the fence exempts by itself. Whoever could change the fence could have it annotate anybody. */
static bool is_of_kubernetes(const char *user)
{
    static const char *const names[] = { "system:serviceaccount:kube-system:", "system:node:", "system:kube-", "system:apiserver" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (starts_with(user, names[i]))
            return true;
    return false;
}

static bool is_exempt(const struct cover *c, const struct kube_event *e)
{
    return !e->impersonates && ((e->exempt && is_of_kubernetes(e->username)) || is_listed(&c->options->exempt, e->username));
}

static bool is_break_glass(const struct cover *c, const struct kube_event *e)
{
    const char *group = c->options->break_glass;
    return e->break_glass || (group && kube_event_in_group(e, group));
}

enum answer { DONE, REFUSED, UNSURE };

/* A session answers 101. What panicked, timed out or broke may have been stored all the same. */
static enum answer answer_of(const struct kube_event *e)
{
    if (span_is(span_text(e->stage), "Panic"))
        return UNSURE;
    if (e->unauthorized || (e->code >= 400 && e->code < 500))
        return REFUSED;
    return (e->code >= 200 && e->code < 300) || e->code == 101 ? DONE : UNSURE;
}

/* Somebody's else. */

static void take_other(const struct taken *t, enum answer answer)
{
    struct cover_summary *n = &t->c->counts;
    if (!is_protected(t->c, t->e) || answer == REFUSED)
        return;
    if (kube_event_is_dry(t->e)) {
        n->dry_runs += answer == DONE;
        return;
    }
    n->mutations += answer == DONE;
    if (is_exempt(t->c, t->e)) {
        n->exempt += answer == DONE;
        if (answer == DONE)
            exempt_count(t->c->exempt, t->e->username);
        return;
    }
    const char *unsure = kube_event_says_dry(t->e) ? "its query says dryRun, which doesn't show that it was one" : "";
    if (is_break_glass(t->c, t->e)) {
        n->break_glass++;
        found(t, FOUND_mutation_break_glass, answer == DONE ? unsure : "it may have been done");
    } else if (answer == DONE) {
        n->unrecorded++;
        found(t, FOUND_mutation_unrecorded, unsure);
    } else {
        n->unrecorded++;
        found(t, FOUND_mutation_open, unsure);
    }
}

/* A broker's. */

static bool is_word(const struct taken *t, const char *name, const char *value)
{
    const char *word = words_get(&t->words, name);
    return word && span_is(span_text(word), *value ? value : "-");
}

/* "namespaces" is of no namespace, and the API server gives the object its own name as one. */
static bool is_namespace_word(const struct taken *t)
{
    const struct kube_event *e = t->e;
    const bool own = !*e->group && span_is(span_text(e->resource), "namespaces") && span_is(span_text(e->namespace), e->name);
    return is_word(t, "namespace", e->namespace) || (own && is_word(t, "namespace", ""));
}

/* What was asked for against the words. Uid and resourceVersion are those of an update's own object, where it had them. */
static const char *object_differs(const struct taken *t)
{
    const struct kube_event *e = t->e;
    if (!is_word(t, "verb", e->verb))
        return "the verb";
    if (!is_word(t, "group", e->group) || !is_word(t, "resource", e->resource) || !is_word(t, "subresource", e->subresource))
        return "the resource";
    if (!is_namespace_word(t))
        return "the namespace";
    if (!is_word(t, "name", e->name))
        return "the name";
    if (*e->uid && !is_word(t, "uid", e->uid))
        return "the uid";
    return *e->version && !is_word(t, "version", e->version) ? "the resourceVersion" : NULL;
}

/* The API server's name for the credential's holder: seb:<instance>:<decision>. */
static bool is_username(const struct taken *t, const char *decision)
{
    char want[TRUST_NAME_MAX + DIGEST_TEXT + 16];
    snprintf(want, sizeof want, USERNAME "%s:%s", t->a->trust.instance, decision);
    return span_is(span_text(t->e->username), want);
}

static result compare_words(const struct taken *t, const struct covered *k)
{
    char names[256], about[300];
    struct digest came = words_digest(&t->words);
    if (!k->has_words || digest_equal(&came, &k->words))
        return OK;
    struct words want;
    TRY(cover_words(t->a, k, &want));
    words_differ(&want, &t->words, names, sizeof names);
    words_free(&want);
    snprintf(about, sizeof about, "record %" PRIu64 "; %s", k->index, names);
    found(t, FOUND_event_words, about);
    return OK;
}

static bool says_not_done(const struct covered *k)
{
    return k->result == RESULT_REJECTED || k->result == RESULT_FAILED || k->result == RESULT_NOT_APPLIED;
}

static void count_done(const struct taken *t)
{
    struct cover_summary *n = &t->c->counts;
    const bool protected = is_protected(t->c, t->e);
    n->mutations += protected;
    n->recorded += protected;
    n->elsewhere += !protected;
}

static void take_done(const struct taken *t, struct covered *k)
{
    char about[100];
    const struct digest line = sha256(t->line);
    if (k->seen && digest_equal(&line, &k->line)) {
        report_remark(&t->a->report, REMARK_event_repeated, t->at, "record %" PRIu64, k->index);
        return;
    }
    snprintf(about, sizeof about, "record %" PRIu64 "%s%s", k->index, says_not_done(k) ? ": " : "",
        says_not_done(k) ? outcome_name(k->result) : "");
    if (k->seen)
        found(t, FOUND_event_again, about);
    else if (says_not_done(k))
        found(t, FOUND_event_unapplied, about);
    else if (k->result != RESULT_APPLIED)
        report_remark(&t->a->report, REMARK_event_settles, t->at, "record %" PRIu64, k->index);
    k->seen = true;
    k->line = line;
    count_done(t);
}

static result take_permitted(const struct taken *t, struct covered *k, enum answer answer, const char *decision)
{
    char about[100];
    TRY(compare_words(t, k));
    const char *differs = is_username(t, decision) ? object_differs(t) : "the user's name";
    snprintf(about, sizeof about, "record %" PRIu64 "; %s", k->index, differs ? differs : "");
    if (differs)
        found(t, FOUND_event_object, about);
    if (answer == DONE)
        take_done(t, k);
    else
        k->unsure = true;
    return OK;
}

/* By no permit of this log. A decision behind the export's last record can't be known here. */
static void take_unknown(const struct taken *t, bool has_decision, bool is_read)
{
    struct cover_summary *n = &t->c->counts;
    if (has_decision && !is_read && t->e->time_ms > t->c->last_ms) {
        n->after++;
        return;
    }
    n->mutations += is_protected(t->c, t->e);
    n->unrecorded++;
    char instance[100], about[160];
    const char *word = words_get(&t->words, "instance");
    snprintf(about, sizeof about, "instance %s", quoted(word ? word : "", instance, sizeof instance));
    found(t, is_read ? FOUND_event_read : FOUND_event_unknown, t->has_words ? about : "its words aren't of the fence's form");
}

/* With a broker's words or name, and not refused. */
static result take_broker(const struct taken *t, enum answer answer)
{
    bool is_read = false;
    const char *decision = t->has_words && !t->e->impersonates ? words_get(&t->words, "decision") : NULL;
    struct covered *k = decision ? cover_find(t->c, decision, &is_read) : NULL;
    if (k && (kube_event_is_dry(t->e) || (k->dry_run && kube_event_says_dry(t->e)))) {
        t->c->counts.dry_runs++;
        return OK;
    }
    if (k)
        return take_permitted(t, k, answer, decision);
    if (kube_event_is_dry(t->e))
        t->c->counts.dry_runs++;
    else
        take_unknown(t, decision != NULL, is_read);
    return OK;
}

/* The record may know of it: rejected, with that status. Everything else with a broker's credential is somebody else's attempt. */
static void take_refused(const struct taken *t)
{
    char what[WHAT_MAX];
    bool is_read;
    const char *decision = t->has_words ? words_get(&t->words, "decision") : NULL;
    struct covered *k = decision ? cover_find(t->c, decision, &is_read) : NULL;
    t->c->counts.refused++;
    if (k && !k->refused && k->result != RESULT_APPLIED && k->status == t->e->code) {
        k->refused = true;
        return;
    }
    report_remark(&t->a->report, REMARK_event_refused, t->at, "%s", what_of(t->e, what));
}

/* Whose it is. Words that aren't of the fence's form are nobody's but a broker's that was tampered with. */
static result know_user(struct taken *t)
{
    result r = words_of_user(t->e->user, &t->words);
    if (!is_ok(r) && code_of(r) == E_no_memory)
        return r;
    t->has_words = is_ok(r) && t->words.n > 0;
    t->is_broker = !is_ok(r) || t->has_words || starts_with(t->e->username, USERNAME) || kube_event_in_group(t->e, BROKERS);
    return OK;
}

static result take_answer(struct taken *t)
{
    const enum answer answer = answer_of(t->e);
    const bool mutates = kube_event_mutates(t->e);
    TRY(know_user(t));
    if (!t->is_broker && mutates)
        take_other(t, answer);
    else if (mutates && answer != REFUSED)
        return take_broker(t, answer);
    /* A read of what isn't there is no attempt at anything. */
    else if (t->is_broker && (mutates || t->e->unauthorized || t->e->code == 403))
        take_refused(t);
    return OK;
}

/* The span that the log reaches over; what was received, and what was answered. */
static result take_stage(struct taken *t)
{
    struct cover_summary *n = &t->c->counts;
    const struct kube_event *e = t->e;
    const bool mutates = kube_event_mutates(e) && is_protected(t->c, e);
    if (e->time_ms < t->c->options->since_ms)
        return OK;
    if (!n->events++ || e->time_ms < n->from_ms)
        n->from_ms = e->time_ms;
    if (e->time_ms > n->to_ms)
        n->to_ms = e->time_ms;
    if (span_is(span_text(e->stage), "RequestReceived"))
        return mutates ? pending_received(t->c->pending, e, t->at) : OK;
    /* ResponseStarted of a session: its end comes later, or is missing. */
    if (!span_is(span_text(e->stage), "ResponseComplete") && !span_is(span_text(e->stage), "Panic"))
        return OK;
    if (mutates)
        pending_ended(t->c->pending, e);
    return take_answer(t);
}

result cover_take(struct audit *a, const struct kube_event *e, struct span line, struct where at)
{
    struct taken t = { .a = a, .c = a->cover, .e = e, .line = line, .at = at };
    result r = take_stage(&t);
    words_free(&t.words);
    return r;
}

static void end_pending(struct audit *a)
{
    size_t n;
    uint64_t more;
    const struct pending_one *one = pending_left(a->cover->pending, &n, &more);
    for (size_t i = 0; i < n; i++)
        if (one[i].time_ms + REQUEST_MS < a->cover->counts.to_ms)
            report_found(&a->report, FOUND_event_cut, one[i].at, "%s", one[i].what);
        else
            report_remark(&a->report, REMARK_event_under_way, one[i].at, "%s", one[i].what);
    if (more)
        report_found(&a->report, FOUND_event_cut, at_file(), "%" PRIu64 " more, which weren't followed", more);
}

void cover_end(struct audit *a)
{
    struct cover *c = a->cover;
    struct cover_summary *n = &c->counts;
    end_pending(a);
    for (size_t i = 0; i < c->n; i++) {
        const struct covered *k = &c->list[i];
        if (k->result != RESULT_APPLIED || k->time < c->options->since_ms)
            continue;
        n->applied++;
        if (k->seen || k->unsure)
            n->paired++;
        else if (n->events && k->time >= n->from_ms && k->time <= n->to_ms)
            report_found(&a->report, FOUND_event_missing, at_record(k->index), "%s", "");
        else
            n->outside++;
    }
}
