#include "behind.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void of_nothing_nothing_is_behind(void **state)
{
    (void)state;
    struct adl_behind behind = {0};
    assert_false(adl_behind_is(&behind, 0));
    assert_false(adl_behind_is(&behind, INT64_MAX));
}

static void a_range_leads_to_its_end_and_not_to_its_beginning(void **state)
{
    (void)state;
    cleanup_behind struct adl_behind behind = {0};
    assert_int_equal(adl_behind_add(&behind, 10, 20), 0);
    assert_false(adl_behind_is(&behind, 10));
    assert_true(adl_behind_is(&behind, 11));
    assert_true(adl_behind_is(&behind, 20));
    assert_false(adl_behind_is(&behind, 21));
    assert_int_equal(adl_behind_add(&behind, 5, 10), 0); /* after it was asked */
    assert_true(adl_behind_is(&behind, 10));
}

static void it_is_what_looking_at_each_says(void **state)
{
    (void)state;
    uint64_t random = 20261126;
    for (int turn = 0; turn < 200; turn++) {
        cleanup_behind struct adl_behind behind = {0};
        int64_t first[60], end[60];
        int count = (int)(next_random(&random) % 60);
        for (int i = 0; i < count; i++) {
            first[i] = (int64_t)(next_random(&random) % 200);
            end[i] = first[i] + (int64_t)(next_random(&random) % 20);
            assert_int_equal(adl_behind_add(&behind, first[i], end[i]), 0);
        }
        for (int64_t at = 0; at < 230; at++) {
            bool is = false;
            for (int i = 0; i < count; i++)
                is |= first[i] < at && end[i] >= at;
            assert_int_equal(adl_behind_is(&behind, at), is);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_nothing_nothing_is_behind),
        cmocka_unit_test(a_range_leads_to_its_end_and_not_to_its_beginning),
        cmocka_unit_test(it_is_what_looking_at_each_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
