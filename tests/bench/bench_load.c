/* bench_load SOCKET MODULE PIN-FILE DOMAIN POLICY-EPOCH EPOCH TARGET PREFIX ETAG AGENTS MUTATIONS [LABEL]: so many agents at once,
 * each with a connection and a key of its own, one mutation after another. All is signed before the clock starts. ETAG "-":
 * documents that aren't there yet; "field=VALUE": objects of a cluster, PREFIX load-AGENT-N, whose field is changed from that
 * value. $BENCH_PAUSE_MS: pause before each, without which a chip is measured that never catches up. Prints a row of latency,
 * throughput and CPU time of all, and one of each watched process's CPU time, per mutation. What isn't applied ends it. */
#include "config.h"

#include "bus/bus.h"
#include "tests/bench/agents.h"
#include "tests/bench/measure.h"
#include "tests/kube/contracts.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARM_UP 3 /* of each agent: connections, parsed keys */
#define ANSWER_MS 60000
#define FIELD "field="

struct load {
    const char *socket;
    unsigned agents, mutations; /* of each */
    unsigned pause_ms;
    pthread_barrier_t begun, warmed;
};
struct caller {
    struct load *load;
    struct buf *frame;
    int64_t *ns;
    pthread_t thread;
};

static void ask(struct bus_client *client, const struct buf *frame, struct buf *reply)
{
    must(bus_ask(client, buf_span(frame), ANSWER_MS, reply), "the broker");
    must(buf_u8(reply, 0), "reply");
    const char *json = (const char *)reply->p + 8; /* past the frame's magic and length */
    if (strstr(json, "\"status\":\"done\"") && strstr(json, "\\\"result\\\":\\\"applied\\\""))
        return;
    fprintf(stderr, "bench: not applied: %.600s\n", json);
    exit(1);
}

static void *caller_main(void *context)
{
    struct caller *k = context;
    struct bus_client *client;
    AUTO_BUF reply = BUF(BUS_FRAME_MAX + 1);
    must(bus_connect(k->load->socket, &client), "the broker's socket");
    for (unsigned i = 0; i < WARM_UP; i++)
        ask(client, &k->frame[i], &reply);
    pthread_barrier_wait(&k->load->warmed);
    pthread_barrier_wait(&k->load->begun);
    for (unsigned i = 0; i < k->load->mutations; i++) {
        poll(NULL, 0, (int)k->load->pause_ms);
        int64_t from = now_ns();
        ask(client, &k->frame[WARM_UP + i], &reply);
        k->ns[i] = now_ns() - from;
    }
    bus_client_free(client);
    return NULL;
}

struct world {
    struct authority *authority;
    const char *target, *prefix, *etag;
    const char *field; /* NULL: documents */
};

static void sign_document(const struct world *w, struct agent *agent, unsigned number, unsigned i, struct buf *frame)
{
    AUTO_BUF resource = BUF(1024);
    must(buf_printf(&resource, "%sagents-%d-%u-%u", w->prefix, (int)getpid(), number, i), "resource");
    must(buf_u8(&resource, 0), "resource");
    agent_frame(w->authority, agent,
        &(struct mutation_args){ .target = w->target, .resource = (const char *)resource.p, .etag = w->etag }, frame);
}

static void sign_object(const struct world *w, struct agent *agent, unsigned number, unsigned i, struct buf *frame)
{
    AUTO_BUF path = BUF(1024);
    char body[PATCH_MAX];
    must(buf_printf(&path, "%sload-%u-%u", w->prefix, number, i), "path");
    must(buf_u8(&path, 0), "path");
    AUTO_JSON *contract = patch_contract(w->target, (const char *)path.p, "changed", value_is(w->field));
    patch_text("changed", body);
    agent_frame_of(w->authority, agent, contract, span_text(body), frame);
}

static void sign_all(const struct world *w, struct caller *k, unsigned number)
{
    struct agent *agent = agent_new(ALG_ES256);
    for (unsigned i = 0; i < WARM_UP + k->load->mutations; i++) {
        k->frame[i] = BUF(BUS_FRAME_MAX);
        if (w->field)
            sign_object(w, agent, number, i, &k->frame[i]);
        else
            sign_document(w, agent, number, i, &k->frame[i]);
    }
    agent_free(agent);
}

static struct caller *callers_new(const struct world *w, struct load *l)
{
    struct caller *all = calloc(l->agents, sizeof *all);
    must_hold(all != NULL, "memory");
    for (unsigned i = 0; i < l->agents; i++) {
        all[i].load = l;
        all[i].frame = calloc(WARM_UP + l->mutations, sizeof *all[i].frame);
        all[i].ns = calloc(l->mutations, sizeof *all[i].ns);
        must_hold(all[i].frame && all[i].ns, "memory");
        sign_all(w, &all[i], i);
    }
    return all;
}

static void report(const char *label, const struct load *l, const struct caller *all, int64_t wall_ns, const struct watch *w)
{
    const size_t n = (size_t)l->agents * l->mutations;
    int64_t *ns = calloc(n, sizeof *ns);
    must_hold(ns != NULL, "memory");
    for (unsigned i = 0; i < l->agents; i++)
        for (unsigned j = 0; j < l->mutations; j++)
            ns[(size_t)i * l->mutations + j] = all[i].ns[j];
    row(label, spread_of(ns, n), (double)n * 1e9 / (double)wall_ns, (double)watch_sum(w) / 1000 / (double)n);
    printf("cpu %s agents %.1f", label, (double)w->own_ns / 1000 / (double)n);
    for (unsigned i = 0; i < w->n; i++) {
        int64_t sum = 0;
        bool first = true;
        for (unsigned j = 0; j < w->n; j++)
            if (strcmp(w->of[i].name, w->of[j].name) == 0) {
                first = first && j >= i;
                sum += w->of[j].ns;
            }
        if (first)
            printf(" %s %.1f", w->of[i].name, (double)sum / 1000 / (double)n);
    }
    int64_t others = w->busy_ns - watch_sum(w);
    printf(" | elsewhere %.1f idle %.1f\n", (double)(others > 0 ? others : 0) / 1000 / (double)n,
        (double)w->idle_ns / 1000 / (double)n);
    free(ns);
}

int main(int argc, char **argv)
{
    must_hold(argc == 13, "twelve arguments are wanted");
    const struct world world = {
        .authority = authority_open(&(struct authority_args){ .module = argv[2],
            .token = "authority",
            .pin_file = argv[3],
            .label = "sab-1",
            .domain = argv[4],
            .policy_epoch = atoll(argv[5]),
            .epoch = atoll(argv[6]) }),
        .target = argv[7],
        .prefix = argv[8],
        .etag = strcmp(argv[9], "-") == 0 ? NULL : argv[9],
        .field = strncmp(argv[9], FIELD, sizeof FIELD - 1) == 0 ? argv[9] + sizeof FIELD - 1 : NULL,
    };
    struct load l = { .socket = argv[1], .agents = (unsigned)atoi(argv[10]) };
    must_hold(l.agents >= 1 && l.agents <= 128, "1 to 128 agents");
    l.mutations = (unsigned)atoi(argv[11]) / l.agents;
    must_hold(l.mutations >= 1, "mutations");
    const char *pause_ms = getenv("BENCH_PAUSE_MS");
    l.pause_ms = pause_ms ? (unsigned)atoi(pause_ms) : 0;
    struct caller *all = callers_new(&world, &l);
    authority_close(world.authority);
    must_hold(pthread_barrier_init(&l.warmed, NULL, l.agents + 1) == 0 && pthread_barrier_init(&l.begun, NULL, l.agents + 1) == 0,
        "barrier");
    for (unsigned i = 0; i < l.agents; i++)
        must_hold(pthread_create(&all[i].thread, NULL, caller_main, &all[i]) == 0, "thread");
    struct watch w;
    pthread_barrier_wait(&l.warmed);
    watch_begin(&w);
    pthread_barrier_wait(&l.begun);
    int64_t from = now_ns();
    for (unsigned i = 0; i < l.agents; i++)
        pthread_join(all[i].thread, NULL);
    int64_t wall = now_ns() - from;
    watch_end(&w);
    report(argv[12], &l, all, wall, &w);
    return 0;
}
