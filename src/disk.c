/* disk: what the loop does about a disk that is full or broken: see overflow.h. */
#include "engine.h"

#include <errno.h>
#include <string.h>

/* So much of what waits for the disk is written in a round, so that readers are not kept waiting.
 */
#define SETTLE_MAX (8 << 20)

/* A stream that is held back is looked at this often. */
#define LOOK_MS 200

void adl_disk_time(struct adl_engine *engine)
{
    engine->overflow.now = engine->now;
}

void adl_disk_round(struct adl_engine *engine)
{
    struct adl_overflow *overflow = &engine->overflow;
    struct adl_edition *edition;
    int64_t most = adl_evict_room(engine, SETTLE_MAX), budget = most;
    adl_disk_time(engine);
    if (!adl_overflow_failing(overflow) && TAILQ_EMPTY(&overflow->fresh) &&
        TAILQ_EMPTY(&overflow->shown))
        return;
    LIST_FOREACH (edition, &engine->editions, all) {
        if (adl_overflow_resting(overflow) || budget <= 0)
            break;
        adl_copy_settle(edition->copy, &budget);
        if (edition->copy->size >= 0 && adl_copy_complete(edition->copy))
            adl_edition_complete(edition);
    }
    adl_evict_wrote(engine, most - budget);
    if (budget < most)
        adl_flush_soon(engine);
    /* Where nothing rests, the next write tries. */
    if (budget <= 0 && most > 0)
        adl_engine_wake_at(engine, engine->now);
    else if (adl_overflow_resting(overflow))
        adl_engine_wake_at(engine, adl_overflow_retry_at(overflow));
}

int64_t adl_disk_ahead(const struct adl_edition *edition, int64_t most)
{
    int64_t ahead = adl_overflow_ahead(&edition->file->engine->overflow, &edition->copy->spill);
    return ahead < most ? ahead : most;
}

int adl_disk_trouble(const struct adl_edition *edition, const char **why)
{
    const struct adl_engine *engine = edition->file->engine;
    const struct adl_overflow *overflow = &engine->overflow;
    const struct adl_spill *spill = &edition->copy->spill;
    if (!adl_overflow_failing(overflow) ||
        (TAILQ_EMPTY(&spill->cells) && !spill->lost && adl_disk_ahead(edition, 1) > 0))
        return 0;
    if (overflow->shut && !engine->evictor.is_full)
        return -EAGAIN;
    *why = overflow->shut ? "the cache is at its limit, and all of it is in use"
                          : strerrordesc_np(-overflow->error);
    return overflow->shut ? -ENOSPC : overflow->error;
}

bool adl_disk_stream(struct adl_edition *edition)
{
    const struct adl_file *file = edition->file;
    if (!edition->copy->spill.lost)
        return true;
    if (adl_overflow_failing(&file->engine->overflow) && TAILQ_EMPTY(&file->reads))
        return false;
    edition->reached = 0; /* what has gone by is news again */
    return true;
}

void adl_disk_let_go(struct adl_transfer *transfer)
{
    struct adl_engine *engine = transfer->file->engine;
    if (!transfer->paused)
        return;
    if (LIST_EMPTY(&transfer->file->handles) || !TAILQ_EMPTY(&transfer->file->reads) ||
        adl_disk_ahead(transfer->edition, 1) > 0)
        adl_transfer_resume(transfer);
    else
        adl_engine_wake_at(engine, engine->now + LOOK_MS);
}
