#include "date.h"

#include "scan.h"

#include <stdio.h>
#include <time.h>

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
static bool take_day_name(struct adl_scan *text, bool whole)
{
    static const struct {
        const char *name, *rest;
    } days[] = {{"mon", "day"}, {"tue", "sday"},  {"wed", "nesday"}, {"thu", "rsday"},
                {"fri", "day"}, {"sat", "urday"}, {"sun", "day"}};
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++)
        if (adl_scan_word(text, days[i].name))
            return !whole || adl_scan_word(text, days[i].rest);
    return false;
}

static bool take_month(struct adl_scan *text, int *out)
{
    static const char *const names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                        "jul", "aug", "sep", "oct", "nov", "dec"};
    for (int i = 0; i < 12; i++)
        if (adl_scan_word(text, names[i])) {
            *out = i + 1;
            return true;
        }
    return false;
}

static bool take_time(struct adl_scan *text, struct date *date)
{
    return adl_scan_digits(text, 2, &date->hour) && adl_scan_char(text, ':') &&
           adl_scan_digits(text, 2, &date->minute) && adl_scan_char(text, ':') &&
           adl_scan_digits(text, 2, &date->second);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool parse_imf_fixdate(struct adl_scan text, struct date *date)
{
    return take_day_name(&text, false) && adl_scan_word(&text, ", ") &&
           adl_scan_digits(&text, 2, &date->day) && adl_scan_char(&text, ' ') &&
           take_month(&text, &date->month) && adl_scan_char(&text, ' ') &&
           adl_scan_digits(&text, 4, &date->year) && adl_scan_char(&text, ' ') &&
           take_time(&text, date) && adl_scan_is_word(text, " gmt");
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool parse_rfc850_date(struct adl_scan text, int64_t now, struct date *date)
{
    bool parsed = take_day_name(&text, true) && adl_scan_word(&text, ", ") &&
                  adl_scan_digits(&text, 2, &date->day) && adl_scan_char(&text, '-') &&
                  take_month(&text, &date->month) && adl_scan_char(&text, '-') &&
                  adl_scan_digits(&text, 2, &date->year) && adl_scan_char(&text, ' ') &&
                  take_time(&text, date) && adl_scan_is_word(text, " gmt");
    if (parsed)
        complete_year(date, now);
    return parsed;
}

/* Two digits, or a space and one. */
static bool take_padded(struct adl_scan *text, int *out)
{
    return adl_scan_char(text, ' ') ? adl_scan_digits(text, 1, out) : adl_scan_digits(text, 2, out);
}

/* Sun Nov  6 08:49:37 1994 */
static bool parse_asctime_date(struct adl_scan text, struct date *date)
{
    return take_day_name(&text, false) && adl_scan_char(&text, ' ') &&
           take_month(&text, &date->month) && adl_scan_char(&text, ' ') &&
           take_padded(&text, &date->day) && adl_scan_char(&text, ' ') && take_time(&text, date) &&
           adl_scan_char(&text, ' ') && adl_scan_digits(&text, 4, &date->year) &&
           !adl_scan_left(text);
}

int64_t adl_date_parse(const char *text, size_t length, int64_t now)
{
    struct adl_scan value = {text, text + length};
    struct date date;
    if (!parse_imf_fixdate(value, &date) && !parse_rfc850_date(value, now, &date) &&
        !parse_asctime_date(value, &date))
        return ADL_TIME_UNKNOWN;
    return is_possible(&date) ? unix_time(&date) : ADL_TIME_UNKNOWN;
}

void adl_date_format(int64_t when, char out[ADL_DATE_ROOM])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = when;
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    snprintf(out, ADL_DATE_ROOM, "%s, %02d %s %d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
