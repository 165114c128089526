/* transfer: one GET from start to end. What the head of its answer means stands in transfer_head.c,
 * where its bytes go in transfer_body.c. All that runs inside the loop's events, and starts and
 * cancels nothing there. */
#include "engine.h"

#include <errno.h>
#include <string.h>

/* This many answers in a row that make no sense for a range, and the file is streamed. */
#define ODD_MAX 3

static void forget(struct adl_transfer *transfer)
{
    struct adl_file *file = transfer->file;
    LIST_REMOVE(transfer, link);
    if (transfer->kept)
        adl_pace_ends(&file->pace, file->engine->now);
    if (--file->n_transfers == 0)
        transfer->origin->files--;
    file->engine->active--;
    transfer->origin->active--;
    if (file->probing == transfer)
        file->probing = NULL;
    if (file->sniffing == transfer)
        adl_file_sniffed(file, false);
    struct adl_call *call;
    TAILQ_FOREACH (call, &file->reads, link)
        call->planned = false;
    adl_engine_busy(file);
    if (transfer->edition)
        adl_edition_unref(transfer->edition);
    adl_run_free(&transfer->run);
    adl_body_free(&transfer->body);
    free(transfer);
}

void adl_transfer_doom(struct adl_transfer *transfer)
{
    if (transfer->doomed)
        return;
    transfer->doomed = true;
    TAILQ_INSERT_TAIL(&transfer->file->engine->doomed, transfer, doom);
}

void adl_transfer_reap(struct adl_engine *engine)
{
    struct adl_transfer *transfer;
    while ((transfer = TAILQ_FIRST(&engine->doomed))) {
        TAILQ_REMOVE(&engine->doomed, transfer, doom);
        if (transfer->get)
            adl_http_cancel(engine->http, transfer->get);
        adl_transfer_store(transfer);
        forget(transfer);
    }
}

/* A stream of unknown length has come to its end: now it is known. */
static void stream_ended(struct adl_transfer *transfer)
{
    struct adl_file *file = transfer->file;
    struct adl_edition *edition = transfer->edition;
    if (edition != file->edition || file->size >= 0)
        return;
    struct adl_head want;
    adl_file_head(file, &want);
    want.size = transfer->at;
    int error = adl_copy_finish(edition->copy, &want);
    if (error < 0) {
        adl_file_error(file, error, "cache: %s", strerror(-error));
        adl_file_fail(file, error);
        return;
    }
    file->size = transfer->at;
    transfer->end = transfer->at;
    adl_file_confirm(file);
    adl_file_publish(file);
    adl_edition_arrived(edition, 0, INT64_MAX);
    adl_edition_complete(edition);
    struct adl_call *call, *next; /* reads behind the end */
    for (call = TAILQ_FIRST(&file->reads); call; call = next) {
        next = TAILQ_NEXT(call, link);
        TAILQ_REMOVE(&file->reads, call, link);
        adl_edition_read(call);
    }
}

/* An answer that came whole, or as far as it was wanted. */
static void succeeded(struct adl_transfer *transfer)
{
    struct adl_file *file = transfer->file;
    struct adl_engine *engine = file->engine;
    adl_origin_good(engine->origins, transfer->origin, engine->now);
    file->failures = file->odd = file->failed_mirrors = 0;
    file->progress_at = engine->now;
}

/* The end of a body, or of as much of it as was wanted. */
static void body_ended(struct adl_transfer *transfer, const struct adl_result *result)
{
    if (transfer->kept && transfer->verdict.outcome == ADL_SINGLE && result->error == 0)
        stream_ended(transfer);
    if (!transfer->kept || transfer->at >= transfer->end)
        succeeded(transfer);
    else
        adl_retry_failed(transfer,
                         result->error && result->error != -ECANCELED ? result->error : -EIO, true,
                         result->error ? result->reason : "the body is too short");
}

static void settle(struct adl_transfer *transfer, const struct adl_result *result)
{
    struct adl_file *file = transfer->file;
    const struct adl_verdict *verdict = &transfer->verdict;
    if (adl_transfer_is_second_part(transfer) &&
        (!transfer->answered || verdict->outcome != ADL_SPLIT))
        return; /* the probe's answer tells */
    if (!transfer->answered) {
        adl_retry_failed(transfer, result->error ? result->error : -EIO, result->transient,
                         result->reason);
        return;
    }
    switch (verdict->outcome) {
    case ADL_SPLIT:
    case ADL_SINGLE:
        body_ended(transfer, result);
        break;
    case ADL_EMPTY:
        if (transfer->probe)
            succeeded(transfer);
        else
            adl_file_change(file, "it is empty now");
        break;
    case ADL_UNCHANGED:
        succeeded(transfer);
        break;
    case ADL_PLAIN:
        if (transfer->probe || ++file->odd >= ODD_MAX) {
            file->plain = true;
            if (file->known)
                file->mode = ADL_MODE_SINGLE;
        } else {
            adl_retry_failed(transfer, -EIO, true, verdict->reason);
        }
        break;
    case ADL_CHANGED:
        break; /* all was done when the head came */
    default:
        adl_retry_failed(transfer, verdict->error, verdict->outcome == ADL_TRANSIENT,
                         verdict->reason);
    }
}

static void done(void *ctx, const struct adl_result *result)
{
    struct adl_transfer *transfer = ctx;
    struct adl_file *file = transfer->file;
    transfer->get = NULL;
    file->engine->now = adl_engine_clock();
    if (transfer->doomed) /* reaped when the round is over */
        return;
    if (adl_transfer_store(transfer))
        settle(transfer, result);
    if (!transfer->doomed)
        forget(transfer);
}

int adl_transfer_start(struct adl_file *file, const struct adl_question *question,
                       const struct adl_range *range, struct adl_transfer **out)
{
    static const struct adl_get_events events = {.head = adl_transfer_head,
                                                 .body = adl_transfer_body,
                                                 .hold = adl_transfer_hold,
                                                 .done = done};
    struct adl_engine *engine = file->engine;
    const char *home = adl_file_url(file);
    const char *url = file->final_url && !file->failures ? file->final_url : home;
    struct adl_transfer *transfer = calloc(1, sizeof(*transfer));
    if (!transfer)
        return -ENOMEM;
    *transfer = (struct adl_transfer){.file = file,
                                      .origin = adl_origins_of(engine->origins, home, engine->now),
                                      .question = *question,
                                      .direct = url != home,
                                      .mirror = file->mirror,
                                      .since = engine->now,
                                      .rated_at = engine->now,
                                      .retry_after = -1};
    const struct adl_validator *validator = &file->validators[file->mirror];
    if (range) {
        transfer->at = range->first;
        transfer->end = range->end;
        transfer->reason = range->reason;
        transfer->edition = adl_edition_ref(file->edition);
    }
    struct adl_request request = {.url = url,
                                  .home = home,
                                  .options = file->entry->options,
                                  .question = *question,
                                  .validator = file->known ? validator : NULL};
    int error = transfer->origin
                    ? adl_http_get(engine->http, &request, &events, transfer, &transfer->get)
                    : -ENOMEM;
    if (error < 0) {
        if (transfer->edition)
            adl_edition_unref(transfer->edition);
        free(transfer);
        return error;
    }
    LIST_INSERT_HEAD(&file->transfers, transfer, link);
    if (file->n_transfers++ == 0)
        transfer->origin->files++;
    engine->active++;
    transfer->origin->active++;
    *out = transfer;
    return 0;
}
