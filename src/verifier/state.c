#include "config.h"

#include "verifier/state.h"
#include "verifier/database.h"

result state_enrol(struct state *s, const struct enrolment_row *row, const struct enrolment_documents *d)
{
    AUTO_SQL forget = sql_run(s, SQL_FORGET_PENDING), r = sql_run(s, SQL_ENROL);
    sql_name(&forget, row->name);
    TRY(sql_finish(&forget, NULL));
    sql_name(&r, row->name);
    sql_name(&r, row->instance);
    sql_name(&r, row->domain);
    sql_number(&r, row->local);
    sql_number(&r, row->activated);
    sql_bytes(&r, digest_span(&row->ek));
    sql_bytes(&r, digest_span(&row->ak));
    sql_bytes(&r, digest_span(&row->record));
    sql_bytes(&r, digest_span(&row->mint));
    sql_bytes(&r, SPAN(row->ak_name));
    sql_text(&r, buf_span(&d->ak_jwk));
    sql_bytes(&r, buf_span(&d->certificate));
    sql_text(&r, buf_span(&d->record_jwk));
    return sql_finish(&r, NULL);
}

result state_domain_free(struct state *s, const char *name, const char *domain, bool local)
{
    int64_t others;
    AUTO_SQL r = sql_run(s, SQL_DOMAIN_OTHERS);
    sql_name(&r, name);
    sql_name(&r, domain);
    sql_number(&r, local);
    TRY(sql_one_number(&r, &others));
    return others == 0 ? OK : fail(E_domain_taken);
}

result state_confirm(struct state *s, const char *name, int64_t now, struct span statement)
{
    struct enrolment_row pending;
    AUTO_SQL replace = sql_run(s, SQL_REPLACE_ACTIVE), r = sql_run(s, SQL_CONFIRM);
    TRY(state_enrolment(s, name, ENROLMENT_PENDING, &pending));
    TRY(state_domain_free(s, name, pending.domain, pending.local));
    sql_name(&replace, name);
    sql_number(&replace, now);
    TRY(sql_finish(&replace, NULL));
    sql_name(&r, name);
    sql_number(&r, now);
    sql_text(&r, statement);
    return sql_finish(&r, NULL);
}

result state_withdraw(struct state *s, const char *name, int64_t now)
{
    int changed = 0;
    AUTO_SQL r = sql_run(s, SQL_WITHDRAW);
    sql_name(&r, name);
    sql_number(&r, now);
    TRY(sql_finish(&r, &changed));
    return changed > 0 ? OK : fail(E_not_found);
}

result state_delivered(struct state *s, int64_t id)
{
    AUTO_SQL r = sql_run(s, SQL_DELIVERED);
    sql_number(&r, id);
    return sql_finish(&r, NULL);
}

static result row_read(const struct sql_run *r, struct enrolment_row *ret)
{
    struct enrolment_row row = { .id = sql_number_at(r, 0),
        .local = sql_number_at(r, 4) != 0,
        .status = (enum enrolment_status)sql_number_at(r, 5),
        .activated = sql_number_at(r, 6),
        .decided = sql_number_at(r, 7),
        .delivered = sql_number_at(r, 8) != 0 };
    TRY(sql_text_at(r, 1, row.name, sizeof row.name));
    TRY(sql_text_at(r, 2, row.instance, sizeof row.instance));
    TRY(sql_text_at(r, 3, row.domain, sizeof row.domain));
    TRY(sql_digest_at(r, 9, &row.ek));
    TRY(sql_digest_at(r, 10, &row.ak));
    TRY(sql_digest_at(r, 11, &row.record));
    TRY(sql_digest_at(r, 12, &row.mint));
    TRY(span_copy(sql_bytes_at(r, 13), row.ak_name, sizeof row.ak_name));
    *ret = row;
    return OK;
}

result state_enrolment(struct state *s, const char *name, enum enrolment_status status, struct enrolment_row *ret)
{
    bool row;
    AUTO_SQL r = sql_run(s, SQL_ENROLMENT);
    sql_name(&r, name);
    sql_number(&r, status);
    TRY(sql_step(&r, &row));
    return row ? row_read(&r, ret) : fail(E_not_found);
}

result state_enrolment_documents(struct state *s, int64_t id, struct enrolment_documents *ret)
{
    bool row;
    AUTO_SQL r = sql_run(s, SQL_ENROLMENT_DOCUMENTS);
    sql_number(&r, id);
    TRY(sql_step(&r, &row));
    if (!row)
        return fail(E_not_found);
    enrolment_documents_free(ret);
    *ret = enrolment_documents_empty();
    TRY(buf_put(&ret->certificate, sql_bytes_at(&r, 0)));
    TRY(buf_put(&ret->ak_jwk, sql_bytes_at(&r, 1)));
    TRY(buf_put(&ret->record_jwk, sql_bytes_at(&r, 2)));
    return buf_put(&ret->statement, sql_bytes_at(&r, 3));
}

struct enrolment_documents enrolment_documents_empty(void)
{
    return (struct enrolment_documents){ .certificate = BUF(STATE_CERTIFICATE_MAX),
        .ak_jwk = BUF(STATE_JWK_MAX),
        .record_jwk = BUF(STATE_JWK_MAX),
        .statement = BUF(STATE_STATEMENT_MAX) };
}

void enrolment_documents_free(struct enrolment_documents *d)
{
    buf_free(&d->certificate);
    buf_free(&d->ak_jwk);
    buf_free(&d->record_jwk);
    buf_free(&d->statement);
}

result state_enrolment_after(struct state *s, int64_t id, struct enrolment_row *ret, bool *ret_row)
{
    AUTO_SQL r = sql_run(s, SQL_ENROLMENT_AFTER);
    sql_number(&r, id);
    TRY(sql_step(&r, ret_row));
    return *ret_row ? row_read(&r, ret) : OK;
}

result state_enrolment_before(struct state *s, const char *name, int64_t id, struct enrolment_row *ret, bool *ret_row)
{
    AUTO_SQL r = sql_run(s, SQL_ENROLMENT_BEFORE);
    sql_name(&r, name);
    sql_number(&r, id);
    TRY(sql_step(&r, ret_row));
    return *ret_row ? row_read(&r, ret) : OK;
}

result state_known(struct state *s, const char *name, struct buf *out)
{
    bool row;
    AUTO_SQL r = sql_run(s, SQL_KNOWN);
    sql_name(&r, name);
    TRY(sql_step(&r, &row));
    return row ? buf_put(out, sql_bytes_at(&r, 0)) : OK;
}

result state_know(struct state *s, const char *name, struct span data)
{
    AUTO_SQL r = sql_run(s, SQL_KNOW);
    sql_name(&r, name);
    sql_bytes(&r, data);
    return sql_finish(&r, NULL);
}

result state_result_put(struct state *s, const char *name, const struct result_row *row, struct span jwt)
{
    AUTO_SQL r = sql_run(s, SQL_RESULT_PUT);
    sql_name(&r, name);
    sql_number(&r, row->at);
    sql_name(&r, row->status);
    sql_name(&r, row->codes);
    sql_number(&r, row->lease);
    sql_number(&r, span_is(span_text(row->status), "affirming"));
    sql_text(&r, jwt);
    return sql_finish(&r, NULL);
}

result state_result_sent(struct state *s, const char *name, int64_t at)
{
    AUTO_SQL r = sql_run(s, SQL_RESULT_SENT);
    sql_name(&r, name);
    sql_number(&r, at);
    return sql_finish(&r, NULL);
}

result state_result(struct state *s, const char *name, struct result_row *ret, struct buf *jwt)
{
    bool row;
    AUTO_SQL r = sql_run(s, SQL_RESULT);
    sql_name(&r, name);
    TRY(sql_step(&r, &row));
    if (!row)
        return fail(E_not_found);
    struct result_row read = { .at = sql_number_at(&r, 0),
        .since = sql_number_at(&r, 1),
        .lease = sql_number_at(&r, 4) != 0,
        .sent = sql_number_at(&r, 5) != 0,
        .affirming = sql_number_at(&r, 6),
        .others = sql_number_at(&r, 7) };
    TRY(sql_text_at(&r, 2, read.status, sizeof read.status));
    TRY(sql_text_at(&r, 3, read.codes, sizeof read.codes));
    if (jwt)
        TRY(buf_put(jwt, sql_bytes_at(&r, 8)));
    *ret = read;
    return OK;
}

result state_acknowledged(struct state *s, const char *name, int64_t now, uint64_t size, const struct digest *root)
{
    if (size > INT64_MAX)
        return fail(E_bad_value);
    AUTO_SQL r = sql_run(s, SQL_ACKNOWLEDGED);
    sql_name(&r, name);
    sql_number(&r, now);
    sql_number(&r, (int64_t)size);
    sql_bytes(&r, digest_span(root));
    return sql_finish(&r, NULL);
}
