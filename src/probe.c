#include "probe.h"

#include <errno.h>
#include <string.h>

bool adl_validator_strong(const struct adl_validator *validator)
{
    return validator->etag[0] == '"';
}

bool adl_validator_given(const struct adl_validator *validator)
{
    return validator->etag[0] || validator->last_modified != ADL_TIME_UNKNOWN;
}

bool adl_validator_pins(const struct adl_validator *validator)
{
    return adl_validator_strong(validator) || validator->last_modified != ADL_TIME_UNKNOWN;
}

static struct adl_verdict judged(enum adl_outcome outcome, int error, int64_t size,
                                 const char *reason)
{
    return (struct adl_verdict){
        .outcome = outcome, .error = error, .size = size, .body_length = -1, .reason = reason};
}

static struct adl_verdict transient(int error, const char *reason)
{
    return judged(ADL_TRANSIENT, error, -1, reason);
}

static struct adl_verdict failed(int error, const char *reason)
{
    return judged(ADL_FAILED, error, -1, reason);
}

static struct adl_verdict empty(const char *reason)
{
    struct adl_verdict found = judged(ADL_EMPTY, 0, 0, reason);
    found.body_length = 0;
    return found;
}

/* What an answer of this size (-1: not told) has that the pin has not; NULL: nothing. */
static const char *odds(const struct adl_pin *pin, int64_t size,
                        const struct adl_validator *validator)
{
    if (!pin)
        return NULL;
    if (pin->size >= 0 && size >= 0 && size != pin->size)
        return "the size has changed at the origin";
    if (pin->validator.etag[0])
        return strcmp(pin->validator.etag, validator->etag) != 0
                   ? "the ETag has changed at the origin"
                   : NULL;
    if (pin->validator.last_modified != ADL_TIME_UNKNOWN)
        return pin->validator.last_modified != validator->last_modified
                   ? "Last-Modified has changed at the origin"
                   : NULL;
    return NULL;
}

/* An origin that gives less than this at a time would be asked a thousand times a second. */
#define PART_MIN 4096

/* Why a 206 is not the range that was asked for; NULL: it is, or as much of it as the origin gives
 * at a time. */
static const char *misfit(const struct adl_question *question, const struct adl_answer *answer)
{
    if (answer->multipart)
        return "the origin answers a range in several parts";
    if (!answer->has_content_range)
        return "the origin answers a range without Content-Range";
    if (answer->bad_content_range || answer->first < 0)
        return "the origin answers a range with a Content-Range that makes no sense";
    if (answer->first != question->first || answer->last > question->last)
        return "the origin answers with another range than asked";
    if (answer->total < 0)
        return "the origin answers a range without the file's size";
    if (answer->last < question->last && answer->last < answer->total - 1 &&
        answer->last - answer->first + 1 < PART_MIN)
        return "the origin gives a few bytes at a time";
    if (answer->content_length != -1 && answer->content_length != answer->last - answer->first + 1)
        return "the origin answers a range with a Content-Length that does not fit";
    return NULL;
}

/* Why a body's bytes are not the file's; NULL: they are. */
static const char *coding(const struct adl_answer *answer)
{
    if (answer->encoded)
        return "the origin encodes the body, though it was asked not to";
    if (answer->bad_coding)
        return "the origin's Transfer-Encoding is not plainly chunked";
    return NULL;
}

static struct adl_verdict partial(const struct adl_question *question, const struct adl_pin *pin,
                                  const struct adl_answer *answer)
{
    const char *coded = coding(answer);
    if (coded)
        return failed(-EIO, coded);
    if (!question->ranged)
        return transient(-EIO, "the origin answers with a range that was not asked for");
    const char *changed = odds(pin, answer->total, &answer->validator);
    if (changed)
        return judged(ADL_CHANGED, 0, answer->total, changed);
    const char *wrong = misfit(question, answer);
    if (wrong)
        return judged(ADL_PLAIN, 0, -1, wrong);
    struct adl_verdict found = judged(ADL_SPLIT, 0, answer->total, "");
    found.body_first = answer->first;
    found.body_length = answer->last - answer->first + 1;
    return found;
}

static struct adl_verdict whole(const struct adl_question *question, const struct adl_pin *pin,
                                const struct adl_answer *answer)
{
    const char *coded = coding(answer);
    if (coded)
        return failed(-EIO, coded);
    if (answer->content_length < -1)
        return transient(-EIO, "the origin's Content-Length makes no sense");
    const char *changed = odds(pin, answer->content_length, &answer->validator);
    if (changed)
        return judged(ADL_CHANGED, 0, answer->content_length, changed);
    if (answer->content_length == 0)
        return empty("the file is empty");
    struct adl_verdict found =
        judged(ADL_SINGLE, 0, answer->content_length,
               question->ranged ? "the origin ignores ranges" : "no range was asked for");
    found.body_length = answer->content_length;
    return found;
}

/* Only the size is compared with the pin: a 416 need not carry a validator. */
static struct adl_verdict unsatisfied(const struct adl_question *question,
                                      const struct adl_pin *pin, const struct adl_answer *answer)
{
    int64_t total = answer->first < 0 ? answer->total : -1;
    if (pin && pin->size >= 0 && total >= 0 && total != pin->size)
        return judged(ADL_CHANGED, 0, total, "the size has changed at the origin");
    if (total == 0)
        return empty("the file is empty");
    if (!question->ranged)
        return failed(-EIO, "the origin refuses a range that was not asked for");
    return judged(ADL_PLAIN, 0, -1, "the origin refuses a range that it should have");
}

/* Answers without bytes of the file. */
static struct adl_verdict refusal(int status)
{
    switch (status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return judged(ADL_REDIRECT, 0, -1, "the origin redirects");
    case 401:
    case 403:
    case 407:
        return failed(-EACCES, "the origin denies access");
    case 404:
    case 410:
        return failed(-ENOENT, "the origin has no such file");
    case 408:
    case 504:
        return transient(-ETIMEDOUT, "the origin timed out");
    case 425:
    case 429:
    case 503:
        return transient(-EIO, "the origin asks to come back later");
    case 501:
    case 505:
        return failed(-EIO, "the origin cannot do what was asked");
    }
    if (status < 200)
        return transient(-EIO, "the origin's answer has no status");
    if (status < 500)
        return failed(-EIO, "the origin does not give the file");
    return transient(-EIO, "the origin is in trouble");
}

void adl_probe_classify(const struct adl_question *question, const struct adl_pin *pin,
                        const struct adl_answer *answer, struct adl_verdict *verdict)
{
    switch (answer->status) {
    case 200:
        *verdict = whole(question, pin, answer);
        break;
    case 206:
        *verdict = partial(question, pin, answer);
        break;
    case 304:
        *verdict = question->conditional
                       ? judged(ADL_UNCHANGED, 0, -1, "the file is the same at the origin")
                       : transient(-EIO, "the origin answers a condition that was not set");
        break;
    case 416:
        *verdict = unsatisfied(question, pin, answer);
        break;
    default:
        *verdict = refusal(answer->status);
    }
}
