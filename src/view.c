#include "view.h"

#include "minmax.h"

/* The rate of a flight is taken over so long. */
#define RATED_MS 250

struct adl_link adl_view_link(struct adl_file *file)
{
    const struct adl_origin *origin = adl_fetch_origin(file);
    if (!origin)
        return (struct adl_link){.now = file->engine->now, .share = 1};
    const struct adl_entry_options *options = file->entry->options;
    unsigned files = origin->files + !file->n_transfers;
    unsigned share = origin->limit > files ? origin->limit / files : 1;
    if (options && options->max_connections && options->max_connections < share)
        share = options->max_connections;
    return (struct adl_link){.now = file->engine->now,
                             .delay = origin->delay,
                             .share = adl_throttle_width(file->engine, share)};
}

/* From what was asked for last to the end of the file, where windows reach that far. */
static int64_t left_of(const struct adl_file *file, const struct adl_view *view)
{
    int64_t end = 0, asked = 0;
    for (size_t i = 0; i < view->plan.n_windows; i++)
        end = max64(end, view->windows[i].end);
    for (size_t i = 0; i < view->plan.n_flights; i++)
        asked = max64(asked, view->flights[i].end);
    return end >= file->size && asked ? max64(end - asked, 0) : INT64_MAX;
}

/* What it brought lately, bytes/s: one that has stopped is seen to have stopped. */
static int64_t rate_of(struct adl_transfer *transfer)
{
    int64_t took = transfer->file->engine->now - transfer->rated_at;
    if (took >= RATED_MS) {
        transfer->rate = (transfer->got - transfer->rated_got) * 1000 / took;
        transfer->rated_at += took;
        transfer->rated_got = transfer->got;
    }
    return transfer->rate;
}

static struct adl_flight flight_of(struct adl_transfer *transfer)
{
    return (struct adl_flight){.at = transfer->at,
                               .end = transfer->end,
                               .rate = rate_of(transfer),
                               .age = transfer->file->engine->now - transfer->since};
}

void adl_view_of(struct adl_file *file, struct adl_view *view)
{
    struct adl_transfer *transfer;
    struct adl_handle *handle;
    view->plan = (struct adl_plan){.copy = file->edition->copy,
                                   .flights = view->flights,
                                   .windows = view->windows,
                                   .near = ADL_VIEW_NEAR};
    view->link = adl_view_link(file);
    view->width = adl_pace_width(&file->pace, &view->link);
    view->asked = 0;
    LIST_FOREACH (transfer, &file->transfers, link) {
        size_t n = view->plan.n_flights;
        if (!transfer->edition || transfer->doomed || n == ADL_VIEW_FLIGHTS)
            continue;
        view->flights[n] = flight_of(transfer);
        view->asked += transfer->end - transfer->at;
        view->transfers[n] = transfer;
        view->plan.n_flights++;
    }
    LIST_FOREACH (handle, &file->handles, link)
        for (unsigned i = 0; i < ADL_STREAMS && handle->edition == file->edition; i++)
            if (!handle->warm == !view->warm && !adl_window_empty(&handle->windows[i]) &&
                view->plan.n_windows < ADL_VIEW_WINDOWS)
                view->windows[view->plan.n_windows++] = handle->windows[i];
    int64_t left = left_of(file, view);
    view->plan.chunk = adl_pace_piece(&file->pace, &view->link, left);
    view->plan.chunk_least = adl_pace_front(&file->pace, &view->link, left);
}
