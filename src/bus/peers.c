#include "config.h"

#include "bus/peers.h"

#include <pthread.h>
#include <stdlib.h>

struct pipe {
    uint32_t id, uid;
};
/* A uid stays known while it has a connection or a request under way, and until its bucket is full again: hanging up and
 * coming back gives nobody fresh tokens. */
struct peer {
    uint32_t uid;
    unsigned pipes, in_flight;
    uint64_t tokens; /* in thousandths of a frame */
    int64_t filled_ms;
};
struct peers {
    pthread_mutex_t lock;
    struct peers_args args;
    unsigned pipes, peers, peers_max, in_flight;
    uint64_t cut_off;
    struct pipe *pipe;
    struct peer *peer;
};

result peers_new(const struct peers_args *args, struct peers **ret)
{
    struct peers *p = calloc(1, sizeof *p);
    if (!p)
        return fail(E_no_memory);
    p->args = *args;
    p->peers_max = 2 * args->pipes;
    pthread_mutex_init(&p->lock, NULL);
    p->pipe = calloc(args->pipes, sizeof *p->pipe);
    p->peer = calloc(p->peers_max, sizeof *p->peer);
    if (!p->pipe || !p->peer) {
        peers_free(p);
        return fail(E_no_memory);
    }
    *ret = p;
    return OK;
}

void peers_free(struct peers *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p->pipe);
    free(p->peer);
    free(p);
}

static uint64_t full(const struct peers *p)
{
    return (uint64_t)p->args.rate_per_s_per_uid * 1000;
}

static void fill(const struct peers *p, struct peer *who, int64_t now_ms)
{
    int64_t passed = now_ms - who->filled_ms;
    uint64_t room = full(p) - who->tokens;
    uint64_t more = passed >= 1000 ? full(p) : passed > 0 ? (uint64_t)passed * p->args.rate_per_s_per_uid : 0;
    who->tokens += more < room ? more : room;
    who->filled_ms = now_ms;
}

static struct peer *find(struct peers *p, uint32_t uid)
{
    for (unsigned i = 0; i < p->peers; i++)
        if (p->peer[i].uid == uid)
            return &p->peer[i];
    return NULL;
}

static void forget_idle(struct peers *p, int64_t now_ms)
{
    for (unsigned i = p->peers; i-- > 0;) {
        struct peer *who = &p->peer[i];
        if (who->pipes || who->in_flight)
            continue;
        fill(p, who, now_ms);
        if (who->tokens == full(p))
            *who = p->peer[--p->peers];
    }
}

static struct peer *find_or_add(struct peers *p, uint32_t uid, int64_t now_ms)
{
    struct peer *who = find(p, uid);
    if (who)
        return who;
    if (p->peers == p->peers_max)
        forget_idle(p, now_ms);
    if (p->peers == p->peers_max)
        return NULL;
    who = &p->peer[p->peers++];
    *who = (struct peer){ .uid = uid, .tokens = full(p), .filled_ms = now_ms };
    return who;
}

static bool join(struct peers *p, uint32_t pipe, uint32_t uid, int64_t now_ms)
{
    if ((p->args.root_only && uid != 0) || p->pipes == p->args.pipes)
        return false;
    struct peer *who = find_or_add(p, uid, now_ms);
    /* Where all may connect, one uid leaves room for another. */
    if (!who || (!p->args.root_only && who->pipes >= p->args.pipes - p->args.pipes / 8))
        return false;
    who->pipes++;
    p->pipe[p->pipes++] = (struct pipe){ pipe, uid };
    return true;
}

bool peers_join(struct peers *p, uint32_t pipe, uint32_t uid, int64_t now_ms)
{
    pthread_mutex_lock(&p->lock);
    bool joined = join(p, pipe, uid, now_ms);
    p->cut_off += !joined;
    pthread_mutex_unlock(&p->lock);
    return joined;
}

static struct pipe *find_pipe(struct peers *p, uint32_t pipe)
{
    for (unsigned i = 0; i < p->pipes; i++)
        if (p->pipe[i].id == pipe)
            return &p->pipe[i];
    return NULL;
}

void peers_leave(struct peers *p, uint32_t pipe)
{
    pthread_mutex_lock(&p->lock);
    struct pipe *at = find_pipe(p, pipe);
    if (at) {
        find(p, at->uid)->pipes--;
        *at = p->pipe[--p->pipes];
    }
    pthread_mutex_unlock(&p->lock);
}

/* A frame beyond the in-flight bound costs a token too: asking in vain is asking. */
static bool within(struct peers *p, struct peer *who, int64_t now_ms)
{
    if (p->args.rate_per_s_per_uid) {
        fill(p, who, now_ms);
        if (who->tokens < 1000)
            return false;
        who->tokens -= 1000;
    }
    return p->in_flight < p->args.in_flight && who->in_flight < p->args.in_flight_per_uid;
}

static enum peers_verdict take(struct peers *p, uint32_t pipe, int64_t now_ms, uint32_t *ret_uid)
{
    const struct pipe *at = find_pipe(p, pipe);
    if (!at)
        return PEERS_GONE;
    struct peer *who = find(p, at->uid);
    if (!within(p, who, now_ms))
        return PEERS_BUSY;
    who->in_flight++;
    p->in_flight++;
    *ret_uid = who->uid;
    return PEERS_TAKEN;
}

enum peers_verdict peers_take(struct peers *p, uint32_t pipe, int64_t now_ms, uint32_t *ret_uid)
{
    pthread_mutex_lock(&p->lock);
    enum peers_verdict v = take(p, pipe, now_ms, ret_uid);
    pthread_mutex_unlock(&p->lock);
    return v;
}

void peers_done(struct peers *p, uint32_t uid)
{
    pthread_mutex_lock(&p->lock);
    struct peer *who = find(p, uid);
    if (who && who->in_flight) {
        who->in_flight--;
        p->in_flight--;
    }
    pthread_mutex_unlock(&p->lock);
}

uint64_t peers_cut_off(struct peers *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t n = p->cut_off;
    pthread_mutex_unlock(&p->lock);
    return n;
}
