/* The head of a transfer's answer: what it means for its file, and whether its body is wanted. */
#include "engine.h"

#include <errno.h>
#include <string.h>

/* The body of an answer that nobody wants is read to its end up to here, to keep the connection. */
#define DRAIN_MAX (64 << 10)

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

/* The transfer that brings the file's first byte soon, where the head of this one promises that
 * there is one; else NULL. */
static struct adl_transfer *first_byte_of(struct adl_transfer *transfer)
{
    struct adl_transfer *probe = transfer->file->probing;
    if (transfer->verdict.outcome > ADL_SINGLE || transfer->verdict.body_length <= 0)
        return NULL;
    if (!adl_transfer_is_second_part(transfer))
        return transfer;
    return probe && !probe->doomed ? probe : NULL;
}

/* The probe found a file: who asks gets answers, and whoever opens wants the body kept. Who asks
 * for attributes that nobody was told yet wants to know whether it is a program, too. */
static bool found(struct adl_transfer *transfer, const struct adl_answer *answer)
{
    struct adl_file *file = transfer->file;
    if (!file->is_published || file->sniffing)
        file->sniffing = first_byte_of(transfer);
    adl_file_learn(transfer, answer);
    file->probing = NULL; /* whoever asks from now on need not wait for the body */
    adl_file_answer(file);
    adl_early_adopt(file);
    if (transfer->verdict.outcome != ADL_EMPTY && wanted(transfer))
        keep_body(transfer);
    bool drained = drainable(answer);
    transfer->peek = file->sniffing == transfer && !transfer->kept && !drained;
    return transfer->kept || drained || transfer->peek;
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

/* A mirror that was not heard of yet and has something else, or something newer: it is put aside,
 * and what the others have stays. */
static bool is_stranger(const struct adl_transfer *transfer, const struct adl_answer *answer)
{
    const struct adl_file *file = transfer->file;
    enum adl_outcome outcome = transfer->verdict.outcome;
    return file->entry->n_urls > 1 && adl_file_pinned(file) &&
           !adl_validator_given(&file->validators[transfer->mirror]) &&
           (outcome == ADL_CHANGED ||
            (outcome <= ADL_SINGLE && adl_file_newer(file, &answer->validator)));
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

/* What the answer tells of the origin and the file whatever it means. */
static void note_answer(struct adl_transfer *transfer, const struct adl_answer *answer,
                        const char *url, double seconds)
{
    struct adl_file *file = transfer->file;
    struct adl_origin *origin = transfer->origin;
    int64_t delay = file->engine->now - transfer->since;
    origin->delay = origin->delay ? (origin->delay * 7 + delay) / 8 : delay;
    transfer->retry_after = answer->retry_after;
    file->http_status = transfer->status = answer->status;
    file->http_version = answer->http_version;
    if (transfer->probe)
        file->seconds = seconds;
    if (transfer->verdict.outcome <= ADL_UNCHANGED)
        redirected(transfer, url);
}

/* Holds the answer against the version that is known, and tells the file where it is another.
 * False: it is of no use to this transfer. */
static bool compare_version(struct adl_transfer *transfer, const struct adl_pin *pin,
                            const struct adl_answer *answer)
{
    struct adl_file *file = transfer->file;
    struct adl_verdict *verdict = &transfer->verdict;
    if (is_stranger(transfer, answer)) {
        verdict->outcome = ADL_FAILED;
        verdict->error = -EIO;
        verdict->reason = "the mirror has another file than the others";
    } else if (is_another(transfer, pin, answer)) {
        adl_file_change(file, verdict->reason);
        if (!transfer->probe)
            return false;
        /* The probe's answer tells all of the new version. */
        struct adl_pin fresh = pin_of(transfer);
        adl_probe_classify(&transfer->question, &fresh, answer, verdict);
    } else if (is_doubtful(transfer, answer)) {
        adl_edition_renew(file);
    }
    return true;
}

/* Has the file learn from it. Returns whether the body is to be read. */
static bool take_answer(struct adl_transfer *transfer, const struct adl_answer *answer)
{
    struct adl_file *file = transfer->file;
    switch (transfer->verdict.outcome) {
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

bool adl_transfer_head(void *ctx, const struct adl_answer *answer, const char *url, double seconds)
{
    struct adl_transfer *transfer = ctx;
    transfer->file->engine->now = adl_engine_clock();
    if (transfer->doomed)
        return false;
    struct adl_pin pin = pin_of(transfer);
    adl_probe_classify(&transfer->question, &pin, answer, &transfer->verdict);
    transfer->answered = true;
    if (adl_transfer_is_second_part(transfer) && transfer->verdict.outcome != ADL_SPLIT)
        return drainable(answer);
    note_answer(transfer, answer, url, seconds);
    return compare_version(transfer, &pin, answer) && take_answer(transfer, answer);
}
