/* What the TPM keeps outside of its keys: the revocation epoch's counter and the log's anchor. */
#include "config.h"

#include <tss2/tss2_mu.h>

#include "hsm/tpm_guard_internal.h"

#define NV_FIRST UINT32_C(0x01000000) /* Part 2, section 7.2 */
#define NV_END UINT32_C(0x02000000)
#define COUNTER_SIZE 8
#define COUNTER_ATTRIBUTES \
    (TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT | TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA)
#define ANCHOR_VERSION 1
#define ANCHOR_SIZE (2 + 3 * 8 + DIGEST_SIZE)
#define ANCHOR_ATTRIBUTES (TPMA_NV_POLICYWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA)

result tpm_nv_open(struct tpm *t, uint32_t index, ESYS_TR *ret)
{
    TPML_HANDLE there;
    if (index < NV_FIRST || index >= NV_END)
        return fail(E_bad_value);
    TRY(tpm_handles_of(t, index, 1, &there));
    if (there.count != 1 || there.handle[0] != index)
        return fail(E_counter_missing);
    return tpm_result(Esys_TR_FromTPMPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ret));
}

void tpm_nv_close(struct tpm *t, ESYS_TR tr)
{
    if (tr != ESYS_TR_NONE && tr != t->kept)
        (void)Esys_TR_Close(t->esys, &tr);
}

result tpm_nv_keep(struct tpm *t, uint32_t index, ESYS_TR *ret)
{
    if (t->kept == ESYS_TR_NONE || t->kept_index != index) {
        ESYS_TR tr, before = t->kept;
        TRY(tpm_nv_open(t, index, &tr));
        t->kept = tr;
        t->kept_index = index;
        tpm_nv_close(t, before);
    }
    *ret = t->kept;
    return OK;
}

/* An index by scope. */
struct nv {
    struct tpm *tpm;
    ESYS_TR tr;
};
static void nv_close(struct nv *n)
{
    tpm_nv_close(n->tpm, n->tr);
}
#define AUTO_NV __attribute__((cleanup(nv_close))) struct nv

static result nv_public(const struct nv *n, TPMS_NV_PUBLIC *ret, uint8_t ret_name[TPM_NAME_SIZE])
{
    AUTO_ESYS TPM2B_NV_PUBLIC *public = NULL;
    AUTO_ESYS TPM2B_NAME *name = NULL;
    TRY(tpm_result(Esys_NV_ReadPublic(n->tpm->esys, n->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, &name)));
    if (name->size != TPM_NAME_SIZE)
        return fail(E_counter_missing); /* of another nameAlg: none of ours */
    TRY(span_copy((struct span){ name->name, name->size }, ret_name, TPM_NAME_SIZE));
    *ret = public->nvPublic;
    return OK;
}

/* Nobody but ourselves says what kind of index the policy's counter is: one that can be written or was made anew by somebody else
 * would not be a counter. */
static bool is_kind(const TPMS_NV_PUBLIC *p, TPMA_NV attributes, uint16_t size, const struct digest *policy)
{
    struct span has = { p->authPolicy.buffer, p->authPolicy.size };
    return p->nameAlg == TPM2_ALG_SHA256 && (p->attributes & ~(TPMA_NV)TPMA_NV_WRITTEN) == attributes && p->dataSize == size &&
           span_equal(has, policy ? digest_span(policy) : span_text(""));
}

static result define(struct tpm *t, uint32_t index, TPMA_NV attributes, uint16_t size, const struct digest *policy)
{
    const TPM2B_AUTH empty_auth = { 0 };
    TPM2B_NV_PUBLIC public = {
        .nvPublic = { .nvIndex = index, .nameAlg = TPM2_ALG_SHA256, .attributes = attributes, .dataSize = size },
    };
    if (policy) {
        public.nvPublic.authPolicy.size = DIGEST_SIZE;
        TRY(span_copy(digest_span(policy), public.nvPublic.authPolicy.buffer, DIGEST_SIZE));
    }
    AUTO_NV made = { .tpm = t, .tr = ESYS_TR_NONE };
    return tpm_result(Esys_NV_DefineSpace(
        t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &empty_auth, &public, &made.tr));
}

/* counter_missing where it isn't there, exists where it is another's. */
static result open_kind(struct nv *n, uint32_t index, TPMA_NV attributes, uint16_t size, const struct digest *policy,
    bool *ret_written, uint8_t ret_name[TPM_NAME_SIZE])
{
    TPMS_NV_PUBLIC p;
    TRY(tpm_nv_open(n->tpm, index, &n->tr));
    TRY(nv_public(n, &p, ret_name));
    *ret_written = p.attributes & TPMA_NV_WRITTEN;
    return is_kind(&p, attributes, size, policy) ? OK : fail(E_exists);
}

static result increment(const struct nv *n)
{
    return tpm_result(Esys_NV_Increment(n->tpm->esys, ESYS_TR_RH_OWNER, n->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE));
}

static result counter_open(struct nv *n, uint32_t index, bool *ret_written, uint8_t ret_name[TPM_NAME_SIZE])
{
    return open_kind(n, index, COUNTER_ATTRIBUTES, COUNTER_SIZE, NULL, ret_written, ret_name);
}

/* Part 3, TPM2_NV_Increment: the first one sets it to more than any counter of this TPM ever was, so one that somebody took away
 * and made again can't come back to an approved value. */
result tpm_counter_define(struct tpm *t, uint32_t index, bool *ret_made)
{
    uint8_t name[TPM_NAME_SIZE];
    bool written = false, made = false;
    AUTO_NV n = { .tpm = t, .tr = ESYS_TR_NONE };
    result r = counter_open(&n, index, &written, name);
    if (code_of(r) == E_counter_missing && n.tr == ESYS_TR_NONE) {
        TRY(define(t, index, COUNTER_ATTRIBUTES, COUNTER_SIZE, NULL));
        made = true;
        r = counter_open(&n, index, &written, name);
    }
    TRY(r);
    if (!written)
        TRY(increment(&n));
    *ret_made = made || !written;
    return OK;
}

static result counter_of_ours(struct nv *n, uint32_t index, uint8_t ret_name[TPM_NAME_SIZE])
{
    bool written;
    result r = counter_open(n, index, &written, ret_name);
    if (code_of(r) == E_exists)
        return fail(E_counter_missing);
    TRY(r);
    return written ? OK : fail(E_counter_missing);
}

static result nv_read(const struct nv *n, uint16_t size, struct buf *out)
{
    AUTO_ESYS TPM2B_MAX_NV_BUFFER *data = NULL;
    TRY(tpm_result(Esys_NV_Read(n->tpm->esys, n->tr, n->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, size, 0, &data)));
    return data->size == size ? buf_put(out, (struct span){ data->buffer, data->size }) : fail(E_tpm_unavailable);
}

result tpm_counter_read(struct tpm *t, uint32_t index, uint64_t *ret, uint8_t ret_name[TPM_NAME_SIZE])
{
    uint8_t name[TPM_NAME_SIZE];
    uint64_t value;
    AUTO_BUF bytes = BUF(COUNTER_SIZE);
    AUTO_NV n = { .tpm = t, .tr = ESYS_TR_NONE };
    TRY(counter_of_ours(&n, index, name));
    TRY(nv_read(&n, COUNTER_SIZE, &bytes));
    struct reader r = reader_of(buf_span(&bytes));
    TRY(read_u64(&r, &value));
    *ret = value;
    return span_copy(SPAN(name), ret_name, TPM_NAME_SIZE);
}

result tpm_counter_increment(struct tpm *t, uint32_t index)
{
    uint8_t name[TPM_NAME_SIZE];
    AUTO_NV n = { .tpm = t, .tr = ESYS_TR_NONE };
    TRY(counter_of_ours(&n, index, name));
    return increment(&n);
}

result tpm_anchor_define(struct tpm *t, uint32_t index, const struct digest *key_policy, bool *ret_made)
{
    uint8_t name[TPM_NAME_SIZE];
    bool written;
    AUTO_NV n = { .tpm = t, .tr = ESYS_TR_NONE };
    result r = open_kind(&n, index, ANCHOR_ATTRIBUTES, ANCHOR_SIZE, key_policy, &written, name);
    bool missing = code_of(r) == E_counter_missing && n.tr == ESYS_TR_NONE;
    TRY(missing ? define(t, index, ANCHOR_ATTRIBUTES, ANCHOR_SIZE, key_policy) : r);
    *ret_made = missing;
    return OK;
}

result tpm_nv_undefine(struct tpm *t, uint32_t index)
{
    AUTO_NV n = { .tpm = t, .tr = ESYS_TR_NONE };
    result r = tpm_nv_open(t, index, &n.tr);
    if (code_of(r) == E_counter_missing)
        return OK;
    TRY(r);
    TRY(tpm_result(Esys_NV_UndefineSpace(t->esys, ESYS_TR_RH_OWNER, n.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE)));
    if (t->kept == n.tr)
        t->kept = ESYS_TR_NONE;
    n.tr = ESYS_TR_NONE; /* ESYS's record went with the index */
    return OK;
}

static result anchor_decode(struct span bytes, struct tpm_anchor *ret)
{
    struct reader r = reader_of(bytes);
    struct tpm_anchor a;
    uint8_t version, clean;
    TRY(read_u8(&r, &version));
    TRY(read_u8(&r, &clean));
    TRY(read_u64(&r, &a.size));
    TRY(read_u64(&r, &a.policy_epoch));
    TRY(read_u64(&r, &a.epoch));
    TRY(read_copy(&r, a.root.b, DIGEST_SIZE));
    TRY(read_end(&r));
    if (version != ANCHOR_VERSION || clean > 1)
        return fail(E_bad_value);
    a.clean = clean;
    *ret = a;
    return OK;
}

static result anchor_encode(const struct tpm_anchor *a, struct buf *out)
{
    TRY(buf_u8(out, ANCHOR_VERSION));
    TRY(buf_u8(out, a->clean));
    TRY(buf_u64(out, a->size));
    TRY(buf_u64(out, a->policy_epoch));
    TRY(buf_u64(out, a->epoch));
    return buf_put(out, digest_span(&a->root));
}

result tpm_anchor_read(struct tpm *t, uint32_t index, const struct digest *key_policy, bool *ret_written, struct tpm_anchor *ret)
{
    uint8_t name[TPM_NAME_SIZE];
    bool written;
    AUTO_BUF bytes = BUF(ANCHOR_SIZE);
    AUTO_NV n = { .tpm = t, .tr = ESYS_TR_NONE };
    /* One that anybody else could have written says nothing. */
    result r = open_kind(&n, index, ANCHOR_ATTRIBUTES, ANCHOR_SIZE, key_policy, &written, name);
    if (code_of(r) == E_exists)
        return fail(E_counter_missing);
    TRY(r);
    if (written) {
        TRY(nv_read(&n, ANCHOR_SIZE, &bytes));
        TRY(anchor_decode(buf_span(&bytes), ret));
    }
    *ret_written = written;
    return OK;
}

struct write_call {
    struct tpm_guard *guard;
    ESYS_TR index;
    TPM2B_MAX_NV_BUFFER data;
};

static TSS2_RC run_write(void *context, ESYS_TR session)
{
    struct write_call *c = context;
    return Esys_NV_Write(c->guard->tpm->esys, c->index, c->index, session, ESYS_TR_NONE, ESYS_TR_NONE, &c->data, 0);
}

result tpm_anchor_write(struct tpm_guard *g, uint32_t index, const struct tpm_anchor *a)
{
    AUTO_BUF bytes = BUF(ANCHOR_SIZE);
    AUTO_NV n = { .tpm = g->tpm, .tr = ESYS_TR_NONE };
    struct write_call c = { .guard = g, .data.size = ANCHOR_SIZE };
    TRY(anchor_encode(a, &bytes));
    TRY(span_copy(buf_span(&bytes), c.data.buffer, ANCHOR_SIZE));
    TRY(tpm_nv_open(g->tpm, index, &n.tr));
    c.index = n.tr;
    return tpm_guard_use(g, run_write, &c);
}
