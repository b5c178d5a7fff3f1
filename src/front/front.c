/* The front: the bus in, bounded parts out to the core, the core's answers back. It parses what anybody may send, so it holds
 * nothing worth having: no key of the broker, no file, no way to a target. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "child/child.h"
#include "front/parse.h"
#include "front/state.h"
#include "link/messages.h"

#define TURN 64 /* requests of one door before the loop looks at the other descriptors again */
#define TOLD_MS 60000
/* A verifier asks once in seconds, and a handful of questions at an enrolment. */
#define VERIFIER_PIPES 32
#define VERIFIER_IN_FLIGHT 4 /* of one certificate */
#define VERIFIER_RATE_PER_S 64

struct front {
    struct child child;
    struct link *core;
    struct bus_server *door[DOORS]; /* the verifiers' is NULL where none is configured */
    struct slots slots;
    struct noise noise;
    struct bus_counts told[DOORS]; /* what the log has of them */
    int64_t told_ms;
    bool stop;
};

/* Connections that never finish their handshake hold descriptors for seconds before the bus knows whose they are, so there must be
 * many more than connections that count. */
static void spare_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            log_line(LOG_WARNING, "the limit of open descriptors can't be raised: %llu", (unsigned long long)limit.rlim_max);
    }
}

static result open_verifiers_door(struct front *f)
{
    const struct config *c = f->child.config;
    AUTO_BUF address = BUF(BUS_ADDRESS_MAX + 1);
    TRY(buf_printf(&address, "%s%s", BUS_TLS_SCHEME, c->verifier_listen));
    TRY(buf_u8(&address, 0));
    result r = bus_serve(
        &(struct bus_server_args){
            .tls = &(struct bus_tls){ .certificate = c->verifier_certificate, .key = c->verifier_key, .ca = c->verifier_ca },
            .address = (const char *)address.p,
            .pipes = VERIFIER_PIPES,
            .in_flight = SLOTS_VERIFIER,
            .in_flight_per_uid = VERIFIER_IN_FLIGHT,
            .rate_per_s_per_uid = VERIFIER_RATE_PER_S },
        &f->door[DOOR_VERIFIER]);
    if (!is_ok(r))
        log_line(LOG_ERROR, "bus.verifier: %s", code_words(code_of(r)));
    return r;
}

static result open_doors(struct front *f)
{
    const struct config *c = f->child.config;
    TRY(bus_serve(&(struct bus_server_args){ .path = c->agents_socket,
                      .group = c->agents_group,
                      .pipes = (unsigned)c->pipes,
                      .in_flight = SLOTS_AGENTS,
                      .in_flight_per_uid = (unsigned)c->in_flight_per_uid,
                      .rate_per_s_per_uid = (unsigned)c->rate_per_s_per_uid },
        &f->door[DOOR_AGENTS]));
    TRY(bus_serve(&(struct bus_server_args){ .path = c->admin_socket,
                      .root_only = true,
                      .pipes = SLOTS_ADMIN,
                      .in_flight = SLOTS_ADMIN,
                      .in_flight_per_uid = SLOTS_ADMIN },
        &f->door[DOOR_ADMIN]));
    return c->has_verifier_door ? open_verifiers_door(f) : OK;
}

static result answer_code(struct front *f, enum front_door door, const struct bus_ticket *t, const char *status, enum seb_code code)
{
    AUTO_BUF frame = BUF(BUS_FRAME_MAX);
    TRY(bus_frame_status(&frame, status, code));
    bus_answer(f->door[door], t, buf_span(&frame));
    return OK;
}

static const struct {
    enum message_type type;
    const char *name;
} doors[DOORS] = {
    [DOOR_AGENTS] = { MESSAGE_SUBMIT, "agents" },
    [DOOR_ADMIN] = { MESSAGE_ADMIN, "administration" },
    [DOOR_VERIFIER] = { MESSAGE_ATTEST, "verifiers" },
};

static result parse(enum front_door door, const struct bus_request *q, struct buf *ret_fields)
{
    switch (door) {
    case DOOR_ADMIN:
        return front_parse_admin(q->frame, ret_fields);
    case DOOR_VERIFIER:
        return front_parse_verifier(q->frame, ret_fields);
    default:
        return front_parse_submit(q->frame, q->ticket.uid, ret_fields);
    }
}

/* A well-formed request to the core; anything else is answered here, and only counted there. */
static result pass_on(struct front *f, enum front_door door, const struct bus_request *q)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    uint64_t id;
    result r = parse(door, q, &fields);
    if (code_of(r) == E_no_memory)
        return answer_code(f, door, &q->ticket, "unavailable", E_no_memory);
    if (!is_ok(r)) {
        noise_add(&f->noise, code_of(r));
        return answer_code(f, door, &q->ticket, "invalid", code_of(r));
    }
    if (!is_ok(slots_take(&f->slots, door, &q->ticket, &id)))
        return answer_code(f, door, &q->ticket, "busy", E_busy);
    return link_send(f->core, doors[door].type, id, buf_span(&fields));
}

static result serve_door(struct front *f, enum front_door door)
{
    for (unsigned i = 0; i < TURN; i++) {
        struct bus_request q;
        bool got = false;
        TRY(bus_receive(f->door[door], &q, &got));
        if (!got)
            break;
        TRY(pass_on(f, door, &q));
    }
    return OK;
}

static result hand_back(struct front *f, const struct message *m)
{
    AUTO_BUF frame = BUF(BUS_FRAME_MAX);
    struct span json;
    struct slot slot;
    TRY(text_read(m->fields, &json));
    if (!is_ok(slots_give(&f->slots, m->slot, &slot))) {
        log_line(LOG_WARNING, "the core answered a request that isn't waiting");
        return OK;
    }
    if (!is_ok(bus_frame_put(&frame, &(struct bus_frame){ .json = json })))
        return answer_code(f, slot.door, &slot.ticket, "unavailable", E_too_long);
    bus_answer(f->door[slot.door], &slot.ticket, buf_span(&frame));
    return OK;
}

static result serve_core(struct front *f)
{
    TRY(link_flush(f->core));
    for (;;) {
        struct message m;
        bool got = false;
        TRY(link_receive(f->core, &m, &got));
        if (!got)
            return OK;
        TRY(hand_back(f, &m));
    }
}

/* The supervisor says nothing to the front but that it is gone, which is how it stops it. */
static result serve_control(struct front *f)
{
    struct message m;
    bool got = false;
    result r = link_receive(f->child.control, &m, &got);
    f->stop = code_of(r) == E_peer_gone;
    if (f->stop)
        return OK;
    TRY(r);
    return got ? fail(E_illegal_message) : OK;
}

static void tell_door(struct front *f, enum front_door door)
{
    struct bus_counts *told = &f->told[door], c = bus_counts_of(f->door[door]);
    if (c.busy == told->busy && c.cut_off == told->cut_off)
        return;
    log_line(LOG_NOTE, "turned away since the last such line (%s): %llu requests beyond a bound, %llu connections",
        doors[door].name, (unsigned long long)(c.busy - told->busy), (unsigned long long)(c.cut_off - told->cut_off));
    *told = c;
}

static void tell_turned_away(struct front *f, int64_t now_ms)
{
    if (now_ms - f->told_ms < TOLD_MS)
        return;
    f->told_ms = now_ms;
    tell_door(f, DOOR_AGENTS);
    if (f->door[DOOR_VERIFIER])
        tell_door(f, DOOR_VERIFIER);
}

static result turn(struct front *f)
{
    enum { AGENTS, ADMIN, VERIFIER, CORE, CONTROL, N };
    struct pollfd p[N] = {
        [AGENTS] = { .fd = bus_fd(f->door[DOOR_AGENTS]), .events = POLLIN },
        [ADMIN] = { .fd = bus_fd(f->door[DOOR_ADMIN]), .events = POLLIN },
        [VERIFIER] = { .fd = f->door[DOOR_VERIFIER] ? bus_fd(f->door[DOOR_VERIFIER]) : -1, .events = POLLIN },
        [CORE] = { .fd = link_fd(f->core), .events = link_events(f->core) },
        [CONTROL] = { .fd = link_fd(f->child.control), .events = link_events(f->child.control) },
    };
    if (poll(p, N, noise_wait_ms(&f->noise, clock_mono_ms())) < 0)
        return errno == EINTR ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    if (p[CONTROL].revents)
        TRY(serve_control(f));
    if (f->stop)
        return OK;
    if (p[CORE].revents)
        TRY(serve_core(f));
    if (p[ADMIN].revents)
        TRY(serve_door(f, DOOR_ADMIN));
    if (p[VERIFIER].revents > 0)
        TRY(serve_door(f, DOOR_VERIFIER));
    if (p[AGENTS].revents)
        TRY(serve_door(f, DOOR_AGENTS));
    int64_t now_ms = clock_mono_ms();
    tell_turned_away(f, now_ms);
    return noise_report(&f->noise, f->core, now_ms);
}

static result begin(struct front *f)
{
    spare_descriptors();
    TRY(link_new(FD_FRONT_CORE, LINK_FRONT_CORE, END_FIRST, &f->core));
    TRY(open_doors(f));
    f->told_ms = clock_mono_ms();
    return child_ready(&f->child);
}

int main(void)
{
    static struct front f; /* slots and counts are too large for a stack frame */
    log_program("seb-front");
    f.child = child_begin(CHILD_FRONT);
    result r = begin(&f);
    if (!is_ok(r))
        child_abort("the bus can't be opened", r);
    while (is_ok(r) && !f.stop)
        r = turn(&f);
    if (!is_ok(r))
        child_abort("front", r);
    for (unsigned i = 0; i < DOORS; i++)
        bus_server_free(f.door[i]);
    link_free(f.core);
    child_end(&f.child);
    return 0;
}
