/* honest_work SOCKET MODULE PIN-FILE DOMAIN POLICY-EPOCH EPOCH TARGET PREFIX AGENTS EACH SEED: so many agents at once, each with a
 * key of its own (every second one EdDSA) and documents of its own, of which it creates, changes and deletes one after another at
 * random: sizes from empty to the policy's largest, media types, preconditions. Every one must be applied: what isn't is printed,
 * and the exit code is 1. Ends with one line a document: its name, and the digest of its content or "absent". */
#include "config.h"

#include "base/random.h"
#include "bus/bus.h"
#include "tests/bench/agents.h"
#include "tests/bench/measure.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENTS 4
#define BODY_LARGEST 32768 /* the policy's */
#define ANSWER_MS 60000

struct world {
    const char *socket, *target, *prefix;
    struct authority *authority; /* its key serves one thread at a time */
    pthread_mutex_t signing;
    unsigned each;
};
struct document {
    char name[32];
    bool there;
    struct digest content;
};
struct worker {
    struct world *world;
    struct agent *agent;
    unsigned seed, number, refused;
    struct document document[DOCUMENTS];
    pthread_t thread;
};

static unsigned draw(struct worker *w, unsigned below)
{
    return (unsigned)rand_r(&w->seed) % below;
}

static struct span body_draw(struct worker *w, struct buf *room)
{
    static const unsigned largest[] = { 1, 64, 2000, BODY_LARGEST };
    size_t n = draw(w, largest[draw(w, 4)] + 1);
    uint8_t *p;
    buf_clear(room);
    must(buf_room(room, n + 1, &p), "body");
    must(random_bytes(p, n), "body");
    return (struct span){ p, n };
}

static bool applied(struct worker *w, struct bus_client *client, const struct buf *frame)
{
    AUTO_BUF reply = BUF(BUS_FRAME_MAX + 1);
    must(bus_ask(client, buf_span(frame), ANSWER_MS, &reply), "the broker");
    must(buf_u8(&reply, 0), "reply");
    const char *json = (const char *)reply.p + 8;
    if (strstr(json, "\"status\":\"done\"") && strstr(json, "\\\"result\\\":\\\"applied\\\""))
        return true;
    printf("# agent %u: %.700s\n", w->number, json);
    w->refused++;
    return false;
}

static void act(struct worker *w, struct bus_client *client, struct buf *room)
{
    static const char *const types[] = { "text/plain", "application/json", "application/octet-stream", "text/html; charset=utf-8" };
    struct document *d = &w->document[draw(w, DOCUMENTS)];
    AUTO_BUF resource = BUF(1024), frame = BUF(BUS_FRAME_MAX);
    bool remove = d->there && draw(w, 4) == 0;
    struct span body = remove ? span_text("") : body_draw(w, room);
    must(buf_printf(&resource, "%s%s", w->world->prefix, d->name), "resource");
    must(buf_u8(&resource, 0), "resource");
    struct mutation_args m = { .target = w->world->target,
        .resource = (const char *)resource.p,
        .operation = remove ? "DELETE" : "PUT",
        .media_type = types[draw(w, 4)],
        .risk = d->there ? "L0" : "L1",
        .sha256 = d->there ? &d->content : NULL,
        .body = body };
    pthread_mutex_lock(&w->world->signing);
    agent_frame(w->world->authority, w->agent, &m, &frame);
    pthread_mutex_unlock(&w->world->signing);
    if (!applied(w, client, &frame))
        return;
    d->there = !remove;
    d->content = sha256(body);
}

static void *work(void *context)
{
    struct worker *w = context;
    struct bus_client *client;
    AUTO_BUF room = BUF(BODY_LARGEST + 1);
    must(bus_connect(w->world->socket, &client), "the broker's socket");
    for (unsigned i = 0; i < w->world->each; i++)
        act(w, client, &room);
    bus_client_free(client);
    return NULL;
}

static void report(const struct document *d)
{
    AUTO_BUF hex = BUF(2 * DIGEST_SIZE + 1);
    must(hex_put(&hex, digest_span(&d->content)), "hex");
    must(buf_u8(&hex, 0), "hex");
    printf("document %s %s\n", d->name, d->there ? (const char *)hex.p : "absent");
}

int main(int argc, char **argv)
{
    must_hold(argc == 12, "eleven arguments are wanted");
    struct world world = { .socket = argv[1],
        .target = argv[7],
        .prefix = argv[8],
        .each = (unsigned)atoi(argv[10]),
        .signing = PTHREAD_MUTEX_INITIALIZER,
        .authority = authority_open(&(struct authority_args){ .module = argv[2],
            .token = "authority",
            .pin_file = argv[3],
            .label = "sab-1",
            .domain = argv[4],
            .policy_epoch = atoll(argv[5]),
            .epoch = atoll(argv[6]) }) };
    unsigned agents = (unsigned)atoi(argv[9]), refused = 0;
    struct worker *all = calloc(agents, sizeof *all);
    must_hold(all != NULL, "memory");
    for (unsigned i = 0; i < agents; i++) {
        all[i] = (struct worker){ .world = &world, .agent = agent_new(i % 2 ? ALG_EDDSA : ALG_ES256), .number = i };
        all[i].seed = (unsigned)atoi(argv[11]) * 1000 + i;
        for (unsigned d = 0; d < DOCUMENTS; d++)
            snprintf(all[i].document[d].name, sizeof all[i].document[d].name, "agent-%u-%u", i, d);
        must_hold(pthread_create(&all[i].thread, NULL, work, &all[i]) == 0, "thread");
    }
    for (unsigned i = 0; i < agents; i++) {
        pthread_join(all[i].thread, NULL);
        refused += all[i].refused;
        agent_free(all[i].agent);
        for (unsigned d = 0; d < DOCUMENTS; d++)
            report(&all[i].document[d]);
    }
    free(all);
    authority_close(world.authority);
    return refused ? 1 : 0;
}
