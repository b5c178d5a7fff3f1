/* drifting SOCKET MODULE PIN-FILE DOMAIN POLICY-EPOCH EPOCH TARGET SERVER CA CERTIFICATE KEY NAMESPACE AGENTS DRIFTS SEED: so many
 * agents at once, each with a key and a config map of its own, which they change through the broker. Every second certificate meets
 * a drift: somebody with the given client certificate changes the same object past the broker, at a random moment between before
 * the request and after its answer. It goes on until so many drifts came before the mutation, and as many honest mutations were
 * made. etcd's order decides what was first: a mutation that was applied on top of a drift is printed, as is an honest one that
 * wasn't applied, and the exit code is 1. */
#include "config.h"

#include "bus/bus.h"
#include "tests/bench/agents.h"
#include "tests/bench/measure.h"
#include "tests/kube/cluster.h"
#include "tests/kube/contracts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#define ANSWER_MS 60000

enum end { END_REFUSED, END_REJECTED, END_LATER, ENDS }; /* at the read; by the API server; the drift came behind the mutation */

struct world {
    const char *socket, *target, *space;
    struct cluster_args cluster;
    struct authority *authority; /* its key serves one thread at a time */
    pthread_mutex_t signing;
    unsigned wanted;
    atomic_uint honest, wrong, end[ENDS];
};
struct worker {
    struct world *world;
    struct agent *agent;
    struct bus_client *client;
    struct cluster *own, *drifter; /* one for each thread */
    unsigned seed, number, round;
    int64_t usual_us; /* how long an honest mutation takes */
    char path[256];
    pthread_t thread;
};
struct drift {
    struct worker *worker;
    unsigned delay_us;
    int64_t version;
    char value[64];
};

static unsigned draw(struct worker *w, unsigned below)
{
    return (unsigned)rand_r(&w->seed) % below;
}

static void put(json_t *o, const char *name, json_t *v)
{
    must(json_put_new(o, name, v), name);
}

static const char *live_value(const json_t *live)
{
    const char *value = json_string_value(json_object_get(json_object_get(live, "data"), "v"));
    must_hold(value != NULL, "an object without the field");
    return value;
}

/* By the field alone, by the version alone, or by both and the uid. */
static json_t *preconditions_of(struct worker *w, const json_t *live)
{
    const json_t *metadata = json_object_get(live, "metadata");
    unsigned form = draw(w, 3);
    json_t *pre = form == 1 ? json_object() : value_is(live_value(live));
    if (form == 2)
        put(pre, "uid", json_incref(json_object_get(metadata, "uid")));
    if (form != 0)
        put(pre, "resource_version", json_incref(json_object_get(metadata, "resourceVersion")));
    return pre;
}

static void *drift_main(void *context)
{
    struct drift *d = context;
    char text[PATCH_MAX];
    AUTO_JSON *object = NULL;
    patch_text(d->value, text);
    usleep(d->delay_us);
    long status = cluster_ask(d->worker->drifter,
        &(struct cluster_call){ .method = "PATCH", .path = d->worker->path, .media_type = MERGE_PATCH, .body = span_text(text) },
        &object);
    must_hold(status == 200, "a drift");
    d->version = cluster_version(object);
    return NULL;
}

static json_t *ask(struct worker *w, const json_t *contract, struct span body)
{
    AUTO_BUF frame = BUF(BUS_FRAME_MAX), reply = BUF(BUS_FRAME_MAX + 1);
    pthread_mutex_lock(&w->world->signing);
    agent_frame_of(w->world->authority, w->agent, contract, body, &frame);
    pthread_mutex_unlock(&w->world->signing);
    must(bus_ask(w->client, buf_span(&frame), ANSWER_MS, &reply), "the broker");
    json_t *answer = json_loadb((const char *)reply.p + 8, reply.n - 8, JSON_DISABLE_EOF_CHECK, NULL);
    must_hold(answer != NULL, "a reply");
    return answer;
}

static bool says(const json_t *o, const char *name, const char *text)
{
    const char *value = json_string_value(json_object_get(o, name));
    return value && strcmp(value, text) == 0;
}

static json_t *outcome_of(const json_t *reply)
{
    const char *text = json_string_value(json_object_get(json_object_get(reply, "outcome"), "entry"));
    return text ? json_loads(text, 0, NULL) : NULL;
}

static void wrong(struct worker *w, const char *what, const json_t *reply)
{
    char *text = json_dumps(reply, JSON_COMPACT);
    printf("# agent %u, round %u: %s: %.900s\n", w->number, w->round, what, text);
    free(text);
    w->world->wrong++;
}

static void judge_honest(struct worker *w, const json_t *reply)
{
    AUTO_JSON *outcome = outcome_of(reply);
    if (says(outcome, "result", "applied"))
        w->world->honest++;
    else
        wrong(w, "an honest mutation wasn't applied", reply);
}

/* Whether the object holds what the drift left: nothing came behind it. */
static bool drift_stands(struct worker *w, const struct drift *d)
{
    AUTO_JSON *live = NULL;
    must_hold(cluster_ask(w->own, &(struct cluster_call){ .method = "GET", .path = w->path }, &live) == 200, "a look");
    return cluster_version(live) == d->version && says(json_object_get(live, "data"), "v", d->value);
}

static void judge_drifted(struct worker *w, const json_t *reply, const struct drift *d)
{
    AUTO_JSON *outcome = outcome_of(reply);
    const char *version = json_string_value(json_object_get(outcome, "resource_version"));
    if (says(reply, "status", "refused") && says(reply, "code", "state_drifted") && drift_stands(w, d))
        w->world->end[END_REFUSED]++;
    else if (says(outcome, "result", "rejected") && says(outcome, "code", "state_drifted") && drift_stands(w, d))
        w->world->end[END_REJECTED]++;
    else if (says(outcome, "result", "applied") && version && strtoll(version, NULL, 10) < d->version)
        w->world->end[END_LATER]++;
    else
        wrong(w, "a mutation met a drift and wasn't refused", reply);
}

static void play(struct worker *w)
{
    AUTO_JSON *live = NULL;
    char value[64], text[PATCH_MAX];
    struct drift d = { .worker = w };
    bool drifts = draw(w, 2);
    pthread_t thread;
    snprintf(value, sizeof value, "agent-%u-%u", w->number, ++w->round);
    snprintf(d.value, sizeof d.value, "drift-%u-%u", w->number, w->round);
    patch_text(value, text);
    must_hold(cluster_ask(w->own, &(struct cluster_call){ .method = "GET", .path = w->path }, &live) == 200, "a look");
    AUTO_JSON *contract = patch_contract(w->world->target, w->path, value, preconditions_of(w, live));
    d.delay_us = draw(w, (unsigned)(w->usual_us * 5 / 4));
    int64_t from = now_ns();
    if (drifts)
        must_hold(pthread_create(&thread, NULL, drift_main, &d) == 0, "a thread");
    AUTO_JSON *reply = ask(w, contract, span_text(text));
    if (!drifts) {
        w->usual_us += ((now_ns() - from) / 1000 - w->usual_us) / 8;
        judge_honest(w, reply);
        return;
    }
    pthread_join(thread, NULL);
    judge_drifted(w, reply, &d);
}

static bool goes_on(const struct world *w)
{
    return w->wrong == 0 && (w->honest < w->wanted || w->end[END_REFUSED] + w->end[END_REJECTED] < w->wanted);
}

static void object_make(struct worker *w)
{
    char path[192], text[PATCH_MAX];
    snprintf(path, sizeof path, "/api/v1/namespaces/%s/configmaps", w->world->space);
    snprintf(w->path, sizeof w->path, "%s/drifting-%u", path, w->number);
    snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"drifting-%u\"},\"data\":{\"v\":\"begin\"}}", w->number);
    long status = cluster_ask(w->own,
        &(struct cluster_call){ .method = "POST", .path = path, .media_type = "application/json", .body = span_text(text) }, NULL);
    must_hold(status == 201, "a config map of its own");
}

static void *work(void *context)
{
    struct worker *w = context;
    w->own = cluster_open(&w->world->cluster);
    w->drifter = cluster_open(&w->world->cluster);
    must(bus_connect(w->world->socket, &w->client), "the broker's socket");
    object_make(w);
    while (goes_on(w->world))
        play(w);
    bus_client_free(w->client);
    cluster_close(w->own);
    cluster_close(w->drifter);
    return NULL;
}

int main(int argc, char **argv)
{
    must_hold(argc == 16, "fifteen arguments are wanted");
    struct world world = { .socket = argv[1],
        .target = argv[7],
        .space = argv[12],
        .cluster = { .server = argv[8], .ca = argv[9], .certificate = argv[10], .key = argv[11] },
        .signing = PTHREAD_MUTEX_INITIALIZER,
        .wanted = (unsigned)atoi(argv[14]) };
    unsigned agents = (unsigned)atoi(argv[13]);
    struct worker *worker = calloc(agents, sizeof *worker);
    must_hold(worker && agents, "agents");
    must_hold(curl_global_init(CURL_GLOBAL_DEFAULT) == 0, "libcurl");
    world.authority = authority_open(&(struct authority_args){ .module = argv[2],
        .token = "authority",
        .pin_file = argv[3],
        .label = "sab-1",
        .domain = argv[4],
        .policy_epoch = atoll(argv[5]),
        .epoch = atoll(argv[6]) });
    for (unsigned i = 0; i < agents; i++) {
        worker[i] = (struct worker){ .world = &world,
            .agent = agent_new(i % 2 ? ALG_EDDSA : ALG_ES256),
            .number = i,
            .usual_us = 15000,
            .seed = (unsigned)atoi(argv[15]) * 1000 + i };
        must_hold(pthread_create(&worker[i].thread, NULL, work, &worker[i]) == 0, "a thread");
    }
    for (unsigned i = 0; i < agents; i++) {
        pthread_join(worker[i].thread, NULL);
        agent_free(worker[i].agent);
    }
    authority_close(world.authority);
    free(worker);
    printf("honest %u\nrefused %u\nrejected %u\nlater %u\nwrong %u\n", world.honest, world.end[END_REFUSED],
        world.end[END_REJECTED], world.end[END_LATER], world.wrong);
    return world.wrong ? 1 : 0;
}
