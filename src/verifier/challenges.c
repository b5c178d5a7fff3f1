#include "config.h"

#include "verifier/subject.h"

result challenge_question(struct keys *k, const struct challenge *c, json_t **ret)
{
    AUTO_BUF payload = BUF(CHALLENGE_MAX), text = BUF(JWS_TEXT_MAX);
    AUTO_JSON *question = json_object(), *jws = NULL;
    TRY(challenge_write(c, &payload));
    TRY(keys_sign(k, TYP_CHALLENGE, buf_span(&payload), &text));
    TRY(json_strict(buf_span(&text), JWS_TEXT_MAX, &jws));
    TRY(json_put_text(question, "op", "challenge"));
    TRY(json_put_new(question, "challenge", json_incref(jws)));
    *ret = question;
    question = NULL;
    return OK;
}

result challenge_post(struct subject *s, const struct challenge *c)
{
    AUTO_JSON *question = NULL;
    TRY(challenge_question(s->server->keys, c, &question));
    return wire_post(s->line, question);
}
