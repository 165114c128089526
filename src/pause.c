/* pause: nothing is fetched of a file, or of all, until it is resumed.
 *
 * What is here is served as ever. What would have to wait for the origin waits, and the clock that
 * ends its patience (retry_for) stands still meanwhile; or it fails with EAGAIN, if the user said
 * so. */
#include "engine.h"

#include <errno.h>

bool adl_pause_holds(const struct adl_file *file)
{
    return file->paused || file->engine->paused;
}

bool adl_pause_refuses(const struct adl_file *file)
{
    return adl_pause_holds(file) && file->engine->settings->paused_reads == ADL_PAUSED_FAIL;
}

static int64_t held_since(const struct adl_file *file)
{
    int64_t since = INT64_MAX;
    if (file->paused)
        since = file->paused_at;
    if (file->engine->paused && file->engine->paused_at < since)
        since = file->engine->paused_at;
    return since;
}

/* Time that passed since the pause began does not count. */
static void shift(int64_t *when, int64_t since, int64_t now)
{
    *when = *when < since ? *when + (now - since) : now;
}

static void shift_calls(struct adl_calls *calls, int64_t since, int64_t now)
{
    struct adl_call *call;
    TAILQ_FOREACH (call, calls, link)
        shift(&call->since, since, now);
}

static void start_clocks(struct adl_file *file, int64_t since)
{
    int64_t now = file->engine->now;
    struct adl_origin *origin = adl_fetch_origin(file);
    shift_calls(&file->asks, since, now);
    shift_calls(&file->reads, since, now);
    shift(&file->progress_at, since, now);
    if (origin) /* it was not asked: that it did not answer says nothing */
        origin->alive_at = now;
}

static void refuse(struct adl_calls *calls)
{
    struct adl_call *call;
    while ((call = TAILQ_FIRST(calls))) {
        TAILQ_REMOVE(calls, call, link);
        adl_call_fail(call, -EAGAIN);
    }
}

static void stop(struct adl_file *file)
{
    struct adl_transfer *transfer;
    LIST_FOREACH (transfer, &file->transfers, link)
        adl_transfer_doom(transfer);
    if (adl_pause_refuses(file))
        refuse(&file->reads);
    adl_engine_busy(file);
}

static void pause_one(struct adl_file *file, bool paused)
{
    struct adl_engine *engine = file->engine;
    int64_t since = held_since(file);
    if (file->paused == paused)
        return;
    file->paused = paused;
    file->paused_at = engine->now;
    if (paused)
        stop(file);
    else if (!adl_pause_holds(file))
        start_clocks(file, since);
    adl_engine_busy(file);
}

/* Who pauses all of it and resumes all of it finds nothing paused. */
static void pause_all(struct adl_engine *engine, bool paused)
{
    struct adl_file *file;
    if (engine->paused != paused && paused)
        engine->paused_at = engine->now;
    if (paused) {
        engine->paused = true;
        TAILQ_FOREACH (file, &engine->busy, busy)
            stop(file);
        return;
    }
    TAILQ_FOREACH (file, &engine->busy, busy)
        if (adl_pause_holds(file))
            start_clocks(file, held_since(file));
    engine->paused = false;
    for (uint32_t i = 0; i < engine->n_entries; i++)
        if ((file = engine->files[i]) && file->paused) {
            file->paused = false;
            adl_engine_busy(file);
        }
}

void adl_pause_set(struct adl_engine *engine, struct adl_file *file, bool paused)
{
    if (file)
        pause_one(file, paused);
    else
        pause_all(engine, paused);
    adl_transfer_reap(engine);
    if (paused) {
        adl_flush_now(engine);
    }
}

/* What is known may be opened although nobody can be asked whether it is still the same. */
static void open_unasked(struct adl_file *file)
{
    if (!file->known || file->size < 0)
        return;
    if (file->unchecked_until <= file->engine->now)
        file->unchecked_until = file->engine->now + 1;
    adl_file_answer(file);
}

void adl_pause_serve(struct adl_file *file)
{
    struct adl_call *call, *next;
    if (TAILQ_EMPTY(&file->asks))
        return;
    open_unasked(file);
    for (call = TAILQ_FIRST(&file->asks); call; call = next) {
        next = TAILQ_NEXT(call, link);
        if (!call->foreseen && !adl_pause_refuses(file))
            continue;
        TAILQ_REMOVE(&file->asks, call, link);
        adl_call_fail(call, -EAGAIN);
    }
}
