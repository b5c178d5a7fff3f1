/* A cluster's fence: the words of ConfigMap mint-keys in seb-system, which its admission policies look into at every call. */
#include "config.h"

#include "kube/client.h"
#include "sab/fence.h"

#include <stdio.h>
#include <stdlib.h>

#define KEYS_PATH "/api/v1/namespaces/seb-system/configmaps/mint-keys"
#define KEYS_TEXT_MAX 4096
#define ATTEMPTS 8 /* where others write at the same time: each is made upon a fresh look */

struct fence {
    struct kubeconfig config;
    struct kube *kube;
    struct trouble trouble;
    struct buf allowed; /* as it was read: words and spaces */
    struct buf version; /* with NUL */
};

static void fence_close(struct fence *f)
{
    kube_close(f->kube);
    kubeconfig_free(&f->config);
    buf_free(&f->allowed);
    buf_free(&f->version);
}
#define AUTO_FENCE __attribute__((cleanup(fence_close))) struct fence

static int complain(const struct fence *f, const struct fence_order *o, result r)
{
    return fence_say(f->trouble.text[0] ? f->trouble.text : o->kubeconfig, r);
}

static bool word_next(struct span *text, struct span *ret)
{
    size_t from = 0, to;
    while (from < text->n && text->p[from] <= ' ')
        from++;
    for (to = from; to < text->n && text->p[to] > ' ';)
        to++;
    *ret = span_part(*text, from, to - from);
    *text = span_part(*text, to, text->n);
    return ret->n > 0;
}

static bool has_word(struct span text, const char *word)
{
    struct span one;
    while (word_next(&text, &one))
        if (span_is(one, word))
            return true;
    return false;
}

static result keys_read(struct fence *f)
{
    AUTO_JSON *o = NULL;
    const json_t *metadata, *data = NULL;
    const char *allowed = "", *version;
    TRY(kube_get(f->kube, KEYS_PATH, &o, &f->trouble));
    TRY(json_object_at(o, "metadata", &metadata));
    TRY(json_text(metadata, "resourceVersion", 64, &version));
    data = json_object_get(o, "data");
    if (json_is_string(json_object_get(data, "allowed")))
        allowed = json_string_value(json_object_get(data, "allowed"));
    buf_clear(&f->allowed);
    buf_clear(&f->version);
    TRY(buf_text(&f->allowed, allowed));
    TRY(buf_text(&f->version, version));
    return buf_u8(&f->version, 0);
}

static result fence_open(const struct fence_order *o, struct fence *f)
{
    TRY(kubeconfig_read(o->kubeconfig, o->context, &f->config, &f->trouble));
    TRY(kube_open(&f->config, &f->kube));
    return keys_read(f);
}

/* The words, each once, with the key's put in or left out. */
static result words_changed(struct span text, const struct fence_order *o, struct buf *out)
{
    struct span rest = text, one;
    while (word_next(&rest, &one)) {
        if (span_is(one, o->kid))
            continue;
        TRY(buf_text(out, out->n ? " " : ""));
        TRY(buf_put(out, one));
    }
    if (o->action == FENCE_RETIRE)
        return OK;
    TRY(buf_text(out, out->n ? " " : ""));
    return buf_text(out, o->kid);
}

/* Upon the version that was read: state_drifted where somebody else has written meanwhile. */
static result keys_write(struct fence *f, struct span words)
{
    AUTO_JSON *o = json_object(), *metadata = json_object(), *data = json_object();
    AUTO_BUF body = BUF(2 * KEYS_TEXT_MAX);
    AUTO_ANSWER a = { 0 };
    TRY(json_put_text(metadata, "resourceVersion", (const char *)f->version.p));
    TRY(json_put_span(data, "allowed", words));
    TRY(json_put_new(o, "metadata", json_incref(metadata)));
    TRY(json_put_new(o, "data", json_incref(data)));
    TRY(json_canonical(o, &body));
    TRY(kube_ask(f->kube,
        &(struct kube_call){
            .method = "PATCH", .path = KEYS_PATH, .media_type = "application/merge-patch+json", .body = buf_span(&body) },
        &a, &f->trouble));
    return kube_judge(&a, &f->trouble);
}

static result change_once(struct fence *f, const struct fence_order *o)
{
    AUTO_BUF words = BUF(KEYS_TEXT_MAX);
    if (has_word(buf_span(&f->allowed), o->kid) == (o->action == FENCE_ALLOW))
        return OK;
    TRY(words_changed(buf_span(&f->allowed), o, &words));
    return keys_write(f, buf_span(&words));
}

static result keys_change(struct fence *f, const struct fence_order *o)
{
    result r = change_once(f, o);
    for (unsigned i = 1; code_of(r) == E_state_drifted && i < ATTEMPTS; i++) {
        TRY(keys_read(f));
        r = change_once(f, o);
    }
    TRY(r);
    TRY(keys_read(f)); /* what it holds is what counts, not what a write was answered */
    return has_word(buf_span(&f->allowed), o->kid) == (o->action == FENCE_ALLOW) ? OK : fail(E_state_drifted);
}

static int change(const struct fence_order *o)
{
    AUTO_FENCE f = { .allowed = BUF(KEYS_TEXT_MAX), .version = BUF(128) };
    result r = fence_open(o, &f);
    if (is_ok(r))
        r = keys_change(&f, o);
    if (!is_ok(r))
        return complain(&f, o, r);
    printf("%s %s\n", o->kid, o->action == FENCE_ALLOW ? "allowed" : "retired");
    fprintf(stderr, "sab fence: read back from %s at version %s: it allows %s\n", f.config.server, (const char *)f.version.p,
        o->action == FENCE_ALLOW ? "the key" : "the key no more, as each API server sees when the change has reached it");
    return EXIT_SUCCESS;
}

static int list(const struct fence_order *o)
{
    AUTO_FENCE f = { .allowed = BUF(KEYS_TEXT_MAX), .version = BUF(128) };
    result r = fence_open(o, &f);
    if (!is_ok(r))
        return complain(&f, o, r);
    struct span rest = buf_span(&f.allowed), one;
    struct digest kid;
    int code = EXIT_SUCCESS;
    while (word_next(&rest, &one)) {
        if (is_ok(digest_read(one, &kid))) {
            printf("%.*s allowed\n", (int)one.n, (const char *)one.p);
            continue;
        }
        fprintf(stderr, "sab fence: mint-keys holds a word that is no key's thumbprint\n");
        code = EXIT_FAILURE;
    }
    return code;
}

const struct fence_kind sab_fence_kubernetes = { .change = change, .list = list };
