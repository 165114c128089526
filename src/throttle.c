/* throttle: the limit (limit.h) at work on transfers.
 *
 * A transfer whose bytes may not be taken yet is held: curl keeps what it has read and reads no
 * more, and the connection's window tells the origin. When there is room again, those for which a
 * reader waits go on first. */
#include "engine.h"

/* A reader that waits may take this much of the next second ahead of everybody else. */
#define DEMAND_SHARE 4

/* How often those that are held are looked at, ms: smooth enough to the eye, and a piece (16 KiB)
 * at a time is no more often than this up to 3 MB/s. */
#define LOOK_MS 5

/* A connection that has less than this, bytes/s, is one too many under a limit. */
#define WORTH_RATE (512 << 10)

/* What the kernel may keep of a connection: Linux doubles it. */
#define BUFFER (128 << 10)

static bool demanded(const struct adl_transfer *transfer)
{
    const struct adl_call *call;
    if (transfer->probe)
        return true;
    TAILQ_FOREACH (call, &transfer->file->reads, link)
        if (call->offset < transfer->end && call->offset + call->length > transfer->at)
            return true;
    return false;
}

bool adl_throttle_holds(struct adl_transfer *transfer)
{
    struct adl_engine *engine = transfer->file->engine;
    struct adl_limit *limit = &engine->limit;
    if (transfer->doomed)
        return false;
    if (engine->brake) {
        transfer->held = true;
        return true;
    }
    if (!limit->rate)
        return false;
    int64_t ahead = demanded(transfer) ? limit->rate / DEMAND_SHARE : 0;
    transfer->held = !adl_limit_open(limit, adl_engine_clock(), ahead);
    return transfer->held;
}

void adl_throttle_take(struct adl_transfer *transfer, int64_t bytes)
{
    struct adl_engine *engine = transfer->file->engine;
    adl_limit_take(&engine->limit, engine->now, bytes);
}

/* The next of those that are held: one that is waited for, else the first. */
static struct adl_transfer *next_held(struct adl_engine *engine, bool waited_for)
{
    struct adl_file *file;
    struct adl_transfer *transfer;
    TAILQ_FOREACH (file, &engine->busy, busy)
        LIST_FOREACH (transfer, &file->transfers, link)
            if (transfer->held && !transfer->paused && !transfer->doomed && transfer->get &&
                (!waited_for || demanded(transfer)))
                return transfer;
    return NULL;
}

/* Lets it take what is left for it, and puts it behind its sisters. */
static void go_on(struct adl_engine *engine, struct adl_transfer *transfer)
{
    struct adl_file *file = transfer->file;
    struct adl_transfer *last = transfer, *next;
    while ((next = LIST_NEXT(last, link)))
        last = next;
    if (last != transfer) {
        LIST_REMOVE(transfer, link);
        LIST_INSERT_AFTER(last, transfer, link);
    }
    if (file->is_busy) {
        TAILQ_REMOVE(&engine->busy, file, busy);
        TAILQ_INSERT_TAIL(&engine->busy, file, busy);
    }
    transfer->held = false;
    if (!adl_http_pause(transfer->get, false))
        adl_transfer_doom(transfer);
}

void adl_throttle_round(struct adl_engine *engine)
{
    struct adl_transfer *transfer;
    int64_t ahead = engine->limit.rate / DEMAND_SHARE;
    if (engine->brake)
        return;
    while (adl_limit_open(&engine->limit, adl_engine_clock(), ahead) &&
           (transfer = next_held(engine, true)))
        go_on(engine, transfer);
    while (adl_limit_open(&engine->limit, adl_engine_clock(), 0) &&
           (transfer = next_held(engine, false)))
        go_on(engine, transfer);
    if (next_held(engine, false)) {
        int64_t wait = adl_limit_wait(&engine->limit, adl_engine_clock());
        adl_engine_wake_at(engine, adl_engine_clock() + (wait < LOOK_MS ? LOOK_MS : wait));
    }
}

void adl_throttle_set(struct adl_engine *engine, int64_t rate)
{
    adl_limit_set(&engine->limit, rate, adl_engine_clock());
    adl_http_set_buffer(engine->http, engine->limit.rate ? BUFFER : 0);
}

unsigned adl_throttle_width(const struct adl_engine *engine, unsigned width)
{
    int64_t rate = engine->limit.rate, enough = rate / WORTH_RATE + 2;
    return rate && enough < width ? (unsigned)enough : width;
}
