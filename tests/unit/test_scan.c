/* The promises of src/scan.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scan.h"

#include <stdio.h>
#include <string.h>

static struct adl_scan scan_of(const char *text)
{
    return (struct adl_scan){text, text + strlen(text)};
}

static void assert_left(struct adl_scan scan, const char *want)
{
    assert_int_equal(adl_scan_left(scan), strlen(want));
    assert_memory_equal(scan.at, want, strlen(want));
}

static void spaces_are_trimmed_at_both_ends_alone(void **state)
{
    (void)state;
    assert_left(adl_scan_trim(scan_of(" \t a b\t ")), "a b");
    assert_left(adl_scan_trim(scan_of(" \t ")), "");
    assert_left(adl_scan_trim(scan_of("")), "");
    assert_left(adl_scan_trim(scan_of("\n")), "\n");
}

static void words_are_found_in_any_case_and_numbers_are_not_letters(void **state)
{
    (void)state;
    struct adl_scan scan = scan_of("HtTp/1");
    assert_true(adl_scan_word(&scan, "http/"));
    assert_left(scan, "1");
    scan = scan_of("htt");
    assert_false(adl_scan_word(&scan, "http"));
    scan = scan_of("\xc0");
    assert_false(adl_scan_word(&scan, "\xe0")); /* no locale's letter */
    assert_true(adl_scan_is_word(scan_of("BYTES"), "bytes"));
    assert_false(adl_scan_is_word(scan_of("bytes "), "bytes"));
}

static void numbers_stop_at_the_largest(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool right;
        int64_t want;
    } rows[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"99999999999999999999999999", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct adl_scan scan = scan_of(rows[i].text);
        int64_t number = 0;
        if (adl_scan_number(&scan, &number) != rows[i].right || number != rows[i].want)
            fail_msg("'%s': %lld", rows[i].text, (long long)number);
    }
}

static void nothing_behind_the_end_is_looked_at(void **state)
{
    (void)state;
    const char digits[] = {'1', '2', '3'}; /* no NUL */
    struct adl_scan scan = {digits, digits + 2};
    int64_t number;
    assert_true(adl_scan_number(&scan, &number));
    assert_int_equal(number, 12);
    assert_false(adl_scan_char(&scan, '3'));
    int few;
    scan = (struct adl_scan){digits, digits + 2};
    assert_false(adl_scan_digits(&scan, 3, &few));
}

static void so_many_digits_are_taken_and_no_more(void **state)
{
    (void)state;
    struct adl_scan scan = scan_of("19945");
    int year;
    assert_true(adl_scan_digits(&scan, 4, &year));
    assert_int_equal(year, 1994);
    assert_left(scan, "5");
}

static void a_list_has_one_item_more_than_commas(void **state)
{
    (void)state;
    static const char *const want[] = {"a", "", "b c", ""};
    struct adl_scan list = scan_of("a ,, b c ,"), item;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_true(adl_scan_item(&list, &item));
        assert_left(item, want[i]);
    }
    assert_false(adl_scan_item(&list, &item));
    list = scan_of("");
    assert_true(adl_scan_item(&list, &item));
    assert_left(item, "");
    assert_false(adl_scan_item(&list, &item));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(spaces_are_trimmed_at_both_ends_alone),
        cmocka_unit_test(words_are_found_in_any_case_and_numbers_are_not_letters),
        cmocka_unit_test(numbers_stop_at_the_largest),
        cmocka_unit_test(nothing_behind_the_end_is_looked_at),
        cmocka_unit_test(so_many_digits_are_taken_and_no_more),
        cmocka_unit_test(a_list_has_one_item_more_than_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
