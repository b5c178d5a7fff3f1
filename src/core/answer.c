/* The runner's word: what a call was answered, and live state, read with a credential of its own. It is no more than a word, so
 * what an entry couldn't hold is as not said. */
#include "config.h"

#include "core/core.h"

/* RFC 9110 section 8.8.3: visible ASCII. What isn't compares with nothing, and is as good as none. */
static bool is_etag(struct span s)
{
    bool visible = s.n > 0 && s.n <= ETAG_LEN;
    for (size_t i = 0; visible && i < s.n; i++)
        visible = s.p[i] > 0x20 && s.p[i] < 0x7f;
    return visible;
}

/* Printable ASCII: a reason of the target's. */
static bool is_reason(struct span s)
{
    bool printable = s.n > 0 && s.n <= REASON_MAX;
    for (size_t i = 0; printable && i < s.n; i++)
        printable = s.p[i] >= 0x20 && s.p[i] < 0x7f;
    return printable;
}

static void take_text(struct span s, bool good, char *to, size_t room)
{
    if (!good || !is_ok(span_copy_text(s, to, room)))
        to[0] = 0;
}

static void take_version(struct span s, char to[VERSION_MAX + 1])
{
    take_text(s, true, to, VERSION_MAX + 1);
    if (!entry_is_version(to))
        to[0] = 0;
}

/* RFC 9110 section 15: three digits, of which the first is 1 to 5. An entry has no room for another, and nobody knows what it
 * means. */
static bool is_status(uint32_t status)
{
    return status >= 100 && status <= 599;
}

result answer_take(struct work *w, const struct answer_message *m)
{
    struct said *said = &w->said;
    result causes = m->causes.n ? entry_causes_check(m->causes) : OK;
    if (code_of(causes) == E_no_memory)
        return causes;
    take_text(m->etag, m->has_etag && is_etag(m->etag), said->etag, sizeof said->etag);
    take_version(m->uid, said->uid);
    take_version(m->version, said->version);
    take_text(m->reason, is_reason(m->reason), said->reason, sizeof said->reason);
    take_text(m->causes, is_ok(causes), said->causes, sizeof said->causes);
    w->answer = *m;
    if (m->phase == ANSWER_WHOLE && !is_status(m->http_status)) {
        w->answer.phase = ANSWER_NONE;
        w->answer.code = E_no_answer;
    }
    if (!is_status(m->http_status))
        w->answer.http_status = 0;
    w->answer.has_etag = said->etag[0] != 0;
    w->answer.etag = w->answer.uid = w->answer.version = w->answer.reason = w->answer.causes = (struct span){ 0 };
    return OK;
}

/* Of each field that the contract names there must be a finding, where the kind has any. */
static bool has_findings(const struct work *w)
{
    const struct contract *c = &w->certificate.contract;
    return !target_keeps_body(w->target->kind) || w->answer.fields_n == c->pre.fields.n + c->fields.n;
}

static result take_object(const struct work *w, struct live_state *live)
{
    live->sha256 = w->answer.body_sha256;
    live->length = (int64_t)w->answer.body_length;
    live->has_etag = w->answer.has_etag;
    TRY(span_copy(SPAN(w->said.etag), live->etag, sizeof live->etag));
    TRY(span_copy(SPAN(w->said.uid), live->uid, sizeof live->uid));
    TRY(span_copy(SPAN(w->said.version), live->version, sizeof live->version));
    live->fields_n = w->answer.fields_n;
    for (unsigned i = 0; i < live->fields_n; i++)
        live->field[i] = w->answer.field[i];
    return OK;
}

enum seb_code live_state_take(struct work *w)
{
    if (w->mint_code != E_ok)
        return w->mint_code;
    struct live_state live = { .read = w->read_index };
    if (w->answer.phase != ANSWER_WHOLE || !is_ok(target_read_meaning(w->target->kind, w->answer.http_status, &live.exists)))
        return E_read_failed;
    /* Where answers are read, one that says that nothing is there is read, too. */
    if ((live.exists || target_keeps_body(w->target->kind)) && !w->answer.has_body)
        return w->answer.code != E_ok ? (enum seb_code)w->answer.code : E_read_failed;
    if (live.exists) {
        if (!has_findings(w) || !is_ok(take_object(w, &live)))
            return E_read_failed;
    }
    w->live = live;
    w->has_live = true;
    return E_ok;
}
