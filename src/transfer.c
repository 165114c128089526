/* transfer: one GET from start to end: what it was asked for, what the answer means, where its
 * bytes go. Runs inside the loop's events: it starts and cancels nothing there. */
#include "cleanup.h"
#include "engine.h"
#include "minmax.h"

#include <errno.h>
#include <string.h>

/* The body of an answer that nobody wants is read to its end up to here, to keep the connection. */
#define DRAIN_MAX (64 << 10)

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

/* --- the head */

/* What is pinned of the file, as far as the mirror that is asked can be held to it. */
static struct adl_pin pin_of(const struct adl_transfer *transfer)
{
    const struct adl_file *file = transfer->file;
    return (struct adl_pin){.size = file->size, .validator = file->validators[transfer->mirror]};
}

static void keep_body(struct adl_transfer *transfer)
{
    struct adl_file *file = transfer->file;
    const struct adl_verdict *verdict = &transfer->verdict;
    if (!file->edition)
        return;
    if (!transfer->edition)
        transfer->edition = adl_edition_ref(file->edition);
    transfer->kept = true;
    adl_pace_begins(&file->pace, file->engine->now);
    transfer->at = verdict->body_first;
    if (verdict->outcome == ADL_SINGLE) {
        transfer->compare = !adl_validator_pins(&file->validators[transfer->mirror]);
        transfer->end = file->size >= 0 ? file->size : INT64_MAX;
        return;
    }
    /* An origin may give less than was asked (RFC 9110 14.4); a flight may have been cut since. */
    int64_t end = verdict->body_first + verdict->body_length;
    if (transfer->probe || end < transfer->end)
        transfer->end = end;
}

/* Whether a body that nobody wants is short enough to be read, which keeps its connection. */
static bool drainable(const struct adl_answer *answer)
{
    return answer->content_length >= 0 && answer->content_length <= DRAIN_MAX;
}

/* Whether the body of a probe's answer is worth keeping. */
static bool wanted(const struct adl_transfer *transfer)
{
    const struct adl_file *file = transfer->file;
    if (LIST_EMPTY(&file->handles) || !file->edition)
        return false;
    if (transfer->verdict.outcome == ADL_SPLIT) /* the one byte of a stat's probe is not */
        return transfer->question.last > 0;
    const struct adl_transfer *other;
    LIST_FOREACH (other, &file->transfers, link)
        if (other != transfer && other->kept && !other->doomed)
            return false; /* there is a stream already */
    return file->size < 0 || !adl_copy_complete(file->edition->copy);
}

/* The probe found a file: who asks gets answers, and whoever opens wants the body kept. */
static bool found(struct adl_transfer *transfer, const struct adl_answer *answer)
{
    struct adl_file *file = transfer->file;
    adl_file_learn(transfer, answer);
    file->probing = NULL; /* whoever asks from now on need not wait for the body */
    adl_file_answer(file);
    adl_early_adopt(file);
    if (transfer->verdict.outcome != ADL_EMPTY && wanted(transfer))
        keep_body(transfer);
    return transfer->kept || drainable(answer);
}

/* A later answer of the pinned version. */
static bool usable(struct adl_transfer *transfer, const struct adl_answer *answer)
{
    struct adl_file *file = transfer->file;
    struct adl_validator *pin = &file->validators[transfer->mirror];
    if (!adl_validator_given(pin))
        *pin = answer->validator; /* a mirror's first answer pins it */
    if (transfer->verdict.outcome == ADL_SINGLE && file->mode == ADL_MODE_SPLIT) {
        /* Ranges no longer: this answer becomes the one stream. */
        adl_file_error(file, -EIO, "the origin has stopped to honour ranges: streaming it");
        file->mode = ADL_MODE_SINGLE;
        struct adl_transfer *other;
        LIST_FOREACH (other, &file->transfers, link)
            if (other != transfer)
                adl_transfer_doom(other);
    }
    keep_body(transfer);
    return transfer->kept;
}

static void redirected(const struct adl_transfer *transfer, const char *url)
{
    struct adl_file *file = transfer->file;
    if (transfer->mirror != file->mirror || strcmp(url, adl_file_url(file)) == 0)
        return;
    if (file->final_url && strcmp(file->final_url, url) == 0)
        return;
    free(file->final_url);
    file->final_url = strdup(url);
}

/* A mirror that was not heard of yet and has something else: it is put aside, and what the others
 * have stays. */
static bool is_stranger(const struct adl_transfer *transfer)
{
    const struct adl_file *file = transfer->file;
    return file->entry->n_urls > 1 && adl_file_pinned(file) &&
           !adl_validator_given(&file->validators[transfer->mirror]);
}

/* Whether nothing tells that what is here is still what the origin has; where somebody holds on to
 * it, it is what it was. */
static bool is_doubtful(const struct adl_transfer *transfer, const struct adl_answer *answer)
{
    const struct adl_file *file = transfer->file;
    enum adl_outcome outcome = transfer->verdict.outcome;
    return transfer->probe && (outcome == ADL_SPLIT || outcome == ADL_SINGLE) && file->known &&
           file->edition && LIST_EMPTY(&file->handles) && !adl_validator_pins(&answer->validator) &&
           !adl_edition_digest_right(file->edition) && adl_copy_touched(file->edition->copy);
}

static bool looks_same(const struct adl_transfer *transfer)
{
    const struct adl_file *file = transfer->file;
    const struct adl_verdict *verdict = &transfer->verdict;
    enum adl_mode mode = verdict->outcome == ADL_SPLIT ? ADL_MODE_SPLIT : ADL_MODE_SINGLE;
    return verdict->size == file->size && mode == file->mode;
}

/* Whether the answer is of another version than what is known. */
static bool is_another(struct adl_transfer *transfer, const struct adl_pin *pin,
                       const struct adl_answer *answer)
{
    struct adl_verdict *verdict = &transfer->verdict;
    if (verdict->outcome == ADL_CHANGED)
        return true;
    if (verdict->outcome == ADL_UNCHANGED && answer->validator.etag[0] && pin->validator.etag[0] &&
        strcmp(answer->validator.etag, pin->validator.etag) != 0) {
        verdict->reason = "it is unchanged, and has another ETag";
        return true;
    }
    if (!is_doubtful(transfer, answer) || looks_same(transfer))
        return false;
    verdict->reason = "nothing tells whether it is still the same, and it is served differently";
    return true;
}

/* Of a first block that is asked for in two parts. */
static bool is_second_part(const struct adl_transfer *transfer)
{
    return transfer->early && !transfer->probe;
}

static bool head(void *ctx, const struct adl_answer *answer, const char *url, double seconds)
{
    struct adl_transfer *transfer = ctx;
    struct adl_file *file = transfer->file;
    file->engine->now = adl_engine_clock();
    if (transfer->doomed)
        return false;
    struct adl_pin pin = pin_of(transfer);
    struct adl_verdict *verdict = &transfer->verdict;
    adl_probe_classify(&transfer->question, &pin, answer, verdict);
    transfer->answered = true;
    if (is_second_part(transfer) && verdict->outcome != ADL_SPLIT)
        return drainable(answer);
    int64_t delay = file->engine->now - transfer->since;
    struct adl_origin *origin = transfer->origin;
    origin->delay = origin->delay ? (origin->delay * 7 + delay) / 8 : delay;
    transfer->retry_after = answer->retry_after;
    file->http_status = transfer->status = answer->status;
    file->http_version = answer->http_version;

    if (transfer->probe)
        file->seconds = seconds;
    if (verdict->outcome <= ADL_UNCHANGED)
        redirected(transfer, url);
    if (verdict->outcome == ADL_CHANGED && is_stranger(transfer)) {
        verdict->outcome = ADL_FAILED;
        verdict->error = -EIO;
        verdict->reason = "the mirror has another file than the others";
    } else if (is_another(transfer, &pin, answer)) {
        adl_file_change(file, verdict->reason);
        if (!transfer->probe)
            return false;
        /* The probe's answer tells all of the new version. */
        pin = pin_of(transfer);
        adl_probe_classify(&transfer->question, &pin, answer, verdict);
    } else if (is_doubtful(transfer, answer)) {
        adl_edition_renew(file);
    }
    switch (verdict->outcome) {
    case ADL_SPLIT:
    case ADL_SINGLE:
        return transfer->probe || !file->known ? found(transfer, answer) : usable(transfer, answer);
    case ADL_EMPTY:
        return transfer->probe && found(transfer, answer);
    case ADL_UNCHANGED:
        adl_file_confirm(file);
        adl_file_answer(file);
        return true;
    case ADL_TRANSIENT:
    case ADL_FAILED:
        return drainable(answer);
    default:
        return false;
    }
}

/* --- the body */

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
    adl_fetch_progress(transfer->file, bytes);
}

static bool hold(void *ctx)
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

static bool body(void *ctx, const void *bytes, size_t length)
{
    struct adl_transfer *transfer = ctx;
    struct adl_file *file = transfer->file;
    file->engine->now = adl_engine_clock();
    if (transfer->doomed)
        return false;
    adl_throttle_take(transfer, (int64_t)length);
    if (!transfer->kept) {
        if (transfer->verdict.outcome == ADL_SPLIT && transfer->verdict.body_first == 0)
            adl_edition_sniff(file, bytes, length);
        return true;
    }
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

/* --- the end */

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

static void settle(struct adl_transfer *transfer, const struct adl_result *result)
{
    struct adl_file *file = transfer->file;
    const struct adl_verdict *verdict = &transfer->verdict;
    if (is_second_part(transfer) && (!transfer->answered || verdict->outcome != ADL_SPLIT))
        return; /* the probe's answer tells */
    if (!transfer->answered) {
        adl_fetch_failed(transfer, result->error ? result->error : -EIO, result->transient,
                         result->reason);
        return;
    }
    switch (verdict->outcome) {
    case ADL_SPLIT:
    case ADL_SINGLE:
        if (transfer->kept && verdict->outcome == ADL_SINGLE && result->error == 0)
            stream_ended(transfer);
        if (!transfer->kept || transfer->at >= transfer->end)
            succeeded(transfer);
        else
            adl_fetch_failed(transfer,
                             result->error && result->error != -ECANCELED ? result->error : -EIO,
                             true, result->error ? result->reason : "the body is too short");
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
            adl_fetch_failed(transfer, -EIO, true, verdict->reason);
        }
        break;
    case ADL_CHANGED:
        break; /* all was done when the head came */
    default:
        adl_fetch_failed(transfer, verdict->error, verdict->outcome == ADL_TRANSIENT,
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
    static const struct adl_get_events events = {.head = head,
                                                 .body = body,
                                                 .hold = hold,
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
