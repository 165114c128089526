/* The head of an answer, line by line, and the dates in it.
 *
 * All of it comes from outside and may be anything. What cannot be understood is marked as such or
 * counts as not sent; nothing is guessed, because bytes are stored where these numbers say. Letters
 * are compared as ASCII here and not by <ctype.h> or <strings.h>, which ask the locale. */
#include "probe.h"

#include <string.h>

#define RETRY_AFTER_MAX 86400

/* What is left to read of a line. */
struct text {
    const char *at, *end;
};

static size_t left(struct text text)
{
    return (size_t)(text.end - text.at);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static struct text trim(struct text text)
{
    while (left(text) && is_space(*text.at))
        text.at++;
    while (left(text) && is_space(text.end[-1]))
        text.end--;
    return text;
}

/* The take_*() functions step over what they are asked for and say whether it was there; what they
 * leave behind when it was not is for nobody to use. */

static bool take_char(struct text *text, char c)
{
    if (!left(*text) || *text->at != c)
        return false;
    text->at++;
    return true;
}

/* `word` in lower case stands for any case. */
static bool take_word(struct text *text, const char *word)
{
    size_t length = strlen(word);
    if (left(*text) < length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (lower(text->at[i]) != word[i])
            return false;
    text->at += length;
    return true;
}

static bool is_word(struct text text, const char *word)
{
    return take_word(&text, word) && !left(text);
}

static bool is_digit(struct text text)
{
    return left(text) && *text.at >= '0' && *text.at <= '9';
}

/* 1*DIGIT up to INT64_MAX: no sign, no space. */
static bool take_number(struct text *text, int64_t *out)
{
    if (!is_digit(*text))
        return false;
    int64_t number = 0;
    for (; is_digit(*text); text->at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *text->at - '0', &number))
            return false;
    *out = number;
    return true;
}

/* Exactly so many digits. */
static bool take_digits(struct text *text, int count, int *out)
{
    int number = 0;
    for (; count > 0; count--, text->at++) {
        if (!is_digit(*text))
            return false;
        number = number * 10 + (*text->at - '0');
    }
    *out = number;
    return true;
}

/* The part before the next comma, trimmed; false behind the last one. */
static bool take_item(struct text *list, struct text *item)
{
    if (!list->at)
        return false;
    const char *comma = left(*list) ? memchr(list->at, ',', left(*list)) : NULL;
    *item = trim((struct text){list->at, comma ? comma : list->end});
    list->at = comma ? comma + 1 : NULL;
    return true;
}

/* Dates (RFC 9110 5.6.7). */

struct date {
    int year, month, day; /* as people count them: from 1 */
    int hour, minute, second;
};

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days since 1970-01-01 in the Gregorian calendar, for years from 1 on. The year is taken to begin
 * in March, so that the leap day is its last, and the months' lengths repeat: 153 days for five. */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t before_1970 = 719468; /* days from 0000-03-01 */
    return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - before_1970;
}

static int64_t unix_time(const struct date *date)
{
    return days_from_civil(date->year, date->month, date->day) * 86400 + date->hour * 3600 +
           date->minute * 60 + date->second;
}

/* The year of a Unix time between 1970 and 9999; times outside count as the nearer of these. */
static int year_of(int64_t when)
{
    const int64_t last = 253402300799; /* 9999-12-31 23:59:59 */
    int64_t days = (when < 0 ? 0 : when > last ? last : when) / 86400;
    int year = 1970 + (int)(days * 400 / 146097); /* 400 years have 146097 days */
    while (days_from_civil(year, 1, 1) > days)
        year--;
    while (days_from_civil(year + 1, 1, 1) <= days)
        year++;
    return year;
}

/* date->year holds two digits: makes it the last such year that is at most 50 years from now,
 * looking at the whole date where that is a matter of days. */
static void complete_year(struct date *date, int64_t now)
{
    int latest = year_of(now) + 50;
    int year = latest - (latest - date->year) % 100;
    struct date half_a_century_before = *date;
    half_a_century_before.year = year - 50;
    date->year = unix_time(&half_a_century_before) > now ? year - 100 : year;
}

/* A second of 60 is a leap second. */
static bool is_possible(const struct date *date)
{
    return date->year >= 1 && date->day >= 1 &&
           date->day <= days_in_month(date->year, date->month) && date->hour <= 23 &&
           date->minute <= 59 && date->second <= 60;
}

/* Any day will do: it says nothing that the date does not. */
static bool take_day_name(struct text *text, bool whole)
{
    static const struct {
        const char *name, *rest;
    } days[] = {{"mon", "day"}, {"tue", "sday"},  {"wed", "nesday"}, {"thu", "rsday"},
                {"fri", "day"}, {"sat", "urday"}, {"sun", "day"}};
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++)
        if (take_word(text, days[i].name))
            return !whole || take_word(text, days[i].rest);
    return false;
}

static bool take_month(struct text *text, int *out)
{
    static const char *const names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                        "jul", "aug", "sep", "oct", "nov", "dec"};
    for (int i = 0; i < 12; i++)
        if (take_word(text, names[i])) {
            *out = i + 1;
            return true;
        }
    return false;
}

static bool take_time(struct text *text, struct date *date)
{
    return take_digits(text, 2, &date->hour) && take_char(text, ':') &&
           take_digits(text, 2, &date->minute) && take_char(text, ':') &&
           take_digits(text, 2, &date->second);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool parse_imf_fixdate(struct text text, struct date *date)
{
    return take_day_name(&text, false) && take_word(&text, ", ") &&
           take_digits(&text, 2, &date->day) && take_char(&text, ' ') &&
           take_month(&text, &date->month) && take_char(&text, ' ') &&
           take_digits(&text, 4, &date->year) && take_char(&text, ' ') && take_time(&text, date) &&
           is_word(text, " gmt");
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool parse_rfc850_date(struct text text, int64_t now, struct date *date)
{
    bool parsed = take_day_name(&text, true) && take_word(&text, ", ") &&
                  take_digits(&text, 2, &date->day) && take_char(&text, '-') &&
                  take_month(&text, &date->month) && take_char(&text, '-') &&
                  take_digits(&text, 2, &date->year) && take_char(&text, ' ') &&
                  take_time(&text, date) && is_word(text, " gmt");
    if (parsed)
        complete_year(date, now);
    return parsed;
}

/* Two digits, or a space and one. */
static bool take_padded(struct text *text, int *out)
{
    return take_char(text, ' ') ? take_digits(text, 1, out) : take_digits(text, 2, out);
}

/* Sun Nov  6 08:49:37 1994 */
static bool parse_asctime_date(struct text text, struct date *date)
{
    return take_day_name(&text, false) && take_char(&text, ' ') &&
           take_month(&text, &date->month) && take_char(&text, ' ') &&
           take_padded(&text, &date->day) && take_char(&text, ' ') && take_time(&text, date) &&
           take_char(&text, ' ') && take_digits(&text, 4, &date->year) && !left(text);
}

int64_t adl_http_date(const char *text, size_t length, int64_t now)
{
    struct text value = {text, text + length};
    struct date date;
    if (!parse_imf_fixdate(value, &date) && !parse_rfc850_date(value, now, &date) &&
        !parse_asctime_date(value, &date))
        return ADL_TIME_UNKNOWN;
    return is_possible(&date) ? unix_time(&date) : ADL_TIME_UNKNOWN;
}

/* Fields. For each there is a function that takes its value, and one that spoils it: what was said
 * twice differently, or was folded, is not believed, nor is what the same field says later. */

struct sent {
    struct text value; /* trimmed */
    bool again;        /* the field has come before */
    bool spaced;       /* there is a space before the colon */
    int64_t now;
};

static void spoil_content_length(struct adl_answer *answer)
{
    if (!answer->chunked)
        answer->content_length = -2;
}

/* One number, or the same one several times (RFC 9110 8.6). */
static void take_content_length(struct adl_answer *answer, const struct sent *sent)
{
    struct text list = sent->value, item;
    bool again = sent->again;
    while (!answer->chunked && take_item(&list, &item)) {
        int64_t length;
        if (!take_number(&item, &length) || left(item) ||
            (again && length != answer->content_length)) {
            spoil_content_length(answer);
            return;
        }
        answer->content_length = length;
        again = true;
    }
}

static void take_chunked(struct adl_answer *answer)
{
    answer->chunked = true;
    answer->content_length = -1;
}

static void spoil_transfer_encoding(struct adl_answer *answer)
{
    take_chunked(answer);
    answer->bad_coding = true;
}

/* It is curl that takes the chunks apart, and curl may read anything but the plain word otherwise
 * than is read here: not see it where it is folded or stands behind a space, see it twice, or find
 * it within another word. */
static void take_transfer_encoding(struct adl_answer *answer, const struct sent *sent)
{
    if (sent->again || sent->spaced)
        spoil_transfer_encoding(answer);
    else if (is_word(sent->value, "chunked"))
        take_chunked(answer);
    else if (!is_word(sent->value, "identity")) /* RFC 2616 had it: no coding at all */
        spoil_transfer_encoding(answer);
}

struct content_range {
    int64_t first, last, total;
};

/* "bytes FIRST-LAST/TOTAL" with '*' for a total that is not told, or '*' for the range when there
 * is none to give (RFC 9110 14.4). */
static bool parse_content_range(struct text text, struct content_range *range)
{
    *range = (struct content_range){-1, -1, -1};
    if (!take_word(&text, "bytes") || !left(text) || !is_space(*text.at))
        return false;
    text = trim(text);
    bool satisfied = !take_char(&text, '*');
    if (satisfied && (!take_number(&text, &range->first) || !take_char(&text, '-') ||
                      !take_number(&text, &range->last) || range->last < range->first))
        return false;
    if (!take_char(&text, '/'))
        return false;
    if (satisfied && take_char(&text, '*'))
        return !left(text);
    return take_number(&text, &range->total) && !left(text) && range->last < range->total;
}

static void spoil_content_range(struct adl_answer *answer)
{
    answer->bad_content_range = true;
    answer->first = answer->last = answer->total = -1;
}

static bool is_range(const struct adl_answer *answer, const struct content_range *range)
{
    return !answer->bad_content_range && answer->first == range->first &&
           answer->last == range->last && answer->total == range->total;
}

static void take_content_range(struct adl_answer *answer, const struct sent *sent)
{
    struct content_range range;
    answer->has_content_range = true;
    if (!parse_content_range(sent->value, &range) || (sent->again && !is_range(answer, &range))) {
        spoil_content_range(answer);
        return;
    }
    answer->first = range.first;
    answer->last = range.last;
    answer->total = range.total;
}

static void spoil_content_encoding(struct adl_answer *answer)
{
    answer->encoded = true;
}

static void keep_printable(char *out, size_t room, struct text text)
{
    size_t length = left(text) < room ? left(text) : room - 1;
    for (size_t i = 0; i < length; i++)
        out[i] = text.at[i] >= ' ' && text.at[i] <= '~' ? text.at[i] : '?';
    out[length] = '\0';
}

/* A list, which several fields continue (RFC 9110 8.4). Keeps the first coding for the message. */
static void take_content_encoding(struct adl_answer *answer, const struct sent *sent)
{
    struct text list = sent->value, item;
    while (take_item(&list, &item)) {
        if (!left(item) || is_word(item, "identity"))
            continue;
        if (!answer->encoded)
            keep_printable(answer->encoding, sizeof(answer->encoding), item);
        answer->encoded = true;
    }
}

static void take_content_type(struct adl_answer *answer, const struct sent *sent)
{
    struct text value = sent->value;
    if (take_word(&value, "multipart/"))
        answer->multipart = true;
}

static void spoil_etag(struct adl_answer *answer)
{
    answer->validator.etag[0] = '\0';
}

/* [W/] and a quoted string (RFC 9110 8.8.3); spaces in it were legal once and do no harm. */
static bool is_etag(struct text text)
{
    if (left(text) >= 2 && text.at[0] == 'W' && text.at[1] == '/')
        text.at += 2;
    if (!take_char(&text, '"') || left(text) < 2 || text.end[-1] != '"')
        return false;
    for (text.end--; left(text); text.at++)
        if ((unsigned char)*text.at < ' ' || *text.at == '"' || *text.at == '\x7f')
            return false;
    return true;
}

static void take_etag(struct adl_answer *answer, const struct sent *sent)
{
    char *etag = answer->validator.etag;
    struct text value = sent->value;
    bool usable = is_etag(value) && left(value) < ADL_ETAG_MAX;
    bool same = strlen(etag) == left(value) && memcmp(etag, value.at, left(value)) == 0;
    if (!usable || (sent->again && !same)) {
        spoil_etag(answer);
        return;
    }
    memcpy(etag, value.at, left(value));
    etag[left(value)] = '\0';
}

static int64_t sent_date(const struct sent *sent)
{
    return adl_http_date(sent->value.at, left(sent->value), sent->now);
}

static void spoil_last_modified(struct adl_answer *answer)
{
    answer->validator.last_modified = ADL_TIME_UNKNOWN;
}

static void take_last_modified(struct adl_answer *answer, const struct sent *sent)
{
    int64_t date = sent_date(sent);
    bool differs = sent->again && date != answer->validator.last_modified;
    answer->validator.last_modified = differs ? ADL_TIME_UNKNOWN : date;
}

static void spoil_date(struct adl_answer *answer)
{
    answer->date = ADL_TIME_UNKNOWN;
}

static void take_date(struct adl_answer *answer, const struct sent *sent)
{
    int64_t date = sent_date(sent);
    answer->date = sent->again && date != answer->date ? ADL_TIME_UNKNOWN : date;
}

static void spoil_retry_after(struct adl_answer *answer)
{
    answer->retry_after = -1;
}

/* Seconds (RFC 9110 10.2.3), however many digits they have. -1 for what is not a number. */
static int64_t parse_delay(struct text text)
{
    int64_t delay = is_digit(text) ? 0 : -1;
    for (; is_digit(text); text.at++)
        if (delay < RETRY_AFTER_MAX)
            delay = delay * 10 + (*text.at - '0');
    if (left(text))
        return -1;
    return delay < RETRY_AFTER_MAX ? delay : RETRY_AFTER_MAX;
}

static int64_t seconds_until(int64_t date, int64_t now)
{
    if (date == ADL_TIME_UNKNOWN)
        return -1;
    if (date <= now)
        return 0;
    return now < date - RETRY_AFTER_MAX ? RETRY_AFTER_MAX : date - now;
}

static void take_retry_after(struct adl_answer *answer, const struct sent *sent)
{
    int64_t delay = parse_delay(sent->value);
    if (delay < 0)
        delay = seconds_until(sent_date(sent), sent->now);
    answer->retry_after = sent->again && delay != answer->retry_after ? -1 : delay;
}

static const struct {
    const char *name; /* in lower case */
    void (*take)(struct adl_answer *answer, const struct sent *sent);
    void (*spoil)(struct adl_answer *answer); /* NULL: a fold does not matter */
} fields[] = {
    {"content-length", take_content_length, spoil_content_length},
    {"content-range", take_content_range, spoil_content_range},
    {"content-encoding", take_content_encoding, spoil_content_encoding},
    {"content-type", take_content_type, NULL},
    {"transfer-encoding", take_transfer_encoding, spoil_transfer_encoding},
    {"etag", take_etag, spoil_etag},
    {"last-modified", take_last_modified, spoil_last_modified},
    {"date", take_date, spoil_date},
    {"retry-after", take_retry_after, spoil_retry_after},
};

#define N_FIELDS ((int)(sizeof(fields) / sizeof(fields[0])))

static void take_field(struct adl_answer *answer, struct text line, int64_t now)
{
    answer->field = -1;
    const char *colon = left(line) ? memchr(line.at, ':', left(line)) : NULL;
    if (!colon)
        return;
    /* Space before the colon is a mistake that does not change what is meant (RFC 9112 5.1). */
    struct text name = trim((struct text){line.at, colon});
    struct sent sent = {.value = trim((struct text){colon + 1, line.end}),
                        .spaced = left(name) != (size_t)(colon - line.at),
                        .now = now};
    for (int i = 0; i < N_FIELDS; i++) {
        if (!is_word(name, fields[i].name))
            continue;
        sent.again = answer->seen & (1u << i);
        answer->seen |= 1u << i;
        answer->field = i;
        fields[i].take(answer, &sent);
        return;
    }
}

static void fold_field(struct adl_answer *answer, struct text line)
{
    if (left(trim(line)) && answer->field >= 0 && fields[answer->field].spoil)
        fields[answer->field].spoil(answer);
}

/* The rest of a status line behind "HTTP/" (RFC 9112 4; HTTP/2 and 3 have no minor version). What
 * cannot be read leaves a status of 0. */
static void take_status(struct adl_answer *answer, struct text line)
{
    int major, minor = 0, status;
    if (!take_digits(&line, 1, &major) || (take_char(&line, '.') && !take_digits(&line, 1, &minor)))
        return;
    if (!take_char(&line, ' ') || !take_digits(&line, 3, &status) || status < 100 ||
        (left(line) && *line.at != ' '))
        return;
    if (major < 1 || major > 3)
        return;
    /* A higher minor version is to be read as the highest known one (RFC 9110 2.5). */
    answer->http_version = major == 1 ? 10 + (minor > 0) : major * 10;
    answer->status = status;
}

void adl_answer_reset(struct adl_answer *answer)
{
    memset(answer, 0, sizeof(*answer));
    answer->http_version = 9;
    answer->content_length = -1;
    answer->first = answer->last = answer->total = -1;
    answer->validator.last_modified = ADL_TIME_UNKNOWN;
    answer->date = ADL_TIME_UNKNOWN;
    answer->retry_after = -1;
    answer->field = -1;
}

void adl_answer_line(struct adl_answer *answer, const char *line, size_t length, int64_t now)
{
    struct text text = {line, line + length};
    if (left(text) && text.end[-1] == '\n')
        text.end--;
    if (left(text) && text.end[-1] == '\r')
        text.end--;
    if (!left(text)) {
        answer->open = false;
    } else if (!answer->open && take_word(&text, "http/")) {
        adl_answer_reset(answer);
        answer->open = true;
        take_status(answer, text);
    } else if (is_space(*text.at)) {
        fold_field(answer, text);
    } else {
        take_field(answer, text, now);
    }
}
