#include "cleanup.h"
#include "engine.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

/* Others write to the same disk: it is looked at so often in any case. */
#define LOOK_MS 60000

/* While there is no room: something may have been closed. */
#define FULL_MS 1000

/* Between two looks that are made since the limits may be passed. */
#define APART_MS 250

/* An entry is shrunk by so much at a time, so that who opens it meanwhile waits for no more. */
#define SHRINK_STEP (INT64_C(256) << 20)

/* --- the keeper's side */

/* Takes `share` bytes of an entry out, whole where that is all that can be done. */
static int64_t take_out(const struct adl_store *store, const struct adl_item *item, int64_t share)
{
    int64_t freed = 0, all = 0;
    while (share < item->allocated && all < share) {
        int64_t step = share - all < SHRINK_STEP ? share - all : SHRINK_STEP;
        int r = adl_inventory_shrink(store, &item->key, step, &freed);
        if (r == -EOPNOTSUPP || r == -EINVAL)
            break;
        if (r < 0 || freed <= 0)
            return all;
        all += freed;
    }
    if (all >= share || adl_inventory_remove(store, &item->key, &freed) < 0)
        return all;
    return all + freed;
}

void adl_evict_look(const struct adl_store *store, const struct adl_quota *quota,
                    const _Atomic bool *stop, struct adl_look *look)
{
    struct adl_inventory inventory;
    *look = (struct adl_look){.error = adl_inventory_take(store, false, &inventory)};
    if (look->error < 0)
        return;
    int64_t excess = adl_quota_excess(quota, inventory.allocated, inventory.available);
    int64_t goal = adl_quota_goal(quota, excess);
    if (goal > 0)
        adl_quota_order(&inventory);
    for (size_t i = 0; i < inventory.count && look->freed < goal && !*stop; i++) {
        const struct adl_item *item = &inventory.items[i];
        look->freed += take_out(store, item, adl_quota_share(item, goal - look->freed));
    }
    look->allocated = inventory.allocated - look->freed;
    look->excess = excess > look->freed ? excess - look->freed : 0;
    adl_inventory_free(&inventory);
}

/* --- the loop's side */

void adl_evict_wrote(struct adl_engine *engine, int64_t bytes)
{
    if (!engine->overflow.shut)
        engine->evictor.wrote += bytes;
}

/* Whether the limits are passed, as far as can be told without looking. */
static bool may_be_over(const struct adl_engine *engine)
{
    const struct adl_evictor *evictor = &engine->evictor;
    const struct adl_quota *quota = &evictor->quota;
    struct statvfs disk;
    if (quota->most > 0 && evictor->allocated + evictor->wrote > quota->most)
        return true;
    return quota->reserve > 0 && evictor->wrote > 0 && fstatvfs(engine->store->dir, &disk) == 0 &&
           disk.f_blocks > 0 && (int64_t)(disk.f_bavail * disk.f_frsize) < quota->reserve;
}

int64_t adl_evict_room(const struct adl_engine *engine, int64_t most)
{
    const struct adl_evictor *evictor = &engine->evictor;
    if (evictor->quota.most <= 0)
        return most;
    int64_t room = evictor->quota.most - evictor->allocated - evictor->wrote;
    return room < most ? room : most;
}

static void look(struct adl_engine *engine)
{
    struct adl_evictor *evictor = &engine->evictor;
    struct adl_call *call = calloc(1, sizeof(*call));
    evictor->not_before = engine->now + APART_MS;
    evictor->look_at = engine->now + LOOK_MS;
    if (!call)
        return;
    call->kind = ADL_CALL_LOOKED;
    evictor->wrote_before = evictor->wrote;
    evictor->looking = adl_worker_keep(engine->keeper, call) == 0;
    if (!evictor->looking)
        free(call);
}

void adl_evict_round(struct adl_engine *engine)
{
    struct adl_evictor *evictor = &engine->evictor;
    if (!adl_quota_set(&evictor->quota))
        return;
    bool over = may_be_over(engine), was_shut = engine->overflow.shut;
    engine->overflow.shut = over || evictor->is_full;
    if (was_shut && !engine->overflow.shut)
        adl_engine_wake_at(engine, engine->now); /* what waits for the disk can go there */
    if (evictor->looking)
        return;
    int64_t due = over && !evictor->is_full ? evictor->not_before : evictor->look_at;
    if (engine->now >= due)
        look(engine);
    else
        adl_engine_wake_at(engine, due);
}

void adl_evict_looked(struct adl_engine *engine, const struct adl_look *look)
{
    struct adl_evictor *evictor = &engine->evictor;
    evictor->looking = false;
    if (look->error == -ECANCELED)
        return;
    if (look->error < 0)
        adl_log(engine->log, ADL_WARNING, "the cache cannot be looked over: %s",
                strerror(-look->error));
    else
        evictor->allocated = look->allocated;
    evictor->wrote -= evictor->wrote_before;
    if (look->freed > 0)
        adl_log(engine->log, ADL_DEBUG, "%lld bytes of the cache were given up",
                (long long)look->freed);
    if (look->excess > 0 && !evictor->is_full)
        adl_log(engine->log, ADL_NOTICE,
                "the cache is full, and all of it is in use: files are read past it");
    evictor->is_full = look->excess > 0;
    if (!evictor->is_full)
        return;
    adl_rest_end(engine);
    evictor->look_at = engine->now + FULL_MS;
}

/* Nobody has the file open: its copy is closed, if it is not. */
static bool let_go(struct adl_file *file)
{
    if (!LIST_EMPTY(&file->handles) || file->n_transfers || !TAILQ_EMPTY(&file->asks))
        return false;
    if (!file->edition)
        return true;
    if (file->edition->refs > 1)
        return false;
    adl_engine_busy(file);
    adl_edition_leave(file);
    return true;
}

void adl_evict_call(struct adl_engine *engine, struct adl_call *call)
{
    if (call->carried_out) {
        int error = call->result == -EWOULDBLOCK ? -EBUSY : call->result;
        call->done.evict(call->ctx, error, call->freed);
        free(call);
        return;
    }
    struct adl_file *file = adl_file_at(engine, call->entry);
    int error = file ? 0 : -ENOMEM;
    if (file && !let_go(file))
        error = -EBUSY;
    if (error == 0) {
        file->evicted = true;
        call->key = adl_store_key(file->entry->urls);
        error = adl_worker_keep(engine->keeper, call);
    }
    if (error < 0)
        adl_call_fail(call, error);
}
