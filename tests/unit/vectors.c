#include "config.h"

#include "tests/unit/vectors.h"

#include <stdio.h>
#include <stdlib.h>

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    printf("Bail out! %s\n", what);
    exit(1);
}

json_t *vectors_load(const char *name)
{
    const char *srcdir = getenv("srcdir");
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/vectors/%s.json", srcdir ? srcdir : ".", name);
    json_t *v = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    must(v != NULL, path);
    return v;
}

const char *vector_text(const json_t *v, const char *name)
{
    const char *text = json_string_value(json_object_get(v, name));
    must(text != NULL, name);
    return text;
}

int64_t vector_int(const json_t *v, const char *name)
{
    must(json_is_integer(json_object_get(v, name)), name);
    return json_integer_value(json_object_get(v, name));
}

struct digest vector_digest(const json_t *v, const char *name)
{
    struct digest d;
    must(is_ok(digest_read(span_text(vector_text(v, name)), &d)), name);
    return d;
}

void vector_bytes(const json_t *v, const char *name, struct buf *out)
{
    must(is_ok(b64url_read(span_text(vector_text(v, name)), out)), name);
}

struct pubkey *vector_key(const char *name)
{
    AUTO_JSON *keys = vectors_load("keys");
    struct pubkey *k = NULL;
    const json_t *row;
    size_t i;
    json_array_foreach (keys, i, row)
        if (span_is(span_text(vector_text(row, "name")), name))
            must(is_ok(pubkey_from_jwk(json_object_get(row, "jwk"), &k)), name);
    must(k != NULL, name);
    return k;
}
