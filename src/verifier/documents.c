#include "config.h"

#include "attest/approval.h"
#include "attest/ima.h"
#include "attest/tcg_log.h"
#include "base/clock.h"
#include "base/random.h"
#include "verifier/subject.h"

static const size_t document_max[DOCUMENTS] = {
    [DOCUMENT_CEL] = CEL_LOG_MAX,
    [DOCUMENT_FIRMWARE] = TCG_LOG_MAX,
    [DOCUMENT_IMA] = IMA_LOG_MAX,
    [DOCUMENT_POLICY] = JWS_TEXT_MAX,
    [DOCUMENT_APPROVAL] = APPROVAL_TEXT_MAX,
};

/* What the evidence names a document by; false where it names none, or none that is fetched by digest. */
static bool named(const struct evidence *e, enum challenge_document d, struct digest *ret)
{
    switch (d) {
    case DOCUMENT_CEL:
        *ret = e->cel;
        return true;
    case DOCUMENT_FIRMWARE:
        *ret = e->firmware;
        return e->has_firmware;
    case DOCUMENT_POLICY:
        *ret = e->policy;
        return e->has_policy;
    case DOCUMENT_APPROVAL:
        *ret = e->approval;
        return e->has_approval;
    default:
        return false;
    }
}

static void forget(struct fetched *f)
{
    f->whole = false;
    f->from = 0;
    buf_clear(&f->bytes);
}

/* Where IMA's list is to begin: behind what was replayed, unless the machine was reset since, and its list began anew. */
static uint64_t ima_begin(const struct subject *s, const struct memory *m)
{
    struct attest a;
    const struct evidence *e = s->evidence;
    bool quoted = is_ok(attest_open(buf_span(&e->attest), buf_span(&e->signature), s->ak, &a));
    bool anew = quoted && m->known.has_quote && a.clock.reset_count != m->known.clock.reset_count;
    return anew || e->ima_length < m->known.ima.offset ? 0 : m->known.ima.offset;
}

/* What is here of the list is cut to begin there, or forgotten. */
static result ima_settle(struct subject *s)
{
    struct memory m;
    struct fetched *f = &s->document[DOCUMENT_IMA];
    TRY(memory_read(s->server->state, s->setting->name, &s->row.ak, &m));
    uint64_t begin = ima_begin(s, &m);
    if (begin < f->from || begin > f->from + f->bytes.n) {
        forget(f);
        f->from = begin;
    }
    if (begin > f->from) {
        AUTO_BUF rest = BUF(IMA_LOG_MAX);
        TRY(buf_put(&rest, span_part(buf_span(&f->bytes), (size_t)(begin - f->from), f->bytes.n)));
        buf_clear(&f->bytes);
        TRY(buf_put(&f->bytes, buf_span(&rest)));
        f->from = begin;
    }
    f->whole = f->from + f->bytes.n >= s->evidence->ima_length;
    return OK;
}

/* Whether a document is wanted and not here; one that another digest is wanted of is forgotten. */
static result settle(struct subject *s, enum challenge_document d, bool *ret_missing)
{
    struct fetched *f = &s->document[d];
    struct digest digest;
    *ret_missing = false;
    if (f->tried)
        return OK;
    f->bytes.max = document_max[d];
    if (d == DOCUMENT_IMA) {
        if (!s->evidence->has_ima)
            return OK;
        TRY(ima_settle(s));
        *ret_missing = !f->whole;
        return OK;
    }
    if (!named(s->evidence, d, &digest))
        return OK;
    if (!digest_equal(&f->digest, &digest)) {
        forget(f);
        f->digest = digest;
    }
    *ret_missing = !f->whole;
    return OK;
}

static result ask_piece(struct subject *s, enum challenge_document d)
{
    struct challenge c = { .iat = clock_utc_ms() / 1000,
        .op = CHALLENGE_DOCUMENT,
        .document = d,
        .offset = s->document[d].from + s->document[d].bytes.n };
    TRY(span_copy_text(span_text(s->setting->domain), c.domain, sizeof c.domain));
    TRY(span_copy_text(span_text(s->setting->instance), c.instance, sizeof c.instance));
    TRY(random_bytes(c.nonce, sizeof c.nonce));
    s->fetching = d;
    return challenge_post(s, &c);
}

result documents_ask(struct subject *s, bool *ret_asked)
{
    bool missing = false;
    for (unsigned d = 0; d < DOCUMENTS && !missing; d++) {
        TRY(settle(s, (enum challenge_document)d, &missing));
        if (missing)
            TRY(ask_piece(s, (enum challenge_document)d));
    }
    *ret_asked = missing;
    return OK;
}

/* A document is whole: is it the one? The approval is opened by the appraisal; the policy takes its place here, and is never an
 * older one than was held before. */
static result conclude(struct subject *s, enum challenge_document d)
{
    struct memory m;
    struct fetched *f = &s->document[d];
    struct digest digest = sha256(buf_span(&f->bytes));
    if (d == DOCUMENT_CEL || d == DOCUMENT_FIRMWARE)
        return digest_equal(&digest, &f->digest) ? OK : fail(E_bad_value);
    if (d != DOCUMENT_POLICY)
        return OK;
    TRY(memory_read(s->server->state, s->setting->name, &s->row.ak, &m));
    TRY(held_policy_read(buf_span(&f->bytes), s->setting->policy_key, s->setting->domain, m.policy_epoch, &s->policy));
    return digest_equal(&s->policy.terms.digest, &f->digest) ? OK : fail(E_policy_other);
}

static result take_piece(struct subject *s, const json_t *evidence)
{
    struct fetched *f = &s->document[s->fetching];
    AUTO_BUF data = BUF(DOCUMENT_PIECE_MAX);
    int64_t offset, total;
    TRY(json_int(evidence, "offset", 0, JSON_INT_MAX, &offset));
    TRY(json_int(evidence, "total", 0, JSON_INT_MAX, &total));
    TRY(json_bytes_at(evidence, "data", DOCUMENT_PIECE_MAX, &data));
    uint64_t at = f->from + f->bytes.n;
    /* Each piece costs this verifier's key a signature, and the others its time: all but the last are whole. */
    if ((uint64_t)offset != at || (uint64_t)total < at + data.n || (data.n < DOCUMENT_PIECE_MAX && (uint64_t)total != at + data.n))
        return fail(E_bad_value);
    if (s->fetching == DOCUMENT_IMA && (!data.n || s->evidence->ima_length > (uint64_t)total))
        return fail(E_truncated);
    TRY(buf_put(&f->bytes, buf_span(&data)));
    if (s->fetching == DOCUMENT_IMA)
        return OK; /* ima_settle says whether it is whole */
    f->whole = f->bytes.n == (uint64_t)total;
    return f->whole ? conclude(s, s->fetching) : OK;
}

void documents_take(struct subject *s, const result reply, const json_t *evidence)
{
    struct fetched *f = &s->document[s->fetching];
    result r = is_ok(reply) ? take_piece(s, evidence) : reply;
    if (is_ok(r))
        return;
    forget(f);
    f->tried = true;
}

bool documents_retry(struct subject *s)
{
    bool any = false;
    for (unsigned d = 0; d < DOCUMENTS; d++) {
        any = any || s->document[d].tried;
        s->document[d].tried = false;
    }
    return any;
}

static struct span view(const struct subject *s, enum challenge_document d)
{
    const struct fetched *f = &s->document[d];
    return f->whole ? buf_span(&f->bytes) : (struct span){ NULL, 0 };
}

struct appraisal_documents documents_view(const struct subject *s)
{
    const struct fetched *ima = &s->document[DOCUMENT_IMA];
    return (struct appraisal_documents){
        .cel = view(s, DOCUMENT_CEL),
        .firmware = s->evidence->has_firmware ? view(s, DOCUMENT_FIRMWARE) : (struct span){ NULL, 0 },
        .ima = s->evidence->has_ima && ima->whole
                   ? span_part(buf_span(&ima->bytes), 0, (size_t)(s->evidence->ima_length - ima->from))
                   : (struct span){ NULL, 0 },
        .approval = s->evidence->has_approval ? view(s, DOCUMENT_APPROVAL) : (struct span){ NULL, 0 },
    };
}
