/* The head of an answer, line by line.
 *
 * All of it comes from outside and may be anything. What cannot be understood is marked as such or
 * counts as not sent; nothing is guessed, because bytes are stored where these numbers say. */
#include "probe.h"
#include "scan.h"

#include <string.h>

#define RETRY_AFTER_MAX 86400

/* Fields. For each there is a function that takes its value, and one that spoils it: what was said
 * twice differently, or was folded, is not believed, nor is what the same field says later. */

struct sent {
    struct adl_scan value; /* trimmed */
    bool again;            /* the field has come before */
    bool spaced;           /* there is a space before the colon */
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
    struct adl_scan list = sent->value, item;
    bool again = sent->again;
    while (!answer->chunked && adl_scan_item(&list, &item)) {
        int64_t length;
        if (!adl_scan_number(&item, &length) || adl_scan_left(item) ||
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
    else if (adl_scan_is_word(sent->value, "chunked"))
        take_chunked(answer);
    else if (!adl_scan_is_word(sent->value, "identity")) /* RFC 2616 had it: no coding at all */
        spoil_transfer_encoding(answer);
}

struct content_range {
    int64_t first, last, total;
};

/* "bytes FIRST-LAST/TOTAL" with '*' for a total that is not told, or '*' for the range when there
 * is none to give (RFC 9110 14.4). */
static bool parse_content_range(struct adl_scan text, struct content_range *range)
{
    *range = (struct content_range){-1, -1, -1};
    if (!adl_scan_word(&text, "bytes") || !adl_scan_left(text) || !adl_scan_is_space(*text.at))
        return false;
    text = adl_scan_trim(text);
    bool satisfied = !adl_scan_char(&text, '*');
    if (satisfied && (!adl_scan_number(&text, &range->first) || !adl_scan_char(&text, '-') ||
                      !adl_scan_number(&text, &range->last) || range->last < range->first))
        return false;
    if (!adl_scan_char(&text, '/'))
        return false;
    if (satisfied && adl_scan_char(&text, '*'))
        return !adl_scan_left(text);
    return adl_scan_number(&text, &range->total) && !adl_scan_left(text) &&
           range->last < range->total;
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

static void keep_printable(char *out, size_t room, struct adl_scan text)
{
    size_t length = adl_scan_left(text) < room ? adl_scan_left(text) : room - 1;
    for (size_t i = 0; i < length; i++)
        out[i] = text.at[i] >= ' ' && text.at[i] <= '~' ? text.at[i] : '?';
    out[length] = '\0';
}

/* A list, which several fields continue (RFC 9110 8.4). Keeps the first coding for the message. */
static void take_content_encoding(struct adl_answer *answer, const struct sent *sent)
{
    struct adl_scan list = sent->value, item;
    while (adl_scan_item(&list, &item)) {
        if (!adl_scan_left(item) || adl_scan_is_word(item, "identity"))
            continue;
        if (!answer->encoded)
            keep_printable(answer->encoding, sizeof(answer->encoding), item);
        answer->encoded = true;
    }
}

static void take_content_type(struct adl_answer *answer, const struct sent *sent)
{
    struct adl_scan value = sent->value;
    if (adl_scan_word(&value, "multipart/"))
        answer->multipart = true;
}

static void spoil_etag(struct adl_answer *answer)
{
    answer->validator.etag[0] = '\0';
}

/* [W/] and a quoted string (RFC 9110 8.8.3); spaces in it were legal once and do no harm. */
static bool is_etag(struct adl_scan text)
{
    if (adl_scan_left(text) >= 2 && text.at[0] == 'W' && text.at[1] == '/')
        text.at += 2;
    if (!adl_scan_char(&text, '"') || adl_scan_left(text) < 2 || text.end[-1] != '"')
        return false;
    for (text.end--; adl_scan_left(text); text.at++)
        if ((unsigned char)*text.at < ' ' || *text.at == '"' || *text.at == '\x7f')
            return false;
    return true;
}

static void take_etag(struct adl_answer *answer, const struct sent *sent)
{
    char *etag = answer->validator.etag;
    struct adl_scan value = sent->value;
    bool usable = is_etag(value) && adl_scan_left(value) < ADL_ETAG_MAX;
    bool same =
        strlen(etag) == adl_scan_left(value) && memcmp(etag, value.at, adl_scan_left(value)) == 0;
    if (!usable || (sent->again && !same)) {
        spoil_etag(answer);
        return;
    }
    memcpy(etag, value.at, adl_scan_left(value));
    etag[adl_scan_left(value)] = '\0';
}

static int64_t sent_date(const struct sent *sent)
{
    return adl_date_parse(sent->value.at, adl_scan_left(sent->value), sent->now);
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
static int64_t parse_delay(struct adl_scan text)
{
    int64_t delay = adl_scan_is_digit(text) ? 0 : -1;
    for (; adl_scan_is_digit(text); text.at++)
        if (delay < RETRY_AFTER_MAX)
            delay = delay * 10 + (*text.at - '0');
    if (adl_scan_left(text))
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

static void take_field(struct adl_answer *answer, struct adl_scan line, int64_t now)
{
    answer->field = -1;
    const char *colon = adl_scan_left(line) ? memchr(line.at, ':', adl_scan_left(line)) : NULL;
    if (!colon)
        return;
    /* Space before the colon is a mistake that does not change what is meant (RFC 9112 5.1). */
    struct adl_scan name = adl_scan_trim((struct adl_scan){line.at, colon});
    struct sent sent = {.value = adl_scan_trim((struct adl_scan){colon + 1, line.end}),
                        .spaced = adl_scan_left(name) != (size_t)(colon - line.at),
                        .now = now};
    for (int i = 0; i < N_FIELDS; i++) {
        if (!adl_scan_is_word(name, fields[i].name))
            continue;
        sent.again = answer->seen & (1u << i);
        answer->seen |= 1u << i;
        answer->field = i;
        fields[i].take(answer, &sent);
        return;
    }
}

static void fold_field(struct adl_answer *answer, struct adl_scan line)
{
    if (adl_scan_left(adl_scan_trim(line)) && answer->field >= 0 && fields[answer->field].spoil)
        fields[answer->field].spoil(answer);
}

/* The rest of a status line behind "HTTP/" (RFC 9112 4; HTTP/2 and 3 have no minor version). What
 * cannot be read leaves a status of 0. */
static void take_status(struct adl_answer *answer, struct adl_scan line)
{
    int major, minor = 0, status;
    if (!adl_scan_digits(&line, 1, &major) ||
        (adl_scan_char(&line, '.') && !adl_scan_digits(&line, 1, &minor)))
        return;
    if (!adl_scan_char(&line, ' ') || !adl_scan_digits(&line, 3, &status) || status < 100 ||
        (adl_scan_left(line) && *line.at != ' '))
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
    struct adl_scan text = {line, line + length};
    if (adl_scan_left(text) && text.end[-1] == '\n')
        text.end--;
    if (adl_scan_left(text) && text.end[-1] == '\r')
        text.end--;
    if (!adl_scan_left(text)) {
        answer->open = false;
    } else if (!answer->open && adl_scan_word(&text, "http/")) {
        adl_answer_reset(answer);
        answer->open = true;
        take_status(answer, text);
    } else if (adl_scan_is_space(*text.at)) {
        fold_field(answer, text);
    } else {
        take_field(answer, text, now);
    }
}
