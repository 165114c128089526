/* flush: when what came is recorded. What was gathered in memory goes to the data file, what is
 * dirty of a sidecar to its file: about once a second, and after every so many bytes. */
#include "engine.h"

#include <string.h>

/* What finished is recorded after so many ms, or so many bytes: all that a kill can lose. A page of
 * the sidecar, 4 KiB, stands for 31 MiB of data, so this costs nothing. */
#define FLUSH_MS    1000
#define FLUSH_BYTES (4 << 20)

void adl_flush_soon(struct adl_engine *engine)
{
    if (engine->flush_at == INT64_MAX)
        engine->flush_at = engine->now + FLUSH_MS;
}

void adl_flush_wrote(struct adl_engine *engine, int64_t bytes)
{
    engine->unrecorded += bytes;
    adl_evict_wrote(engine, bytes);
    adl_flush_soon(engine);
    if (engine->unrecorded >= FLUSH_BYTES)
        engine->flush_at = engine->now;
}

/* What was gathered is not held back for longer than what is recorded, nor written in small pieces
 * each time that something is. When it is due again, ms. */
static int64_t store_all(struct adl_engine *engine)
{
    struct adl_file *file;
    struct adl_transfer *transfer;
    int64_t due = engine->stored_at + FLUSH_MS;
    if (engine->now < due)
        return due;
    engine->stored_at = engine->now;
    TAILQ_FOREACH (file, &engine->busy, busy)
        LIST_FOREACH (transfer, &file->transfers, link)
            if (!transfer->doomed)
                adl_transfer_store(transfer);
    return INT64_MAX;
}

void adl_flush_round(struct adl_engine *engine)
{
    struct adl_edition *edition;
    if (engine->now < engine->flush_at)
        return;
    engine->flush_at = store_all(engine);
    engine->unrecorded = 0;
    LIST_FOREACH (edition, &engine->editions, all) {
        struct adl_sidecar *sidecar = edition->copy->sidecar;
        if (!adl_sidecar_dirty(sidecar))
            continue;
        int error = adl_sidecar_flush(sidecar);
        if (error < 0 && !edition->failed)
            adl_file_error(edition->file, error, "cache: %s", strerror(-error));
        edition->failed = error < 0;
        if (error < 0)
            adl_flush_soon(engine);
    }
}

void adl_flush_now(struct adl_engine *engine)
{
    engine->flush_at = engine->now;
    adl_flush_round(engine);
}
