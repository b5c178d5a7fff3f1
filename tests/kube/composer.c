/* A mutation of a cluster as the keeper plans it and the runner composes it, and an answer as the runner reads it:
 *   composer PREFIX OPERATION RESOURCE TYPE UID VERSION [NAME=VALUE]...     the certified body on stdin unless TYPE is -
 *     prints method, URL, media type and details, each on a line, and then the body as it is sent. `-` is none. Names: manager,
 * force, propagation, grace, rehearsal, field, post (POINTER=VALUE in RFC 8785 form, or POINTER alone: absent; one of each)
 *   composer answer USE DETAILS STATUS                                      the answer on stdin; prints what it says as JSON */
#include <config.h>

#include "base/json.h"
#include "target/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_MAX ((size_t)8 << 20)

static void must(result r, const char *what)
{
    if (is_ok(r))
        return;
    printf("%s\n", code_name(code_of(r)));
    fprintf(stderr, "composer: %s: %s\n", what, code_words(code_of(r)));
    exit(1);
}

static const char *or_null(const char *word)
{
    return strcmp(word, "-") ? word : NULL;
}

/* POINTER[=VALUE], cut in place. */
static struct field field_read(char *word)
{
    struct field f = { .pointer = word };
    f.value = strchr(word, '=');
    f.absent = !f.value;
    if (f.value) {
        *f.value++ = 0;
        f.sha256 = sha256(span_text(f.value));
    }
    return f;
}

struct asked {
    struct target_mutation m;
    struct field one[2];
    struct fields fields[2];
    bool rehearsal;
};

static void option_read(char *word, struct asked *q)
{
    char *value = strchr(word, '=');
    *value++ = 0;
    if (!strcmp(word, "manager"))
        q->m.field_manager = value;
    else if (!strcmp(word, "force"))
        q->m.force = true;
    else if (!strcmp(word, "propagation"))
        q->m.propagation = value;
    else if (!strcmp(word, "grace"))
        q->m.grace_s = strtol(value, NULL, 10);
    else if (!strcmp(word, "rehearsal"))
        q->m.dry_run = q->rehearsal = true;
    else {
        bool post = !strcmp(word, "post");
        q->one[post] = field_read(value);
        q->fields[post] = (struct fields){ 1, &q->one[post] };
        *(post ? &q->m.post_fields : &q->m.fields) = &q->fields[post];
    }
}

static void compose(const char *prefix, struct asked *q, struct span body)
{
    struct call_plan plan;
    AUTO_BUF details = BUF(TARGET_DETAILS_MAX), out = BUF(TARGET_SENT_MAX);
    AUTO_JSON *v = NULL;
    char url[TARGET_URL_MAX + 1];
    enum seb_code scope = target_scope("kubernetes", prefix, &q->m);
    must(scope == E_ok ? OK : fail(scope), "scope");
    must(target_plan("kubernetes", prefix, CALL_MUTATE, &q->m, &plan), "plan");
    must(target_details("kubernetes", CALL_MUTATE, &q->m, &details), "details");
    must(json_strict(buf_span(&details), TARGET_DETAILS_MAX, &v), "details as JSON");
    must(target_compose("kubernetes", v, q->rehearsal, body, &out), "body");
    if (q->rehearsal)
        must(target_rehearsal("kubernetes", plan.url, url), "rehearsal");
    printf("%s\n%s\n%s\n%.*s\n%.*s", plan.method, q->rehearsal ? url : plan.url, plan.media_type, (int)details.n,
        (const char *)details.p, (int)out.n, (const char *)out.p);
}

static void answer(char **words, struct span body)
{
    struct target_answer a;
    AUTO_JSON *v = NULL;
    enum call_use use = strcmp(words[0], "read") ? CALL_MUTATE : CALL_READ;
    must(json_strict(span_text(words[1]), TARGET_DETAILS_MAX, &v), "details");
    must(target_answer_read("kubernetes", use, v, (uint32_t)strtoul(words[2], NULL, 10), body, &a), "answer");
    printf("{\"uid\":\"%s\",\"version\":\"%s\",\"reason\":\"%s\",\"causes\":%s,\"post_holds\":%s,\"fields\":%u}\n", a.uid,
        a.version, a.reason, a.causes[0] ? a.causes : "[]", a.post_holds ? "true" : "false", a.fields_n);
}

int main(int argc, char **argv)
{
    AUTO_BUF in = BUF(IN_MAX);
    bool answers = argc == 5 && !strcmp(argv[1], "answer");
    if (!answers && argc < 7)
        return 2;
    if (answers || strcmp(argv[4], "-"))
        must(file_read("/dev/stdin", IN_MAX, &in), "stdin");
    if (answers) {
        answer(argv + 2, buf_span(&in));
        return 0;
    }
    struct asked q = { .m = { .operation = argv[2],
                           .resource = argv[3],
                           .has_body = strcmp(argv[4], "-") != 0,
                           .media_type = or_null(argv[4]),
                           .uid = or_null(argv[5]),
                           .version = or_null(argv[6]),
                           .grace_s = -1 } };
    q.m.has_uid = q.m.uid != NULL;
    q.m.has_version = q.m.version != NULL;
    q.m.absent = !q.m.has_version;
    for (int i = 7; i < argc; i++)
        option_read(argv[i], &q);
    compose(argv[1], &q, buf_span(&in));
    return 0;
}
