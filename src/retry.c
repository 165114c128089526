/* retry: how it goes with a file: the rate at which it comes, what a failure means, and when
 * whoever waits is told that it will not come.
 *
 * When something fails, the file or its origin rests for a while, longer each time. */
#include "cleanup.h"
#include "engine.h"
#include "minmax.h"
#include "warm.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Backing off: 0.2 s, doubled for each failure in a row, up to 10 s, give or take a quarter. */
#define BACKOFF_MS     200
#define BACKOFF_MAX_MS 10000

/* An origin that could not be reached, or asked to be left alone, rests no longer than this. */
#define REST_MAX_MS 2000

/* Versions that follow each other faster than this, plus so many times the wait before the last,
 * are an origin's backends that do not agree: such a file is asked for ever more slowly. Else a
 * program that tries again at once would make a request of each try. */
#define UNSTEADY_MS 1000
#define UNSTEADY    4

/* A transfer that brought this much before it failed was worth it: no backing off. */
#define WORTH (64 << 10)

/* An origin that did not answer is not asked for attributes again for this long. */
#define REMEMBER_MS 10000

/* How long the check of a cached file may take before it is opened without. */
#define UNCHECKED_MS 3000

void adl_retry_progress(struct adl_file *file, int64_t bytes)
{
    adl_pace_came(&file->pace, file->engine->now, bytes);
    file->window_most = adl_pace_window(&file->pace, file->engine->settings->readahead);
    file->fetched += (uint64_t)bytes;
    file->engine->fetched += (uint64_t)bytes;
    adl_meter_add(&file->meter, file->engine->now, bytes);
    adl_meter_add(&file->engine->meter, file->engine->now, bytes);
    adl_warm_progress(file, bytes);
    file->progress_at = file->engine->now;
}

static int64_t backoff(struct adl_engine *engine, unsigned failures)
{
    int64_t wait = BACKOFF_MAX_MS;
    if (failures < 6)
        wait = BACKOFF_MS << failures;
    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    return wait * 3 / 4 + (int64_t)(adl_engine_random(engine) % (uint64_t)(wait / 2));
}

static void next_mirror(struct adl_file *file)
{
    file->mirror = (file->mirror + 1) % file->entry->n_urls;
    file->origin = NULL;
    free(steal_pointer(file->final_url));
}

/* Between what went wrong and when it is tried again. */
#define AGAIN "; again in "

bool adl_retry_elsewhere(struct adl_file *file)
{
    if (++file->bad_copies >= file->entry->n_urls) {
        file->bad_copies = 0;
        return false;
    }
    next_mirror(file);
    return true;
}

static void failed_for_good(struct adl_transfer *transfer, int error, const char *reason)
{
    struct adl_file *file = transfer->file;
    int status = transfer->status;
    if (transfer->mirror != file->mirror)
        return; /* one of several that failed there, and another is asked already */
    if (status)
        adl_file_error(file, error, "HTTP %d: %s", status, reason);
    else
        adl_file_error(file, error, "%s", reason);
    next_mirror(file);
    if (++file->failed_mirrors < file->entry->n_urls)
        return;
    file->failed_mirrors = 0;
    /* Only what the origin says of this very file takes away what is cached. */
    if (transfer->probe && !adl_file_lasting(error) && adl_file_unchecked(file))
        return;
    adl_file_fail(file, error);
}

void adl_retry_failed(struct adl_transfer *transfer, int error, bool transient, const char *reason)
{
    struct adl_file *file = transfer->file;
    struct adl_engine *engine = file->engine;
    if (transfer->direct) { /* where it led once need not be where it leads now */
        free(steal_pointer(file->final_url));
        return;
    }
    if (!transient) {
        failed_for_good(transfer, error, reason);
        return;
    }
    file->failed_at = engine->now;
    if (transfer->mirror != file->mirror)
        return; /* one of several that failed there, and another mirror is asked already */
    if (transfer->got >= WORTH) {
        file->failures = 0;
        return;
    }
    if (engine->now < file->not_before)
        return; /* one of a burst: said and counted already */
    int64_t wait = backoff(engine, file->failures++);
    if (transfer->retry_after >= 0 && transfer->retry_after * 1000 > wait)
        wait = transfer->retry_after * 1000;
    int status = transfer->status;
    if (status)
        adl_file_error(file, error, "HTTP %d: %s" AGAIN "%.1f s", status, reason,
                       (double)wait / 1000);
    else
        adl_file_error(file, error, "%s" AGAIN "%.1f s", reason, (double)wait / 1000);
    /* What is said of this file (Retry-After) is not held against its neighbours for longer than
     * the origin's own trouble lasts. */
    if (!status || status == 429 || status == 503)
        adl_origin_bad(transfer->origin, engine->now,
                       file->entry->n_urls > 1 || status == 503 ? 0 : min64(wait, REST_MAX_MS));
    if (file->failures % file->entry->n_urls == 0)
        file->not_before = engine->now + wait;
    next_mirror(file);
    if (transfer->probe && file->known)
        adl_file_unchecked(file);
}

void adl_retry_changed(struct adl_file *file)
{
    struct adl_engine *engine = file->engine;
    file->changes = engine->now < file->unsteady_until ? file->changes + 1 : 0;
    int64_t wait = file->changes ? min64(backoff(engine, file->changes - 1), REST_MAX_MS) : 0;
    file->unsteady_until = engine->now + UNSTEADY_MS + UNSTEADY * wait;
    if (file->not_before < engine->now + wait)
        file->not_before = engine->now + wait;
}

/* An open of what is cached need not wait for an origin that says nothing. */
static bool may_go_unchecked(struct adl_file *file, const struct adl_call *call)
{
    if (call->kind != ADL_CALL_OPEN || !file->known || !file->edition || file->size < 0 ||
        adl_copy_bytes(file->edition->copy) == 0)
        return false;
    int64_t until = call->since + UNCHECKED_MS;
    if (file->engine->now >= until)
        return true;
    adl_engine_wake_at(file->engine, until);
    return false;
}

/* What was said of the last failure, without when the next try is: there is none. */
static void no_next_try(struct adl_file *file)
{
    char *last = NULL;
    for (char *at = file->error_text; at && (at = strstr(at, AGAIN)); at++)
        last = at;
    if (last)
        *last = '\0';
}

void adl_retry_give_up(struct adl_file *file, struct adl_calls *calls)
{
    struct adl_engine *engine = file->engine;
    const struct adl_origin *origin = adl_fetch_origin(file);
    int64_t patience = engine->settings->retry_for * 1000;
    bool down = origin && origin->failures && engine->now - origin->alive_at >= patience;
    struct adl_call *call, *next;
    for (call = TAILQ_FIRST(calls); call; call = next) {
        next = TAILQ_NEXT(call, link);
        if (call->foreseen && file->failures) {
            TAILQ_REMOVE(calls, call, link);
            adl_call_fail(call, -EAGAIN);
            continue;
        }
        if (call->kind == ADL_CALL_STAT && file->known)
            continue; /* waits for a transfer's byte, at most until that ends */
        if (may_go_unchecked(file, call)) {
            adl_file_unchecked(file);
            return;
        }
        int64_t since = call->since > file->progress_at ? call->since : file->progress_at;
        if (engine->now - since >= patience || (down && file->failed_at > call->since)) {
            TAILQ_REMOVE(calls, call, link);
            if (!file->error) /* nothing has failed: it never got a connection, or no answer */
                adl_file_error(file, -ETIMEDOUT, "nothing came for %" PRId64 " s",
                               engine->settings->retry_for);
            no_next_try(file);
            adl_call_fail(call, adl_file_seen(file->error));
            if (calls == &file->asks)
                file->error_until = engine->now + REMEMBER_MS;
        } else {
            adl_engine_wake_at(engine, since + patience);
        }
    }
}
