/* seb-submit: an agent's request, signed with the agent's key, sent, and what became of it. */
#include "config.h"

#include "base/clock.h"
#include "base/random.h"
#include "bus/bus.h"
#include "tools/submit_options.h"
#include "tools/submit_reply.h"

#include <stdio.h>
#include <stdlib.h>

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

static int say_key(const struct agent_key_args *args, result r)
{
    if (code_of(r) == E_bad_value && !args->module) {
        fprintf(stderr, "seb-submit: %s: a private key that others may touch: chmod 600 it\n", args->key);
        return SUBMIT_LOCAL;
    }
    return say(args->key, r);
}

static int print_jwk(const struct agent_key_args *args)
{
    AUTO_AGENT_KEY *key = NULL;
    AUTO_JSON *jwk = NULL;
    AUTO_BUF text = BUF(1024);
    result r = agent_key_open(args, &key);
    if (!is_ok(r))
        return say_key(args, r);
    r = pubkey_jwk(agent_key_public(key), &jwk);
    if (is_ok(r))
        r = json_canonical(jwk, &text);
    if (!is_ok(r))
        return say(args->key, r);
    printf("%.*s\n", (int)text.n, (const char *)text.p);
    return 0;
}

static int keygen(const struct submit_options *o)
{
    result r = agent_key_make(o->alg, o->key.key);
    return is_ok(r) ? print_jwk(&o->key) : say(o->key.key, r);
}

/* What is asked, and with what. */
struct asker {
    const struct submit_options *options;
    struct agent_key *key;
    struct pubkey *record_key; /* NULL: proofs aren't looked at */
    struct buf certificate, body;
    struct submission submission;
    char id[65];
};

static void asker_free(struct asker *a)
{
    submission_free(&a->submission);
    agent_key_free(a->key);
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

/* 0, or the exit code after a message. */
static int prepare(struct asker *a)
{
    const struct submit_options *o = a->options;
    result r = file_read(o->certificate, JWS_TEXT_MAX, &a->certificate);
    if (!is_ok(r))
        return say(o->certificate, r);
    if (o->body && !is_ok(r = file_read(o->body, BUS_FRAME_MAX, &a->body)))
        return say(o->body, r);
    r = submission_read(buf_span(&a->certificate), buf_span(&a->body), &o->overrides, &a->submission);
    if (!is_ok(r))
        return say(o->certificate, r);
    if (o->record_key && !is_ok(r = read_record_key(o->record_key, &a->record_key)))
        return say(o->record_key, r);
    r = agent_key_open(&o->key, &a->key);
    if (!is_ok(r))
        return say_key(&o->key, r);
    a->submission.id = o->id ? o->id : a->id;
    return o->id || is_ok(r = random_id(a->id)) ? 0 : say("random id", r);
}

static result sign(const struct asker *a, int64_t wait_ms, json_t **ret_request)
{
    return submission_sign(&a->submission, a->key, clock_utc_ms() / 1000, wait_ms, ret_request);
}

static int print_request(const struct asker *a)
{
    AUTO_JSON *request = NULL;
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    result r = sign(a, a->options->wait_ms, &request);
    if (is_ok(r))
        r = json_canonical(request, &text);
    if (!is_ok(r))
        return say("request", r);
    printf("%.*s\n", (int)text.n, (const char *)text.p);
    return 0;
}

/* One question, signed now: a request grows old. */
static result ask_once(const struct asker *a, struct bus_client *client, int64_t wait_ms, struct reply **ret)
{
    AUTO_JSON *request = NULL;
    AUTO_BUF frame = BUF(BUS_FRAME_MAX), answer = BUF(BUS_FRAME_MAX);
    TRY(sign(a, wait_ms, &request));
    TRY(submission_frame(&a->submission, request, &frame));
    TRY(bus_ask(client, buf_span(&frame), (int)wait_ms + ANSWER_MS, &answer));
    return reply_read(buf_span(&answer), ret);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Asks until the answer is final or the time is over; *ret is then the last one. The same id makes it the same request, however
 * often it is signed: asking never acts twice. From the second time on the broker is to wait a little, whatever was wanted. */
static result ask(const struct asker *a, struct bus_client *client, struct reply **ret)
{
    const struct submit_options *o = a->options;
    int64_t deadline = clock_mono_ms() + o->timeout_s * 1000, wait_ms = o->wait_ms;
    for (;;) {
        AUTO_REPLY *reply = NULL;
        int64_t left = deadline - clock_mono_ms();
        TRY(ask_once(a, client, smaller(wait_ms, left > 0 ? left : 0), &reply));
        if (reply_is_final(reply) || clock_mono_ms() >= deadline) {
            *ret = reply;
            reply = NULL;
            return OK;
        }
        wait_ms = wait_ms < WAIT_AGAIN_MS ? WAIT_AGAIN_MS : wait_ms;
    }
}

static int prove(const struct asker *a, const struct reply *reply, FILE *to)
{
    char kid[DIGEST_TEXT + 1];
    result r = reply_prove(reply, a->record_key, &a->submission, pubkey_thumbprint(agent_key_public(a->key)));
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
        fprintf(stderr, "seb-submit: what became of it isn't known: ask again with --id %s\n", a.submission.id);
    return say_later(o->socket, r);
}

int main(int argc, char **argv)
{
    struct submit_options o;
    int exit_code;
    if (!submit_options_read(argc, argv, &o, &exit_code))
        return exit_code;
    switch (o.command) {
    case SUBMIT_KEYGEN:
        return keygen(&o);
    case SUBMIT_JWK:
        return print_jwk(&o.key);
    default:
        return submit(&o);
    }
}
