#include "extents.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SPACE 96

static void the_empty_set_covers_only_empty_ranges(void **state)
{
    (void)state;
    struct adl_extents set = {0};
    assert_true(adl_extents_cover(&set, 5, 5));
    assert_false(adl_extents_cover(&set, 5, 6));
    assert_null(adl_extents_at(&set, 0));
    assert_int_equal(adl_extents_remove(&set, 0, 100), 0);
    assert_int_equal(adl_extents_add(&set, 7, 7), 0);
    assert_int_equal(set.count, 0);
    adl_extents_free(&set);
}

static void neighbours_merge(void **state)
{
    (void)state;
    struct adl_extents set = {0};
    assert_int_equal(adl_extents_add(&set, 10, 20), 0);
    assert_int_equal(adl_extents_add(&set, 30, 40), 0);
    assert_int_equal(set.count, 2);
    assert_int_equal(adl_extents_add(&set, 20, 30), 0);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.list[0].first, 10);
    assert_int_equal(set.list[0].end, 40);
    adl_extents_free(&set);
}

static void removing_from_the_middle_splits(void **state)
{
    (void)state;
    struct adl_extents set = {0};
    assert_int_equal(adl_extents_add(&set, 0, INT64_MAX), 0);
    assert_int_equal(adl_extents_remove(&set, 100, 200), 0);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.list[0].end, 100);
    assert_int_equal(set.list[1].first, 200);
    assert_int_equal(set.list[1].end, INT64_MAX);
    adl_extents_free(&set);
}

static void at_finds_the_holder_or_the_next(void **state)
{
    (void)state;
    struct adl_extents set = {0};
    assert_int_equal(adl_extents_add(&set, 10, 20), 0);
    assert_int_equal(adl_extents_add(&set, 30, 40), 0);
    assert_int_equal(adl_extents_at(&set, 0)->first, 10);
    assert_int_equal(adl_extents_at(&set, 10)->first, 10);
    assert_int_equal(adl_extents_at(&set, 19)->first, 10);
    assert_int_equal(adl_extents_at(&set, 20)->first, 30);
    assert_null(adl_extents_at(&set, 40));
    adl_extents_free(&set);
}

/* The list is what the promise says (sorted, disjoint, not touching) and holds just these bytes. */
static void check(const struct adl_extents *set, const bool *model)
{
    int64_t behind = -1;
    size_t in_set = 0, in_model = 0;
    for (size_t i = 0; i < set->count; i++) {
        assert_true(set->list[i].first > behind && set->list[i].first < set->list[i].end);
        behind = set->list[i].end;
        for (int64_t at = set->list[i].first; at < set->list[i].end; at++)
            assert_true(model[at]);
        in_set += (size_t)(set->list[i].end - set->list[i].first);
    }
    for (int64_t at = 0; at < SPACE; at++)
        in_model += model[at];
    assert_int_equal(in_set, in_model);
}

static void agrees_with_an_array_of_bytes(void **state)
{
    (void)state;
    uint64_t random = 20260131;
    for (int round = 0; round < 50; round++) {
        struct adl_extents set = {0};
        bool model[SPACE] = {0};
        for (int step = 0; step < 200; step++) {
            int64_t first = (int64_t)(next_random(&random) % SPACE);
            int64_t end = first + (int64_t)(next_random(&random) % (uint64_t)(SPACE - first) / 3);
            bool add = next_random(&random) % 2;
            assert_int_equal(add ? adl_extents_add(&set, first, end)
                                 : adl_extents_remove(&set, first, end),
                             0);
            for (int64_t at = first; at < end; at++)
                model[at] = add;
            check(&set, model);
            bool covered = true;
            for (int64_t at = first / 2; at < end; at++)
                covered &= model[at];
            assert_int_equal(adl_extents_cover(&set, first / 2, end), covered);
        }
        adl_extents_free(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_empty_set_covers_only_empty_ranges),
        cmocka_unit_test(neighbours_merge),
        cmocka_unit_test(removing_from_the_middle_splits),
        cmocka_unit_test(at_finds_the_holder_or_the_next),
        cmocka_unit_test(agrees_with_an_array_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
