#include "config.h"

#include "policy/rules.h"
#include "policy/fields.h"

/* Of W/"x" and "x": "x" (RFC 9110 section 8.8.3). */
static struct span opaque_tag(struct span etag)
{
    return span_is(span_part(etag, 0, 2), "W/") ? span_part(etag, 2, etag.n) : etag;
}

/* What the target names the state by: what stands in the contract is compared with what was read, which may be nothing. */
static bool is_other(bool has, const char *expected, const char *live)
{
    return has && !span_equal(span_text(expected), span_text(live));
}

static bool has_drifted(const struct precondition *pre, const struct live_facts *live, struct span etag)
{
    if (!live->exists)
        return true;
    if (is_other(pre->has_uid, pre->uid, live->uid) || is_other(pre->has_version, pre->version, live->version))
        return true;
    if (!fields_hold(&pre->fields, live->field))
        return true;
    if (pre->has_sha256 && !digest_equal(&pre->sha256, &live->sha256))
        return true;
    /* Weakly compared: a server whose ETag is weak for a moment has not changed the resource, and the next check says so. */
    return pre->has_etag && etag.n && !span_equal(opaque_tag(etag), span_text(pre->etag));
}

enum seb_code rule_drift(const struct facts *f)
{
    const struct precondition *pre = &f->certificate->contract.pre;
    const struct live_facts *live = f->live;
    if (!live)
        return E_read_failed;
    if (pre->absent)
        return live->exists ? E_state_drifted : E_ok;
    struct span etag = span_text(live->has_etag ? live->etag : NULL);
    /* Of each field there must be a finding: preconditions.fields first. */
    if (live->exists && live->fields_n < pre->fields.n)
        return E_read_failed;
    if (has_drifted(pre, live, etag))
        return E_state_drifted;
    /* What the write itself will carry: a resourceVersion, or an ETag (RFC 9110 section 13.1.1: If-Match compares strongly, so a
     * weak one would never match, and none can't). */
    return span_text(live->version).n || etag_is_strong(etag) ? E_ok : E_precondition_unusable;
}
