/* The body of a transfer's answer: gathered, compared where nothing pins it, written, and told to
 * who waits for it. */
#include "engine.h"
#include "minmax.h"

#include <errno.h>
#include <string.h>

/* A stream that nothing pins begins anew: what came before must come again, or it is another
 * version. */
static bool same_as_before(struct adl_transfer *transfer, const unsigned char *bytes, size_t length)
{
    struct adl_copy *copy = transfer->edition->copy;
    unsigned char buffer[16384];
    for (size_t done = 0; done < length;) {
        size_t n = length - done < sizeof(buffer) ? length - done : sizeof(buffer);
        int64_t at = transfer->at + (int64_t)done;
        if (!adl_copy_covers(copy, at, at + (int64_t)n))
            return true; /* behind what came before */
        if (adl_copy_read(copy, buffer, n, at) == 0 && memcmp(buffer, bytes + done, n) != 0)
            return false;
        done += n;
    }
    return true;
}

/* The next byte that the network brings. */
static int64_t arriving(const struct adl_transfer *transfer)
{
    return transfer->at + (int64_t)transfer->body.used;
}

/* What was gathered is of no use: it cannot be written, or belongs to another version. */
static bool give_up(struct adl_transfer *transfer)
{
    transfer->body.used = 0;
    return false;
}

bool adl_transfer_store(struct adl_transfer *transfer)
{
    struct adl_file *file = transfer->file;
    struct adl_edition *edition = transfer->edition;
    const unsigned char *bytes = transfer->body.bytes;
    size_t length =
        (size_t)min64((int64_t)transfer->body.used, max64(transfer->end - transfer->at, 0));
    if (!length)
        return true;
    if (transfer->compare && !same_as_before(transfer, bytes, length)) {
        if (edition == file->edition) /* else that is known */
            adl_file_change(file, "another version came when the stream began anew");
        return give_up(transfer);
    }
    bool complete = edition->copy->size >= 0 && adl_copy_complete(edition->copy);
    int error = adl_copy_write(edition->copy, &transfer->run, bytes, length, transfer->at);
    if (error < 0) {
        adl_file_error(file, error, "cache: %s", strerror(-error));
        adl_file_fail(file, error);
        adl_transfer_doom(transfer); /* its end says nothing of the origin */
        return give_up(transfer);
    }
    if (transfer->at == 0 && edition == file->edition)
        adl_edition_sniff(file, bytes, length);
    int64_t first = transfer->at;
    transfer->at += (int64_t)length;
    transfer->body.used = 0;
    adl_flush_wrote(file->engine, (int64_t)length);
    adl_edition_arrived(edition, first, transfer->at);
    if (!complete && edition->copy->size >= 0 && adl_copy_complete(edition->copy))
        adl_edition_complete(edition);
    return true;
}

/* Whether a read ends with the bytes that were gathered: more of them would make it wait. So would
 * the end of a flight that was cut to where it is, since that is only seen when more comes. */
static bool awaited(const struct adl_transfer *transfer)
{
    const struct adl_call *call;
    if (arriving(transfer) >= transfer->end)
        return true;
    int64_t size = transfer->edition->copy->size, last = arriving(transfer);
    TAILQ_FOREACH (call, &transfer->file->reads, link) {
        int64_t end = call->offset + call->length;
        if (size >= 0)
            end = min64(end, size);
        if (end > transfer->at && end <= last)
            return true;
    }
    return false;
}

void adl_transfer_store_awaited(struct adl_file *file)
{
    struct adl_transfer *transfer;
    LIST_FOREACH (transfer, &file->transfers, link)
        if (transfer->body.used && !transfer->doomed && awaited(transfer))
            adl_transfer_store(transfer);
}

static bool keep(struct adl_transfer *transfer, const char *bytes, size_t length)
{
    while (length > 0) {
        int64_t taken = adl_body_take(&transfer->body, transfer->at, bytes, length);
        if (taken < 0) {
            adl_file_fail(transfer->file, (int)taken);
            adl_transfer_doom(transfer);
            return false;
        }
        bytes += taken;
        length -= (size_t)taken;
        if (adl_body_full(&transfer->body, transfer->at) && !adl_transfer_store(transfer))
            return false;
    }
    adl_flush_soon(transfer->file->engine);
    return true;
}

/* A stream that begins anew makes no progress until it is where an earlier one was. */
static void note_progress(struct adl_transfer *transfer, int64_t bytes)
{
    if (transfer->verdict.outcome == ADL_SINGLE) {
        int64_t end = arriving(transfer) + bytes;
        bytes = end - transfer->edition->reached;
        if (bytes <= 0)
            return;
        transfer->edition->reached = end;
    }
    transfer->got += bytes;
    adl_meter_add(&transfer->meter, transfer->file->engine->now, bytes);
    adl_retry_progress(transfer->file, bytes);
}

bool adl_transfer_hold(void *ctx)
{
    return adl_throttle_holds(ctx);
}

/* While the disk takes nothing, a stream must not run away from who reads it. Who waits, also for
 * what has gone by, lets it go on. */
static void hold_back(struct adl_transfer *transfer)
{
    struct adl_file *file = transfer->file;
    if (transfer->verdict.outcome != ADL_SINGLE || !TAILQ_EMPTY(&file->reads) ||
        adl_disk_ahead(transfer->edition, 1) > 0)
        return;
    transfer->paused = true;
    adl_http_pause(transfer->get, true);
}

void adl_transfer_resume(struct adl_transfer *transfer)
{
    if (!transfer->paused)
        return;
    transfer->paused = false;
    if (!adl_http_pause(transfer->get, false))
        adl_transfer_doom(transfer);
}

bool adl_transfer_body(void *ctx, const void *bytes, size_t length)
{
    struct adl_transfer *transfer = ctx;
    struct adl_file *file = transfer->file;
    file->engine->now = adl_engine_clock();
    if (transfer->doomed)
        return false;
    adl_throttle_take(transfer, (int64_t)length);
    if (!transfer->kept) {
        if (length && transfer->probe && transfer->verdict.outcome <= ADL_SINGLE &&
            transfer->at == 0)
            adl_edition_sniff(file, bytes, length);
        transfer->at += (int64_t)length;
        return !length || !transfer->peek;
    }
    if (length && file->sniffing == transfer) /* it may be a while until it is written */
        adl_edition_sniff(file, bytes, length);
    int64_t room = transfer->end - arriving(transfer);
    bool enough = (int64_t)length > room; /* more than was promised, or a flight that was cut */
    if (enough)
        length = room > 0 ? (size_t)room : 0;
    note_progress(transfer, (int64_t)length);
    if (length && !keep(transfer, bytes, length))
        return false;
    if (!enough)
        hold_back(transfer);
    return !enough;
}
