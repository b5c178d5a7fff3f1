#ifndef SEB_SUBMIT_OPTIONS_H
#define SEB_SUBMIT_OPTIONS_H

#include "signer/signer.h"
#include "submit/request.h"

enum submit_command {
    SUBMIT_SIGNED_HERE, /* with the key of the options */
    SUBMIT_UNSIGNED, /* print what is to be signed elsewhere */
    SUBMIT_SIGNED_ELSEWHERE, /* send that */
    SUBMIT_KEY_NEW,
    SUBMIT_KEY_SHOW,
};
struct submit_options { /* texts view argv; NULL where missing */
    enum submit_command command;
    const char *socket, *certificate, *body, *id, *record_key, *request;
    struct signer_place key;
    struct mutation_overrides overrides;
    int64_t wait_ms, timeout_s;
    bool request_only, unsigned_, json, jwk, pem;
};
/* false: there is nothing more to do than to end with *ret_exit (help, version, or usage after a message). */
bool submit_options_read(int argc, char **argv, struct submit_options *ret, int *ret_exit);

#endif
