#include "limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB (INT64_C(1) << 20)

/* Takes pieces whenever it may, looking every `step` ms. Returns the bytes taken. */
static int64_t drink(struct adl_limit *limit, int64_t from, int64_t ms, int64_t step, int64_t piece)
{
    int64_t taken = 0;
    for (int64_t now = from; now < from + ms; now += step)
        while (adl_limit_open(limit, now, 0)) {
            adl_limit_take(limit, now, piece);
            taken += piece;
        }
    return taken;
}

static void the_average_is_kept_whatever_the_pieces(void **state)
{
    (void)state;
    static const int64_t rates[] = {10000, 100 << 10, 5 * MIB, 1000 * MIB};
    static const int64_t pieces[] = {1000, 16384, 256 << 10};
    for (unsigned r = 0; r < 4; r++)
        for (unsigned p = 0; p < 3; p++) {
            struct adl_limit limit;
            adl_limit_set(&limit, rates[r], 1000);
            int64_t taken = drink(&limit, 1000, 10000, 5, pieces[p]);
            /* a piece may go into debt, and a tenth of a second's worth may be there at first */
            assert_in_range(taken, rates[r] * 10 * 97 / 100, rates[r] * 10 * 102 / 100 + pieces[p]);
        }
}

static void no_burst_follows_a_rest(void **state)
{
    (void)state;
    struct adl_limit limit;
    adl_limit_set(&limit, MIB, 1000);
    drink(&limit, 1000, 1000, 5, 16384);
    assert_in_range(drink(&limit, 3600000, 1, 1, 16384), 1, MIB / 10 + 16384);
}

static void who_is_waited_for_may_go_ahead(void **state)
{
    (void)state;
    struct adl_limit limit;
    adl_limit_set(&limit, MIB, 1000);
    adl_limit_take(&limit, 1000, 100000);
    assert_false(adl_limit_open(&limit, 1000, 0));
    assert_true(adl_limit_open(&limit, 1000, MIB / 4));
    assert_in_range(adl_limit_wait(&limit, 1000), 90, 100);
    assert_int_equal(adl_limit_wait(&limit, 1100), 0);
}

static void without_a_limit_nothing_waits(void **state)
{
    (void)state;
    struct adl_limit limit;
    adl_limit_set(&limit, 0, 1000);
    adl_limit_take(&limit, 1000, INT64_MAX / 2);
    assert_true(adl_limit_open(&limit, 1000, 0));
    assert_int_equal(adl_limit_wait(&limit, 1000), 0);
    adl_limit_set(&limit, -5, 1000);
    assert_int_equal(limit.rate, 0);
    adl_limit_set(&limit, INT64_MAX, 1000);
    assert_int_equal(limit.rate, ADL_LIMIT_MAX);
    assert_true(drink(&limit, 1000, 100, 10, MIB * 1024) > 0);
}

static void a_change_begins_anew(void **state)
{
    (void)state;
    struct adl_limit limit;
    adl_limit_set(&limit, 1000, 1000);
    adl_limit_take(&limit, 1000, MIB);
    assert_true(adl_limit_wait(&limit, 1000) > 1000000);
    adl_limit_set(&limit, MIB, 1000);
    assert_true(adl_limit_wait(&limit, 1001) <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_average_is_kept_whatever_the_pieces),
        cmocka_unit_test(no_burst_follows_a_rest),
        cmocka_unit_test(who_is_waited_for_may_go_ahead),
        cmocka_unit_test(without_a_limit_nothing_waits),
        cmocka_unit_test(a_change_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
