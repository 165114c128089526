#include "meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* `rate` bytes/s in steps of 10 ms. */
static int64_t feed(struct adl_meter *meter, int64_t from, int64_t ms, int64_t rate)
{
    for (int64_t now = from; now < from + ms; now += 10)
        adl_meter_add(meter, now, rate / 100);
    return from + ms;
}

static void about(int64_t got, int64_t want)
{
    assert_in_range(got, want - want / 10, want + want / 10);
}

static void a_fresh_meter_shows_nothing(void **state)
{
    (void)state;
    struct adl_meter meter = {0};
    assert_int_equal(adl_meter_rate(&meter, 1), 0);
}

static void a_steady_rate_is_shown_soon_and_later(void **state)
{
    (void)state;
    struct adl_meter meter = {0};
    int64_t now = feed(&meter, 1000, 300, 1000000);
    about(adl_meter_rate(&meter, now), 1000000);
    now = feed(&meter, now, 5000, 1000000);
    about(adl_meter_rate(&meter, now), 1000000);
}

static void a_new_rate_is_believed_within_seconds(void **state)
{
    (void)state;
    struct adl_meter meter = {0};
    int64_t now = feed(&meter, 1000, 5000, 1000000);
    now = feed(&meter, now, 3000, 100000);
    assert_in_range(adl_meter_rate(&meter, now), 90000, 160000);
}

static void when_nothing_comes_it_falls_to_nothing(void **state)
{
    (void)state;
    struct adl_meter meter = {0};
    int64_t now = feed(&meter, 1000, 5000, 1000000), last = INT64_MAX;
    for (int64_t later = now; later < now + 5000; later += 500) {
        assert_true(adl_meter_rate(&meter, later) < last);
        last = adl_meter_rate(&meter, later);
    }
    assert_int_equal(adl_meter_rate(&meter, now + 5001), 0);
    now = feed(&meter, now + 60000, 300, 2000000); /* as if nothing had been before */
    about(adl_meter_rate(&meter, now), 2000000);
}

static void one_piece_is_no_endless_rate(void **state)
{
    (void)state;
    struct adl_meter meter = {0};
    adl_meter_add(&meter, 5, 16384);
    assert_true(adl_meter_rate(&meter, 5) < 16384 * 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_meter_shows_nothing),
        cmocka_unit_test(a_steady_rate_is_shown_soon_and_later),
        cmocka_unit_test(a_new_rate_is_believed_within_seconds),
        cmocka_unit_test(when_nothing_comes_it_falls_to_nothing),
        cmocka_unit_test(one_piece_is_no_endless_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
