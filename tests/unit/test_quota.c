#include "quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static void what_is_over_is_to_go(void **state)
{
    (void)state;
    static const struct {
        int64_t most, reserve, allocated, available, excess;
    } rows[] = {
        {0, 0, 100 * GIB, 0, 0},       /* no limits */
        {10 * GIB, 0, 9 * GIB, 0, 0},  /* within them */
        {10 * GIB, 0, 10 * GIB, 0, 0}, /* just so */
        {10 * GIB, 0, 12 * GIB, 0, 2 * GIB},
        {0, GIB, 5 * GIB, 2 * GIB, 0},
        {0, GIB, 5 * GIB, GIB / 2, GIB / 2},
        {10 * GIB, 5 * GIB, 12 * GIB, GIB, 4 * GIB}, /* the larger one */
        {10 * GIB, 5 * GIB, 12 * GIB, 4 * GIB, 2 * GIB},
        {0, 100 * GIB, 3 * GIB, GIB, 3 * GIB}, /* no more than there is */
        {0, GIB, 0, 0, 0},
        {10 * GIB, 0, 12 * GIB, INT64_MAX, 2 * GIB},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct adl_quota quota = {.most = rows[i].most, .reserve = rows[i].reserve};
        assert_int_equal(adl_quota_excess(&quota, rows[i].allocated, rows[i].available),
                         rows[i].excess);
        assert_int_equal(adl_quota_set(&quota), rows[i].most || rows[i].reserve);
    }
}

static void some_more_goes_so_that_there_is_room_for_a_while(void **state)
{
    (void)state;
    struct adl_quota quota = {.most = 800 * MIB};
    assert_int_equal(adl_quota_goal(&quota, 0), 0);
    assert_int_equal(adl_quota_goal(&quota, 1), 100 * MIB + 1);
    quota.most = 800 * GIB;
    assert_int_equal(adl_quota_goal(&quota, GIB), 2 * GIB);
    quota = (struct adl_quota){.reserve = 8 * MIB};
    assert_int_equal(adl_quota_goal(&quota, MIB), 2 * MIB);
}

static void garbage_goes_first_and_then_by_age(void **state)
{
    (void)state;
    struct adl_item items[] = {
        {.key.bytes = {1}, .used = 300},
        {.key.bytes = {2}, .used = 100},
        {.key.bytes = {3}, .used = 900, .garbage = true},
        {.key.bytes = {4}, .used = 200},
        {.key.bytes = {5}, .used = 100},
    };
    static const unsigned char order[] = {3, 2, 5, 4, 1};
    struct adl_inventory inventory = {.items = items, .count = 5};
    adl_quota_order(&inventory);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(items[i].key.bytes[0], order[i]);
    adl_quota_order(&(struct adl_inventory){0});
}

static void large_entries_are_shrunk_and_small_ones_go(void **state)
{
    (void)state;
    struct adl_item small = {.data = true, .map = true, .allocated = MIB};
    struct adl_item large = {.data = true, .map = true, .allocated = GIB};
    assert_int_equal(adl_quota_share(&small, 1), MIB);
    assert_int_equal(adl_quota_share(&small, GIB), MIB);
    assert_int_equal(adl_quota_share(&large, 100 * MIB), 100 * MIB);
    assert_int_equal(adl_quota_share(&large, 600 * MIB), GIB); /* little would be left of it */
    assert_int_equal(adl_quota_share(&large, 2 * GIB), GIB);
    large.garbage = true;
    assert_int_equal(adl_quota_share(&large, MIB), GIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_over_is_to_go),
        cmocka_unit_test(some_more_goes_so_that_there_is_room_for_a_while),
        cmocka_unit_test(garbage_goes_first_and_then_by_age),
        cmocka_unit_test(large_entries_are_shrunk_and_small_ones_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
