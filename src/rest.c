/* rest: a file for which nothing is to be done any more. What still comes of it ends, its copy is
 * closed; or kept open, where closing it would lose what is in it. */
#include "engine.h"
#include "warm.h"

/* When the last reader goes, a transfer with less than this to come may end well: its connection
 * is worth more than the bytes. */
#define FINISH_MAX (256 << 10)

/* Private copies that are kept open though nobody reads them, since closing would lose them. */
#define RESTING_MAX 64

/* Nobody has it open: what is still coming in bulk is not wanted any more. */
static void leave(struct adl_file *file)
{
    struct adl_transfer *transfer;
    LIST_FOREACH (transfer, &file->transfers, link)
        if (transfer->edition && transfer->end - transfer->at > FINISH_MAX)
            adl_transfer_doom(transfer);
}

static void unrest_oldest(struct adl_engine *engine)
{
    struct adl_file *oldest = TAILQ_FIRST(&engine->resting);
    TAILQ_REMOVE(&engine->resting, oldest, busy);
    engine->n_resting--;
    oldest->is_resting = false;
    adl_edition_leave(oldest);
}

static void rest(struct adl_file *file)
{
    struct adl_engine *engine = file->engine;
    file->is_resting = true;
    TAILQ_INSERT_TAIL(&engine->resting, file, busy);
    if (++engine->n_resting > RESTING_MAX)
        unrest_oldest(engine);
}

void adl_rest_end(struct adl_engine *engine)
{
    while (!TAILQ_EMPTY(&engine->resting))
        unrest_oldest(engine);
}

static bool wants_ahead(const struct adl_file *file)
{
    const struct adl_handle *handle;
    LIST_FOREACH (handle, &file->handles, link)
        for (unsigned i = 0; i < ADL_STREAMS && handle->edition == file->edition; i++)
            if (!adl_window_empty(&handle->windows[i]))
                return true;
    return false;
}

/* Handles that nobody holds, whose window has come or will not. */
static void release_foreseen(struct adl_file *file)
{
    struct adl_handle *handle, *next;
    for (handle = LIST_FIRST(&file->handles); handle; handle = next) {
        next = LIST_NEXT(handle, link);
        const struct adl_window *window = &handle->windows[0];
        bool here = adl_window_empty(window) ||
                    adl_copy_covers(handle->edition->copy, window->first, window->end);
        if (handle->foreseen && (here || file->failures || handle->edition != file->edition))
            adl_engine_release(handle);
    }
}

/* Nobody has it open any more. A private copy would be lost if it were closed; a whole one that
 * nothing pins is as good as its last check; a part of such a one must not meet bytes that come
 * later, nor must the kernel's pages of it. */
static void leave_edition(struct adl_file *file)
{
    const struct adl_copy *copy = file->edition->copy;
    bool pinned = adl_file_pinned(file) || adl_edition_digest_right(file->edition);
    bool whole = file->size > 0 && adl_copy_complete(copy);
    if ((whole && !pinned) || (file->size > 0 && pinned && !copy->named && !copy->homeless)) {
        rest(file);
        return;
    }
    adl_edition_leave(file);
}

/* Nothing to do for it: off the list, its copy closed when nobody has it open. */
static void settle(struct adl_file *file)
{
    release_foreseen(file);
    bool open = !LIST_EMPTY(&file->handles);
    if (!open && TAILQ_EMPTY(&file->asks))
        leave(file);
    if (file->n_transfers || !TAILQ_EMPTY(&file->asks) || !TAILQ_EMPTY(&file->reads))
        return;
    if (open && (adl_warm_wants(file) || (!adl_file_streams(file) && wants_ahead(file))))
        return;
    TAILQ_REMOVE(&file->engine->busy, file, busy);
    file->is_busy = false;
    if (open || !file->edition || file->edition->refs > 1)
        return;
    leave_edition(file);
}

void adl_rest_round(struct adl_engine *engine)
{
    struct adl_file *file, *next;
    for (file = TAILQ_FIRST(&engine->busy); file; file = next) {
        next = TAILQ_NEXT(file, busy);
        settle(file);
    }
}
