#include "value.h"

#include "digest.h"
#include "scan.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int adl_value_number(const char *text, size_t length, uint64_t most, uint64_t *out)
{
    if (length == 0)
        return -EINVAL;
    uint64_t number = 0;
    bool overflow = false;
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(text[i]))
            return -EINVAL;
        overflow |= __builtin_mul_overflow(number, 10u, &number);
        overflow |= __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number);
    }
    if (overflow || number > most)
        return -ERANGE;
    *out = number;
    return 0;
}

static bool take_digits(struct adl_scan *rest, int count, int least, int most, int *out)
{
    return adl_scan_digits(rest, count, out) && *out >= least && *out <= most;
}

static bool take_date(struct adl_scan *rest, struct tm *tm)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month;
    if (!take_digits(rest, 4, 0, 9999, &year) || !adl_scan_char(rest, '-') ||
        !take_digits(rest, 2, 1, 12, &month) || !adl_scan_char(rest, '-') ||
        !take_digits(rest, 2, 1, days[month - 1], &tm->tm_mday))
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    return leap || month != 2 || tm->tm_mday <= 28;
}

static bool take_time(struct adl_scan *rest, struct tm *tm)
{
    if (!take_digits(rest, 2, 0, 23, &tm->tm_hour) || !adl_scan_char(rest, ':') ||
        !take_digits(rest, 2, 0, 59, &tm->tm_min) || !adl_scan_char(rest, ':') ||
        !take_digits(rest, 2, 0, 60, &tm->tm_sec)) /* 60: a leap second */
        return false;
    if (!adl_scan_char(rest, '.'))
        return true;
    const char *fraction = rest->at;
    while (adl_scan_is_digit(*rest))
        rest->at++;
    return rest->at > fraction;
}

/* "Z" or "+hh:mm" -> seconds east of Greenwich. */
static bool take_offset(struct adl_scan *rest, int *seconds)
{
    int hours, minutes;
    *seconds = 0;
    if (adl_scan_word(rest, "z"))
        return true;
    bool west = adl_scan_char(rest, '-');
    if (!west && !adl_scan_char(rest, '+'))
        return false;
    if (!take_digits(rest, 2, 0, 23, &hours) || !adl_scan_char(rest, ':') ||
        !take_digits(rest, 2, 0, 59, &minutes))
        return false;
    *seconds = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
    return true;
}

int adl_value_time(const char *text, size_t length, int64_t *out)
{
    struct adl_scan rest = {text, text + length};
    struct tm tm = {0};
    int offset;
    if (!take_date(&rest, &tm) || !adl_scan_word(&rest, "t") || !take_time(&rest, &tm) ||
        !take_offset(&rest, &offset) || adl_scan_left(rest))
        return -EINVAL;
    *out = (int64_t)timegm(&tm) - offset;
    return 0;
}

static enum adl_digest_kind digest_kind(const char *name, size_t length)
{
    static const struct {
        const char *name;
        enum adl_digest_kind kind;
    } kinds[] = {
        {"md5", ADL_MD5},        {"sha-1", ADL_SHA1},     {"sha-224", ADL_SHA224},
        {"sha-256", ADL_SHA256}, {"sha-384", ADL_SHA384}, {"sha-512", ADL_SHA512},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strlen(kinds[i].name) == length && strncasecmp(kinds[i].name, name, length) == 0)
            return kinds[i].kind;
    return ADL_DIGEST_NONE;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int adl_value_digest(const char *text, size_t length, struct adl_digest *out)
{
    const char *equals = memchr(text, '=', length);
    if (!equals)
        return -EINVAL;
    struct adl_digest digest = {.kind = digest_kind(text, (size_t)(equals - text))};
    if (digest.kind == ADL_DIGEST_NONE)
        return -EPROTONOSUPPORT;
    const char *digits = equals + 1;
    size_t bytes = adl_digest_length(digest.kind);
    if ((size_t)(text + length - digits) != 2 * bytes)
        return -EMSGSIZE;
    for (size_t i = 0; i < bytes; i++) {
        int high = hex_digit(digits[2 * i]), low = hex_digit(digits[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        digest.bytes[i] = (unsigned char)(high * 16 + low);
    }
    *out = digest;
    return 0;
}
