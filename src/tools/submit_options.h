#ifndef SEB_TOOLS_SUBMIT_OPTIONS_H
#define SEB_TOOLS_SUBMIT_OPTIONS_H

#include "tools/agent_key.h"
#include "tools/submit_request.h"

enum submit_command { SUBMIT_REQUEST, SUBMIT_KEYGEN, SUBMIT_JWK };
struct submit_options { /* texts view argv */
    enum submit_command command;
    const char *socket, *certificate, *body, *id, *record_key;
    struct agent_key_args key;
    struct mutation_overrides overrides;
    int64_t wait_ms, timeout_s;
    bool request_only, json;
    enum alg alg; /* of keygen */
};
/* false: there is nothing more to do than to end with *ret_exit (help, version, or usage after a message). */
bool submit_options_read(int argc, char **argv, struct submit_options *ret, int *ret_exit);

#endif
