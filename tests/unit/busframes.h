/* Frames as agents and operators send them, for tests. What fails here aborts the test. */
#ifndef SEB_TESTS_BUSFRAMES_H
#define SEB_TESTS_BUSFRAMES_H

#include "bus/bus.h"
#include "tests/unit/testkey.h"

/* Around this JSON text and body. */
void frame_of(const char *json, struct span body, struct buf *out);
/* A submit: payloads signed by n authorities' keys and by the agent's. */
struct submit_frame {
    struct testkey *const *authorities;
    unsigned n;
    const struct testkey *agent;
    const char *certificate, *request; /* payloads */
    struct span body;
};
void frame_submit(const struct submit_frame *f, struct buf *out);
/* {"op": op, "statement": JWS of payload by key}. */
void frame_statement(const char *op, struct testkey *key, const char *payload, struct buf *out);

#endif
