/* seb-submit: an agent's request, signed with the agent's key, sent, and what became of it. */
#include "config.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "bus/bus.h"
#include "hsm/tpm.h"
#include "submit/options.h"
#include "submit/reply.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#define ANSWER_MS 5000 /* beyond the time that the request itself gives the broker */
#define WAIT_AGAIN_MS 200

/* What a failure was about, for the message. */
static int say(const char *about, result r)
{
    char text[512];
    fprintf(stderr, "seb-submit: %s: %s\n", about, result_text(r, text, sizeof text));
    return SUBMIT_LOCAL;
}

static int say_later(const char *about, result r)
{
    say(about, r);
    return code_of(r) == E_unavailable ? SUBMIT_LATER : SUBMIT_LOCAL;
}

static int say_key(const struct signer_place *place, result r)
{
    return say(place->tpm ? place->handle : place->key, r);
}

static int print_line(const char *about, const struct buf *text, result r)
{
    if (is_ok(r) && (fwrite(text->p, 1, text->n, stdout) != text->n || putchar('\n') == EOF || fflush(stdout) != 0))
        r = fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    return is_ok(r) ? 0 : say(about, r);
}

static int show_key(const struct submit_options *o)
{
    AUTO_SIGNER *signer = NULL;
    AUTO_BUF text = BUF(4096);
    bool made = false, make = o->command == SUBMIT_KEY_NEW;
    result r = make ? signer_provision(&o->key, &made) : OK;
    if (is_ok(r))
        r = signer_open(&o->key, &signer);
    if (!is_ok(r))
        return say_key(&o->key, r);
    enum signer_form form = o->jwk ? SIGNER_JWK : o->pem ? SIGNER_PEM : o->json ? SIGNER_JSON : SIGNER_TEXT;
    r = signer_describe(signer, form, make ? &made : NULL, &text);
    return print_line("key", &text, r);
}

/* What is asked, and with what. */
struct asker {
    const struct submit_options *options;
    struct signer *signer; /* NULL where it is signed elsewhere: */
    struct signed_request ready;
    struct pubkey *record_key; /* NULL: proofs aren't looked at */
    struct buf certificate, body;
    struct submission submission;
    char id[65];
};

static void asker_free(struct asker *a)
{
    submission_free(&a->submission);
    signer_close(a->signer);
    signed_request_free(&a->ready);
    pubkey_free(a->record_key);
    buf_free(&a->certificate);
    buf_free(&a->body);
}
#define AUTO_ASKER __attribute__((cleanup(asker_free))) struct asker

static result random_id(char ret_id[65])
{
    uint8_t bytes[16];
    TRY(random_bytes(bytes, sizeof bytes));
    b64url_chars(SPAN(bytes), ret_id);
    ret_id[B64URL_LEN(sizeof bytes)] = 0;
    return OK;
}

static result read_record_key(const char *path, struct pubkey **ret)
{
    AUTO_BUF pem = BUF(8192);
    TRY(file_read(path, pem.max, &pem));
    return pubkey_from_pem(buf_span(&pem), ret);
}

static result read_file(const char *path, size_t max, struct buf *out)
{
    return file_read(span_is(span_text(path), "-") ? "/dev/stdin" : path, max, out);
}

static int read_ready(struct asker *a)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    result r = read_file(a->options->request, JWS_TEXT_MAX, &text);
    if (is_ok(r))
        r = signed_request_read(buf_span(&text), &a->ready);
    a->submission.id = a->ready.id;
    return is_ok(r) ? 0 : say(a->options->request, r);
}

static int choose_id(struct asker *a)
{
    result r = a->options->id ? OK : random_id(a->id);
    a->submission.id = a->options->id ? a->options->id : a->id;
    return is_ok(r) ? 0 : say("random id", r);
}

/* 0, or the exit code after a message. */
static int prepare(struct asker *a)
{
    const struct submit_options *o = a->options;
    result r = read_file(o->certificate, JWS_TEXT_MAX, &a->certificate);
    if (!is_ok(r))
        return say(o->certificate, r);
    if (o->body && !is_ok(r = read_file(o->body, BUS_FRAME_MAX, &a->body)))
        return say(o->body, r);
    r = submission_read(buf_span(&a->certificate), buf_span(&a->body), &o->overrides, &a->submission);
    if (!is_ok(r))
        return say(o->certificate, r);
    if (o->record_key && !is_ok(r = read_record_key(o->record_key, &a->record_key)))
        return say(o->record_key, r);
    if (o->command == SUBMIT_SIGNED_HERE && !is_ok(r = signer_open(&o->key, &a->signer)))
        return say_key(&o->key, r);
    return o->command == SUBMIT_SIGNED_ELSEWHERE ? read_ready(a) : choose_id(a);
}

static int64_t now_s(void)
{
    return clock_utc_ms() / 1000;
}

static result sign(const struct asker *a, int64_t wait_ms, json_t **ret_request)
{
    if (a->signer)
        return submission_sign(&a->submission, a->signer, now_s(), wait_ms, ret_request);
    *ret_request = json_incref(a->ready.jws);
    return OK;
}

static int print_unsigned(const struct asker *a)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    result r = submission_unsigned(&a->submission, now_s(), a->options->wait_ms, &text);
    return print_line(a->options->certificate, &text, r);
}

static int print_request(const struct asker *a)
{
    AUTO_JSON *request = NULL;
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    result r = sign(a, a->options->wait_ms, &request);
    if (is_ok(r))
        r = json_canonical(request, &text);
    return print_line("request", &text, r);
}

/* One question. Where the key is at hand it is signed now, since a request grows old; one that was signed elsewhere has its own
 * wait_ms, which can't be changed. */
static result ask_once(const struct asker *a, struct bus_client *client, int64_t wait_ms, struct reply **ret)
{
    AUTO_JSON *request = NULL;
    AUTO_BUF frame = BUF(BUS_FRAME_MAX), answer = BUF(BUS_FRAME_MAX);
    TRY(sign(a, wait_ms, &request));
    TRY(submission_frame(&a->submission, request, &frame));
    TRY(bus_ask(client, buf_span(&frame), (int)(a->signer ? wait_ms : a->ready.wait_ms) + ANSWER_MS, &answer));
    return reply_read(buf_span(&answer), ret);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The broker sends nothing unasked, so where it answered at once (`unproved` of a refusal that is stored, `pending` to a request
 * that says not to wait) there is no event to await: only time. */
static void rest_since(int64_t asked_ms)
{
    int64_t left = asked_ms + WAIT_AGAIN_MS - clock_mono_ms();
    if (left > 0)
        (void)poll(NULL, 0, (int)left);
}

/* Asks until the answer is final or the time is over; *ret is then the last one. The same id makes it the same request, however
 * often it is signed: asking never acts twice. From the second time on the broker is to wait a little, whatever was wanted. */
static result ask(const struct asker *a, struct bus_client *client, struct reply **ret)
{
    const struct submit_options *o = a->options;
    int64_t deadline = clock_mono_ms() + o->timeout_s * 1000, wait_ms = o->wait_ms;
    for (;;) {
        AUTO_REPLY *reply = NULL;
        int64_t asked = clock_mono_ms(), left = deadline - asked;
        TRY(ask_once(a, client, smaller(wait_ms, left > 0 ? left : 0), &reply));
        if (reply_is_final(reply) || clock_mono_ms() >= deadline) {
            *ret = reply;
            reply = NULL;
            return OK;
        }
        rest_since(asked);
        wait_ms = wait_ms < WAIT_AGAIN_MS ? WAIT_AGAIN_MS : wait_ms;
    }
}

static int prove(const struct asker *a, const struct reply *reply, FILE *to)
{
    char kid[DIGEST_TEXT + 1];
    const struct digest *agent = a->signer ? pubkey_thumbprint(signer_public(a->signer)) : &a->ready.agent;
    result r = reply_prove(reply, a->record_key, &a->submission, agent);
    if (!is_ok(r))
        return say("the answer's proof", r);
    fprintf(to, "%-12sthe checkpoint is signed by record key %s, and each record is in it\n", "proved",
        digest_text(pubkey_thumbprint(a->record_key), kid));
    return 0;
}

static int finish(const struct asker *a, const struct reply *reply)
{
    int code = reply_exit(reply);
    if (a->options->json)
        reply_print_json(reply, stdout);
    else
        reply_print(reply, &a->submission, stdout);
    if (a->record_key && reply_owes_proof(reply) && prove(a, reply, a->options->json ? stderr : stdout) != 0)
        return SUBMIT_LOCAL;
    return code;
}

static int submit(const struct submit_options *o)
{
    AUTO_ASKER a = { .options = o, .certificate = BUF(JWS_TEXT_MAX), .body = BUF(BUS_FRAME_MAX) };
    AUTO_REPLY *reply = NULL;
    struct bus_client *client = NULL;
    int failed = prepare(&a);
    if (failed)
        return failed;
    if (o->command == SUBMIT_UNSIGNED)
        return print_unsigned(&a);
    if (o->request_only)
        return print_request(&a);
    result r = bus_connect(o->socket, &client);
    if (!is_ok(r))
        return say_later(o->socket, r);
    r = ask(&a, client, &reply);
    bus_client_free(client);
    if (is_ok(r))
        return finish(&a, reply);
    if (code_of(r) == E_unavailable)
        fprintf(stderr, "seb-submit: what became of it isn't known: ask again with the same %s%s\n",
            a.signer ? "--id " : "--request, which has the id ", a.submission.id);
    return say_later(o->socket, r);
}

int main(int argc, char **argv)
{
    struct submit_options o;
    int exit_code;
    tpm_be_quiet();
    result r = process_harden();
    if (!is_ok(r))
        return say("process_harden", r);
    if (!submit_options_read(argc, argv, &o, &exit_code))
        return exit_code;
    return o.command == SUBMIT_KEY_NEW || o.command == SUBMIT_KEY_SHOW ? show_key(&o) : submit(&o);
}
