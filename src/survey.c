#include "survey.h"

#include "cleanup.h"
#include "json_name.h"
#include "url.h"

#include <string.h>

/* A list looks this many files up in the cache that it knows nothing of: it takes some 0.1 ms each,
 * and the loop has other things to do. The next list looks at the next ones. */
#define LOOK_MAX 50

/* ms for which that is believed: others evict. */
#define COUNTED_MS 5000

/* ms for which a warm's own rate tells little. */
#define YOUNG_MS 1000

static json_t *number(int64_t value)
{
    return json_integer(value);
}

static json_t *number_or_null(int64_t value)
{
    return value >= 0 ? json_integer(value) : json_null();
}

static json_t *rate_of(const struct adl_meter *meter, const struct adl_engine *engine)
{
    return number(adl_meter_rate(meter, engine->now));
}

static int64_t count_entries(const struct adl_engine *engine)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < engine->n_entries; i++)
        count += engine->entries[i] && !(engine->files[i] && engine->files[i]->gone);
    return count;
}

json_t *adl_survey_engine(struct adl_engine *engine)
{
    const struct adl_settings *settings = engine->settings;
    static const char *const fills[] = {"never", "opened", "all"};
    uint64_t waiting = 0;
    struct adl_file *file;
    const struct adl_call *call;
    TAILQ_FOREACH (file, &engine->busy, busy)
        TAILQ_FOREACH (call, &file->reads, link)
            waiting++;
    return json_pack("{s:b, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "paused",
                     engine->paused, "paused_reads",
                     settings->paused_reads == ADL_PAUSED_FAIL ? "fail" : "wait", "limit_rate",
                     number(engine->limit.rate), "fill", fills[settings->fill], "entries",
                     number(count_entries(engine)), "rate",
                     engine->active ? rate_of(&engine->meter, engine) : number(0), "fetched",
                     number((int64_t)engine->fetched), "served", number((int64_t)engine->served),
                     "reads", number((int64_t)engine->reads), "hits", number((int64_t)engine->hits),
                     "errors", number((int64_t)engine->errors), "transfers", number(engine->active),
                     "waiting", number((int64_t)waiting));
}

/* s until all of it is here at the rate that it has now; -1 where nothing tells. */
static int64_t eta_of(const struct adl_file *file, int64_t cached)
{
    int64_t rate = adl_meter_rate(&file->meter, file->engine->now);
    if (!file->n_transfers || rate <= 0 || file->size < 0 || cached < 0)
        return -1;
    return (file->size - cached + rate - 1) / rate;
}

/* Also of one that has gone from the list. */
static char *name_of(const struct adl_tree *tree, uint32_t entry, const struct adl_entry *said)
{
    uint32_t number = adl_tree_of_entry(tree, entry);
    if (number != ADL_NO_NODE)
        return adl_tree_path(tree, number);
    return said ? strdup(said->path) : NULL;
}

static char *path_of(const struct adl_file *file, const struct adl_tree *tree)
{
    return name_of(tree, file->index, file->entry);
}

static unsigned count_handles(const struct adl_file *file)
{
    unsigned count = 0;
    const struct adl_handle *handle;
    LIST_FOREACH (handle, &file->handles, link)
        count += !handle->foreseen && !handle->warm;
    return count;
}

static unsigned count_reads(const struct adl_file *file)
{
    unsigned count = 0;
    const struct adl_call *call;
    TAILQ_FOREACH (call, &file->reads, link)
        count++;
    return count;
}

static json_t *brief(struct adl_file *file, const struct adl_tree *tree, int64_t cached)
{
    cleanup_free char *path = path_of(file, tree);
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "path", adl_json_name(path ? path : "?"), "entry", number(file->index), "size",
                     number_or_null(file->size), "cached", number_or_null(cached), "state",
                     adl_file_state(file, cached), "mode", adl_file_mode(file), "paused",
                     file->paused, "rate",
                     file->n_transfers ? rate_of(&file->meter, file->engine) : number(0), "eta",
                     number_or_null(eta_of(file, cached)), "transfers", number(file->n_transfers),
                     "waiting", number(count_reads(file)), "opened", number(count_handles(file)),
                     "errors", number((int64_t)file->errors), "error",
                     adl_json_name(file->error_text));
}

json_t *adl_survey_file(struct adl_file *file, const struct adl_tree *tree)
{
    return brief(file, tree, adl_edition_cached(file));
}

static bool is_first(const struct adl_file *file)
{
    return file->n_transfers > 0 && !file->gone;
}

static void list_busy(struct adl_engine *engine, const struct adl_tree *tree, unsigned limit,
                      json_t *list)
{
    struct adl_file *file;
    TAILQ_FOREACH (file, &engine->busy, busy)
        if (is_first(file) && json_array_size(list) < limit)
            json_array_append_new(list, adl_survey_file(file, tree));
}

json_t *adl_survey_files(struct adl_engine *engine, const struct adl_tree *tree,
                         const uint32_t *entries, size_t count, uint32_t after, unsigned limit,
                         bool busy, int64_t *next)
{
    json_t *list = json_array();
    unsigned looks = 0;
    busy = busy && !entries; /* of a directory there are few */
    if (busy)
        list_busy(engine, tree, limit, list);
    *next = -1;
    for (size_t i = after; list && i < count; i++) {
        size_t entry = entries ? entries[i] : i;
        struct adl_file *file = entry < engine->n_entries ? engine->files[entry] : NULL;
        if (!file || (!file->known && !file->errors && !file->is_busy && !file->paused))
            continue;
        if (busy && is_first(file))
            continue;
        if (json_array_size(list) >= limit) {
            *next = (int64_t)i;
            break;
        }
        bool old = file->cached < 0 || engine->now - file->counted > COUNTED_MS;
        if (file->edition || (old && looks < LOOK_MAX)) {
            looks += !file->edition;
            file->cached = adl_edition_cached(file);
            file->counted = engine->now;
        }
        json_array_append_new(list, brief(file, tree, file->cached));
    }
    return list;
}

/* --- one file, all */

static const char *reason_name(const struct adl_transfer *transfer)
{
    static const char *const names[] = {"demand", "rest", "ahead", "warm"};
    return transfer->probe ? "probe" : names[transfer->reason];
}

static json_t *connection(const struct adl_transfer *transfer, const char *path)
{
    const struct adl_engine *engine = transfer->file->engine;
    bool open_end = transfer->end == INT64_MAX;
    /* What it was to bring when it began: a stream's from where it is new. */
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "first",
                  number(transfer->question.first), "at", number(transfer->at), "end",
                  number_or_null(open_end ? -1 : transfer->end), "got", number(transfer->got),
                  "rate", rate_of(&transfer->meter, engine), "why", reason_name(transfer), "mirror",
                  number(transfer->mirror), "age_ms", number(engine->now - transfer->since));
    if (object && path)
        json_object_set_new(object, "path", adl_json_name(path));
    return object;
}

static json_t *transfers_of(const struct adl_file *file)
{
    const struct adl_transfer *transfer;
    json_t *list = json_array();
    LIST_FOREACH (transfer, &file->transfers, link)
        if (list && !transfer->doomed)
            json_array_append_new(list, connection(transfer, NULL));
    return list;
}

static const char *health_of(const struct adl_origin *origin, int64_t now)
{
    if (!origin)
        return "unknown";
    if (origin->not_before > now)
        return "resting";
    if (origin->failures)
        return "failing";
    return origin->delay || origin->good || origin->active ? "good" : "unused";
}

static json_t *mirror(struct adl_file *file, uint32_t index)
{
    struct adl_engine *engine = file->engine;
    const char *url = adl_entry_url(file->entry, index);
    cleanup_free char *shown = adl_url_redact(url);
    const struct adl_origin *origin = adl_origins_of(engine->origins, url, engine->now);
    const struct adl_validator *validator = &file->validators[index];
    int64_t rest =
        origin && origin->not_before > engine->now ? origin->not_before - engine->now : 0;
    return json_pack("{s:o, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "url",
                     adl_json_name(shown ? shown : "?"), "current", index == file->mirror, "health",
                     health_of(origin, engine->now), "failures",
                     number(origin ? origin->failures : 0), "transfers",
                     number(origin ? origin->active : 0), "limit",
                     number(origin ? origin->limit : 0), "delay_ms",
                     number_or_null(origin && origin->delay ? origin->delay : -1), "rests_ms",
                     number(rest), "etag",
                     adl_json_name(validator->etag[0] ? validator->etag : NULL));
}

static json_t *mirrors_of(struct adl_file *file)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < file->entry->n_urls; i++)
        json_array_append_new(list, mirror(file, i));
    return list;
}

static json_t *waited_for(const struct adl_file *file)
{
    const struct adl_call *call;
    json_t *list = json_array();
    TAILQ_FOREACH (call, &file->reads, link)
        json_array_append_new(list, json_pack("[o,o]", number(call->offset),
                                              number(call->offset + call->length)));
    return list;
}

static json_t *wanted(const struct adl_file *file)
{
    const struct adl_handle *handle;
    json_t *list = json_array();
    LIST_FOREACH (handle, &file->handles, link)
        for (unsigned i = 0; i < ADL_STREAMS; i++) {
            const struct adl_window *window = &handle->windows[i];
            if (handle->edition == file->edition && !adl_window_empty(window))
                json_array_append_new(list, json_pack("[o,o,s]", number(window->first),
                                                      number(window->end),
                                                      handle->warm ? "warm" : "ahead"));
        }
    return list;
}

/* How much of each of `cells` equal parts is here, in percent: 0 nothing, 100 all of it. There are
 * never more cells than blocks. */
static json_t *map_of(const struct adl_file *file, unsigned cells)
{
    const struct adl_copy *copy = file->edition ? file->edition->copy : NULL;
    json_t *list = json_array();
    if (!copy || copy->size <= 0 || !cells)
        return list;
    int64_t block = copy->block_size, blocks = (copy->size + block - 1) / block;
    if (cells > blocks)
        cells = (unsigned)blocks;
    for (unsigned i = 0; i < cells; i++) {
        int64_t first = (int64_t)((uint64_t)blocks * i / cells) * block;
        int64_t end = (int64_t)((uint64_t)blocks * (i + 1) / cells) * block;
        if (end > copy->size)
            end = copy->size;
        int64_t here = adl_copy_bytes_in(copy, first, end);
        int64_t part = here >= end - first ? 100 : here * 100 / (end - first);
        json_array_append_new(list, json_integer(part == 0 && here > 0 ? 1 : part));
    }
    return list;
}

json_t *adl_survey_details(struct adl_file *file, const struct adl_tree *tree, unsigned cells)
{
    json_t *object = adl_survey_file(file, tree);
    if (cells && !file->edition && adl_edition_cached(file) > 0) {
        adl_edition_open(file); /* it has the map */
        adl_engine_busy(file);  /* closes it again */
    }
    const struct adl_validator *validator = &file->validators[file->mirror];
    cleanup_free char *url = adl_url_redact(adl_file_url(file));
    cleanup_free char *final = file->final_url ? adl_url_redact(file->final_url) : NULL;
    bool dated = validator->last_modified != ADL_TIME_UNKNOWN;
    json_t *more =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "url",
                  adl_json_name(url ? url : "?"), "final_url", adl_json_name(final), "etag",
                  adl_json_name(validator->etag[0] ? validator->etag : NULL), "last_modified",
                  dated ? json_integer(validator->last_modified) : json_null(), "mtime",
                  file->mtime == ADL_TIME_UNKNOWN ? json_null() : json_integer(file->mtime),
                  "version", number(file->version), "http_status",
                  number_or_null(file->http_status ? file->http_status : -1), "fetched",
                  number((int64_t)file->fetched), "block_size",
                  number(file->edition ? file->edition->copy->block_size
                                       : file->engine->store->block_size),
                  "mirrors", mirrors_of(file), "connections", transfers_of(file), "waited_for",
                  waited_for(file), "wanted", wanted(file), "map", map_of(file, cells));
    if (object && more)
        json_object_update(object, more);
    json_decref(more);
    return object;
}

json_t *adl_survey_connections(const struct adl_engine *engine, const struct adl_tree *tree)
{
    const struct adl_file *file;
    const struct adl_transfer *transfer;
    json_t *list = json_array();
    TAILQ_FOREACH (file, &engine->busy, busy) {
        if (!file->n_transfers)
            continue;
        cleanup_free char *path = path_of(file, tree);
        LIST_FOREACH (transfer, &file->transfers, link)
            if (!transfer->doomed)
                json_array_append_new(list, connection(transfer, path));
    }
    return list;
}

/* --- a warm */

static json_t *failures_of(const struct adl_warm *warm, const struct adl_tree *tree)
{
    json_t *list = json_array();
    for (size_t i = 0; i < warm->n_failures; i++) {
        const struct adl_warm_failure *failure = &warm->failures[i];
        const struct adl_entry *said = adl_engine_entry(warm->engine, failure->entry);
        cleanup_free char *path = name_of(tree, failure->entry, said);
        json_array_append_new(list,
                              json_pack("{s:o, s:s, s:o}", "path", adl_json_name(path ? path : "?"),
                                        "errno", strerrorname_np(-failure->error), "text",
                                        adl_json_name(failure->text)));
    }
    return list;
}

static json_t *connections_of(const struct adl_warm *warm, const struct adl_tree *tree)
{
    const struct adl_warming *warming;
    const struct adl_transfer *transfer;
    json_t *list = json_array();
    LIST_FOREACH (warming, &warm->now, link) {
        if (!warming->handle)
            continue;
        cleanup_free char *path = path_of(warming->handle->file, tree);
        LIST_FOREACH (transfer, &warming->handle->file->transfers, link)
            if (!transfer->doomed)
                json_array_append_new(list, connection(transfer, path));
    }
    return list;
}

/* Its files' errors of the moment: why nothing comes. */
static const char *trouble_of(const struct adl_warm *warm)
{
    const struct adl_warming *warming;
    LIST_FOREACH (warming, &warm->now, link)
        if (warming->file->failures && !warming->file->n_transfers)
            return warming->file->error_text;
    return NULL;
}

static bool is_paused(const struct adl_warm *warm)
{
    const struct adl_warming *warming;
    LIST_FOREACH (warming, &warm->now, link)
        if (!adl_pause_holds(warming->file))
            return false;
    return !LIST_EMPTY(&warm->now) || warm->engine->paused;
}

/* At first the rate that its files have had lately: it may have joined what was under way. */
static int64_t rate_of_warm(const struct adl_warm *warm)
{
    int64_t now = warm->engine->now, rate = 0;
    const struct adl_warming *warming;
    if (warm->meter.at && now - warm->meter.since >= YOUNG_MS)
        return adl_meter_rate(&warm->meter, now);
    LIST_FOREACH (warming, &warm->now, link)
        if (warming->file->n_transfers)
            rate += adl_meter_rate(&warming->file->meter, now);
    return rate;
}

json_t *adl_survey_warm(const struct adl_warm *warm, const struct adl_tree *tree)
{
    struct adl_warm_sum sum;
    bool paused = is_paused(warm), known;
    adl_warm_sum(warm, &sum);
    known = sum.unknown == 0;
    int64_t rate = paused ? 0 : rate_of_warm(warm), eta = -1;
    if (known && rate > 0 && !warm->ended)
        eta = (sum.size - sum.here + rate - 1) / rate;
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "job",
                     number((int64_t)warm->number), "state",
                     warm->ended ? "done"
                     : paused    ? "paused"
                                 : "fetching",
                     "files", number((int64_t)warm->count), "files_done",
                     number((int64_t)warm->done), "files_failed", number((int64_t)warm->failed),
                     "size", number_or_null(known ? sum.size : -1), "here", number(sum.here),
                     "fetched", number((int64_t)warm->fetched), "rate", number(rate), "eta",
                     number_or_null(eta), "trouble", adl_json_name(trouble_of(warm)), "failures",
                     failures_of(warm, tree), "connections", connections_of(warm, tree));
}
