#include "chore.h"

#include "engine.h"
#include "json_name.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ms; an answer that is due then is given after the file that is under way. */
#define ANSWER_MS 500

/* Files that are passed over in one round of the loop: each costs a look into the cache. */
#define PASSED_MAX 256

/* Ranges told of one file. */
#define RANGES_MAX 1000

static void next(struct adl_errand *errand);

static size_t count_of(const struct adl_errand *errand)
{
    return errand->all ? errand->engine->n_entries : errand->n_entries;
}

static void end(struct adl_errand *errand, size_t at)
{
    json_t *next = at < count_of(errand) ? json_integer((json_int_t)at) : json_null();
    errand->answer = json_pack("{s:b, s:O, s:o}", "ok", 1, "files", errand->files, "next", next);
    errand->finish(errand);
}

static void give_up(struct adl_errand *errand)
{
    errand->answer = adl_desk_refusal(-ENOTCONN, "the mount is ending");
    errand->finish(errand);
}

/* --- what became of a file */

static void tell(struct adl_errand *errand, json_t *told, int error, const char *text)
{
    json_object_set_new(told, "entry", json_integer(errand->entry));
    json_object_set_new(told, "error",
                        error < 0 ? adl_desk_error(error, text ? text : strerror(-error))
                                  : json_null());
    json_array_append_new(errand->files, told);
}

/* The kernel is to forget that part of the file. */
static void add_stale(struct adl_errand *errand, uint32_t version, int64_t first, int64_t end)
{
    struct adl_stale *longer =
        reallocarray(errand->stale, errand->n_stale + 1, sizeof(*errand->stale));
    if (!longer)
        return;
    errand->stale = longer;
    longer[errand->n_stale++] =
        (struct adl_stale){.entry = errand->entry, .version = version, .first = first, .end = end};
}

static void evicted(void *ctx, int error, int64_t freed)
{
    struct adl_errand *errand = ctx;
    if (error != -ENOENT)
        tell(errand, json_pack("{s:I}", "freed", (json_int_t)freed), error,
             error == -EBUSY ? "is open, and stays" : NULL);
    next(errand);
}

static json_t *ranges_of(const struct adl_extents *set)
{
    json_t *array = json_array();
    for (size_t i = 0; i < set->count && i < RANGES_MAX; i++)
        json_array_append_new(array, json_pack("[I, I]", (json_int_t)set->list[i].first,
                                               (json_int_t)set->list[i].end));
    return array;
}

static void verified(void *ctx, int error, const struct adl_damage *damage)
{
    struct adl_errand *errand = ctx;
    if (error < 0) {
        tell(errand, json_pack("{s:i, s:[], s:[]}", "checked", 0, "dropped", "lost"), error, NULL);
        next(errand);
        return;
    }
    for (size_t i = 0; i < damage->wrong->count; i++)
        add_stale(errand, damage->version, damage->wrong->list[i].first,
                  damage->wrong->list[i].end);
    if (damage->checked > 0 || damage->wrong->count > 0 || damage->lost->count > 0)
        tell(errand,
             json_pack("{s:I, s:o, s:o}", "checked", (json_int_t)damage->checked, "dropped",
                       ranges_of(damage->wrong), "lost", ranges_of(damage->lost)),
             0, NULL);
    next(errand);
}

/* --- one after the other */

/* Whether there can be anything of it in the cache. */
static bool is_there(const struct adl_engine *engine, uint32_t entry)
{
    char name[ADL_NAME_ROOM];
    const struct adl_file *file = engine->files[entry];
    if (file && file->edition)
        return true;
    struct adl_key key = adl_store_key(engine->entries[entry]->urls);
    adl_store_name(&key, ".map", name);
    return faccessat(engine->store->dir, name, F_OK, 0) == 0;
}

static void do_one(struct adl_errand *errand, uint32_t entry)
{
    struct adl_engine *engine = errand->engine;
    errand->entry = entry;
    if (errand->order.kind == ADL_ORDER_EVICT)
        adl_file_evict(engine, entry, evicted, errand);
    else
        adl_file_verify(engine, entry, verified, errand);
}

static void go_on(struct adl_engine *engine, void *ctx)
{
    struct adl_errand *errand = ctx;
    if (engine->stop) {
        give_up(errand);
        return;
    }
    size_t count = count_of(errand);
    for (unsigned passed = 0; errand->at < count && passed < PASSED_MAX; passed++) {
        uint32_t entry = errand->all ? (uint32_t)errand->at : errand->entries[errand->at];
        errand->at++;
        if (entry < engine->n_entries && engine->entries[entry] && is_there(engine, entry)) {
            do_one(errand, entry);
            return;
        }
    }
    next(errand);
}

/* The next files, if there is time left for them. Not within another call of its own: what is
 * answered at once would go ever deeper. */
static void next(struct adl_errand *errand)
{
    struct adl_engine *engine = errand->engine;
    if (engine->stop) {
        give_up(errand);
        return;
    }
    if (errand->at >= count_of(errand) || adl_engine_clock() >= errand->until ||
        json_array_size(errand->files) >= errand->order.limit) {
        end(errand, errand->at);
        return;
    }
    if (adl_engine_run(engine, go_on, errand) < 0)
        end(errand, errand->at);
}

void adl_chore_begin(struct adl_engine *engine, struct adl_errand *errand)
{
    errand->engine = engine;
    errand->at = errand->order.after;
    errand->until = adl_engine_clock() + ANSWER_MS;
    errand->files = json_array();
    go_on(engine, errand);
}

void adl_chore_name(struct adl_errand *errand)
{
    for (size_t i = json_array_size(errand->files); i-- > 0;) {
        json_t *told = json_array_get(errand->files, i);
        json_int_t entry = json_integer_value(json_object_get(told, "entry"));
        uint32_t number = adl_tree_of_entry(errand->tree, (uint32_t)entry);
        if (number == ADL_NO_NODE) {
            json_array_remove(errand->files, i);
            continue;
        }
        char *path = adl_tree_path(errand->tree, number);
        json_object_set_new(told, "path", adl_json_name(path));
        free(path);
    }
}
