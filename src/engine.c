/* engine: birth and end, the queue that other threads post to, the rounds of the loop.
 *
 * A round: wait for the network, the queue or the clock; carry out what came; take what was posted;
 * then plan and start what is due (fetch.c), for every file that has something to do. Events of
 * transfers only note what happened; nothing is started or cancelled before the round's end. */
#include "engine.h"

#include "cleanup.h"
#include "minmax.h"
#include "thread.h"
#include "warm.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

int64_t adl_engine_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* xorshift64*: for jitter, nothing that matters. */
uint64_t adl_engine_random(struct adl_engine *engine)
{
    engine->random ^= engine->random >> 12;
    engine->random ^= engine->random << 25;
    engine->random ^= engine->random >> 27;
    return engine->random * UINT64_C(2685821657736338717);
}

uint64_t adl_engine_ticket(struct adl_engine *engine)
{
    return ++engine->tickets;
}

void adl_engine_post(struct adl_engine *engine, struct adl_call *call)
{
    pthread_mutex_lock(&engine->queue_lock);
    bool first = TAILQ_EMPTY(&engine->queue);
    TAILQ_INSERT_TAIL(&engine->queue, call, link);
    pthread_mutex_unlock(&engine->queue_lock);
    if (first)
        adl_http_wake(engine->http);
}

int adl_engine_run(struct adl_engine *engine, adl_run_fn *run, void *ctx)
{
    struct adl_call *call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    call->kind = ADL_CALL_RUN;
    call->done.run = run;
    call->ctx = ctx;
    adl_engine_post(engine, call);
    return 0;
}

void adl_engine_cancel(struct adl_engine *engine, uint64_t ticket)
{
    struct adl_call *call = calloc(1, sizeof(*call));
    if (!call)
        return; /* it goes on waiting: late, but not wrong */
    call->kind = ADL_CALL_CANCEL;
    call->ticket = ticket;
    adl_engine_post(engine, call);
}

void adl_engine_busy(struct adl_file *file)
{
    if (file->is_busy)
        return;
    if (file->is_resting) {
        TAILQ_REMOVE(&file->engine->resting, file, busy);
        file->engine->n_resting--;
        file->is_resting = false;
    }
    file->is_busy = true;
    TAILQ_INSERT_TAIL(&file->engine->busy, file, busy);
}

void adl_engine_wake_at(struct adl_engine *engine, int64_t when)
{
    if (when < engine->wake_at)
        engine->wake_at = when;
}

static bool cancel_in(struct adl_calls *calls, uint64_t ticket)
{
    struct adl_call *call;
    TAILQ_FOREACH (call, calls, link)
        if (call->ticket == ticket) {
            TAILQ_REMOVE(calls, call, link);
            adl_call_fail(call, -EINTR);
            return true;
        }
    return false;
}

/* Only busy files have calls that wait. One that is not found was answered, or has not arrived:
 * its ticket is kept for a while. */
static void cancel(struct adl_engine *engine, uint64_t ticket)
{
    struct adl_file *file;
    TAILQ_FOREACH (file, &engine->busy, busy)
        if (cancel_in(&file->asks, ticket) || cancel_in(&file->reads, ticket))
            return;
    size_t room = sizeof(engine->cancelled) / sizeof(engine->cancelled[0]);
    engine->cancelled[engine->n_cancelled++ % room] = ticket;
}

static bool was_cancelled(const struct adl_engine *engine, uint64_t ticket)
{
    size_t room = sizeof(engine->cancelled) / sizeof(engine->cancelled[0]);
    for (size_t i = 0; ticket && i < room; i++)
        if (engine->cancelled[i] == ticket)
            return true;
    return false;
}

void adl_engine_release(struct adl_handle *handle)
{
    if (handle->warm)
        adl_warm_lost(handle);
    LIST_REMOVE(handle, link);
    adl_engine_busy(handle->file);
    adl_edition_unref(handle->edition);
    pthread_mutex_destroy(&handle->lock);
    free(handle);
}

static void set_window(struct adl_call *call)
{
    struct adl_window *window = &call->handle->windows[call->ahead.stream];
    if (call->ahead.fresh)
        *window = (struct adl_window){0};
    if (call->ahead.end > call->ahead.first) {
        /* Two threads may post their windows in another order than they got them. */
        bool joins = !adl_window_empty(window) && call->ahead.first <= window->end &&
                     window->first <= call->ahead.end;
        if (!joins || call->ahead.first < window->first)
            window->first = call->ahead.first;
        if (!joins || call->ahead.end > window->end)
            window->end = call->ahead.end;
    }
    adl_engine_busy(call->handle->file);
}

/* A call about an entry goes to its file. */
static void take_for_file(struct adl_engine *engine, struct adl_call *call)
{
    if (call->entry >= engine->n_entries || !engine->entries[call->entry]) {
        adl_call_fail(call, -ESTALE);
        return;
    }
    struct adl_file *file = adl_file_at(engine, call->entry);
    if (!file)
        adl_call_fail(call, -ENOMEM);
    else if (file->gone && call->kind != ADL_CALL_REPORT)
        adl_call_fail(call, -ESTALE);
    else
        adl_file_call(file, call);
}

/* A caller's thread has compared a block with its checksum. */
static void take_verified(struct adl_engine *engine, const struct adl_call *call)
{
    adl_copy_verified(call->handle->edition->copy, (uint64_t)call->offset, call->right);
    adl_edition_complete(call->handle->edition);
    adl_flush_soon(engine);
    if (!call->right)
        adl_log(engine->log, ADL_WARNING,
                "block %lld of a cached file is damaged: fetching it again",
                (long long)call->offset);
}

static void take_read(struct adl_call *call)
{
    if (call->unreadable)
        adl_edition_unreadable(call->handle->edition, call->offset, call->offset + call->length,
                               -EIO);
    set_window(call);
    adl_edition_read(call);
}

/* Takes one call off the queue's hands. */
static void take(struct adl_engine *engine, struct adl_call *call)
{
    call->since = engine->now;
    if (was_cancelled(engine, call->ticket)) {
        adl_call_fail(call, -EINTR);
        return;
    }
    switch (call->kind) {
    case ADL_CALL_STAT:
    case ADL_CALL_OPEN:
    case ADL_CALL_REPORT:
    case ADL_CALL_VERIFY:
        take_for_file(engine, call);
        return;
    case ADL_CALL_READ:
        take_read(call);
        return;
    case ADL_CALL_AHEAD:
        set_window(call);
        break;
    case ADL_CALL_VERIFIED:
        take_verified(engine, call);
        break;
    case ADL_CALL_RELEASE:
        adl_engine_release(call->handle);
        break;
    case ADL_CALL_CANCEL:
        cancel(engine, call->ticket);
        break;
    case ADL_CALL_DIGEST:
    case ADL_CALL_TAKE:
        adl_whole_call(call);
        return;
    case ADL_CALL_RELOAD:
        adl_reload_adopt(engine, call->done.reload);
        break;
    case ADL_CALL_EVICT:
        adl_evict_call(engine, call);
        return;
    case ADL_CALL_LOOKED:
        adl_evict_looked(engine, &call->look);
        break;
    case ADL_CALL_DIGESTED:
        adl_edition_digested(call->edition, call->result);
        break;
    case ADL_CALL_RUN:
        call->done.run(engine, call->ctx);
        break;
    case ADL_CALL_COMPARED:
        adl_verify_end(call);
        return;
    }
    free(call);
}

static void take_all(struct adl_engine *engine)
{
    struct adl_calls calls = TAILQ_HEAD_INITIALIZER(calls);
    pthread_mutex_lock(&engine->queue_lock);
    TAILQ_CONCAT(&calls, &engine->queue, link);
    pthread_mutex_unlock(&engine->queue_lock);
    struct adl_call *call;
    while ((call = TAILQ_FIRST(&calls))) {
        TAILQ_REMOVE(&calls, call, link);
        take(engine, call);
    }
}

static int until_due(const struct adl_engine *engine)
{
    int64_t due = min64(engine->wake_at, engine->flush_at);
    int64_t left = due - adl_engine_clock();
    if (due == INT64_MAX)
        return -1;
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* The loop is over: nobody is left waiting. */
static void wind_up(struct adl_engine *engine)
{
    take_all(engine);
    struct adl_edition *edition;
    LIST_FOREACH (edition, &engine->editions, all)
        adl_whole_digested(edition, -ENOTCONN);
    for (uint32_t i = 0; i < engine->n_entries; i++) {
        struct adl_file *file = engine->files[i];
        struct adl_handle *handle;
        if (!file)
            continue;
        adl_file_fail(file, -ENOTCONN);
        struct adl_transfer *transfer;
        LIST_FOREACH (transfer, &file->transfers, link)
            adl_transfer_doom(transfer);
        adl_transfer_reap(engine);
        while ((handle = LIST_FIRST(&file->handles)))
            adl_engine_release(handle);
    }
}

static void *loop(void *ctx)
{
    struct adl_engine *engine = ctx;
    while (!engine->stop) {
        adl_http_turn(engine->http, until_due(engine));
        engine->now = adl_engine_clock();
        adl_disk_time(engine);
        take_all(engine);
        adl_transfer_reap(engine);
        adl_fetch_round(engine);
        adl_disk_round(engine);
        adl_evict_round(engine);
        adl_transfer_reap(engine);
        adl_throttle_round(engine);
    }
    wind_up(engine);
    return NULL;
}

static int open_store(struct adl_engine *engine)
{
    const struct adl_settings *settings = engine->settings;
    cleanup_free char *path = NULL;
    if (!settings->cache_dir) {
        int error = adl_store_default(&path);
        if (error < 0)
            return error;
    }
    int r = adl_store_open(settings->cache_dir ? settings->cache_dir : path, settings->block_size,
                           settings->allocate, engine->log, &engine->store);
    if (r == 0)
        engine->store->overflow = &engine->overflow;
    return r;
}

static void discard(struct adl_engine *engine)
{
    adl_worker_free(engine->worker);
    adl_worker_free(engine->keeper);
    take_all(engine); /* what the worker posted last */
    for (uint32_t i = 0; engine->files && i < engine->n_entries; i++)
        adl_file_free(engine->files[i]);
    free(engine->files);
    adl_warms_free(engine->warms);
    free(engine->entries);
    adl_http_free(engine->http);
    adl_origins_free(engine->origins);
    adl_store_free(engine->store);
    adl_overflow_free(&engine->overflow);
    pthread_mutex_destroy(&engine->queue_lock);
    pthread_mutex_destroy(&engine->known_lock);
    free(engine);
}

/* What it needs to be there before anything runs. */
static int make_parts(struct adl_engine *engine, const struct adl_manifest *manifest)
{
    engine->n_entries = (uint32_t)manifest->count;
    engine->files = calloc(manifest->count + 1, sizeof(*engine->files));
    engine->entries = calloc(manifest->count + 1, sizeof(*engine->entries));
    for (uint32_t i = 0; engine->entries && i < engine->n_entries; i++)
        engine->entries[i] = &manifest->entries[i];
    engine->origins = adl_origins_new(engine->settings->origin_connections);
    engine->worker = adl_worker_new(engine);
    engine->keeper = adl_worker_new(engine);
    engine->warms = adl_warms_new(engine);
    if (!engine->files || !engine->entries || !engine->origins || !engine->worker ||
        !engine->keeper || !engine->warms)
        return -ENOMEM;
    int error = open_store(engine);
    return error < 0 ? error : adl_http_new(engine->settings, engine->log, &engine->http);
}

int adl_engine_new(const struct adl_settings *settings, const struct adl_manifest *manifest,
                   const struct adl_log *log, struct adl_engine **out)
{
    struct adl_engine *engine = calloc(1, sizeof(*engine));
    if (!engine)
        return -ENOMEM;
    *engine = (struct adl_engine){.settings = settings,
                                  .log = log,
                                  .now = adl_engine_clock(),
                                  .flush_at = INT64_MAX,
                                  .wake_at = 0, /* the first round is now */
                                  .paused = settings->paused};
    engine->paused_at = engine->now;
    TAILQ_INIT(&engine->busy);
    TAILQ_INIT(&engine->resting);
    LIST_INIT(&engine->editions);
    TAILQ_INIT(&engine->doomed);
    TAILQ_INIT(&engine->queue);
    engine->evictor.quota =
        (struct adl_quota){.most = settings->cache_max, .reserve = settings->cache_reserve};
    adl_overflow_init(&engine->overflow, ADL_OVERFLOW_CELLS, log);
    pthread_mutex_init(&engine->queue_lock, NULL);
    pthread_mutex_init(&engine->known_lock, NULL);
    if (getrandom(&engine->random, sizeof(engine->random), 0) < 0 || !engine->random)
        engine->random = (uint64_t)engine->now | 1;

    int error = make_parts(engine, manifest);
    if (error == 0) {
        adl_throttle_set(engine, settings->limit_rate);
        error = adl_thread_start(&engine->thread, loop, engine);
    }
    if (error < 0) {
        discard(engine);
        return error;
    }
    engine->running = true;
    *out = engine;
    return 0;
}

void adl_engine_stop(struct adl_engine *engine)
{
    if (!engine->running)
        return;
    engine->running = false;
    engine->stop = true;
    adl_http_wake(engine->http);
    pthread_join(engine->thread, NULL);
    adl_worker_free(steal_pointer(engine->keeper));
    take_all(engine); /* what it had to do is answered */
}

void adl_engine_free(struct adl_engine *engine)
{
    if (!engine)
        return;
    adl_engine_stop(engine);
    discard(engine);
}
