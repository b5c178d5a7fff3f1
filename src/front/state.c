#include "config.h"

#include "front/state.h"

#include "link/messages.h"

#define REPORT_MS 1000

/* An id holds its slot's place in the low bits, so that giving it back is one look. */
#define PLACE_BITS 16
_Static_assert(SLOTS <= 1u << PLACE_BITS, "a slot's place fits its id");

result slots_take(struct slots *s, enum front_door door, const struct bus_ticket *ticket, uint64_t *ret_id)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        unsigned place = (s->next + i) % SLOTS;
        if (s->slot[place].id)
            continue;
        uint64_t id = ++s->last << PLACE_BITS | place;
        s->slot[place] = (struct slot){ .id = id, .door = door, .ticket = *ticket };
        s->next = (place + 1) % SLOTS;
        *ret_id = id;
        return OK;
    }
    return fail(E_busy);
}

result slots_give(struct slots *s, uint64_t id, struct slot *ret)
{
    unsigned place = (unsigned)(id & ((1u << PLACE_BITS) - 1));
    if (!id || place >= SLOTS || s->slot[place].id != id)
        return fail(E_not_found);
    *ret = s->slot[place];
    s->slot[place] = (struct slot){ 0 };
    return OK;
}

void noise_add(struct noise *n, enum seb_code code)
{
    if (n->count[code] < UINT32_MAX)
        n->count[code]++;
    n->any = true;
}

int noise_wait_ms(const struct noise *n, int64_t now_ms)
{
    if (!n->any)
        return -1;
    return n->due_ms > now_ms ? (int)(n->due_ms - now_ms) : 0;
}

result noise_report(struct noise *n, struct link *core, int64_t now_ms)
{
    if (noise_wait_ms(n, now_ms) != 0)
        return OK;
    for (unsigned code = 0; code < E_CODES; code++) {
        AUTO_BUF fields = BUF(16);
        if (!n->count[code])
            continue;
        TRY(noise_put(&fields, &(struct noise_message){ .code = (uint16_t)code, .count = n->count[code] }));
        TRY(link_send(core, MESSAGE_NOISE, 0, buf_span(&fields)));
        n->count[code] = 0;
    }
    n->any = false;
    n->due_ms = now_ms + REPORT_MS;
    return OK;
}
