#include "config.h"

#include "link/link.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEADER_SIZE 13 /* u32 length of what follows, u8 type, u64 slot */

#define ANY (PHASE_STARTING | PHASE_SERVING)
#define RULE(type_, kind_, sender_, phases_)                                                                        \
    {                                                                                                               \
        .type = MESSAGE_##type_, .kind = LINK_##kind_, .sender = END_##sender_, .phases = (phases_), .name = #type_ \
    }
const struct link_rule link_rules[] = {
    RULE(SUBMIT, FRONT_CORE, FIRST, ANY),
    RULE(ADMIN, FRONT_CORE, FIRST, ANY),
    RULE(NOISE, FRONT_CORE, FIRST, ANY),
    RULE(ATTEST, FRONT_CORE, FIRST, ANY),
    RULE(REPLY, FRONT_CORE, SECOND, ANY),
    RULE(RESUME, CORE_KEEPER, FIRST, PHASE_STARTING),
    RULE(POLICY, CORE_KEEPER, FIRST, PHASE_SERVING),
    RULE(EPOCH, CORE_KEEPER, FIRST, PHASE_SERVING),
    RULE(APPEND, CORE_KEEPER, FIRST, PHASE_SERVING),
    RULE(SIGN, CORE_KEEPER, FIRST, PHASE_SERVING),
    RULE(MINT, CORE_KEEPER, FIRST, PHASE_SERVING),
    RULE(CHALLENGE, CORE_KEEPER, FIRST, PHASE_SERVING),
    RULE(RESULT, CORE_KEEPER, FIRST, PHASE_SERVING),
    RULE(APPROVAL, CORE_KEEPER, FIRST, PHASE_SERVING),
    RULE(ACKNOWLEDGE, CORE_KEEPER, FIRST, PHASE_SERVING),
    RULE(PLAN, CORE_KEEPER, FIRST, PHASE_SERVING),
    RULE(KEYS, CORE_KEEPER, SECOND, ANY),
    RULE(RESUMED, CORE_KEEPER, SECOND, PHASE_STARTING),
    RULE(LOADED, CORE_KEEPER, SECOND, PHASE_SERVING),
    RULE(CHECKPOINT, CORE_KEEPER, SECOND, PHASE_SERVING),
    RULE(QUOTE, CORE_KEEPER, SECOND, PHASE_SERVING),
    RULE(MINT_REFUSED, CORE_KEEPER, SECOND, PHASE_SERVING),
    RULE(HEALTH, CORE_KEEPER, SECOND, ANY),
    RULE(EVIDENCE, CORE_KEEPER, SECOND, PHASE_SERVING),
    RULE(STATE, CORE_KEEPER, SECOND, ANY),
    RULE(CALL, KEEPER_RUNNER, FIRST, ANY),
    RULE(ANSWER, RUNNER_CORE, FIRST, ANY),
    RULE(READY, CONTROL, SECOND, ANY),
    RULE(TPM_AGAIN, CONTROL, SECOND, ANY),
    RULE(TPM, CONTROL, FIRST, ANY),
    RULE(STOP, CONTROL, FIRST, ANY),
};
const unsigned link_rules_n = sizeof link_rules / sizeof link_rules[0];

struct packet {
    struct packet *next;
    struct buf bytes;
};

struct link {
    int fd;
    enum link_kind kind;
    enum link_end end;
    enum link_phase phase;
    struct packet *first, **last; /* queued for a slow peer */
    size_t queued;
    struct buf out;
    uint8_t in[LINK_PACKET_MAX + 1];
};

static bool legal(const struct link *l, enum message_type type, enum link_end sender)
{
    for (unsigned i = 0; i < link_rules_n; i++)
        if (link_rules[i].type == type)
            return link_rules[i].kind == l->kind && link_rules[i].sender == sender && (link_rules[i].phases & l->phase);
    return false;
}

static result errno_result(void)
{
    if (errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED)
        return fail_foreign(E_peer_gone, FOREIGN_ERRNO, (uint32_t)errno);
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

result link_new(int fd, enum link_kind kind, enum link_end end, struct link **ret)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return errno_result();
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return fail(E_no_memory);
    l->fd = fd;
    l->kind = kind;
    l->end = end;
    l->phase = kind == LINK_CORE_KEEPER ? PHASE_STARTING : PHASE_SERVING;
    l->last = &l->first;
    l->out = BUF(LINK_PACKET_MAX);
    *ret = l;
    return OK;
}

static void drop_first(struct link *l)
{
    struct packet *p = l->first;
    l->first = p->next;
    if (!l->first)
        l->last = &l->first;
    l->queued -= p->bytes.n;
    wipe(p->bytes.p, p->bytes.n); /* it may have carried a credential */
    buf_free(&p->bytes);
    free(p);
}

void link_free(struct link *l)
{
    if (!l)
        return;
    while (l->first)
        drop_first(l);
    if (l->out.p)
        wipe(l->out.p, l->out.cap);
    buf_free(&l->out);
    wipe(l->in, sizeof l->in);
    close(l->fd);
    free(l);
}

void link_phase_set(struct link *l, enum link_phase phase)
{
    l->phase = phase;
}

int link_fd(const struct link *l)
{
    return l->fd;
}

short link_events(const struct link *l)
{
    return (short)(POLLIN | (l->first ? POLLOUT : 0));
}

/* One packet out; *ret_sent false where the peer's queue is full. */
static result send_packet(struct link *l, struct span bytes, int fd, bool *ret_sent)
{
    struct iovec part = { .iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .room = { 0 } };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd >= 0) {
        m.msg_control = control.room;
        m.msg_controllen = sizeof control.room;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        *(int *)(void *)CMSG_DATA(c) = fd;
    }
    for (;;) {
        if (sendmsg(l->fd, &m, MSG_NOSIGNAL) >= 0) {
            *ret_sent = true;
            return OK;
        }
        if (errno == EINTR)
            continue;
        *ret_sent = false;
        return errno == EAGAIN || errno == ENOBUFS ? OK : errno_result();
    }
}

static result enqueue(struct link *l, struct span bytes)
{
    if (l->queued + bytes.n > LINK_QUEUE_MAX)
        return fail(E_invariant);
    struct packet *p = calloc(1, sizeof *p);
    if (!p)
        return fail(E_no_memory);
    p->bytes = BUF(LINK_PACKET_MAX);
    result r = buf_put(&p->bytes, bytes);
    if (!is_ok(r)) {
        free(p);
        return r;
    }
    *l->last = p;
    l->last = &p->next;
    l->queued += bytes.n;
    return OK;
}

static result frame(struct link *l, enum message_type type, uint64_t slot, struct span fields)
{
    if (!legal(l, type, l->end))
        return fail(E_illegal_message);
    buf_clear(&l->out);
    TRY(buf_u32(&l->out, (uint32_t)(HEADER_SIZE - 4 + fields.n)));
    TRY(buf_u8(&l->out, (uint8_t)type));
    TRY(buf_u64(&l->out, slot));
    return buf_put(&l->out, fields);
}

result link_send(struct link *l, enum message_type type, uint64_t slot, struct span fields)
{
    TRY(frame(l, type, slot, fields));
    bool sent = false;
    if (!l->first)
        TRY(send_packet(l, buf_span(&l->out), -1, &sent));
    result r = sent ? OK : enqueue(l, buf_span(&l->out));
    if (type == MESSAGE_CALL)
        wipe(l->out.p, l->out.n);
    return r;
}

result link_send_fd(struct link *l, enum message_type type, uint64_t slot, struct span fields, int fd)
{
    TRY(frame(l, type, slot, fields));
    bool sent = false;
    TRY(link_flush(l));
    if (!l->first)
        TRY(send_packet(l, buf_span(&l->out), fd, &sent));
    return sent ? OK : fail(E_busy);
}

result link_flush(struct link *l)
{
    while (l->first) {
        bool sent = false;
        TRY(send_packet(l, buf_span(&l->first->bytes), -1, &sent));
        if (!sent)
            return OK;
        drop_first(l);
    }
    return OK;
}

static result check(struct link *l, size_t n, struct message *ret)
{
    struct reader r = reader_of((struct span){ l->in, n });
    uint32_t length;
    uint8_t type;
    uint64_t slot;
    if (n > LINK_PACKET_MAX || !is_ok(read_u32(&r, &length)) || length != n - 4 || !is_ok(read_u8(&r, &type)) ||
        !is_ok(read_u64(&r, &slot)))
        return fail(E_illegal_message);
    if (!legal(l, (enum message_type)type, l->end == END_FIRST ? END_SECOND : END_FIRST))
        return fail(E_illegal_message);
    *ret = (struct message){ .type = (enum message_type)type, .slot = slot, .fields = { l->in + r.at, n - r.at } };
    return OK;
}

result link_receive_fd(struct link *l, struct message *ret, bool *ret_got, int *ret_fd)
{
    struct iovec part = { .iov_base = l->in, .iov_len = sizeof l->in };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room };
    ssize_t n;
    do
        n = recvmsg(l->fd, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) {
        *ret_got = false;
        return OK;
    }
    if (n < 0)
        return errno_result();
    if (n == 0)
        return fail(E_peer_gone);
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
            fd = *(int *)(void *)CMSG_DATA(c);
    result r = m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? fail(E_illegal_message) : check(l, (size_t)n, ret);
    if (is_ok(r) && fd >= 0 && !ret_fd)
        r = fail(E_illegal_message);
    if (!is_ok(r)) {
        if (fd >= 0)
            close(fd);
        return r;
    }
    if (ret_fd)
        *ret_fd = fd;
    *ret_got = true;
    return OK;
}

void link_forget(struct link *l)
{
    wipe(l->in, sizeof l->in);
}

result link_receive(struct link *l, struct message *ret, bool *ret_got)
{
    return link_receive_fd(l, ret, ret_got, NULL);
}
