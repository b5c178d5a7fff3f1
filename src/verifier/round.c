#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "verifier/subject.h"

#define RETRY_MS 1000 /* after a round that failed; then twice that, and so on, up to the interval */
#define STALE_MS 10000 /* documents that took longer are judged with a newer quote */

/* Up to jitter_percent earlier than the interval, never later: a result lasts longer than that. */
static int64_t next_due_ms(const struct settings *s)
{
    const int64_t interval = s->interval_s * 1000, most = interval * s->jitter_percent / 100;
    uint32_t chance = 0;
    if (!is_ok(random_bytes(&chance, sizeof chance)))
        chance = 0;
    return interval - (most ? (int64_t)(chance % (uint64_t)(most + 1)) : 0);
}

static int64_t retry_ms(const struct subject *s)
{
    const int64_t interval = next_due_ms(s->server->settings);
    int64_t wait = RETRY_MS;
    for (unsigned i = 1; i < s->failures && wait < interval; i++)
        wait *= 2;
    return wait < interval ? wait : interval;
}

static void end_round(struct subject *s, int64_t wait_ms)
{
    evidence_free(s->evidence);
    s->evidence = NULL;
    s->step = STEP_IDLE;
    s->due_ms = clock_mono_ms() + wait_ms;
}

static void round_failed(struct subject *s, const char *what, result r)
{
    char line[384];
    AUTO_BUF words = BUF(512);
    s->failures++;
    if (is_ok(buf_printf(&words, "%s: %s", what, result_text(r, line, sizeof line))) && is_ok(buf_u8(&words, 0)))
        subject_say(s, LOG_WARNING, (const char *)words.p);
    end_round(s, retry_ms(s));
}

/* The nonce of the last challenge joins the earlier ones. */
static void remember_nonce(struct subject *s)
{
    static const uint8_t never[NONCE_SIZE];
    if (span_equal(SPAN(s->challenge.nonce), SPAN(never)))
        return;
    for (unsigned i = EARLIER - 1; i > 0; i--)
        for (unsigned b = 0; b < NONCE_SIZE; b++)
            s->earlier[i][b] = s->earlier[i - 1][b];
    for (unsigned b = 0; b < NONCE_SIZE; b++)
        s->earlier[0][b] = s->challenge.nonce[b];
    s->earlier_n += s->earlier_n < EARLIER;
}

static result challenge(struct subject *s)
{
    struct memory m;
    remember_nonce(s);
    TRY(memory_read(s->server->state, s->setting->name, &s->row.ak, &m));
    struct challenge c = { .iat = clock_utc_ms() / 1000, .op = CHALLENGE_APPRAISE, .has_seen = true, .seen = m.known.log };
    TRY(span_copy_text(span_text(s->setting->domain), c.domain, sizeof c.domain));
    TRY(span_copy_text(span_text(s->setting->instance), c.instance, sizeof c.instance));
    TRY(random_bytes(c.nonce, sizeof c.nonce));
    s->challenge = c;
    s->challenged_ms = clock_mono_ms();
    TRY(challenge_post(s, &c));
    s->step = STEP_CHALLENGED;
    return OK;
}

static result deliver(struct subject *s)
{
    AUTO_JSON *question = json_object(), *statement = NULL;
    TRY(json_strict(buf_span(&s->papers.statement), JWS_TEXT_MAX, &statement));
    TRY(json_put_text(question, "op", "enrolled"));
    TRY(json_put_new(question, "statement", json_incref(statement)));
    TRY(json_put_b64url(question, "certificate", buf_span(&s->papers.certificate)));
    TRY(wire_post(s->line, question));
    s->step = STEP_DELIVERING;
    return OK;
}

void round_begin(struct subject *s)
{
    (void)documents_retry(s);
    s->again = false;
    s->round = s->row.id;
    result r = s->row.delivered ? challenge(s) : deliver(s);
    if (!is_ok(r))
        round_failed(s, "no challenge", r);
}

static result delivered(struct subject *s)
{
    AUTO_JSON *reply = NULL;
    TRY(wire_reply(s->line, &reply));
    TRY(server_write(s->server));
    TRY(state_delivered(s->server->state, s->row.id));
    s->row.delivered = true;
    log_line(LOG_NOTE, "%s: the broker has its enrolment statement", s->setting->name);
    return challenge(s);
}

static result judge_or_again(struct subject *s)
{
    bool again = clock_mono_ms() - s->challenged_ms > STALE_MS;
    /* Another policy or approval may be in force since the evidence named one: what is gone from the broker is no fault of it. */
    if (!again && !s->again)
        again = documents_retry(s);
    if (!again)
        TRY(judge_subject(s, &again));
    if (again) {
        if (s->again)
            return fail(E_challenge_stale);
        s->again = true;
        return challenge(s);
    }
    if (!s->question) {
        s->failures++;
        end_round(s, retry_ms(s));
        return OK;
    }
    s->step = STEP_JUDGED;
    s->next = s->server->judged;
    s->server->judged = s;
    return OK;
}

static result fetch_or_judge(struct subject *s)
{
    bool asked;
    TRY(documents_ask(s, &asked));
    if (!asked)
        return judge_or_again(s);
    s->step = STEP_FETCHING;
    return OK;
}

static result take_evidence(struct subject *s)
{
    AUTO_JSON *reply = NULL;
    AUTO_BUF text = BUF(EVIDENCE_TEXT_MAX);
    const json_t *evidence;
    TRY(wire_reply(s->line, &reply));
    TRY(json_object_at(reply, "evidence", &evidence));
    TRY(json_canonical(evidence, &text));
    evidence_free(s->evidence);
    s->evidence = NULL;
    TRY(evidence_parse(buf_span(&text), &s->evidence));
    return fetch_or_judge(s);
}

static result take_document(struct subject *s)
{
    AUTO_JSON *reply = NULL;
    const json_t *evidence = NULL;
    TRY(s->line->done); /* silence is no answer */
    result r = wire_reply(s->line, &reply);
    if (is_ok(r))
        r = json_object_at(reply, "evidence", &evidence);
    documents_take(s, r, evidence);
    return fetch_or_judge(s);
}

static result sent(struct subject *s)
{
    AUTO_JSON *reply = NULL;
    TRY(wire_reply(s->line, &reply));
    TRY(server_write(s->server));
    TRY(state_result_sent(s->server->state, s->setting->name, s->judged));
    s->failures = 0;
    if (s->affirming)
        subject_say(s, LOG_NOTE, "affirming: the broker has a result and a lease");
    end_round(s, next_due_ms(s->server->settings));
    return OK;
}

void round_step(struct subject *s)
{
    static const struct {
        result (*next)(struct subject *s);
        const char *what;
    } steps[] = {
        [STEP_DELIVERING] = { delivered, "the enrolment statement isn't taken" },
        [STEP_CHALLENGED] = { take_evidence, "no evidence" },
        [STEP_FETCHING] = { take_document, "no document" },
        [STEP_SENDING] = { sent, "the result isn't taken" },
    };
    const char *what = steps[s->step].what;
    /* Withdrawn, or enrolled anew, while it was asked. */
    const bool other = !s->enrolled || s->row.id != s->round;
    result r = other ? OK : steps[s->step].next(s);
    if (other)
        end_round(s, 0);
    else if (!is_ok(r))
        round_failed(s, what, r);
}

void round_send(struct subject *s, bool durable)
{
    AUTO_JSON *question = s->question;
    s->question = NULL;
    result r = durable ? wire_post(s->line, question) : fail(E_disk);
    if (is_ok(r))
        s->step = STEP_SENDING;
    else
        round_failed(s, "the result is not sent", r);
}
