#include "json_name.h"
#include "order.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *line, struct adl_order *out)
{
    const char *why = NULL;
    int r = adl_order_parse(line, strlen(line), out, &why);
    if (r < 0)
        assert_true(why && *why);
    return r;
}

static void everything_that_can_be_said_is_read(void **state)
{
    (void)state;
    struct adl_order order;
    assert_int_equal(parse("{\"adlfs\":1,\"id\":\"a\",\"do\":\"warm\",\"paths\":[\"x\",\"d/y\"],"
                           "\"range\":[5,1000],\"jobs\":3,\"new\":[{}]}",
                           &order),
                     0);
    assert_int_equal(order.kind, ADL_ORDER_WARM);
    assert_string_equal(json_string_value(order.id), "a");
    assert_int_equal(order.n_paths, 2);
    assert_string_equal(order.paths[1], "d/y");
    assert_int_equal(order.first, 5);
    assert_int_equal(order.end, 1000);
    assert_int_equal(order.jobs, 3);
    adl_order_free(&order);

    assert_int_equal(parse("{\"adlfs\":1,\"do\":\"status\",\"cells\":9,\"after\":4294967295,"
                           "\"limit\":7,\"every\":100,\"id\":-5}",
                           &order),
                     0);
    assert_int_equal(order.kind, ADL_ORDER_STATUS);
    assert_int_equal(order.cells, 9);
    assert_int_equal(order.after, UINT32_MAX);
    assert_int_equal(order.limit, 7);
    assert_int_equal(order.every, 100);
    assert_int_equal(order.n_paths, 0);
    adl_order_free(&order);

    assert_int_equal(parse("{\"adlfs\":1,\"do\":\"set\",\"limit-rate\":0}", &order), 0);
    assert_int_equal(order.limit_rate, 0);
    adl_order_free(&order);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "null",
        "[1]",
        "{",
        "{}",
        "{\"adlfs\":1}",
        "{\"adlfs\":\"1\",\"do\":\"hello\"}",
        "{\"do\":\"hello\"}",
        "{\"adlfs\":1,\"do\":\"hello\"} x",
        "{\"adlfs\":1,\"do\":\"hello\",\"do\":\"hello\"}",
        "{\"adlfs\":1,\"do\":\"Hello\"}",
        "{\"adlfs\":1,\"do\":\"hello\",\"id\":{}}",
        "{\"adlfs\":1,\"do\":\"hello\",\"id\":1.5}",
        "{\"adlfs\":1,\"do\":\"status\",\"paths\":[1]}",
        "{\"adlfs\":1,\"do\":\"status\",\"paths\":{\"a\":\"b\"}}",
        "{\"adlfs\":1,\"do\":\"status\",\"paths\":[\"a\\u0000b\"]}",
        "{\"adlfs\":1,\"do\":\"status\",\"cells\":4097}",
        "{\"adlfs\":1,\"do\":\"status\",\"cells\":-1}",
        "{\"adlfs\":1,\"do\":\"status\",\"limit\":1001}",
        "{\"adlfs\":1,\"do\":\"status\",\"every\":99}",
        "{\"adlfs\":1,\"do\":\"status\",\"after\":4294967296}",
        "{\"adlfs\":1,\"do\":\"warm\",\"range\":[1]}",
        "{\"adlfs\":1,\"do\":\"warm\",\"range\":[2,1]}",
        "{\"adlfs\":1,\"do\":\"warm\",\"range\":[-1,1]}",
        "{\"adlfs\":1,\"do\":\"warm\",\"range\":[1,99999999999999999999]}",
        "{\"adlfs\":1,\"do\":\"job\"}",
        "{\"adlfs\":1,\"do\":\"job\",\"job\":0}",
        "{\"adlfs\":1,\"do\":\"set\"}",
        "{\"adlfs\":1,\"do\":\"evict\",\"limit\":0}",
        "{\"adlfs\":1,\"do\":\"verify\",\"every\":1000}",
        "{\"adlfs\":1,\"do\":\"set\",\"limit-rate\":-1}",
        "{\"adlfs\":1,\"do\":\"hello\",\"x\":[[[[[[[[1]]]]]]]]}",
    };
    struct adl_order order;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (parse(lines[i], &order) != -EINVAL)
            fail_msg("%s", lines[i]);
        adl_order_free(&order);
    }
    assert_int_equal(parse("{\"adlfs\":2,\"do\":\"dream\",\"id\":8}", &order), -EPROTONOSUPPORT);
    assert_int_equal(json_integer_value(order.id), 8); /* so that the answer finds its question */
    adl_order_free(&order);
}

static void a_line_is_bounded_before_it_is_read(void **state)
{
    (void)state;
    struct adl_order order;
    const char *why;
    char *line = malloc(ADL_ORDER_MAX + 2);
    memset(line, '[', ADL_ORDER_MAX + 2);
    assert_int_equal(adl_order_parse(line, ADL_ORDER_MAX + 1, &order, &why), -EINVAL);
    assert_string_equal(why, "the line is too long");
    assert_int_equal(adl_order_parse(line, ADL_ORDER_MAX, &order, &why), -EINVAL);
    assert_string_equal(why, "the line is nested too deeply");
    free(line);
    /* Brackets in a string are none. */
    assert_int_equal(parse("{\"adlfs\":1,\"do\":\"hello\",\"x\":\"[[[[[[[[[[\\\"[[[[\\\\\"}",
                           &order),
                     0);
    adl_order_free(&order);
}

static void every_name_can_be_told_and_asked_for(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "plain",
                                        "d/\xc3\xa4 b",
                                        "\xe2\x82\xac",
                                        "\xff\xfe",
                                        "a\x80z",
                                        "\xc0\xaf",
                                        "\xed\xa0\x80",
                                        "\xf4\x8f\xbc\x80",
                                        "\xf4\x8f\xbf\xbf end",
                                        "\xf4\x90\x80\x80",
                                        "cut \xe2\x82",
                                        "\n\t\x01\x7f"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_t *text = adl_json_name(names[i]);
        assert_non_null(text);
        char *dumped = json_dumps(text, JSON_ENCODE_ANY);
        json_t *again = json_loads(dumped, JSON_DECODE_ANY, NULL);
        char *bytes = adl_json_bytes(again);
        assert_string_equal(bytes, names[i]);
        free(bytes);
        free(dumped);
        json_decref(again);
        json_decref(text);
    }
    assert_null(adl_json_bytes(NULL));
    json_t *nothing = adl_json_name(NULL);
    assert_true(json_is_null(nothing));
    json_decref(nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_can_be_said_is_read),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_line_is_bounded_before_it_is_read),
        cmocka_unit_test(every_name_can_be_told_and_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
