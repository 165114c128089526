#include "text.h"

#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void sizes_are_short_and_right(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes;
        const char *size, *brief;
    } rows[] = {
        {-1, "?", "?"},
        {0, "0 B", "0"},
        {999, "999 B", "999"},
        {1000, "1.0 KiB", "1.0K"},
        {1536, "1.5 KiB", "1.5K"},
        {100 << 10, "100 KiB", "100K"},
        {1023 << 10, "1.0 MiB", "1.0M"},
        {64 << 20, "64.0 MiB", "64.0M"},
        {INT64_C(5) << 40, "5.0 TiB", "5.0T"},
        {INT64_MAX, "8.0 EiB", "8.0E"},
    };
    char out[ADL_TEXT_ROOM];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(adl_text_size(rows[i].bytes, out), rows[i].size);
        assert_string_equal(adl_text_short(rows[i].bytes, out), rows[i].brief);
    }
    for (int64_t bytes = 1; bytes < INT64_MAX / 3; bytes = bytes * 3 + 1) {
        assert_true(strlen(adl_text_size(bytes, out)) <= 9);
        assert_true(strlen(adl_text_short(bytes, out)) <= 6);
    }
    assert_string_equal(adl_text_rate(2 << 20, out), "2.0 MiB/s");
}

static void times_fit_seven_columns(void **state)
{
    (void)state;
    char out[ADL_TEXT_ROOM];
    assert_string_equal(adl_text_time(-1, out), "-");
    assert_string_equal(adl_text_time(7, out), "0:07");
    assert_string_equal(adl_text_time(754, out), "12:34");
    assert_string_equal(adl_text_time(3723, out), "1:02:03");
    assert_string_equal(adl_text_time(INT64_C(86400) * 5 + 3600 * 4, out), "5d 04h");
    assert_string_equal(adl_text_time(INT64_MAX, out), ">99d");
    for (int64_t s = 1; s < INT64_MAX / 3; s = s * 3 + 2)
        assert_true(strlen(adl_text_time(s, out)) <= 8);
}

static void percent_says_all_only_of_all(void **state)
{
    (void)state;
    char out[ADL_TEXT_ROOM];
    assert_string_equal(adl_text_percent(0, 10, out), "0%");
    assert_string_equal(adl_text_percent(1, INT64_MAX, out), "1%");
    assert_string_equal(adl_text_percent(INT64_MAX - 1, INT64_MAX, out), "99%");
    assert_string_equal(adl_text_percent(10, 10, out), "100%");
    assert_string_equal(adl_text_percent(0, 0, out), "100%");
    assert_string_equal(adl_text_percent(5, -1, out), "?");
    assert_int_equal(adl_text_part(5, 10, 8), 4);
    assert_int_equal(adl_text_part(20, 10, 8), 8);
    assert_int_equal(adl_text_part(-5, 10, 8), 0);
    assert_int_equal(adl_text_part(5, 0, 8), 0);
}

static void what_is_shown_is_harmless_and_fits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
        const char *shown;
    } rows[] = {
        {"plain.txt", 20, "plain.txt"},
        {"plain.txt", 9, "plain.txt"},
        {"a-long-name.iso", 9, "a-lo~.iso"},
        {"abcdef", 3, "abc"},
        {"abc", 0, ""},
        {"\033[31mred\n\r\a", 20, "?[31mred???"},
        {"\xc3\xa4\xe2\x82\xac\xff\xc0\xaf", 20, "\xc3\xa4\xe2\x82\xac???"},
        {"x\xe2\x80\xaegpj.exe", 20, "x?gpj.exe"},                    /* right to left */
        {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, "\xe6\x97\xa5~"}, /* two columns each */
        {"\xc2\x9b"
         "31m",
         20, "?31m"},
    };
    char out[256];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t used = adl_text_show(rows[i].text, rows[i].columns, out, sizeof(out));
        assert_string_equal(out, rows[i].shown);
        assert_true(used <= rows[i].columns);
        assert_int_equal(used, adl_text_width(out));
    }
    for (size_t room = 1; room < 12; room++) { /* a small buffer cuts whole characters */
        adl_text_show("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 99, out, room);
        assert_int_equal(strlen(out), (room - 1) / 3 * 3);
    }
}

static void marks_and_wide_letters_take_what_a_terminal_gives_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns, rough; /* with the C library's knowledge; without */
    } rows[] = {
        {"cafe\xcc\x81", 4, 4},                         /* a combining acute */
        {"\xe6\x97\xa5\xe6\x9c\xac", 4, 4},             /* two ideographs */
        {"\xe0\xb8\x97\xe0\xb8\xb5\xe0\xb9\x88", 1, 3}, /* a Thai consonant with two marks */
        {"\xf0\x9f\x8e\xac", 2, 2},                     /* an emoji */
        {"\xe2\x9a\xa1", 2, 1},                         /* an older one */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(adl_text_width(rows[i].text), rows[i].rough);
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        skip();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(adl_text_width(rows[i].text), rows[i].columns);
    char out[64]; /* what is cut leaves no mark of a letter behind that is not there any more */
    adl_text_show("aaaaae\xcc\x81xy", 5, out, sizeof(out));
    setlocale(LC_CTYPE, "C");
    assert_string_equal(out, "aa~xy");
}

static void texts_are_broken_at_spaces(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns, line;
    } rows[] = {{"", 5, 0},          {"ab", 5, 2},
                {"ab cd ef", 5, 6},  {"abcdefgh", 5, 5},
                {"a bcdefgh", 5, 5}, {"abc defgh", 3, 4},
                {"x", 0, 1},         {"\xe6\x97\xa5\xe6\x9c\xac", 3, 3}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(adl_text_line(rows[i].text, rows[i].columns), rows[i].line);
}

static void colours_take_no_room_and_end_all_the_same(void **state)
{
    (void)state;
    char out[64] = "";
    const char *text = "\033[1mabc\033[0m d\xe6\x97\xa5\xe6\x9c\xac\033[2mx\033[0m\nrest";
    FILE *file = fmemopen(out, sizeof(out), "w");
    adl_text_clip(text, strcspn(text, "\n"), 8, file);
    fclose(file);
    assert_string_equal(out, "\033[1mabc\033[0m d\xe6\x97\xa5\033[2m\033[0m");
}

static void sizes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes; /* -1: refused */
    } rows[] = {{"0", 0},
                {"123", 123},
                {"5M", 5 << 20},
                {"1.5k", 1536},
                {"2GiB", INT64_C(2) << 30},
                {"8T", INT64_C(8) << 40},
                {"", -1},
                {"M", -1},
                {"-1", -1},
                {"1.5", -1},
                {"1..5M", -1},
                {"1M/s", -1},
                {"1 M", -1},
                {"1Mi", -1},
                {"9223372036854775808", -1},
                {"8388607T", INT64_C(8388607) << 40},
                {"8388608T", -1},
                {"9223372036854775807", INT64_MAX},
                {"1P", -1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t bytes = -2;
        bool read = adl_text_parse_size(rows[i].text, strlen(rows[i].text), &bytes);
        if (read != (rows[i].bytes >= 0) || (read && bytes != rows[i].bytes))
            fail_msg("'%s' is %d, %lld", rows[i].text, read, (long long)bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_short_and_right),
        cmocka_unit_test(times_fit_seven_columns),
        cmocka_unit_test(percent_says_all_only_of_all),
        cmocka_unit_test(what_is_shown_is_harmless_and_fits),
        cmocka_unit_test(marks_and_wide_letters_take_what_a_terminal_gives_them),
        cmocka_unit_test(texts_are_broken_at_spaces),
        cmocka_unit_test(colours_take_no_room_and_end_all_the_same),
        cmocka_unit_test(sizes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
