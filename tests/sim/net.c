#include "net.h"

#include "http.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <time.h>

/* A step is an eighth of a round trip, within these bounds, us. */
#define STEP_PARTS 8
#define STEP_MIN   50
#define STEP_MAX   10000

/* The virtual clock begins here, us: no time that the engine keeps is 0 by chance. */
#define BEGIN 1000000

/* What curl hands over at a time. */
#define PIECE (64 << 10)

enum stage { STAGE_ASKED, STAGE_BODY };

/* A connection: kept for the next GET when it was read to its end. */
struct connection {
    TAILQ_ENTRY(connection) link;
    struct sim_flow flow;
    int64_t brought;
};
TAILQ_HEAD(connections, connection);

struct adl_get {
    TAILQ_ENTRY(adl_get) link;
    const struct adl_get_events *events;
    void *ctx;
    struct sim_origin *origin;
    struct connection *connection; /* owned */
    struct adl_question question;
    const char *url; /* owned */
    enum stage stage;
    int64_t asked, due; /* us: when; and when the answer begins */
    int64_t left;       /* bytes of the body that are to come */
};
TAILQ_HEAD(gets, adl_get);

struct adl_http {
    struct gets gets;
    struct connections idle[SIM_ORIGINS_MAX];
    unsigned open;
};

/* The one net, and what is waited for in real time. */
static struct {
    struct sim_net *net;
    uint64_t random;
    sem_t woken, over;
} world;

/* --- the wrapped system calls */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
ssize_t __wrap_getrandom(void *out, size_t length, unsigned flags);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    int64_t now = world.net->now;
    *out = (struct timespec){.tv_sec = now / 1000000, .tv_nsec = now % 1000000 * 1000};
    return 0;
}

ssize_t __wrap_getrandom(void *out, size_t length, unsigned flags)
{
    (void)flags;
    unsigned char *bytes = out;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)(sim_random(&world.random) >> 32);
    return (ssize_t)length;
}

void sim_net_use(struct sim_net *net)
{
    world.net = net;
    world.random = 1;
    net->now = BEGIN;
    net->due = INT64_MAX;
    sem_init(&world.woken, 0, 0);
    sem_init(&world.over, 0, 0);
}

void sim_net_over(struct sim_net *net)
{
    net->over = true;
    sem_post(&world.over);
}

void sim_net_wait(struct sim_net *net)
{
    (void)net;
    while (sem_wait(&world.over) < 0)
        ;
}

/* --- GETs */

int adl_http_new(const struct adl_settings *settings, const struct adl_log *log,
                 struct adl_http **out)
{
    (void)settings, (void)log;
    struct adl_http *http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;
    TAILQ_INIT(&http->gets);
    for (unsigned i = 0; i < SIM_ORIGINS_MAX; i++)
        TAILQ_INIT(&http->idle[i]);
    *out = http;
    return 0;
}

static struct connections *idle_of(struct adl_http *http, const struct sim_origin *origin)
{
    return &http->idle[origin - world.net->origins];
}

static void close_connection(struct adl_http *http, struct connection *connection)
{
    http->open--;
    free(connection);
}

void adl_http_free(struct adl_http *http)
{
    struct connection *connection;
    if (!http)
        return;
    for (unsigned i = 0; i < SIM_ORIGINS_MAX; i++)
        while ((connection = TAILQ_FIRST(&http->idle[i]))) {
            TAILQ_REMOVE(&http->idle[i], connection, link);
            close_connection(http, connection);
        }
    free(http);
}

static bool is_dead(const struct sim_origin *origin)
{
    return world.net->now >= origin->dies && world.net->now < origin->lives;
}

/* One that is idle, or else a fresh one: then *setup is what its handshake takes. */
static struct connection *connect_to(struct adl_http *http, struct sim_origin *origin,
                                     int64_t *setup)
{
    struct connections *idle = idle_of(http, origin);
    struct connection *connection = TAILQ_LAST(idle, connections);
    *setup = 0;
    if (connection) {
        TAILQ_REMOVE(idle, connection, link);
        return connection;
    }
    connection = calloc(1, sizeof(*connection));
    if (!connection)
        return NULL;
    sim_flow_open(&connection->flow, &origin->link, world.net->now);
    *setup = origin->link.trip;
    if (++http->open > world.net->most && !world.net->over)
        world.net->most = http->open;
    return connection;
}

int adl_http_get(struct adl_http *http, const struct adl_request *request,
                 const struct adl_get_events *events, void *ctx, struct adl_get **out)
{
    struct adl_get *get = calloc(1, sizeof(*get));
    if (!get)
        return -ENOMEM;
    struct sim_net *net = world.net;
    unsigned origin = (unsigned)(request->url[strlen("http://")] - '0');
    int64_t setup;
    *get = (struct adl_get){.events = events,
                            .ctx = ctx,
                            .origin = &net->origins[origin < SIM_ORIGINS_MAX ? origin : 0],
                            .question = request->question,
                            .url = strdup(request->url),
                            .asked = net->now};
    get->connection = connect_to(http, get->origin, &setup);
    if (!get->connection || !get->url)
        abort(); /* a simulation without memory shows nothing */
    get->due = net->now + setup + get->origin->link.trip + get->origin->think;
    TAILQ_INSERT_TAIL(&http->gets, get, link);
    net->requests += !net->over;
    *out = get;
    return 0;
}

/* It is cut short: what was on the wire was sent in vain. */
static void waste(struct adl_get *get)
{
    get->connection->flow.wanted = get->left;
    if (get->stage == STAGE_BODY && !world.net->over)
        world.net->sent += sim_flow_under_way(&get->connection->flow, &get->origin->link);
}

/* Off the list; its connection is kept where all of an answer was read. */
static void end(struct adl_http *http, struct adl_get *get, bool keep)
{
    TAILQ_REMOVE(&http->gets, get, link);
    if (keep)
        TAILQ_INSERT_TAIL(idle_of(http, get->origin), get->connection, link);
    else
        close_connection(http, get->connection);
    free((char *)(uintptr_t)get->url);
    free(get);
}

void adl_http_cancel(struct adl_http *http, struct adl_get *get)
{
    waste(get);
    end(http, get, false);
}

void adl_http_set_options(struct adl_get *get, const struct adl_entry_options *options)
{
    (void)get, (void)options;
}

/* No rate is limited here, nor is any disk full: nothing is held, and nobody pauses. */
void adl_http_set_buffer(struct adl_http *http, int bytes)
{
    (void)http, (void)bytes;
}

bool adl_http_pause(struct adl_get *get, bool pause)
{
    (void)get, (void)pause;
    return false;
}

static void fail(struct adl_http *http, struct adl_get *get, int error, const char *reason)
{
    struct adl_result result = {.error = error, .transient = true, .reason = reason};
    const struct adl_get_events *events = get->events;
    void *ctx = get->ctx;
    end(http, get, false);
    events->done(ctx, &result);
}

static void succeed(struct adl_http *http, struct adl_get *get)
{
    struct adl_result result = {.reason = ""};
    const struct adl_get_events *events = get->events;
    void *ctx = get->ctx;
    end(http, get, true);
    events->done(ctx, &result);
}

static void give_up(struct adl_http *http, struct adl_get *get)
{
    struct adl_result result = {.error = -ECANCELED, .reason = ""};
    const struct adl_get_events *events = get->events;
    void *ctx = get->ctx;
    waste(get);
    end(http, get, false);
    events->done(ctx, &result);
}

static unsigned served(const struct adl_http *http, const struct sim_origin *origin)
{
    const struct adl_get *get;
    unsigned count = 0;
    TAILQ_FOREACH (get, &http->gets, link)
        count += get->origin == origin && get->stage == STAGE_BODY;
    return count;
}

static void answer(struct adl_http *http, struct adl_get *get)
{
    const struct sim_net *net = world.net;
    struct adl_answer said = {.status = 206,
                              .http_version = 11,
                              .has_content_range = true,
                              .first = get->question.first,
                              .last = get->question.last,
                              .total = net->size,
                              .date = ADL_TIME_UNKNOWN,
                              .retry_after = -1,
                              .validator = {.etag = "\"1\"", .last_modified = 1}};
    if (get->origin->limit && served(http, get->origin) >= get->origin->limit) {
        said = (struct adl_answer){.status = 429,
                                   .http_version = 11,
                                   .date = ADL_TIME_UNKNOWN,
                                   .retry_after = -1,
                                   .validator = {.last_modified = ADL_TIME_UNKNOWN}};
        world.net->refused += !world.net->over;
    } else if (said.last >= net->size) {
        said.last = net->size - 1;
    }
    get->left = said.status == 206 ? said.last + 1 - said.first : 0;
    said.content_length = get->left;
    get->stage = STAGE_BODY;
    sim_flow_begin(&get->connection->flow, &get->origin->link, net->now);
    if (!get->events->head(get->ctx, &said, get->url, (double)(net->now - get->asked) / 1e6))
        give_up(http, get);
    else if (get->left == 0)
        succeed(http, get);
}

/* --- the clock */

static void deliver(struct adl_http *http, struct adl_get *get, int64_t bytes)
{
    static const char body[PIECE];
    struct connection *connection = get->connection;
    get->left -= bytes;
    world.net->sent += world.net->over ? 0 : bytes;
    connection->brought += bytes;
    for (int64_t part; bytes > 0; bytes -= part) {
        part = bytes < PIECE ? bytes : PIECE;
        if (!get->events->body(get->ctx, body, (size_t)part)) {
            give_up(http, get);
            return;
        }
    }
    int64_t breaks = get->origin->breaks;
    if (get->left == 0)
        succeed(http, get);
    else if (breaks && connection->brought >= breaks)
        fail(http, get, -ECONNRESET, "reset");
}

#define FLOWS_MAX 256

/* What came in the last `step` us. */
static bool step_flows(struct adl_http *http, struct sim_origin *origin, int64_t step)
{
    struct sim_flow *flows[FLOWS_MAX];
    struct adl_get *get, *next;
    size_t count = 0;
    bool told = false;
    TAILQ_FOREACH (get, &http->gets, link)
        if (get->origin == origin && get->stage == STAGE_BODY && count < FLOWS_MAX) {
            get->connection->flow.wanted = get->left;
            flows[count++] = &get->connection->flow;
        }
    sim_flows_step(flows, count, &origin->link, world.net->now, step);
    for (get = TAILQ_FIRST(&http->gets); get; get = next) {
        next = TAILQ_NEXT(get, link);
        if (get->origin != origin || get->stage != STAGE_BODY || !get->connection->flow.came)
            continue;
        told = true;
        deliver(http, get, get->connection->flow.came);
    }
    return told;
}

/* A dead origin resets what it has, and refuses what comes. */
static bool step_dead(struct adl_http *http, struct sim_origin *origin)
{
    struct adl_get *get, *next;
    struct connection *connection;
    bool told = false;
    while ((connection = TAILQ_FIRST(idle_of(http, origin)))) {
        TAILQ_REMOVE(idle_of(http, origin), connection, link);
        close_connection(http, connection);
    }
    for (get = TAILQ_FIRST(&http->gets); get; get = next) {
        next = TAILQ_NEXT(get, link);
        if (get->origin != origin)
            continue;
        if (get->stage == STAGE_BODY || world.net->now >= get->asked + origin->link.trip) {
            fail(http, get, -ECONNREFUSED, "refused");
            told = true;
        }
    }
    return told;
}

static bool step_answers(struct adl_http *http)
{
    struct adl_get *get, *next;
    bool told = false;
    for (get = TAILQ_FIRST(&http->gets); get; get = next) {
        next = TAILQ_NEXT(get, link);
        if (get->stage != STAGE_ASKED || get->due > world.net->now)
            continue;
        told = true;
        answer(http, get);
    }
    return told;
}

/* When the next thing happens, at most `until`. */
static int64_t next_event(const struct adl_http *http, int64_t until)
{
    const struct sim_net *net = world.net;
    const struct adl_get *get;
    int64_t next = until < net->due ? until : net->due;
    TAILQ_FOREACH (get, &http->gets, link) {
        int64_t step = get->origin->link.trip / STEP_PARTS;
        step = step < STEP_MIN ? STEP_MIN : step > STEP_MAX ? STEP_MAX : step;
        int64_t at = net->now + step;
        if (get->stage == STAGE_ASKED && get->due < at && !is_dead(get->origin))
            at = get->due > net->now ? get->due : net->now;
        if (get->stage == STAGE_ASKED && get->due > at && !get->origin->lives)
            at = get->due;
        if (at < next)
            next = at;
    }
    return next;
}

/* Lets the flows bring what they bring until `at`, and tells what came of it. */
static bool step_to(struct adl_http *http, int64_t at)
{
    struct sim_net *net = world.net;
    int64_t step = at - net->now;
    bool told = false;
    net->now = at;
    for (unsigned i = 0; i < SIM_ORIGINS_MAX; i++)
        if (is_dead(&net->origins[i]))
            told |= step_dead(http, &net->origins[i]);
        else if (net->origins[i].link.rate)
            told |= step_flows(http, &net->origins[i], step);
    told |= step_answers(http);
    if (at < net->due)
        return told;
    net->due = INT64_MAX;
    net->wake(net->ctx);
    return true;
}

void adl_http_turn(struct adl_http *http, int timeout)
{
    struct sim_net *net = world.net;
    if (net->over || !net->requests) { /* until the engine is stopped; until it is asked */
        while (sem_wait(&world.woken) < 0)
            ;
        return;
    }
    int64_t until = timeout < 0 ? INT64_MAX : (net->now / 1000 + timeout) * 1000;
    while (sem_trywait(&world.woken) < 0) {
        int64_t at = next_event(http, until);
        if (at == INT64_MAX)
            abort(); /* nobody would ever wake it */
        if (step_to(http, at) || at >= until)
            return;
    }
}

void adl_http_wake(struct adl_http *http)
{
    (void)http;
    sem_post(&world.woken);
}
