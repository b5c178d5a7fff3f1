#include "config.h"

#include "attest/ima.h"
#include "attest/little.h"

#define SHA1_SIZE 20
#define TEMPLATE_NAME_MAX 16
#define ALGORITHM_MAX 32 /* with ":" and NUL */
#define PATH_BYTES_MAX 4096
#define SIGNATURE_BYTES_MAX 4096
#define DATA_MAX (16u * 1024)

/* d-ng: "<algorithm>:" with a NUL, then the file's digest. */
static result read_digest(struct span field, struct ima_entry *e)
{
    size_t colon = span_find(field, 0, ':');
    if (colon == 0 || colon > ALGORITHM_MAX || field.n < colon + 2 || field.p[colon + 1] != 0)
        return fail(E_bad_ima_log);
    e->algorithm = span_part(field, 0, colon);
    e->digest = span_part(field, colon + 2, field.n);
    return OK;
}

/* n-ng: the path, ended by the one NUL in it. */
static result read_path(struct span field, struct ima_entry *e)
{
    if (field.n < 1 || span_find(field, 0, 0) != field.n - 1)
        return fail(E_bad_ima_log);
    e->path = span_part(field, 0, field.n - 1);
    return OK;
}

static result read_data(struct span data, bool has_signature, struct ima_entry *e)
{
    struct reader r = reader_of(data);
    struct span digest, path;
    TRY(little_blob32(&r, DATA_MAX, &digest));
    TRY(little_blob32(&r, PATH_BYTES_MAX, &path));
    if (has_signature)
        TRY(little_blob32(&r, SIGNATURE_BYTES_MAX, &e->signature));
    TRY(read_end(&r));
    TRY(read_digest(digest, e));
    return read_path(path, e);
}

static bool is_zero(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i])
            return false;
    return true;
}

static result read_entry(struct reader *r, struct ima_entry *e)
{
    struct span digest, name;
    TRY(little_u32(r, &e->pcr));
    TRY(read_bytes(r, SHA1_SIZE, &digest));
    TRY(little_blob32(r, TEMPLATE_NAME_MAX, &name));
    bool has_signature = span_is(name, "ima-sig");
    if (!has_signature && !span_is(name, "ima-ng"))
        return fail(E_bad_ima_log);
    TRY(little_blob32(r, DATA_MAX, &e->data));
    e->violation = is_zero(digest);
    return read_data(e->data, has_signature, e);
}

result ima_next(struct reader *r, struct ima_entry *ret)
{
    struct reader at = *r;
    struct ima_entry e = { 0 };
    if (!is_ok(read_entry(&at, &e)))
        return fail(E_bad_ima_log);
    *r = at;
    *ret = e;
    return OK;
}

static void extend(struct digest *pcr, const struct ima_entry *e)
{
    struct digest with = sha256(e->data);
    for (unsigned i = 0; e->violation && i < DIGEST_SIZE; i++)
        with.b[i] = 0xff;
    const struct span parts[] = { digest_span(pcr), digest_span(&with) };
    *pcr = sha256_parts(parts, 2);
}

result ima_advance(struct span log, unsigned pcr, const struct digest *wanted, struct ima_state *state)
{
    struct reader r = reader_of(log);
    struct ima_state s = *state;
    if (s.offset > IMA_LOG_MAX || log.n > IMA_LOG_MAX - s.offset)
        return fail(E_bad_ima_log);
    while (!digest_equal(&s.pcr, wanted)) {
        struct ima_entry e;
        if (r.at == log.n)
            return fail(E_ima_log_mismatch);
        TRY(ima_next(&r, &e));
        s.entries++;
        s.violations += e.violation;
        if (e.pcr == pcr)
            extend(&s.pcr, &e);
    }
    s.offset += r.at;
    *state = s;
    return OK;
}
