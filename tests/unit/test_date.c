/* The promises of src/date.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "date.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NOW     1767225600 /* 2026-01-01 00:00:00 */
#define NOV_6   784111777  /* 1994-11-06 08:49:37 */
#define UNKNOWN ADL_TIME_UNKNOWN

static void dates_are_read_in_all_three_forms(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", NOV_6},
        {"Sunday, 06-Nov-94 08:49:37 GMT", NOV_6},
        {"Sun Nov  6 08:49:37 1994", NOV_6},
        {"Sun Nov 06 08:49:37 1994", NOV_6},
        {"sun, 06 NOV 1994 08:49:37 gmt", NOV_6},
        {"Mon, 06 Nov 1994 08:49:37 GMT", NOV_6}, /* it was a Sunday: the date counts */
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Tue Mar  1 00:00:00 1904", -2077660800},
        {"Mon, 01 Jan 0001 00:00:00 GMT", -62135596800},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
        {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
        {"Wed, 01 Mar 2000 00:00:00 GMT", 951868800},
        {"Mon, 01 Mar 2100 00:00:00 GMT", 4107542400},
        {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800}, /* a leap second */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = adl_date_parse(rows[i].text, strlen(rows[i].text), NOW);
        if (got != rows[i].want)
            fail_msg("'%s': %lld", rows[i].text, (long long)got);
    }
}

static void what_is_no_date_is_unknown(void **state)
{
    static const char *const rows[] = {
        "",
        "0",
        "-1",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 PST",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT+1",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06  Nov 1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Okt 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 19945 08:49:37 GMT",
        "Sun, 06 Nov +994 08:49:37 GMT",
        "Sun, 06 Nov -001 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 32 Dec 1994 08:49:37 GMT",
        "Mon, 29 Feb 1999 08:49:37 GMT",
        "Mon, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 -8:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37",
        "Sun Nov  6 08:49:37 94",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = adl_date_parse(rows[i], strlen(rows[i]), NOW);
        if (got != UNKNOWN)
            fail_msg("'%s': %lld", rows[i], (long long)got);
    }
}

/* Compares the calendar with one that counts day by day. */
static void every_day_of_a_thousand_years_follows_the_one_before(void **state)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t want = -11676096000; /* 1600-01-01 */
    (void)state;
    for (int year = 1600; year < 2600; year++)
        for (int month = 0; month < 12; month++) {
            bool leap = year % 400 == 0 || (year % 100 != 0 && year % 4 == 0);
            int days = lengths[month] + (month == 1 && leap);
            for (int day = 1; day <= days; day++, want += 86400) {
                char text[40];
                snprintf(text, sizeof(text), "Sun, %02d %s %04d 00:00:00 GMT", day, months[month],
                         year);
                assert_int_equal(adl_date_parse(text, strlen(text), NOW), want);
            }
        }
}

/* "more than 50 years in the future [is] the most recent year in the past that had the same last
 * two digits" (RFC 9110 5.6.7). */
static void two_digits_of_a_year_mean_at_most_50_years_from_now(void **state)
{
    static const struct {
        const char *text;
        int64_t now, want;
    } rows[] = {
        {"Friday, 01-Jan-27 00:00:00 GMT", NOW, 1798761600},          /* 2027 */
        {"Thursday, 01-Jan-26 00:00:00 GMT", NOW, NOW},               /* 2026 */
        {"Tuesday, 31-Dec-75 00:00:00 GMT", NOW, 3344976000},         /* 2075 */
        {"Wednesday, 01-Jan-76 00:00:00 GMT", NOW, 3345062400},       /* 2076: 50 years, not more */
        {"Thursday, 01-Jan-76 00:00:01 GMT", NOW, 189302401},         /* 1976 */
        {"Friday, 01-Jan-77 00:00:00 GMT", NOW, 220924800},           /* 1977 */
        {"Friday, 31-Dec-99 00:00:00 GMT", NOW, 946598400},           /* 1999 */
        {"Saturday, 01-Jan-00 00:00:00 GMT", NOW, 946684800},         /* 2000 */
        {"Saturday, 01-Jan-05 00:00:00 GMT", 946598400, 1104537600},  /* in 1999: 2005 */
        {"Thursday, 01-Jan-70 00:00:00 GMT", 0, 0},                   /* in 1970: 1970 */
        {"Sunday, 02-Jan-20 00:00:00 GMT", 0, -1577836800},           /* in 1970: 1920 */
        {"Thursday, 29-Feb-76 00:00:00 GMT", NOW, 194400000},         /* a day that 2026 has not */
        {"Friday, 01-Jan-21 00:00:00 GMT", 31536000, 1609459200},     /* on 1971-01-01: 2021 */
        {"Sunday, 01-Jan-23 00:00:00 GMT", 3250368000, 1672531200},   /* on 2072-12-31: 2023 */
        {"Thursday, 31-Dec-22 00:00:00 GMT", 3250368000, 4828118400}, /* on 2072-12-31: 2122 */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = adl_date_parse(rows[i].text, strlen(rows[i].text), rows[i].now);
        if (got != rows[i].want)
            fail_msg("'%s' at %lld: %lld", rows[i].text, (long long)rows[i].now, (long long)got);
    }
}

static void two_digits_of_a_year_bear_any_clock(void **state)
{
    static const int64_t clocks[] = {INT64_MIN, -1, 0, 253402300799, 253402300800, INT64_MAX};
    static const char text[] = "Friday, 31-Dec-99 23:59:59 GMT";
    (void)state;
    for (size_t i = 0; i < COUNT(clocks); i++)
        assert_true(adl_date_parse(text, strlen(text), clocks[i]) != UNKNOWN);
}

static void what_is_written_is_read_again(void **state)
{
    static const int64_t moments[] = {-62135596800, -1, 0, NOV_6, NOW, 253402300799};
    (void)state;
    for (size_t i = 0; i < COUNT(moments); i++) {
        char text[ADL_DATE_ROOM];
        adl_date_format(moments[i], text);
        assert_int_equal(adl_date_parse(text, strlen(text), NOW), i ? moments[i] : UNKNOWN);
    }
    char text[ADL_DATE_ROOM];
    adl_date_format(NOV_6, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void any_moment_can_be_written(void **state)
{
    static const int64_t moments[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT(moments); i++) {
        char text[ADL_DATE_ROOM];
        adl_date_format(moments[i], text);
        assert_true(strlen(text) < sizeof(text));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_read_in_all_three_forms),
        cmocka_unit_test(what_is_no_date_is_unknown),
        cmocka_unit_test(every_day_of_a_thousand_years_follows_the_one_before),
        cmocka_unit_test(two_digits_of_a_year_mean_at_most_50_years_from_now),
        cmocka_unit_test(two_digits_of_a_year_bear_any_clock),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(any_moment_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
