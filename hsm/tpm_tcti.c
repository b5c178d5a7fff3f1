/* A TCTI (TCG TSS 2.0 TCTI specification 1.0) over a descriptor that was connected by somebody else, so that the process needs
 * neither open(2) nor connect(2). After the first failure it refuses everything: a late response must never be taken for the answer
 * to another command. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hsm/tpm_internal.h"

#define TCTI_MAGIC UINT64_C(0x7365622d74637469)
#define HEADER_SIZE 10 /* TPM 2.0 Part 1, section 18: tag, size, code */
#define PATIENCE_MS 30000 /* the longest that a chip may take over one command of ours */

struct tcti {
    TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first */
    int fd;
    enum tpm_transport transport;
    bool waiting, broken;
    size_t have; /* of response */
    uint8_t response[TPM2_MAX_RESPONSE_SIZE];
};

static struct tcti *tcti_of(TSS2_TCTI_CONTEXT *context)
{
    struct tcti *c = (struct tcti *)context;
    return c && c->common.magic == TCTI_MAGIC ? c : NULL;
}

static TSS2_RC broken(struct tcti *c)
{
    c->broken = true;
    return TSS2_TCTI_RC_IO_ERROR;
}

/* 1 when it can be read from (or was hung up), 0 when not in time, -1 when it failed. */
static int await(int fd, short events, int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = events };
    int n;
    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n;
}

static TSS2_RC tcti_transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
    struct tcti *c = tcti_of(context);
    if (!c || !command)
        return TSS2_TCTI_RC_BAD_REFERENCE;
    if (c->broken)
        return TSS2_TCTI_RC_IO_ERROR;
    if (c->waiting)
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    while (size > 0) {
        if (await(c->fd, POLLOUT, PATIENCE_MS) != 1)
            return broken(c);
        /* A device takes a command in one write; a socket may take part of it, and must not raise SIGPIPE. */
        ssize_t n = c->transport == TPM_SOCKET ? send(c->fd, command, size, MSG_NOSIGNAL) : write(c->fd, command, size);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return broken(c);
        command += n;
        size -= (size_t)n;
    }
    c->waiting = true;
    c->have = 0;
    return TSS2_RC_SUCCESS;
}

static size_t announced(const struct tcti *c)
{
    struct reader r = reader_of((struct span){ c->response, c->have });
    uint16_t tag;
    uint32_t size;
    if (!is_ok(read_u16(&r, &tag)) || !is_ok(read_u32(&r, &size)))
        return 0;
    return size;
}

/* Reads until the response is whole. Each read asks for all there is room for: a device drops what one read leaves behind. */
static TSS2_RC complete(struct tcti *c, int timeout_ms)
{
    size_t size = 0;
    while (c->have < HEADER_SIZE || c->have < size) {
        int ready = await(c->fd, POLLIN, timeout_ms);
        if (ready == 0 && timeout_ms < PATIENCE_MS)
            return TSS2_TCTI_RC_TRY_AGAIN;
        if (ready != 1)
            return broken(c);
        ssize_t n = read(c->fd, c->response + c->have, sizeof c->response - c->have);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return broken(c);
        c->have += (size_t)n;
        size = announced(c);
        if (c->have >= HEADER_SIZE && (size < HEADER_SIZE || size > sizeof c->response || c->have > size))
            return broken(c);
    }
    return TSS2_RC_SUCCESS;
}

static TSS2_RC tcti_receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response, int32_t timeout)
{
    struct tcti *c = tcti_of(context);
    if (!c || !size)
        return TSS2_TCTI_RC_BAD_REFERENCE;
    if (c->broken)
        return TSS2_TCTI_RC_IO_ERROR;
    if (!c->waiting)
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    TSS2_RC rc = complete(c, timeout < 0 || timeout > PATIENCE_MS ? PATIENCE_MS : timeout);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (!response) {
        *size = c->have;
        return TSS2_RC_SUCCESS;
    }
    if (*size < c->have) {
        *size = c->have;
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    }
    if (!is_ok(span_copy((struct span){ c->response, c->have }, response, c->have)))
        return broken(c);
    *size = c->have;
    c->waiting = false;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC tcti_cancel(TSS2_TCTI_CONTEXT *context)
{
    (void)context;
    return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC tcti_set_locality(TSS2_TCTI_CONTEXT *context, uint8_t locality)
{
    (void)context;
    (void)locality;
    return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC tcti_poll_handles(TSS2_TCTI_CONTEXT *context, TSS2_TCTI_POLL_HANDLE *handles, size_t *n)
{
    struct tcti *c = tcti_of(context);
    if (!c || !n)
        return TSS2_TCTI_RC_BAD_REFERENCE;
    if (handles && *n < 1)
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    if (handles)
        *handles = (TSS2_TCTI_POLL_HANDLE){ .fd = c->fd, .events = POLLIN };
    *n = 1;
    return TSS2_RC_SUCCESS;
}

static void tcti_finalize(TSS2_TCTI_CONTEXT *context)
{
    (void)context; /* the descriptor is not ours, and the memory is freed by tpm_tcti_free */
}

result tpm_tcti_new(int fd, enum tpm_transport transport, TSS2_TCTI_CONTEXT **ret)
{
    struct tcti *c = calloc(1, sizeof *c);
    if (!c)
        return fail(E_no_memory);
    c->common = (TSS2_TCTI_CONTEXT_COMMON_V1){
        .magic = TCTI_MAGIC,
        .version = 1,
        .transmit = tcti_transmit,
        .receive = tcti_receive,
        .finalize = tcti_finalize,
        .cancel = tcti_cancel,
        .getPollHandles = tcti_poll_handles,
        .setLocality = tcti_set_locality,
    };
    c->fd = fd;
    c->transport = transport;
    *ret = (TSS2_TCTI_CONTEXT *)c;
    return OK;
}

void tpm_tcti_free(TSS2_TCTI_CONTEXT *tcti)
{
    free(tcti);
}
