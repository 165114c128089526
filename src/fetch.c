/* fetch: which transfer comes next.
 *
 * In each round every file that has something to do is looked at twice: first for readers that
 * wait, then, with the connections that are left, for what is wanted ahead. What may run at a time
 * is limited for each origin and in all. */
#include "behind.h"
#include "cleanup.h"
#include "view.h"
#include "warm.h"

#include <errno.h>
#include <string.h>

/* While a reader waits, flights are looked at this often for one that lags behind, ms. */
#define LAG_MS 100

/* After a reader had to wait for a connection, what is fetched ahead leaves so many free for so
 * long. */
#define ROOM    2
#define ROOM_MS 1000

/* --- may it run? */

/* Of the mirror to ask next; NULL only without memory. */
struct adl_origin *adl_fetch_origin(struct adl_file *file)
{
    if (!file->origin)
        file->origin = adl_origins_of(file->engine->origins, adl_file_url(file), file->engine->now);
    return file->origin;
}

/* Whether it has as many transfers as its entry may have. */
static bool has_all(const struct adl_file *file)
{
    const struct adl_entry_options *options = file->entry->options;
    return options && options->max_connections && file->n_transfers >= options->max_connections;
}

static bool may_start(struct adl_file *file, unsigned share)
{
    struct adl_engine *engine = file->engine;
    const struct adl_origin *origin = adl_fetch_origin(file);
    if (!origin || engine->active >= engine->settings->connections)
        return false;
    int64_t not_before =
        origin->not_before > file->not_before ? origin->not_before : file->not_before;
    if (engine->now < not_before) {
        adl_engine_wake_at(engine, not_before);
        return false;
    }
    if (has_all(file))
        return false;
    return origin->active < origin->limit * share;
}

static bool may_start_idle(struct adl_file *file)
{
    const struct adl_origin *origin = adl_fetch_origin(file);
    if (!may_start(file, 1))
        return false;
    return file->engine->now >= origin->demand_until || origin->active + ROOM < origin->limit ||
           origin->active == 0;
}

/* NULL when it could not be started: then all that waited have been told. */
static struct adl_transfer *start(struct adl_file *file, const struct adl_question *question,
                                  const struct adl_range *range)
{
    struct adl_transfer *transfer;
    int error = adl_transfer_start(file, question, range, &transfer);
    if (error == 0)
        return transfer;
    adl_file_error(file, error, "%s", strerror(-error));
    adl_file_fail(file, error);
    return NULL;
}

/* --- the probe */

/* A size probe is over in one round trip and brings one byte: so many times as many of them may run
 * beside each other as transfers. 1,000 names at 20 ms take 0.44 s so, and 1.3 s with 16 at a time.
 */
#define PROBE_SHARE 2

static bool asks_open(const struct adl_file *file)
{
    const struct adl_call *call;
    TAILQ_FOREACH (call, &file->asks, link)
        if (call->kind == ADL_CALL_OPEN)
            return true;
    return false;
}

/* Who asks for attributes that are known waits for a byte that is on its way. */
static bool asks_origin(const struct adl_file *file)
{
    return file->known ? asks_open(file) : !TAILQ_EMPTY(&file->asks);
}

/* For a stat one byte; for an open the first block, which the first read wants; and where that is
 * cached already, only whether it is still the same. */
static void probe(struct adl_file *file)
{
    if (file->probing || !may_start(file, PROBE_SHARE))
        return;
    struct adl_question question = {.ranged = !file->plain};
    bool opens = asks_open(file);
    if (opens && file->known && !file->edition)
        adl_edition_open(file);
    const struct adl_copy *copy = file->edition ? file->edition->copy : NULL;
    bool cached = copy && file->size >= 0 && adl_copy_bytes(copy) > 0;
    question.conditional = file->known && (cached || file->mode == ADL_MODE_SINGLE) &&
                           adl_validator_given(&file->validators[file->mirror]);
    int64_t block = file->engine->store->block_size;
    int64_t length = opens && !cached ? adl_early_length(file) : 1;
    question.last = length - 1;

    struct adl_transfer *transfer = start(file, &question, NULL);
    if (!transfer)
        return;
    transfer->probe = true;
    file->probing = transfer;
    if (length > 1 && length < block && may_start(file, 1))
        adl_early_start(file);
}

/* --- ranges */

static bool start_range(struct adl_file *file, struct adl_view *view, const struct adl_range *range)
{
    if (range->cut >= 0) {
        struct adl_transfer *cut = view->transfers[range->cut];
        cut->end = range->first;
        if (cut->end <= cut->at)
            adl_transfer_doom(cut);
        struct adl_call *call; /* who counted on the rest of it must look again */
        TAILQ_FOREACH (call, &file->reads, link)
            call->planned = false;
    }
    struct adl_question question = {.ranged = true, .first = range->first, .last = range->end - 1};
    if (!start(file, &question, range))
        return false;
    adl_view_of(file, view);
    return true;
}

/* From `call` on. */
static struct adl_call *next_unplanned(struct adl_call *call)
{
    while (call && call->planned)
        call = TAILQ_NEXT(call, link);
    return call;
}

/* A reader waits and all connections to the origin, or all that the entry may have, are busy: what
 * is fetched ahead there makes way, the farthest first, and leaves some of them free for a while.
 */
static void make_room(struct adl_file *file, int64_t wanted)
{
    struct adl_engine *engine = file->engine;
    struct adl_origin *origin = adl_fetch_origin(file);
    struct adl_transfer *transfer, *farthest = NULL;
    struct adl_file *other;
    bool own = has_all(file);
    if (!origin || (!own && origin->active < origin->limit) || engine->now < origin->demand_until)
        return;
    LIST_FOREACH (transfer, &file->transfers, link)
        if (wanted >= transfer->at && wanted - transfer->end <= 2 * ADL_VIEW_NEAR)
            return; /* the next in order after what is coming: its turn comes */
    TAILQ_FOREACH (other, &engine->busy, busy)
        LIST_FOREACH (transfer, &other->transfers, link)
            if ((own ? other == file : transfer->origin == origin) &&
                transfer->reason >= ADL_AHEAD && transfer->edition && !transfer->doomed &&
                (!farthest || transfer->end - transfer->at > farthest->end - farthest->at))
                farthest = transfer;
    origin->demand_until = engine->now + ROOM_MS;
    if (!farthest)
        return;
    adl_transfer_doom(farthest);
    adl_engine_wake_at(engine, engine->now);
}

/* What is asked for just behind a read that waits is the kernel's readahead. `behind` is made when
 * it is needed first; without memory for all of it a read gets a connection that could have waited.
 */
static bool is_behind(const struct adl_file *file, const struct adl_call *call,
                      struct adl_behind *behind)
{
    const struct adl_call *before;
    if (!behind->count)
        TAILQ_FOREACH (before, &file->reads, link)
            if (adl_behind_add(behind, before->offset, before->offset + before->length) < 0)
                break;
    return adl_behind_is(behind, call->offset);
}

static void start_demand(struct adl_file *file)
{
    struct adl_view view = {.warm = false};
    struct adl_range range;
    cleanup_behind struct adl_behind behind = {0};
    struct adl_call *call = next_unplanned(TAILQ_FIRST(&file->reads));
    if (!call)
        return;
    adl_view_of(file, &view);
    while (call) {
        struct adl_call *next = TAILQ_NEXT(call, link);
        while (adl_plan_demand(&view.plan, call->offset, call->offset + call->length, &range)) {
            bool waits = is_behind(file, call, &behind);
            /* In its turn, since it would share the link with what the reader waits for. */
            if (waits && view.plan.n_flights >= view.width)
                break;
            if (waits)
                range.reason = ADL_AHEAD;
            if (view.plan.n_flights == ADL_VIEW_FLIGHTS || !may_start(file, 1)) {
                make_room(file, call->offset);
                return;
            }
            if (!start_range(file, &view, &range))
                return; /* all that waited were answered */
            if (range.cut >= 0)
                next = TAILQ_FIRST(&file->reads);
        }
        call->planned = true;
        call = next_unplanned(next);
    }
}

/* Windows whose content is here need not be looked at again. */
static void trim_windows(struct adl_file *file)
{
    struct adl_handle *handle;
    LIST_FOREACH (handle, &file->handles, link)
        for (unsigned i = 0; i < ADL_STREAMS && handle->edition == file->edition; i++) {
            struct adl_window *window = &handle->windows[i];
            int64_t from, to;
            if (adl_window_empty(window))
                continue;
            bool missing =
                adl_copy_missing(file->edition->copy, window->first, window->end, &from, &to);
            window->first = missing ? from : window->end;
        }
}

/* What a new transfer would bring is what the best of its sisters brings. */
static bool help_laggard(struct adl_file *file, const struct adl_view *view,
                         struct adl_range *range)
{
    const struct adl_origin *origin = adl_fetch_origin(file);
    const struct adl_call *call = TAILQ_FIRST(&file->reads);
    int64_t rate = 0, from, to;
    if (!call || !origin || file->engine->limit.rate ||
        !adl_copy_missing(view->plan.copy, call->offset, call->offset + call->length, &from, &to))
        return false;
    for (size_t i = 0; i < view->plan.n_flights; i++)
        if (view->flights[i].rate > rate)
            rate = view->flights[i].rate;
    adl_engine_wake_at(file->engine, file->engine->now + LAG_MS);
    return adl_plan_help(&view->plan, from, rate, origin->delay, range);
}

/* What is farthest from the reader goes, so that the rest has the link for itself. */
static void narrow(struct adl_file *file, unsigned width)
{
    struct adl_transfer *transfer, *farthest;
    unsigned running = 0;
    LIST_FOREACH (transfer, &file->transfers, link)
        running += transfer->edition && !transfer->doomed;
    for (; running > width; running--) {
        farthest = NULL;
        LIST_FOREACH (transfer, &file->transfers, link)
            if (transfer->edition && !transfer->doomed && transfer->reason >= ADL_AHEAD &&
                (!farthest || transfer->at > farthest->at))
                farthest = transfer;
        if (!farthest)
            return;
        adl_transfer_doom(farthest);
    }
}

static void fill(struct adl_file *file, bool warm)
{
    struct adl_view view = {.warm = warm};
    struct adl_range range;
    adl_view_of(file, &view);
    int64_t most = adl_disk_ahead(file->edition, adl_pace_in_flight(&file->pace, &view.link));
    while (view.plan.n_flights < view.width && view.plan.n_flights < ADL_VIEW_FLIGHTS &&
           view.asked < most && may_start_idle(file) && (!warm || adl_warm_may_start(file)) &&
           (adl_plan_idle(&view.plan, &range) || help_laggard(file, &view, &range))) {
        if (warm)
            range.reason = ADL_WARM;
        if (!start_range(file, &view, &range))
            return;
    }
}

static void start_idle(struct adl_file *file, bool warm)
{
    trim_windows(file);
    if (may_start_idle(file))
        fill(file, warm);
    if (warm != adl_warm_wants(file))
        return; /* the other look of this round has it */
    struct adl_link link = adl_view_link(file);
    if (adl_pace_turn(&file->pace, &link, file->n_transfers))
        narrow(file, adl_pace_width(&file->pace, &link));
}

/* One stream from the start, while somebody has the file open and there is something missing. */
static void start_stream(struct adl_file *file)
{
    struct adl_transfer *transfer;
    const struct adl_copy *copy = file->edition->copy;
    LIST_FOREACH (transfer, &file->transfers, link)
        if (transfer->edition || (transfer->probe && !transfer->peek)) {
            adl_disk_let_go(transfer);
            return;
        }
    if (LIST_EMPTY(&file->handles) || (copy->size >= 0 && adl_copy_complete(copy)))
        return;
    if (!may_start(file, 1) || !adl_disk_stream(file->edition))
        return;
    struct adl_range range = {.end = file->size >= 0 ? file->size : INT64_MAX,
                              .reason = ADL_DEMAND,
                              .cut = -1};
    struct adl_question question = {0};
    start(file, &question, &range);
}

/* --- the round */

static void pump_demand(struct adl_file *file)
{
    if (adl_pause_holds(file)) {
        adl_pause_serve(file);
        return;
    }
    adl_transfer_store_awaited(file);
    adl_retry_give_up(file, &file->asks);
    adl_retry_give_up(file, &file->reads);
    if (!TAILQ_EMPTY(&file->asks))
        adl_file_answer(file);
    if (asks_origin(file))
        probe(file);
    if (!file->edition || !file->known)
        return;
    if (adl_file_streams(file))
        start_stream(file);
    else
        start_demand(file);
}

static void pump_idle(struct adl_file *file, bool warm)
{
    bool lost = LIST_EMPTY(&file->handles) && file->failures;
    if (adl_pause_holds(file))
        return;
    if (file->edition && file->known && !adl_file_streams(file) && !lost)
        start_idle(file, warm);
}

void adl_fetch_round(struct adl_engine *engine)
{
    struct adl_file *file;
    engine->now = adl_engine_clock();
    engine->wake_at = INT64_MAX;
    adl_warm_round(engine);
    TAILQ_FOREACH (file, &engine->busy, busy)
        pump_demand(file);
    TAILQ_FOREACH (file, &engine->busy, busy)
        pump_idle(file, false);
    TAILQ_FOREACH (file, &engine->busy, busy)
        if (adl_warm_wants(file))
            pump_idle(file, true);
    adl_rest_round(engine);
    adl_flush_round(engine);
}
