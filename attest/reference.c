#include "config.h"

#include "attest/names.h"
#include "attest/reference.h"

#define PCR_NAME_MAX 3

static const char *const members[] = { "configuration", "domain", "executables", "iat", "pcrs", "version", NULL };

static result digests_read(const json_t *o, const char *name, struct digests *ret)
{
    const json_t *list, *one;
    size_t i;
    TRY(json_array_at(o, name, 1, REFERENCE_VALUES_MAX, &list));
    json_array_foreach (list, i, one) {
        if (!json_is_string(one))
            return fail(E_bad_type);
        TRY(digest_read(span_text(json_string_value(one)), &ret->v[i]));
    }
    ret->n = (unsigned)json_array_size(list);
    return OK;
}

static result executables_read(const json_t *o, struct reference *r)
{
    const json_t *executables;
    const char *names[CEL_EXECUTABLES + 1] = { NULL };
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++)
        names[i] = cel_executable(i);
    TRY(json_object_at(o, "executables", &executables));
    TRY(json_closed(executables, names));
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++)
        TRY(digests_read(executables, names[i], &r->executables[i]));
    return OK;
}

/* "0" to "23", in the one way to write each. */
static result pcr_name(unsigned pcr, char ret[PCR_NAME_MAX])
{
    AUTO_BUF text = BUF(PCR_NAME_MAX);
    TRY(buf_printf(&text, "%u", pcr));
    return span_copy_text(buf_span(&text), ret, PCR_NAME_MAX);
}

static result pcrs_read(const json_t *o, struct reference *r)
{
    const json_t *pcrs;
    size_t known = 0;
    TRY(json_object_at(o, "pcrs", &pcrs));
    for (unsigned i = 0; i < TPM_PCRS; i++) {
        char name[PCR_NAME_MAX];
        TRY(pcr_name(i, name));
        if (!json_has(pcrs, name))
            continue;
        TRY(digests_read(pcrs, name, &r->pcrs[i]));
        known++;
    }
    return json_object_size(pcrs) == known ? OK : fail(E_unknown_member);
}

result reference_parse(struct span payload, struct reference *ret)
{
    struct reference r = { .digest = sha256(payload) };
    AUTO_JSON *v = NULL;
    TRY(json_strict(payload, REFERENCE_TEXT_MAX, &v));
    TRY(json_closed(v, members));
    TRY(name_at(v, "domain", r.domain, sizeof r.domain));
    TRY(name_at(v, "version", r.version, sizeof r.version));
    TRY(json_int(v, "iat", 0, JSON_INT_MAX, &r.iat));
    TRY(executables_read(v, &r));
    TRY(digests_read(v, "configuration", &r.configuration));
    TRY(pcrs_read(v, &r));
    *ret = r;
    return OK;
}

static result digests_put(json_t *o, const char *name, const struct digests *d)
{
    AUTO_JSON *list = json_array();
    char text[DIGEST_TEXT + 1];
    if (!list)
        return fail(E_no_memory);
    for (unsigned i = 0; i < d->n; i++)
        if (json_array_append_new(list, json_string(digest_text(&d->v[i], text))))
            return fail(E_no_memory);
    return json_put_new(o, name, json_incref(list));
}

static result groups_put(json_t *executables, json_t *pcrs, const struct reference *r)
{
    if (!executables || !pcrs)
        return fail(E_no_memory);
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++)
        TRY(digests_put(executables, cel_executable(i), &r->executables[i]));
    for (unsigned i = 0; i < TPM_PCRS; i++) {
        char name[PCR_NAME_MAX];
        TRY(pcr_name(i, name));
        if (r->pcrs[i].n)
            TRY(digests_put(pcrs, name, &r->pcrs[i]));
    }
    return OK;
}

result reference_write(const struct reference *r, struct buf *out)
{
    AUTO_JSON *v = json_object(), *executables = json_object(), *pcrs = json_object();
    if (!v)
        return fail(E_no_memory);
    TRY(groups_put(executables, pcrs, r));
    TRY(json_put_new(v, "executables", json_incref(executables)));
    TRY(json_put_new(v, "pcrs", json_incref(pcrs)));
    TRY(digests_put(v, "configuration", &r->configuration));
    TRY(json_put_text(v, "domain", r->domain));
    TRY(json_put_text(v, "version", r->version));
    TRY(json_put_int(v, "iat", r->iat));
    return json_canonical(v, out);
}

static bool is_among(const struct digests *d, const struct digest *value)
{
    for (unsigned i = 0; i < d->n; i++)
        if (digest_equal(&d->v[i], value))
            return true;
    return false;
}

/* A list can't overflow by what there is to judge, but a caller may judge twice into it: what comes then is already "differs". */
static void add(struct differences *d, const char *name, const struct digest *measured, const struct digests *allowed)
{
    if (d->n == DIFFERENCES_MAX)
        return;
    struct difference *one = &d->one[d->n];
    *one = (struct difference){ .missing = !measured, .allowed = allowed };
    if (measured)
        one->measured = *measured;
    if (is_ok(span_copy_text(span_part(span_text(name), 0, CEL_NAME_LEN), one->name, sizeof one->name)))
        d->n++;
}

static void judge_one(const struct cel_state *s, const char *name, const struct digests *allowed, struct differences *d)
{
    const struct digest *measured = cel_find(s, name);
    if (!measured || !is_among(allowed, measured))
        add(d, name, measured, allowed);
}

/* What the reference has values for, and what the caller compares with the instance's own keys. */
static bool is_known(const char *name)
{
    static const char *const others[] = { CEL_CONFIGURATION, CEL_KEY_ATTESTATION, CEL_KEY_RECORD, CEL_POLICY_AUTHORITY };
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++)
        if (span_is(span_text(name), cel_executable(i)))
            return true;
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        if (span_is(span_text(name), others[i]))
            return true;
    return false;
}

void reference_judge(const struct reference *r, const struct cel_state *s, struct differences *d)
{
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++)
        judge_one(s, cel_executable(i), &r->executables[i], d);
    judge_one(s, CEL_CONFIGURATION, &r->configuration, d);
    for (unsigned i = 0; i < s->n; i++)
        if (!is_known(s->value[i].name))
            add(d, s->value[i].name, &s->value[i].digest, NULL);
}

void reference_judge_pcrs(const struct reference *r, uint32_t mask, const struct digest pcr[TPM_PCRS], struct differences *d)
{
    for (unsigned i = 0; i < TPM_PCRS; i++) {
        char number[PCR_NAME_MAX], name[] = "pcr.\0\0\0";
        bool there = mask >> i & 1;
        if (!r->pcrs[i].n || (there && is_among(&r->pcrs[i], &pcr[i])))
            continue;
        if (is_ok(pcr_name(i, number)) && is_ok(span_copy_text(span_text(number), name + 4, PCR_NAME_MAX)))
            add(d, name, there ? &pcr[i] : NULL, &r->pcrs[i]);
    }
}

result difference_text(const struct difference *d, struct buf *out)
{
    char text[DIGEST_TEXT + 1];
    TRY(buf_printf(
        out, "%s: %s%s, ", d->name, d->missing ? "not measured" : "measured ", d->missing ? "" : digest_text(&d->measured, text)));
    if (!d->allowed)
        return buf_text(out, "which the reference values don't know");
    TRY(buf_text(out, "allowed"));
    for (unsigned i = 0; i < d->allowed->n; i++)
        TRY(buf_printf(out, " %s", digest_text(&d->allowed->v[i], text)));
    return OK;
}
