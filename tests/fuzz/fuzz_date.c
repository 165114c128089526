/* Any bytes as a date and as a Retry-After, on any day: what is taken for a date is what glibc
 * takes it for, every second of history is read back from each of the three forms, and nobody is
 * told to wait longer than a day. The first four bytes of the input say when it is now. */
#include "fuzz.h"

#include "cleanup.h"
#include "probe.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LATEST  253402300799 /* 9999-12-31 23:59:59 */
#define A_DAY   86400
#define CENTURY (INT64_C(36525) * A_DAY)

static const char imf[] = "%a, %d %b %Y %H:%M:%S GMT";
static const char rfc850[] = "%A, %d-%b-%y %H:%M:%S GMT";
static const char asctime_form[] = "%a %b %e %H:%M:%S %Y";

/* Whether glibc reads `text` (in capitals, since it is strict about GMT) in that form as the moment
 * `when`, whatever the century where two digits leave it open. */
static bool glibc_agrees(const char *text, const char *form, int64_t when)
{
    struct tm read = {0}, told;
    const char *end = strptime(text, form, &read);
    if (!end || *end)
        return false;
    time_t before = (time_t)(read.tm_sec == 60 ? when - 1 : when); /* a leap second is the next */
    must(gmtime_r(&before, &told));
    if (form == rfc850 && (told.tm_year - read.tm_year) % 100 == 0)
        read.tm_year = told.tm_year;
    return timegm(&read) == when;
}

static void check_date(const char *said, size_t length, int64_t now, int64_t when)
{
    if (when == ADL_TIME_UNKNOWN)
        return;
    cleanup_free char *text = strdup(said);
    must(text && strlen(text) == length);
    for (size_t i = 0; i < length; i++)
        text[i] = (char)toupper((unsigned char)text[i]);
    bool century_told = glibc_agrees(text, imf, when) || glibc_agrees(text, asctime_form, when);
    must(century_told || glibc_agrees(text, rfc850, when));
    /* RFC 9110 5.6.7: more than 50 years ahead means the century before. */
    must(century_told || (when <= now + CENTURY / 2 + A_DAY && when >= now - CENTURY / 2 - A_DAY));
}

static void check_round_trip(int64_t when)
{
    const char *const forms[] = {imf, rfc850, asctime_form};
    for (int i = 0; i < 3; i++) {
        char text[64];
        struct tm parts;
        time_t moment = (time_t)when;
        must(gmtime_r(&moment, &parts));
        size_t length = strftime(text, sizeof(text), forms[i], &parts);
        must(length > 0 && adl_date_parse(text, length, when) == when);
    }
}

/* What RFC 9110 10.2.3 makes of it, by other means than the parser's. */
static int64_t expected_delay(const char *text, size_t length, int64_t now)
{
    if (length > 0 && strspn(text, "0123456789") == length) {
        text += strspn(text, "0");
        int64_t seconds = strlen(text) > 6 ? A_DAY : strtol(text, NULL, 10);
        return seconds < A_DAY ? seconds : A_DAY;
    }
    int64_t when = adl_date_parse(text, length, now);
    if (when == ADL_TIME_UNKNOWN)
        return -1;
    int64_t left = when - now;
    return left < 0 ? 0 : left < A_DAY ? left : A_DAY;
}

static void check_retry_after(const char *text, size_t length, int64_t now)
{
    struct adl_answer answer;
    cleanup_free char *line = NULL;
    if (strlen(text) != length || strpbrk(text, "\r\n"))
        return; /* no line that curl would pass on */
    int line_length = asprintf(&line, "Retry-After:%s", text);
    must(line_length > 0);
    adl_answer_reset(&answer);
    adl_answer_line(&answer, line, (size_t)line_length, now);
    while (length > 0 && (*text == ' ' || *text == '\t'))
        text++, length--;
    cleanup_free char *trimmed = strdup(text);
    must(trimmed);
    while (length > 0 && (trimmed[length - 1] == ' ' || trimmed[length - 1] == '\t'))
        trimmed[--length] = '\0';
    must(answer.retry_after == expected_delay(trimmed, length, now));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t seed = 0;
    if (size < sizeof(seed))
        return 0;
    memcpy(&seed, data, sizeof(seed));
    int64_t now = (int64_t)((double)seed / UINT32_MAX * (double)LATEST);
    data += sizeof(seed);
    size -= sizeof(seed);
    /* In memory of just its size, so that a byte read behind it is found. */
    cleanup_free char *exact = malloc(size ? size : 1);
    cleanup_free char *text = strndup((const char *)data, size);
    must(exact && text);
    memcpy(exact, data, size);
    check_date(text, size, now, adl_date_parse(exact, size, now));
    check_retry_after(text, size, now);
    check_round_trip(now);
    return 0;
}
