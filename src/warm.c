#include "warm.h"

#include "cleanup.h"

#include <errno.h>
#include <string.h>

/* Files of one warm that are open at a time: enough that small ones do not wait for each other's
 * round trips. */
#define OPEN_MAX 8

/* The first failures are told one by one. */
#define FAILURES_MAX 100

/* Warms that have ended are remembered, so that whoever started them can ask how they went. */
#define ENDED_MAX 32

/* A file that changes while it is fetched is begun anew this often. */
#define CHANGES_MAX 3

/* So long may the disk take nothing of a file; in the background that is waited out. */
#define UNKEPT_MS 3000

/* In the background something is started only when nobody has read for this long. */
#define QUIET_MS 500

/* Of a transfer in the background that has less than this to come, the rest is let come when
 * somebody reads: its connection is worth more. */
#define FINISH_MAX (256 << 10)

/* With more files to come, their sizes are not summed up each time somebody asks. */
#define SUM_MAX 10000

struct adl_warms {
    struct adl_engine *engine;
    LIST_HEAD(, adl_warm) list; /* the latest first. Owned */
    struct adl_warm *fill;      /* in the list; NULL: none */
    uint64_t numbers;
    int64_t loud_at; /* ms: when somebody last wanted something */
};

static void free_warm(struct adl_warm *warm)
{
    struct adl_warming *warming;
    while ((warming = LIST_FIRST(&warm->now))) {
        LIST_REMOVE(warming, link);
        free(warming);
    }
    for (size_t i = 0; i < warm->n_failures; i++)
        free(warm->failures[i].text);
    LIST_REMOVE(warm, link);
    free(warm->failures);
    free(warm->entries);
    free(warm);
}

static struct adl_warm *add_warm(struct adl_warms *warms)
{
    struct adl_warm *warm = calloc(1, sizeof(*warm));
    if (!warm)
        return NULL;
    *warm = (struct adl_warm){.engine = warms->engine, .number = ++warms->numbers, .end = -1};
    LIST_INIT(&warm->now);
    LIST_INSERT_HEAD(&warms->list, warm, link);
    return warm;
}

struct adl_warms *adl_warms_new(struct adl_engine *engine)
{
    enum adl_fill fill = engine->settings->fill;
    struct adl_warms *warms = calloc(1, sizeof(*warms));
    if (!warms)
        return NULL;
    warms->engine = engine;
    LIST_INIT(&warms->list);
    if (fill == ADL_FILL_NEVER)
        return warms;
    warms->fill = add_warm(warms);
    if (!warms->fill) {
        free(warms);
        return NULL;
    }
    warms->fill->background = true;
    if (fill == ADL_FILL_ALL)
        warms->fill->count = engine->n_entries;
    return warms;
}

void adl_warms_free(struct adl_warms *warms)
{
    if (!warms)
        return;
    while (!LIST_EMPTY(&warms->list))
        free_warm(LIST_FIRST(&warms->list));
    free(warms);
}

/* --- orders */

static void forget_old(struct adl_warms *warms)
{
    struct adl_warm *warm, *next;
    unsigned ended = 0;
    for (warm = LIST_FIRST(&warms->list); warm; warm = next) {
        next = LIST_NEXT(warm, link);
        if (warm->ended && warm != warms->fill && ++ended > ENDED_MAX)
            free_warm(warm);
    }
}

int adl_warm_start(struct adl_engine *engine, const struct adl_warm_order *order, uint64_t *number)
{
    struct adl_warm *warm = add_warm(engine->warms);
    if (!warm) {
        free(order->entries);
        return -ENOMEM;
    }
    warm->entries = order->entries;
    warm->count = warm->room = order->n_entries;
    warm->first = order->first;
    warm->end = order->end;
    warm->jobs = order->jobs;
    *number = warm->number;
    forget_old(engine->warms);
    return 0;
}

struct adl_warm *adl_warm_find(struct adl_engine *engine, uint64_t number)
{
    struct adl_warm *warm;
    LIST_FOREACH (warm, &engine->warms->list, link)
        if (warm->number == number)
            return warm;
    return NULL;
}

static int64_t range_of(const struct adl_warm *warm, int64_t size, int64_t *first)
{
    int64_t end = warm->end < 0 || warm->end > size ? size : warm->end;
    *first = warm->first < end ? warm->first : end;
    return end;
}

/* --- one file */

static void note_failure(struct adl_warm *warm, const struct adl_file *file, int error)
{
    warm->failed++;
    if (warm->n_failures >= FAILURES_MAX)
        return;
    struct adl_warm_failure *longer =
        reallocarray(warm->failures, warm->n_failures + 1, sizeof(*longer));
    if (!longer)
        return;
    warm->failures = longer;
    longer[warm->n_failures++] =
        (struct adl_warm_failure){.entry = file->index,
                                  .error = adl_file_seen(error),
                                  .text = file->error_text && file->error ? strdup(file->error_text)
                                                                          : NULL};
}

static void let_go(struct adl_warming *warming)
{
    struct adl_handle *handle = steal_pointer(warming->handle);
    if (!handle)
        return;
    handle->warm = NULL;
    warming->file->warms--;
    adl_engine_release(handle);
}

/* Done with it, for better or worse. */
static void finish(struct adl_warming *warming, int error)
{
    struct adl_warm *warm = warming->warm;
    int64_t first;
    LIST_REMOVE(warming, link);
    warm->n_now--;
    warm->done++;
    if (error < 0)
        note_failure(warm, warming->file, error);
    else if (warming->file->size > 0)
        warm->here += range_of(warm, warming->file->size, &first) - first;
    if (warm->background)
        warming->file->filling = false;
    let_go(warming);
    free(warming);
}

void adl_warm_lost(struct adl_handle *handle)
{
    struct adl_warming *warming = steal_pointer(handle->warm);
    warming->handle = NULL;
    warming->file->warms--;
    finish(warming, -ENOTCONN);
}

static void set_window(struct adl_warming *warming)
{
    int64_t size = warming->handle->edition->copy->size, first;
    if (size < 0)
        return;
    int64_t end = range_of(warming->warm, size, &first);
    warming->handle->windows[0] = (struct adl_window){.first = first, .end = end};
}

static void opened(void *ctx, int error, struct adl_handle *handle, const struct adl_attr *attr)
{
    (void)attr;
    struct adl_warming *warming = ctx;
    if (error < 0) {
        finish(warming, error);
        return;
    }
    handle->warm = warming;
    warming->file->warms++;
    warming->handle = handle;
    warming->since = warming->file->engine->now;
    warming->errors = warming->file->errors;
    if (!warming->warm->stopped)
        set_window(warming);
}

static int open_file(struct adl_warming *warming)
{
    struct adl_call *call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    *call = (struct adl_call){.kind = ADL_CALL_OPEN,
                              .entry = warming->file->index,
                              .version = ADL_ANY_VERSION,
                              .done.open = opened,
                              .ctx = warming,
                              .since = warming->file->engine->now};
    adl_file_call(warming->file, call);
    return 0;
}

/* False without memory: it is tried again later. */
static bool begin(struct adl_warm *warm, uint32_t entry)
{
    struct adl_file *file = adl_file_at(warm->engine, entry);
    struct adl_warming *warming = file ? calloc(1, sizeof(*warming)) : NULL;
    if (!warming)
        return false;
    *warming = (struct adl_warming){.warm = warm, .file = file, .since = warm->engine->now};
    LIST_INSERT_HEAD(&warm->now, warming, link);
    warm->n_now++;
    if (open_file(warming) == 0)
        return true;
    LIST_REMOVE(warming, link);
    warm->n_now--;
    free(warming);
    return false;
}

/* --- how it goes */

static bool is_here(struct adl_warming *warming)
{
    struct adl_handle *handle = warming->handle;
    struct adl_edition *edition = handle->edition;
    struct adl_window *window = &handle->windows[0];
    int64_t from, to;
    if (edition->copy->size < 0)
        return false;
    if (window->end == 0)
        set_window(warming);
    bool missing = adl_copy_missing(edition->copy, window->first, window->end, &from, &to);
    window->first = missing ? from : window->end;
    return !missing && !edition->digesting;
}

/* Whether it will not come: 0, or the error. */
static int trouble(const struct adl_warming *warming)
{
    const struct adl_file *file = warming->file;
    struct adl_engine *engine = file->engine;
    if (file->error_until > engine->now && file->errors > warming->errors)
        return file->error ? file->error : -EIO;
    if (!file->failures)
        return 0;
    int64_t since = warming->since > file->progress_at ? warming->since : file->progress_at;
    int64_t until = since + engine->settings->retry_for * 1000;
    if (engine->now >= until)
        return file->error ? file->error : -ETIMEDOUT;
    adl_engine_wake_at(engine, until);
    return 0;
}

/* Whether the disk keeps nothing of it: 0, or the error once that is no matter of a moment. */
static int unkept(struct adl_warming *warming)
{
    struct adl_file *file = warming->file;
    const char *why = "";
    int error = adl_disk_trouble(warming->handle->edition, &why);
    if (error == 0 || warming->warm->background) {
        warming->unkept_since = 0;
        return 0;
    }
    if (!warming->unkept_since || error == -EAGAIN)
        warming->unkept_since = file->engine->now;
    int64_t until = warming->unkept_since + UNKEPT_MS;
    if (file->engine->now >= until) {
        adl_file_error(file, error, "it cannot be kept: %s", why);
        return error;
    }
    adl_engine_wake_at(file->engine, until);
    return 0;
}

static void look(struct adl_warming *warming)
{
    struct adl_file *file = warming->file;
    if (!warming->handle)
        return; /* an open gives up by itself */
    if (file->gone || warming->warm->stopped) {
        finish(warming, file->gone ? -ESTALE : -ECANCELED);
        return;
    }
    if (adl_pause_holds(file))
        warming->since = file->engine->now;
    if (warming->handle->edition != file->edition) {
        int error = trouble(warming);
        if (error == 0 && ++warming->changes > CHANGES_MAX)
            error = -ESTALE;
        if (error == 0) {
            let_go(warming);
            error = open_file(warming);
        }
        if (error < 0)
            finish(warming, error);
        return;
    }
    int error = unkept(warming);
    if (error == 0 && !warming->unkept_since && is_here(warming)) {
        finish(warming, 0);
        return;
    }
    if (error == 0 && !adl_pause_holds(file))
        error = trouble(warming);
    if (error < 0)
        finish(warming, error);
}

/* Whether nobody but us wants anything of the file. */
static bool is_quiet(const struct adl_file *file)
{
    const struct adl_call *call;
    const struct adl_handle *handle;
    if (!TAILQ_EMPTY(&file->reads))
        return false;
    TAILQ_FOREACH (call, &file->asks, link)
        if (call->kind != ADL_CALL_OPEN || call->done.open != opened)
            return false;
    LIST_FOREACH (handle, &file->handles, link)
        for (unsigned i = 0; i < ADL_STREAMS && !handle->warm; i++)
            if (handle->edition == file->edition && !adl_window_empty(&handle->windows[i]))
                return false;
    return true;
}

static bool all_quiet(struct adl_engine *engine)
{
    struct adl_warms *warms = engine->warms;
    const struct adl_file *file;
    TAILQ_FOREACH (file, &engine->busy, busy)
        if (!adl_pause_holds(file) && !is_quiet(file)) {
            warms->loud_at = engine->now;
            return false;
        }
    int64_t until = warms->loud_at + QUIET_MS;
    if (warms->loud_at && engine->now < until) {
        adl_engine_wake_at(engine, until);
        return false;
    }
    return true;
}

/* Somebody reads: what comes in the background makes way. */
static void make_way(struct adl_warm *warm)
{
    struct adl_warming *warming;
    struct adl_transfer *transfer;
    LIST_FOREACH (warming, &warm->now, link)
        LIST_FOREACH (transfer, &warming->file->transfers, link)
            if (transfer->reason == ADL_WARM && transfer->end - transfer->at > FINISH_MAX)
                adl_transfer_doom(transfer);
}

/* From the list, meanwhile. */
static bool is_gone(struct adl_engine *engine, uint32_t entry)
{
    const struct adl_file *file = entry < engine->n_entries ? engine->files[entry] : NULL;
    return !adl_engine_entry(engine, entry) || (file && file->gone);
}

static void go_on(struct adl_warm *warm)
{
    struct adl_warming *warming, *next;
    for (warming = LIST_FIRST(&warm->now); warming; warming = next) {
        next = LIST_NEXT(warming, link);
        look(warming);
    }
    if (warm->background && (warm->next < warm->count || warm->n_now) && !all_quiet(warm->engine)) {
        make_way(warm);
        return;
    }
    unsigned most = warm->jobs && warm->jobs < OPEN_MAX ? warm->jobs : OPEN_MAX;
    while (warm->n_now < most && warm->next < warm->count) {
        uint32_t entry = warm->entries ? warm->entries[warm->next] : (uint32_t)warm->next;
        if (is_gone(warm->engine, entry))
            warm->done++;
        else if (!begin(warm, entry))
            break;
        warm->next++;
    }
    warm->ended = warm->next == warm->count && warm->n_now == 0;
}

void adl_warm_round(struct adl_engine *engine)
{
    struct adl_warm *warm;
    if (engine->paused)
        return;
    LIST_FOREACH (warm, &engine->warms->list, link)
        if (!warm->ended)
            go_on(warm);
}

static void stop(struct adl_warm *warm)
{
    struct adl_warming *warming, *next;
    warm->stopped = true;
    warm->count = warm->next;
    for (warming = LIST_FIRST(&warm->now); warming; warming = next) {
        next = LIST_NEXT(warming, link);
        if (warming->handle)
            finish(warming, -ECANCELED);
    }
    warm->ended = warm->n_now == 0;
}

int adl_warm_stop(struct adl_engine *engine, uint64_t number)
{
    struct adl_warm *warm = adl_warm_find(engine, number);
    if (!warm || warm->background)
        return -ESRCH;
    stop(warm);
    return 0;
}

void adl_warm_stop_all(struct adl_engine *engine)
{
    struct adl_warm *warm;
    LIST_FOREACH (warm, &engine->warms->list, link)
        if (!warm->background && !warm->ended)
            stop(warm);
}

/* --- for the engine */

static unsigned count_transfers(const struct adl_warm *warm)
{
    unsigned count = 0;
    const struct adl_warming *warming;
    const struct adl_transfer *transfer;
    LIST_FOREACH (warming, &warm->now, link)
        LIST_FOREACH (transfer, &warming->file->transfers, link)
            count += !transfer->doomed && transfer->edition != NULL;
    return count;
}

static bool may_have_one_more(const struct adl_warm *warm)
{
    if (warm->background && !all_quiet(warm->engine))
        return false;
    return !warm->jobs || count_transfers(warm) < warm->jobs;
}

bool adl_warm_may_start(const struct adl_file *file)
{
    const struct adl_handle *handle;
    LIST_FOREACH (handle, &file->handles, link)
        if (handle->warm && !adl_window_empty(&handle->windows[0]) &&
            may_have_one_more(handle->warm->warm))
            return true;
    return false;
}

bool adl_warm_wants(const struct adl_file *file)
{
    return file->warms > 0;
}

void adl_warm_progress(struct adl_file *file, int64_t bytes)
{
    struct adl_handle *handle;
    if (!file->warms)
        return;
    LIST_FOREACH (handle, &file->handles, link)
        if (handle->warm) {
            struct adl_warm *warm = handle->warm->warm;
            warm->fetched += (uint64_t)bytes;
            adl_meter_add(&warm->meter, file->engine->now, bytes);
        }
}

void adl_warm_opened(struct adl_file *file, const struct adl_call *call)
{
    struct adl_warm *fill = file->engine->warms->fill;
    if (!fill || file->engine->settings->fill != ADL_FILL_OPENED || file->filling ||
        call->foreseen || call->done.open == opened)
        return;
    if (file->size >= 0 && adl_copy_complete(file->edition->copy))
        return;
    if (fill->count == fill->room) {
        size_t room = fill->room ? fill->room * 2 : 64;
        uint32_t *longer = reallocarray(fill->entries, room, sizeof(*longer));
        if (!longer)
            return;
        fill->entries = longer;
        fill->room = room;
    }
    fill->entries[fill->count++] = file->index;
    fill->ended = false;
    file->filling = true;
}

/* --- how far it is */

/* What is known of a file that was not begun yet. */
static int64_t size_of(const struct adl_warm *warm, size_t index)
{
    uint32_t entry = warm->entries ? warm->entries[index] : (uint32_t)index;
    const struct adl_file *file =
        entry < warm->engine->n_entries ? warm->engine->files[entry] : NULL;
    const struct adl_entry *said = adl_engine_entry(warm->engine, entry);
    return file ? file->size : said ? said->size : 0;
}

static void add_size(const struct adl_warm *warm, int64_t size, struct adl_warm_sum *sum)
{
    int64_t first;
    if (size < 0)
        sum->unknown++;
    else
        sum->size += range_of(warm, size, &first) - first;
}

void adl_warm_sum(const struct adl_warm *warm, struct adl_warm_sum *out)
{
    const struct adl_warming *warming;
    *out = (struct adl_warm_sum){.size = warm->here, .here = warm->here};
    LIST_FOREACH (warming, &warm->now, link) {
        const struct adl_file *file = warming->file;
        add_size(warm, file->known ? file->size : -1, out);
        if (!warming->handle)
            continue;
        const struct adl_copy *copy = warming->handle->edition->copy;
        int64_t first = warm->first, end = INT64_MAX;
        if (copy->size >= 0)
            end = range_of(warm, copy->size, &first);
        out->here += adl_copy_bytes_in(copy, first, end);
    }
    if (warm->count - warm->next > SUM_MAX) {
        out->unknown += warm->count - warm->next;
        return;
    }
    for (size_t i = warm->next; i < warm->count; i++)
        add_size(warm, size_of(warm, i), out);
}
