/* A plan (p), a plan file (w), an approval's payload (a), an approval file (f), reference values (r): what is taken is written as
 * the same. The first byte says which. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "attest/plan.h"
#include "attest/reference.h"

#include <stdlib.h>

static void same(result written, const struct buf *text, const json_t *v)
{
    AUTO_BUF canonical = BUF(APPROVAL_TEXT_MAX);
    if (!is_ok(written) || !is_ok(json_canonical(v, &canonical)) || !span_equal(buf_span(text), buf_span(&canonical)))
        abort();
}

static void approval(struct span s, const json_t *v, bool plan)
{
    struct approval a;
    AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
    if (!is_ok(plan ? approval_plan_parse(s, &a) : approval_parse(s, &a)))
        return;
    same(plan ? approval_plan_write(&a, &text) : approval_payload(&a, &text), &text, v);
    approval_free(&a);
}

static void file(struct span s)
{
    AUTO_APPROVAL_FILE f = { 0 }, again = { 0 };
    AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
    if (!is_ok(approval_file_parse(s, &f)))
        return;
    if (!is_ok(approval_write(&f.jws, f.signature, &text)) || !is_ok(approval_file_parse(buf_span(&text), &again)) ||
        !digest_equal(&f.approval.digest, &again.approval.digest))
        abort();
}

static void plan_file(struct span s)
{
    AUTO_PLAN_FILE f = { .ak = NULL };
    const char *why = NULL;
    result r = plan_file_open(s, &f, &why);
    if (code_of(r) == E_plan_inconsistent && !why)
        abort();
    if (is_ok(r) && (!f.ak || !f.plan.lease))
        abort();
}

static void reference(struct span s, const json_t *v)
{
    struct reference r;
    AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
    if (is_ok(reference_parse(s, &r)))
        same(reference_write(&r, &text), &text, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON *v = NULL;
    if (size == 0)
        return 0;
    struct span s = { data + 1, size - 1 };
    if (!is_ok(json_strict(s, APPROVAL_TEXT_MAX, &v)))
        return 0;
    if (data[0] == 'f')
        file(s);
    else if (data[0] == 'w')
        plan_file(s);
    else if (data[0] == 'r')
        reference(s, v);
    else
        approval(s, v, data[0] == 'p');
    return 0;
}
