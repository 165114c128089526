#include "bitmap.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void fresh_is_clear(void **state)
{
    (void)state;
    struct adl_bitmap bitmap;
    assert_int_equal(adl_bitmap_init(&bitmap, 130), 0);
    assert_int_equal(bitmap.bits, 130);
    assert_int_equal(adl_bitmap_count(&bitmap), 0);
    for (uint64_t bit = 0; bit < 130; bit++)
        assert_false(adl_bitmap_test(&bitmap, bit));
    assert_int_equal(adl_bitmap_next_set(&bitmap, 0, 130), 130);
    assert_int_equal(adl_bitmap_next_clear(&bitmap, 0, 130), 0);
    adl_bitmap_free(&bitmap);
}

static void no_bits_are_all_set(void **state)
{
    (void)state;
    struct adl_bitmap bitmap;
    assert_int_equal(adl_bitmap_init(&bitmap, 0), 0);
    assert_true(adl_bitmap_all(&bitmap, 0, 0));
    assert_int_equal(adl_bitmap_next_set(&bitmap, 0, 0), 0);
    adl_bitmap_free(&bitmap);
}

static void setting_and_clearing_change_one_bit(void **state)
{
    (void)state;
    struct adl_bitmap bitmap;
    assert_int_equal(adl_bitmap_init(&bitmap, 200), 0);
    static const uint64_t bits[] = {0, 63, 64, 65, 127, 128, 199};
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        adl_bitmap_set(&bitmap, bits[i]);
        adl_bitmap_set(&bitmap, bits[i]); /* counts once */
        assert_int_equal(adl_bitmap_count(&bitmap), 1);
        for (uint64_t bit = 0; bit < 200; bit++)
            assert_int_equal(adl_bitmap_test(&bitmap, bit), bit == bits[i]);
        adl_bitmap_clear(&bitmap, bits[i]);
        adl_bitmap_clear(&bitmap, bits[i]);
        assert_int_equal(adl_bitmap_count(&bitmap), 0);
    }
    adl_bitmap_free(&bitmap);
}

/* Every range of a bitmap with runs across word borders, against looking at each bit. */
static void searches_agree_with_looking_at_each_bit(void **state)
{
    (void)state;
    struct adl_bitmap bitmap;
    assert_int_equal(adl_bitmap_init(&bitmap, 200), 0);
    for (uint64_t bit = 0; bit < 200; bit++) {
        if ((bit >= 3 && bit < 7) || (bit >= 60 && bit < 130) || bit == 140 || bit >= 190)
            adl_bitmap_set(&bitmap, bit);
    }
    for (uint64_t from = 0; from <= 200; from++) {
        for (uint64_t to = from; to <= 200; to++) {
            uint64_t set = from, clear = from;
            while (set < to && !adl_bitmap_test(&bitmap, set))
                set++;
            while (clear < to && adl_bitmap_test(&bitmap, clear))
                clear++;
            assert_int_equal(adl_bitmap_next_set(&bitmap, from, to), set);
            assert_int_equal(adl_bitmap_next_clear(&bitmap, from, to), clear);
            assert_int_equal(adl_bitmap_all(&bitmap, from, to), clear == to);
        }
    }
    adl_bitmap_free(&bitmap);
}

static void growing_keeps_what_is_set(void **state)
{
    (void)state;
    struct adl_bitmap bitmap;
    assert_int_equal(adl_bitmap_init(&bitmap, 10), 0);
    adl_bitmap_set(&bitmap, 9);
    assert_int_equal(adl_bitmap_grow(&bitmap, 64), 0);
    assert_int_equal(adl_bitmap_grow(&bitmap, 1000), 0);
    assert_int_equal(bitmap.bits, 1000);
    assert_int_equal(adl_bitmap_count(&bitmap), 1);
    assert_int_equal(adl_bitmap_next_set(&bitmap, 0, 1000), 9);
    assert_int_equal(adl_bitmap_next_set(&bitmap, 10, 1000), 1000);
    adl_bitmap_free(&bitmap);
}

static void too_many_bits_are_refused(void **state)
{
    (void)state;
    if (sizeof(size_t) > 4) /* 2^61 bytes: more than any machine can map */
        return;
    struct adl_bitmap bitmap;
    assert_int_not_equal(adl_bitmap_init(&bitmap, UINT64_MAX), 0);
}

/* 128 MiB of bits, one set in the middle, grown to 256 MiB. */
static void untouched_parts_cost_no_memory(void **state)
{
    (void)state;
    struct adl_bitmap bitmap;
    uint64_t bits = UINT64_C(1) << 30;
    long before = resident_bytes();
    assert_int_equal(adl_bitmap_init(&bitmap, bits), 0);
    adl_bitmap_set(&bitmap, bits / 2);
    assert_int_equal(adl_bitmap_grow(&bitmap, 2 * bits), 0);
    assert_true(adl_bitmap_test(&bitmap, bits / 2));
    assert_true(before < 0 || resident_bytes() - before < 16L << 20); /* huge pages are 2 MiB */
    adl_bitmap_free(&bitmap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_is_clear),
        cmocka_unit_test(no_bits_are_all_set),
        cmocka_unit_test(setting_and_clearing_change_one_bit),
        cmocka_unit_test(searches_agree_with_looking_at_each_bit),
        cmocka_unit_test(growing_keeps_what_is_set),
        cmocka_unit_test(too_many_bits_are_refused),
        cmocka_unit_test(untouched_parts_cost_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
