#include "config.h"

#include "keeper/keeper.h"

#include "attest/enrolment.h"
#include "attest/evidence.h"
#include "attest/ima.h"
#include "attest/tcg_log.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define READ_PIECE 65536

/* securityfs gives no size: what is behind `log`, until there is no more. Whatever can't be read isn't there; the verifier judges
 * what that means. */
static void read_on(const char *path, struct buf *log)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    for (;;) {
        uint8_t *to;
        size_t n = log->max - log->n < READ_PIECE ? log->max - log->n : READ_PIECE;
        if (!n || !is_ok(buf_room(log, n, &to)))
            break;
        ssize_t got = pread(fd, to, n, (off_t)(log->n - n));
        log->n -= n - (got > 0 ? (size_t)got : 0);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
    }
    close(fd);
}

/* The firmware's log doesn't grow once the kernel runs. */
void evidence_read_logs(struct keeper *k)
{
    struct keeper_challenge *c = &k->challenge;
    if (!c->firmware.n)
        read_on(k->config->firmware_log, &c->firmware);
    read_on(k->config->ima_log, &c->ima);
}

static result put_keys(const struct keeper *k, struct evidence_key key[EVIDENCE_ROLES])
{
    for (enum key_role role = 0; role < ROLES; role++) {
        key[role].kid = *pubkey_thumbprint(k->instance.key[role]);
        TRY(span_copy_text(span_text(keys_backend(k, role)), key[role].backend, sizeof key[role].backend));
        TRY(buf_put(&key[role].evidence, keys_evidence(k, role)));
    }
    return OK;
}

static result put_quote(const struct keeper *k, struct evidence *e)
{
    const struct evidence_work *w = &k->challenge.evidence;
    TRY(buf_put(&e->attest, buf_span(&w->quote.attest)));
    TRY(buf_put(&e->signature, buf_span(&w->quote.signature)));
    TRY(buf_put(&e->preimage, buf_span(&w->preimage)));
    e->pcr_mask = w->mask;
    for (unsigned i = 0; i < TPM_PCRS; i++)
        if (w->mask >> i & 1)
            e->pcr[i] = w->pcr[i];
    return span_copy(SPAN(w->challenge.lease_nonce), e->lease_nonce, sizeof e->lease_nonce);
}

/* A log of PCRs that aren't quoted proves nothing, and isn't offered. */
static void put_logs(const struct keeper *k, struct evidence *e)
{
    const struct keeper_challenge *c = &k->challenge;
    e->has_firmware = c->firmware.n != 0 && (e->pcr_mask & FIRMWARE_PCRS) == FIRMWARE_PCRS;
    e->firmware = sha256(buf_span(&c->firmware));
    e->has_ima = c->ima.n != 0 && (e->pcr_mask >> IMA_PCR & 1);
    e->ima_length = c->ima.n;
}

/* The note is the one that was quoted: nothing is signed while the chip makes evidence. */
result evidence_part(struct keeper *k, struct buf *out)
{
    AUTO_EVIDENCE *e = NULL;
    TRY(evidence_new(&e));
    e->has_approval = k->approval.given;
    e->approval = k->approval.digest;
    e->cel = sha256(buf_span(&k->opening.log));
    TRY(put_quote(k, e));
    put_logs(k, e);
    TRY(put_keys(k, e->key));
    TRY(buf_put(&e->note, buf_span(&k->log.note)));
    TRY(span_copy(SPAN(k->run), e->run, sizeof e->run));
    return evidence_write_part(e, out);
}

result evidence_offer(struct keeper *k, struct buf *out)
{
    AUTO_ENROLMENT_OFFER *o = NULL;
    const struct enrol_work *w = &k->challenge.enrol;
    TRY(enrolment_offer_new(&o));
    TRY(buf_put(&o->ak, buf_span(&w->ak)));
    for (o->eks = 0; o->eks < w->eks; o->eks++) {
        TRY(buf_put(&o->ek[o->eks].certificate, buf_span(&w->ek[o->eks].certificate)));
        TRY(buf_put(&o->ek[o->eks].public, buf_span(&w->ek[o->eks].public)));
    }
    TRY(put_keys(k, o->key));
    return enrolment_offer_write(o, out);
}

static result whole_document(const struct keeper *k, enum challenge_document d, struct span *ret)
{
    const struct held_approval *approval;
    switch (d) {
    case DOCUMENT_CEL:
        *ret = buf_span(&k->opening.log);
        return OK;
    case DOCUMENT_FIRMWARE:
        *ret = buf_span(&k->challenge.firmware);
        return OK;
    case DOCUMENT_IMA:
        *ret = buf_span(&k->challenge.ima);
        return OK;
    case DOCUMENT_APPROVAL:
        approval = approvals_by_digest(&k->approval.all, &k->approval.digest);
        if (!k->approval.given || !approval)
            return fail(E_approval_missing);
        *ret = buf_span(&approval->text);
        return OK;
    case DOCUMENT_POLICY: /* the core has it by its digest */
    case DOCUMENTS:
        break;
    }
    return fail(E_not_found);
}

result evidence_document(struct keeper *k, const struct challenge *c, struct buf *out)
{
    AUTO_JSON *o = json_object();
    struct span whole;
    if (!o)
        return fail(E_no_memory);
    TRY(whole_document(k, c->document, &whole));
    if (c->offset > whole.n)
        return fail(E_bad_value);
    TRY(json_put_b64url(o, "data", span_part(whole, (size_t)c->offset, DOCUMENT_PIECE_MAX)));
    TRY(json_put_int(o, "offset", (int64_t)c->offset));
    TRY(json_put_int(o, "total", (int64_t)whole.n));
    return json_canonical(o, out);
}
