#include "config.h"

#include "link/messages.h"

/* What is malformed here was made by another process of the broker, not by a peer: its name is illegal_message throughout. */
static result illegal(result r)
{
    return is_ok(r) ? r : fail(E_illegal_message);
}

result parts_put(struct buf *b, const struct jws *j)
{
    TRY(buf_blob32(b, j->payload));
    TRY(buf_u8(b, (uint8_t)j->n));
    for (unsigned i = 0; i < j->n; i++) {
        TRY(buf_put(b, digest_span(&j->sig[i].kid)));
        TRY(buf_blob16(b, j->sig[i].protected_));
        TRY(buf_blob16(b, j->sig[i].signature));
    }
    return OK;
}

result parts_read(struct reader *r, struct jws *ret)
{
    struct jws j = { .n = 0 };
    uint8_t n;
    TRY(illegal(read_blob32(r, JWS_PAYLOAD_MAX, &j.payload)));
    TRY(illegal(read_u8(r, &n)));
    if (n > JWS_SIGNATURES_MAX)
        return fail(E_illegal_message);
    for (j.n = 0; j.n < n; j.n++) {
        TRY(illegal(read_copy(r, j.sig[j.n].kid.b, DIGEST_SIZE)));
        TRY(illegal(read_blob16(r, JWS_HEADER_MAX, &j.sig[j.n].protected_)));
        TRY(illegal(read_blob16(r, SIGNATURE_SIZE, &j.sig[j.n].signature)));
    }
    *ret = j;
    return OK;
}

result submit_put(struct buf *b, const struct submit_message *m)
{
    TRY(buf_u32(b, m->uid));
    TRY(parts_put(b, &m->certificate));
    TRY(parts_put(b, &m->request));
    return buf_blob32(b, m->body);
}

result submit_read(struct span fields, struct submit_message *ret)
{
    struct reader r = reader_of(fields);
    struct submit_message m = { .uid = 0 };
    TRY(illegal(read_u32(&r, &m.uid)));
    TRY(parts_read(&r, &m.certificate));
    TRY(parts_read(&r, &m.request));
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &m.body)));
    TRY(illegal(read_end(&r)));
    if (!m.certificate.n || m.request.n != 1)
        return fail(E_illegal_message);
    *ret = m;
    return OK;
}

result admin_put(struct buf *b, const struct admin_message *m)
{
    TRY(buf_u8(b, (uint8_t)m->operation));
    TRY(parts_put(b, &m->statement));
    return buf_blob32(b, m->text);
}

/* What an operation brings along, and nothing else. */
static bool admin_fits(const struct admin_message *m)
{
    bool statement = m->operation == ADMIN_POLICY || m->operation == ADMIN_EPOCH || m->operation == ADMIN_ACKNOWLEDGE;
    bool text = m->operation == ADMIN_APPROVAL;
    if (statement ? m->statement.n != 1 : m->statement.n || m->statement.payload.n)
        return false;
    return text ? m->text.n > 0 : m->text.n == 0;
}

result admin_read(struct span fields, struct admin_message *ret)
{
    struct reader r = reader_of(fields);
    struct admin_message m = { .operation = ADMIN_STATUS };
    uint8_t operation;
    TRY(illegal(read_u8(&r, &operation)));
    TRY(parts_read(&r, &m.statement));
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &m.text)));
    TRY(illegal(read_end(&r)));
    if (operation < ADMIN_STATUS || operation > ADMIN_PLAN)
        return fail(E_illegal_message);
    m.operation = (enum admin_operation)operation;
    if (!admin_fits(&m))
        return fail(E_illegal_message);
    *ret = m;
    return OK;
}

static result lease_put(struct buf *b, const struct lease_grant *l)
{
    TRY(buf_u32(b, l->seconds));
    return buf_blob16(b, l->signature);
}

static result lease_read(struct reader *r, struct lease_grant *ret)
{
    struct lease_grant l;
    TRY(illegal(read_u32(r, &l.seconds)));
    TRY(illegal(read_blob16(r, LEASE_SIGNATURE_SIZE, &l.signature)));
    if (l.signature.n != (l.seconds ? LEASE_SIGNATURE_SIZE : 0))
        return fail(E_illegal_message);
    *ret = l;
    return OK;
}

result attest_put(struct buf *b, const struct attest_message *m)
{
    TRY(buf_u8(b, (uint8_t)m->operation));
    TRY(parts_put(b, &m->statement));
    TRY(lease_put(b, &m->lease));
    return buf_blob32(b, m->extra);
}

result attest_read(struct span fields, struct attest_message *ret)
{
    struct reader r = reader_of(fields);
    struct attest_message m = { .operation = ATTEST_CHALLENGE };
    uint8_t operation;
    TRY(illegal(read_u8(&r, &operation)));
    TRY(parts_read(&r, &m.statement));
    TRY(lease_read(&r, &m.lease));
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &m.extra)));
    TRY(illegal(read_end(&r)));
    if (operation < ATTEST_CHALLENGE || operation > ATTEST_ENROLLED || m.statement.n != 1)
        return fail(E_illegal_message);
    m.operation = (enum attest_operation)operation;
    if ((m.lease.seconds && m.operation != ATTEST_RESULT) || (m.operation == ATTEST_ENROLLED) != (m.extra.n > 0))
        return fail(E_illegal_message);
    *ret = m;
    return OK;
}

result noise_put(struct buf *b, const struct noise_message *m)
{
    TRY(buf_u16(b, m->code));
    return buf_u32(b, m->count);
}

result noise_read(struct span fields, struct noise_message *ret)
{
    struct reader r = reader_of(fields);
    struct noise_message m;
    TRY(illegal(read_u16(&r, &m.code)));
    TRY(illegal(read_u32(&r, &m.count)));
    TRY(illegal(read_end(&r)));
    if (m.code >= E_CODES)
        return fail(E_illegal_message);
    *ret = m;
    return OK;
}

result text_put(struct buf *b, struct span json)
{
    return buf_blob32(b, json);
}

result text_read(struct span fields, struct span *ret_json)
{
    struct reader r = reader_of(fields);
    struct span json;
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &json)));
    TRY(illegal(read_end(&r)));
    *ret_json = json;
    return OK;
}

result resume_put(struct buf *b, const struct resume_message *m)
{
    TRY(buf_u64(b, m->size));
    TRY(buf_u8(b, (uint8_t)m->n));
    for (unsigned i = 0; i < m->n; i++)
        TRY(buf_put(b, digest_span(&m->hash[i])));
    TRY(buf_blob32(b, m->note));
    TRY(buf_u8(b, (uint8_t)m->proof_n));
    for (unsigned i = 0; i < m->proof_n; i++)
        TRY(buf_put(b, digest_span(&m->proof[i])));
    return OK;
}

static result hashes_read(struct reader *r, struct digest hash[64], unsigned *ret_n)
{
    uint8_t n;
    TRY(illegal(read_u8(r, &n)));
    if (n > 64)
        return fail(E_illegal_message);
    for (unsigned i = 0; i < n; i++)
        TRY(illegal(read_copy(r, hash[i].b, DIGEST_SIZE)));
    *ret_n = n;
    return OK;
}

result resume_read(struct span fields, struct resume_message *ret)
{
    struct reader r = reader_of(fields);
    struct resume_message m = { .size = 0 };
    TRY(illegal(read_u64(&r, &m.size)));
    TRY(hashes_read(&r, m.hash, &m.n));
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &m.note)));
    TRY(hashes_read(&r, m.proof, &m.proof_n));
    TRY(illegal(read_end(&r)));
    *ret = m;
    return OK;
}

result statement_put(struct buf *b, const struct jws *j)
{
    return parts_put(b, j);
}

result statement_read(struct span fields, struct jws *ret)
{
    struct reader r = reader_of(fields);
    struct jws j;
    TRY(parts_read(&r, &j));
    TRY(illegal(read_end(&r)));
    *ret = j;
    return OK;
}

#define APPEND_COUNT_AT 8

result append_begin(struct buf *b, uint64_t first)
{
    TRY(buf_u64(b, first));
    return buf_u16(b, 0);
}

result append_add(struct buf *b, struct span entry)
{
    uint16_t n = (uint16_t)(b->p[APPEND_COUNT_AT] << 8 | b->p[APPEND_COUNT_AT + 1]);
    if (n == UINT16_MAX)
        return fail(E_too_long);
    TRY(buf_blob32(b, entry));
    n++;
    b->p[APPEND_COUNT_AT] = (uint8_t)(n >> 8);
    b->p[APPEND_COUNT_AT + 1] = (uint8_t)n;
    return OK;
}

result append_open(struct span fields, struct append_reader *ret)
{
    struct append_reader a = { .r = reader_of(fields) };
    uint64_t first;
    uint16_t n;
    TRY(illegal(read_u64(&a.r, &first)));
    TRY(illegal(read_u16(&a.r, &n)));
    if (!n)
        return fail(E_illegal_message);
    a.left = n;
    a.index = first - 1; /* append_next moves it first */
    *ret = a;
    return OK;
}

result append_next(struct append_reader *a, struct span *ret_entry)
{
    struct span entry;
    TRY(illegal(read_blob32(&a->r, LINK_PACKET_MAX, &entry)));
    a->left--;
    a->index++;
    if (!a->left)
        TRY(illegal(read_end(&a->r)));
    *ret_entry = entry;
    return OK;
}

result mint_put(struct buf *b, const struct mint_message *m)
{
    TRY(buf_u64(b, m->index));
    TRY(parts_put(b, &m->certificate));
    return buf_blob32(b, m->body);
}

result mint_read(struct span fields, struct mint_message *ret)
{
    struct reader r = reader_of(fields);
    struct mint_message m = { .index = 0 };
    TRY(illegal(read_u64(&r, &m.index)));
    TRY(parts_read(&r, &m.certificate));
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &m.body)));
    TRY(illegal(read_end(&r)));
    *ret = m;
    return OK;
}

result result_put(struct buf *b, const struct result_message *m)
{
    TRY(parts_put(b, &m->statement));
    return lease_put(b, &m->lease);
}

result result_read(struct span fields, struct result_message *ret)
{
    struct reader r = reader_of(fields);
    struct result_message m;
    TRY(parts_read(&r, &m.statement));
    TRY(lease_read(&r, &m.lease));
    TRY(illegal(read_end(&r)));
    if (m.statement.n != 1)
        return fail(E_illegal_message);
    *ret = m;
    return OK;
}

result evidence_put(struct buf *b, const struct evidence_message *m)
{
    TRY(buf_u16(b, m->code));
    return buf_blob32(b, m->json);
}

result evidence_read(struct span fields, struct evidence_message *ret)
{
    struct reader r = reader_of(fields);
    struct evidence_message m;
    TRY(illegal(read_u16(&r, &m.code)));
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &m.json)));
    TRY(illegal(read_end(&r)));
    if (m.code >= E_CODES || (m.code == E_ok) != (m.json.n > 0))
        return fail(E_illegal_message);
    *ret = m;
    return OK;
}

result code_put(struct buf *b, const struct code_message *m)
{
    TRY(buf_u16(b, m->code));
    TRY(buf_u8(b, m->what));
    return buf_u32(b, m->foreign);
}

result code_read(struct span fields, struct code_message *ret)
{
    struct reader r = reader_of(fields);
    struct code_message m;
    TRY(illegal(read_u16(&r, &m.code)));
    TRY(illegal(read_u8(&r, &m.what)));
    TRY(illegal(read_u32(&r, &m.foreign)));
    TRY(illegal(read_end(&r)));
    if (m.code >= E_CODES || m.what > LOADED_ACKNOWLEDGE)
        return fail(E_illegal_message);
    *ret = m;
    return OK;
}

result checkpoint_put(struct buf *b, const struct checkpoint_message *m)
{
    TRY(buf_u64(b, m->size));
    return buf_blob32(b, m->note);
}

result checkpoint_read(struct span fields, struct checkpoint_message *ret)
{
    struct reader r = reader_of(fields);
    struct checkpoint_message m;
    TRY(illegal(read_u64(&r, &m.size)));
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &m.note)));
    TRY(illegal(read_end(&r)));
    *ret = m;
    return OK;
}

result quote_put(struct buf *b, const struct quote_message *m)
{
    TRY(buf_u64(b, m->size));
    TRY(buf_blob16(b, m->attest));
    TRY(buf_blob16(b, m->signature));
    return buf_blob16(b, m->preimage);
}

result quote_read(struct span fields, struct quote_message *ret)
{
    struct reader r = reader_of(fields);
    struct quote_message m;
    TRY(illegal(read_u64(&r, &m.size)));
    TRY(illegal(read_blob16(&r, UINT16_MAX, &m.attest)));
    TRY(illegal(read_blob16(&r, UINT16_MAX, &m.signature)));
    TRY(illegal(read_blob16(&r, UINT16_MAX, &m.preimage)));
    TRY(illegal(read_end(&r)));
    *ret = m;
    return OK;
}

result call_put(struct buf *b, const struct call_message *m)
{
    const struct span *const texts[] = { &m->target, &m->method, &m->url, &m->precondition, &m->precondition_value, &m->media_type,
        &m->audit_id };
    TRY(buf_u8(b, m->use));
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        TRY(buf_blob16(b, *texts[i]));
    TRY(buf_blob32(b, m->credential));
    TRY(buf_blob32(b, m->body));
    return buf_blob32(b, m->details);
}

result call_read(struct span fields, struct call_message *ret)
{
    struct reader r = reader_of(fields);
    struct call_message m = { .use = 0 };
    struct span *const texts[] = { &m.target, &m.method, &m.url, &m.precondition, &m.precondition_value, &m.media_type,
        &m.audit_id };
    TRY(illegal(read_u8(&r, &m.use)));
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        TRY(illegal(read_blob16(&r, UINT16_MAX, texts[i])));
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &m.credential)));
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &m.body)));
    TRY(illegal(read_blob32(&r, LINK_PACKET_MAX, &m.details)));
    TRY(illegal(read_end(&r)));
    if (m.use < 1 || m.use > 2)
        return fail(E_illegal_message);
    *ret = m;
    return OK;
}

result answer_put(struct buf *b, const struct answer_message *m)
{
    TRY(buf_u8(b, (uint8_t)m->phase));
    TRY(buf_u16(b, m->code));
    TRY(buf_u32(b, m->foreign));
    TRY(buf_u32(b, m->http_status));
    TRY(buf_u8(b, m->has_etag));
    TRY(buf_blob16(b, m->etag));
    TRY(buf_u8(b, m->has_body));
    TRY(buf_put(b, digest_span(&m->body_sha256)));
    TRY(buf_u64(b, m->body_length));
    TRY(buf_blob16(b, m->uid));
    TRY(buf_blob16(b, m->version));
    TRY(buf_blob16(b, m->reason));
    TRY(buf_blob16(b, m->causes));
    TRY(buf_u8(b, (uint8_t)m->fields_n));
    for (unsigned i = 0; i < m->fields_n; i++) {
        TRY(buf_u8(b, m->field[i].exists));
        TRY(buf_put(b, digest_span(&m->field[i].sha256)));
    }
    return OK;
}

static result fields_get(struct reader *r, struct answer_message *m)
{
    uint8_t n, exists;
    TRY(illegal(read_u8(r, &n)));
    if (n > LIVE_FIELDS_MAX)
        return fail(E_illegal_message);
    m->fields_n = n;
    for (unsigned i = 0; i < n; i++) {
        TRY(illegal(read_u8(r, &exists)));
        if (exists > 1)
            return fail(E_illegal_message);
        m->field[i].exists = exists;
        TRY(illegal(read_copy(r, m->field[i].sha256.b, DIGEST_SIZE)));
    }
    return OK;
}

result answer_read(struct span fields, struct answer_message *ret)
{
    struct reader r = reader_of(fields);
    struct answer_message m = { .code = 0 };
    uint8_t phase, has_etag, has_body;
    TRY(illegal(read_u8(&r, &phase)));
    TRY(illegal(read_u16(&r, &m.code)));
    TRY(illegal(read_u32(&r, &m.foreign)));
    TRY(illegal(read_u32(&r, &m.http_status)));
    TRY(illegal(read_u8(&r, &has_etag)));
    TRY(illegal(read_blob16(&r, UINT16_MAX, &m.etag)));
    TRY(illegal(read_u8(&r, &has_body)));
    TRY(illegal(read_copy(&r, m.body_sha256.b, DIGEST_SIZE)));
    TRY(illegal(read_u64(&r, &m.body_length)));
    TRY(illegal(read_blob16(&r, UINT16_MAX, &m.uid)));
    TRY(illegal(read_blob16(&r, UINT16_MAX, &m.version)));
    TRY(illegal(read_blob16(&r, UINT16_MAX, &m.reason)));
    TRY(illegal(read_blob16(&r, UINT16_MAX, &m.causes)));
    TRY(fields_get(&r, &m));
    TRY(illegal(read_end(&r)));
    if (phase > ANSWER_WHOLE || has_etag > 1 || has_body > 1 || m.code >= E_CODES)
        return fail(E_illegal_message);
    m.phase = (enum answer_phase)phase;
    m.has_etag = has_etag;
    m.has_body = has_body;
    *ret = m;
    return OK;
}
