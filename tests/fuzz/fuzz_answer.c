/* Any bytes as the head of an answer, to questions of all kinds, with and without a pin: what
 * adl_probe_classify() says must be safe to act upon. */
#include "fuzz.h"

#include "cleanup.h"
#include "probe.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NOW      1767225600   /* 2026-01-01 */
#define EARLIEST -62135596800 /* 0001-01-01 */
#define LATEST   253402300800 /* 10000-01-01; a leap second may reach it */

/* Each line in memory of its own, so that a byte read behind it is found. */
static void feed(struct adl_answer *answer, const uint8_t *data, size_t size, bool keep_ends)
{
    adl_answer_reset(answer);
    while (size) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size;
        size_t step = length + (end != NULL);
        size_t kept = keep_ends ? step : length;
        cleanup_free char *line = malloc(kept ? kept : 1);
        must(line);
        memcpy(line, data, kept);
        adl_answer_line(answer, line, kept, NOW);
        data += step;
        size -= step;
    }
}

static void check_time(int64_t when)
{
    must(when == ADL_TIME_UNKNOWN || (when >= EARLIEST && when <= LATEST));
}

static void check_answer(const struct adl_answer *answer)
{
    must(answer->status == 0 || (answer->status >= 100 && answer->status <= 999));
    must((answer->status == 0) == (answer->http_version == 9));
    must(answer->content_length >= -2);
    must(!answer->chunked || answer->content_length == -1);
    must(!answer->bad_coding || answer->chunked);
    must(answer->has_content_range || !answer->bad_content_range);
    bool ranged = answer->has_content_range && !answer->bad_content_range;
    must(ranged || (answer->first == -1 && answer->last == -1 && answer->total == -1));
    must(answer->first <= answer->last && (answer->first < 0) == (answer->last < 0));
    must(!ranged || answer->first >= 0 || answer->total >= 0);
    must(answer->total == -1 || answer->total > answer->last);
    must(answer->retry_after >= -1 && answer->retry_after <= 86400);
    must(memchr(answer->validator.etag, '\0', ADL_ETAG_MAX));
    for (const char *c = answer->validator.etag; *c; c++)
        must((unsigned char)*c >= ' ' && *c != '\x7f');
    must(memchr(answer->encoding, '\0', sizeof(answer->encoding)));
    for (const char *c = answer->encoding; *c; c++)
        must(*c >= ' ' && *c <= '~');
    must(answer->encoded || !answer->encoding[0]);
    check_time(answer->validator.last_modified);
    check_time(answer->date);
}

/* Same version as far as both tell. */
static bool matches(const struct adl_pin *pin, int64_t size, const struct adl_answer *answer)
{
    if (!pin)
        return true;
    if (pin->size >= 0 && size >= 0 && size != pin->size)
        return false;
    if (pin->validator.etag[0])
        return !strcmp(pin->validator.etag, answer->validator.etag);
    return pin->validator.last_modified == ADL_TIME_UNKNOWN ||
           pin->validator.last_modified == answer->validator.last_modified;
}

static void check_body(const struct adl_question *asked, const struct adl_pin *pin,
                       const struct adl_answer *answer, const struct adl_verdict *verdict)
{
    must(!answer->encoded && !answer->bad_coding && matches(pin, verdict->size, answer));
    if (verdict->outcome == ADL_SINGLE) {
        must(answer->status == 200);
        must(verdict->body_first == 0 && verdict->body_length == verdict->size);
        must(verdict->size == -1 || verdict->size > 0);
        return;
    }
    must(answer->status == 206 && asked->ranged && !answer->multipart);
    must(verdict->body_first == asked->first && verdict->body_length > 0);
    int64_t last = verdict->body_first + (verdict->body_length - 1);
    must(last <= asked->last && last < verdict->size);
    must(answer->content_length == -1 || answer->content_length == verdict->body_length);
}

static void check_verdict(const struct adl_question *asked, const struct adl_pin *pin,
                          const struct adl_answer *answer)
{
    struct adl_verdict verdict;
    memset(&verdict, 0x5a, sizeof(verdict));
    adl_probe_classify(asked, pin, answer, &verdict);
    must(verdict.reason && (verdict.reason[0] == '\0') == (verdict.outcome == ADL_SPLIT));
    must(verdict.size >= -1 && verdict.body_length >= -1 && verdict.body_first >= 0);
    bool error = verdict.outcome == ADL_TRANSIENT || verdict.outcome == ADL_FAILED;
    must(error ? verdict.error < 0 : verdict.error == 0);
    switch (verdict.outcome) {
    case ADL_SPLIT:
    case ADL_SINGLE:
        check_body(asked, pin, answer, &verdict);
        break;
    case ADL_EMPTY:
        must(verdict.size == 0 && (answer->status == 200 || answer->status == 416));
        must(!pin || pin->size <= 0);
        break;
    case ADL_UNCHANGED:
        must(asked->conditional && answer->status == 304);
        break;
    case ADL_PLAIN:
        must(asked->ranged); /* else it would be asked for ever */
        break;
    case ADL_CHANGED:
        must(pin && (answer->status == 416 || !matches(pin, verdict.size, answer)));
        break;
    case ADL_REDIRECT:
        must(answer->status >= 301 && answer->status <= 308);
        break;
    case ADL_TRANSIENT:
    case ADL_FAILED:
        break;
    }
}

static void ask_everything(const struct adl_answer *answer, const struct adl_pin *pin)
{
    int64_t first = answer->first < 0 ? 0 : answer->first;
    int64_t last = answer->last < 0 ? 0 : answer->last;
    const struct adl_question questions[] = {
        {.ranged = false},
        {.ranged = true, .first = 0, .last = 0},
        {.ranged = true, .first = 0, .last = 65535},
        {.ranged = true, .first = INT64_MAX - 1, .last = INT64_MAX},
        {.ranged = true, .first = 0, .last = 0, .conditional = true},
        {.ranged = true, .first = first, .last = last}, /* what it answers */
        {.ranged = true, .first = first, .last = INT64_MAX},
        {.ranged = true, .first = last, .last = last},
    };
    for (size_t i = 0; i < COUNT(questions); i++)
        check_verdict(&questions[i], pin, answer);
}

/* No answer is at odds with a pin that says the same. */
static void check_constancy(const struct adl_answer *answer)
{
    int64_t size = answer->status == 206 ? answer->total : answer->content_length;
    struct adl_pin itself = {size < 0 ? -1 : size, answer->validator};
    ask_everything(answer, &itself);
    struct adl_question asked = {.ranged = true, .first = 0, .last = INT64_MAX};
    struct adl_verdict verdict;
    adl_probe_classify(&asked, &itself, answer, &verdict);
    must(verdict.outcome != ADL_CHANGED || answer->status == 416);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct adl_pin pins[] = {
        {.size = -1, .validator = {"", ADL_TIME_UNKNOWN}},
        {.size = 0, .validator = {"", ADL_TIME_UNKNOWN}},
        {.size = 1000, .validator = {"\"v1\"", ADL_TIME_UNKNOWN}},
        {.size = 1000, .validator = {"", 784111777}},
        {.size = INT64_MAX, .validator = {"W/\"v1\"", 784111777}},
    };
    struct adl_answer answer, again;
    feed(&answer, data, size, true);
    feed(&again, data, size, false);
    check_answer(&answer);
    ask_everything(&answer, NULL);
    for (size_t i = 0; i < COUNT(pins); i++)
        ask_everything(&answer, &pins[i]);
    check_constancy(&answer);
    if (!memchr(data, '\r', size)) /* else a lone CR ends a line in one and not in the other */
        must(!memcmp(&answer, &again, sizeof(answer)));
    check_time(adl_date_parse((const char *)data, size, NOW));
    return 0;
}
