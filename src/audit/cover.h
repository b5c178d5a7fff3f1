/* seb-audit cover kubernetes: whether what a cluster's API server did in protected namespaces is what the log's records say. The
 * log is audited first (audit.h), and a check of that pass keeps what its permits allowed (cover_records.c); then the audit log's
 * lines go by, and each mutation is held against its record (cover_pair.c).
 *
 * Memory: some 150 bytes a permit and 40 a read of the target, one line, and what is under way in the API server; whatever the
 * audit log's size. */
#ifndef SEB_AUDIT_COVER_H
#define SEB_AUDIT_COVER_H

#include "base/log.h"
#include "audit/audit.h"

/* An event of a whole object before and behind, as level RequestResponse has it, is below that. */
#define EVENT_LINE_MAX ((size_t)16 << 20)
/* What is read of one: user, object, answer. A credential's words are at most CREDENTIAL_TEXT_MAX. */
#define EVENT_MAX ((size_t)256 << 10)

/* cover_lines.c: an audit log's lines. io where the file can't be opened. */
struct log_lines; /* opaque */
MUST_USE result log_lines_open(const char *path, struct log_lines **ret);
void log_lines_close(struct log_lines *l); /* accepts NULL */
/* The next line without its newline, and its number from 1 on; valid until the next call. *ret_there false after the last.
 * too_long: the line is passed over. truncated: the file's last line has no newline. Both count as lines. */
MUST_USE result log_lines_next(struct log_lines *l, struct span *ret, uint64_t *ret_number, bool *ret_there);

/* cover_scan.c: values of the named members of a JSON object, as views of its text; {0} where there is none. bad_json,
 * duplicate_member (of a named one), trailing_bytes. What isn't named isn't verified to be JSON. */
MUST_USE result scan_members(struct span object, const char *const *names, unsigned n, struct span *ret);

/* cover_words.c: what a credential says, as the API server repeats it in an event: "name=value" each, sorted. */
#define WORDS_MAX 128
struct words {
    unsigned n;
    char *list[WORDS_MAX]; /* owned */
};
void words_free(struct words *w); /* and empties */
/* Of the claims that a record allows (RFC 8785 form, or any JSON), minted by this key. bad_json, missing_member. */
MUST_USE result words_of_claims(struct span claims, const struct digest *mint_key, struct words *ret);
/* Of an event's user: extra of the prefix seb.internal/, or groups of the prefix seb:<key>:. too_long, bad_type, and bad_value
 * where the two or two keys are mixed. */
MUST_USE result words_of_user(const json_t *user, struct words *ret);
struct digest words_digest(const struct words *w);
/* The first value of a word; NULL where there is none. */
const char *words_get(const struct words *w, const char *name);
/* Names of the words that are in one list only or differ, with commas, cut where they don't fit. */
void words_differ(const struct words *a, const struct words *b, char *text, size_t room);

/* cover_event.c: one event (audit.k8s.io/v1). Views its own tree; "" and NULL where a member isn't there. */
struct kube_event {
    json_t *tree; /* owned */
    const char *audit_id, *stage, *verb, *uri, *time, *source;
    const json_t *user; /* an object */
    const char *username;
    bool impersonates; /* user spoke as somebody else, whom admission then saw */
    const char *as; /* whom; "" for nobody */
    const char *group, *resource, *subresource, *namespace, *name, *uid, *version;
    bool has_object;
    int64_t time_ms, code; /* code 0: it doesn't say */
    bool has_body; /* the log has the request's body, */
    bool has_bodies; /* or would have it, if there had been one */
    bool body_dry; /* and it says dryRun: All */
    bool exempt, break_glass; /* as the fence annotates whom it lets pass besides the broker */
    bool unauthorized; /* an authorizer failed, and so denied it */
};
/* bad_json, bad_type, bad_value, missing_member, too_long: not an event. The caller frees. */
MUST_USE result kube_event_read(struct span line, struct kube_event *ret);
void kube_event_free(struct kube_event *e); /* accepts zeroed */
bool kube_event_mutates(const struct kube_event *e); /* a verb that changes, or a session into a pod, whatever was answered */
bool kube_event_is_dry(const struct kube_event *e); /* certainly; a delete's query alone says nothing */
bool kube_event_says_dry(const struct kube_event *e); /* in its query */
bool kube_event_in_group(const struct kube_event *e, const char *group);

/* What the command is told. Lists are views of the command line. */
#define COVER_LIST_MAX 4096
struct texts {
    unsigned n;
    const char *list[COVER_LIST_MAX];
};
struct cover_options {
    const char *trust, *expect, *ek_roots, *target, *export, *break_glass;
    uint64_t at_least;
    int64_t since_ms; /* what came before isn't asked about; 0: all is */
    bool json;
    struct texts logs, namespaces, cluster_kinds, exempt;
};

/* cover_pending.c: requests that were received, and of which the log doesn't say yet what became of them. An event of level Request
 * can fail to be written (a patch in YAML isn't JSON), so that only its first stage is there. */
#define PENDING_MAX 65536
struct pending; /* opaque */
MUST_USE result pending_new(struct pending **ret);
void pending_free(struct pending *p); /* accepts NULL */
MUST_USE result pending_received(struct pending *p, const struct kube_event *e, struct where at);
void pending_ended(struct pending *p, const struct kube_event *e);
struct pending_one {
    struct digest key;
    struct where at;
    int64_t time_ms;
    char what[240];
};
/* What is left, in no order; *ret_more: how many didn't fit. */
const struct pending_one *pending_left(const struct pending *p, size_t *ret_n, uint64_t *ret_more);

/* cover_exempt.c: mutations of exempt users, counted by name: of more than EXEMPT_MAX the rest together. */
#define EXEMPT_MAX 1024
struct exempt; /* opaque */
MUST_USE result exempt_new(struct exempt **ret);
void exempt_free(struct exempt *x); /* accepts NULL */
void exempt_count(struct exempt *x, const char *user);
void exempt_print(const struct exempt *x);
MUST_USE result exempt_json(const struct exempt *x, json_t **ret); /* an object: name to count */

/* cover_records.c: permits of the target, as the pass brought them. */
struct covered {
    uint64_t index;
    int64_t time;
    struct digest words; /* of the claims, where they can be computed */
    struct digest mint_key, line; /* line: SHA-256 of its first event's */
    enum outcome_result result; /* 0: none yet */
    int64_t status; /* of the outcome */
    bool has_words, dry_run;
    bool seen, unsure, refused; /* an event says: done, may have been done, refused as the record has it */
};
/* What an audit log came to. */
struct cover_summary {
    uint64_t files, lines, events;
    int64_t from_ms, to_ms; /* of the first and the last event, by their time of coming in; with events alone */
    /* In protected namespaces, and done: all; by a record; by nobody's; by break-glass; by exempt users. */
    uint64_t mutations, recorded, unrecorded, break_glass, exempt;
    uint64_t elsewhere; /* by a record, in other namespaces */
    uint64_t dry_runs, refused; /* refused: with a broker's credential, wherever */
    uint64_t applied, paired, outside; /* records; with their event; from before the audit log's first event or after its last */
    uint64_t after; /* events behind the export's last record */
};
struct cover {
    const struct cover_options *options;
    struct table places; /* of a leaf: its place in list, or COVER_READ and the read's index */
    struct table indices; /* of a permit's index: its place */
    struct covered *list;
    size_t n, room;
    int64_t last_ms; /* of the newest record */
    struct exempt *exempt;
    struct pending *pending;
    struct cover_summary counts;
    const char *unreadable; /* the file that ended it; NULL */
};
#define COVER_READ (UINT64_C(1) << 63)
/* The permit or read that a decision word names: NULL where there is none, or it is a read (*ret_read then). */
struct covered *cover_find(const struct cover *c, const char *decision, bool *ret_read);
/* The words of a permit again, for saying how an event's differ. */
MUST_USE result cover_words(struct audit *a, const struct covered *c, struct words *ret);

/* cover_pair.c: the events, one after the other, and what the records then lack. */
MUST_USE result cover_take(struct audit *a, const struct kube_event *e, struct span line, struct where at);
void cover_end(struct audit *a);

/* options.c: what the command line says, from "kubernetes" on, into zeroed options that view it; NULL, or what is wrong. */
const char *cover_options_read(int argc, char **argv, struct cover_options *ret);
/* cover.c */
MUST_USE result cover_new(const struct cover_options *o, struct cover **ret); /* views o */
void cover_free(struct cover *c); /* accepts NULL and half-built ones */
/* After the pass: all files in their order, then the end. A file that can't be read: io, and c->unreadable names it. */
MUST_USE result cover_logs(struct audit *a);

#endif
