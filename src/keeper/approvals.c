#include "config.h"

#include "keeper/approvals.h"

#include "base/json.h"

#include <errno.h>

#define APPROVALS_FILE "approvals.json" /* in state_dir */
#define APPROVALS_MODE 0600
#define APPROVALS_TEXT_MAX ((APPROVALS_MAX + 1) * (size_t)APPROVAL_TEXT_MAX)
#define COUNTERSIGNERS_MAX 8

static void held_free(struct held_approval *h)
{
    approval_file_free(&h->file);
    buf_free(&h->text);
    *h = (struct held_approval){ .text = BUF(0) };
}

void approvals_free(struct approvals *a)
{
    for (unsigned i = 0; i < a->n; i++)
        held_free(&a->held[i]);
    a->n = 0;
}

static result open_one(struct span text, const struct pubkey *policy_key, struct held_approval *ret)
{
    struct held_approval h = { .text = BUF(APPROVAL_TEXT_MAX) };
    TRY(approval_open(text, policy_key, &h.file));
    result r = approval_write(&h.file.jws, h.file.signature, &h.text);
    if (is_ok(r))
        *ret = h;
    else
        held_free(&h);
    return r;
}

static void drop(struct approvals *a, unsigned i)
{
    held_free(&a->held[i]);
    for (a->n--; i < a->n; i++)
        a->held[i] = a->held[i + 1];
}

static result read_moved(const json_t *o, struct approvals *a)
{
    const json_t *moved;
    int64_t counter;
    if (!json_has(o, "moved"))
        return OK;
    TRY(json_object_at(o, "moved", &moved));
    TRY(json_closed(moved, (const char *const[]){ "counter", "epoch", NULL }));
    TRY(json_int(moved, "counter", 0, JSON_INT_MAX, &counter));
    TRY(json_int(moved, "epoch", 0, JSON_INT_MAX, &a->epoch));
    a->counter = (uint64_t)counter;
    a->moved = true;
    return OK;
}

static result read_all(const json_t *o, const struct pubkey *policy_key, struct approvals *a)
{
    const json_t *list;
    result worst = OK;
    TRY(json_closed(o, (const char *const[]){ "approvals", "moved", NULL }));
    TRY(read_moved(o, a));
    TRY(json_array_at(o, "approvals", 0, APPROVALS_MAX, &list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
        result r = json_canonical(json_array_get(list, i), &text);
        if (is_ok(r))
            r = open_one(buf_span(&text), policy_key, &a->held[a->n]);
        if (is_ok(r))
            a->n++;
        else
            worst = r;
    }
    return worst;
}

result approvals_load(const struct config *c, struct approvals *a)
{
    AUTO_BUF path = BUF(512), text = BUF(APPROVALS_TEXT_MAX);
    AUTO_JSON *o = NULL;
    a->n = 0;
    a->moved = false;
    TRY(config_state_path(c, APPROVALS_FILE, &path));
    result r = file_read((const char *)path.p, APPROVALS_TEXT_MAX, &text);
    if (foreign_of(r) == FOREIGN_ERRNO && foreign_code(r) == ENOENT)
        return OK;
    TRY(r);
    TRY(json_strict(buf_span(&text), APPROVALS_TEXT_MAX, &o));
    return read_all(o, c->policy_key, a);
}

static result write_all(const struct approvals *a, const struct config *c)
{
    AUTO_BUF path = BUF(512), text = BUF(APPROVALS_TEXT_MAX);
    AUTO_JSON *o = json_object();
    json_t *list = json_array();
    TRY(json_put_new(o, "approvals", list));
    for (unsigned i = 0; i < a->n; i++) {
        json_t *one = NULL;
        TRY(json_strict(buf_span(&a->held[i].text), APPROVAL_TEXT_MAX, &one));
        if (json_array_append_new(list, one) != 0)
            return fail(E_no_memory);
    }
    if (a->moved) {
        json_t *moved = json_object();
        TRY(json_put_new(o, "moved", moved));
        TRY(json_put_int(moved, "counter", (int64_t)a->counter));
        TRY(json_put_int(moved, "epoch", a->epoch));
    }
    TRY(json_canonical(o, &text));
    TRY(config_state_path(c, APPROVALS_FILE, &path));
    return file_write((const char *)path.p, buf_span(&text), APPROVALS_MODE, true);
}

/* The policyRef says TPM and instance once more, in what the chip itself compares. */
static bool is_for(const struct approval *a, const struct approved_for *chip)
{
    return digest_equal(&a->ak, &chip->ak) && digest_equal(&a->ref, &chip->ref) &&
           span_is(span_text(a->domain), chip->config->domain) && span_is(span_text(a->instance), chip->config->instance) &&
           a->pcr == (unsigned)chip->config->measured_pcr && span_equal(SPAN(a->counter_name), SPAN(chip->counter_name));
}

/* The counter only goes up: what is approved for an earlier value never holds again. */
static void make_room(struct approvals *a, const struct approved_for *chip)
{
    for (unsigned i = 0; i < a->n && a->n == APPROVALS_MAX; i++)
        if (a->held[i].file.approval.counter < chip->counter)
            drop(a, i);
    if (a->n == APPROVALS_MAX)
        drop(a, 0);
}

result approvals_add(struct approvals *a, const struct approved_for *chip, struct span text)
{
    struct held_approval h;
    TRY(open_one(text, chip->config->policy_key, &h));
    if (!is_for(&h.file.approval, chip)) {
        held_free(&h);
        return fail(E_approval_other_tpm);
    }
    for (unsigned i = 0; i < a->n; i++)
        if (digest_equal(&a->held[i].file.approval.digest, &h.file.approval.digest))
            drop(a, i); /* the same once more, with other signatures */
    make_room(a, chip);
    a->held[a->n++] = h;
    return write_all(a, chip->config);
}

result approvals_moved(struct approvals *a, const struct config *c, uint64_t counter, int64_t epoch)
{
    a->moved = true;
    a->counter = counter;
    a->epoch = epoch;
    return write_all(a, c);
}

bool approvals_stand_for(const struct approvals *a, const struct approved_for *chip, int64_t epoch)
{
    bool other = false, found = false;
    const bool recorded = a->moved && a->counter == chip->counter;
    if (recorded && a->epoch != epoch)
        return false;
    for (unsigned i = 0; i < a->n; i++) {
        const struct approval *p = &a->held[i].file.approval;
        if (!is_for(p, chip) || p->counter != chip->counter)
            continue;
        found = found || p->epoch == epoch;
        other = other || p->epoch != epoch;
    }
    /* An approval for another epoch at this value may be in use, and the chip can't tell the two apart: whatever the file says, it
     * must not stay so. Where both were approved, what the counter was moved for says which. */
    return found ? recorded || !other : recorded && !other;
}

static bool is_countersigned(const struct approval_file *f, const struct policy *p, const struct pubkey *policy_key)
{
    const struct pubkey *keys[COUNTERSIGNERS_MAX];
    unsigned n = p ? policy_countersigners(p) : 0, distinct = 0;
    if (!p || !policy_countersigners_needed(p))
        return true;
    if (n > COUNTERSIGNERS_MAX)
        return false;
    for (unsigned i = 0; i < n; i++)
        keys[i] = policy_countersigner(p, i);
    return is_ok(approval_countersigned(f, policy_key, keys, n, &distinct)) && distinct >= policy_countersigners_needed(p);
}

const struct held_approval *approvals_choose(const struct approvals *a, const struct approved_for *chip, const struct policy *p,
    const struct pubkey *policy_key, int64_t epoch, enum seb_code *ret_why)
{
    const struct held_approval *found = NULL;
    enum seb_code why = E_approval_missing;
    for (unsigned i = 0; i < a->n; i++) {
        const struct approval *one = &a->held[i].file.approval;
        if (!is_for(one, chip))
            continue;
        if (!digest_equal(&one->pcr_value, &chip->pcr_value)) {
            why = why == E_approval_missing ? E_state_not_approved : why;
        } else if (one->counter != chip->counter) {
            why = why == E_countersignatures_too_few ? why : E_epoch_not_approved;
        } else if (!is_countersigned(&a->held[i].file, p, policy_key)) {
            why = E_countersignatures_too_few;
        } else if (!found || one->epoch == epoch || found->file.approval.epoch != epoch) {
            found = &a->held[i];
        }
    }
    if (!found)
        *ret_why = why;
    return found;
}

const struct held_approval *approvals_newest(const struct approvals *a, const struct approved_for *chip)
{
    const struct held_approval *newest = NULL;
    for (unsigned i = 0; i < a->n; i++)
        if (is_for(&a->held[i].file.approval, chip))
            newest = &a->held[i];
    return newest;
}

const struct held_approval *approvals_by_digest(const struct approvals *a, const struct digest *payload)
{
    for (unsigned i = 0; i < a->n; i++)
        if (digest_equal(&a->held[i].file.approval.digest, payload))
            return &a->held[i];
    return NULL;
}
