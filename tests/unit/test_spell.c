#include "spell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const words[] = {"mount", "umount", "probe", "--cache-dir", "--cacert", NULL};

static void distance_counts_slips(void **state)
{
    (void)state;
    assert_int_equal(adl_spell_distance("", ""), 0);
    assert_int_equal(adl_spell_distance("mount", "mount"), 0);
    assert_int_equal(adl_spell_distance("mount", ""), 5);
    assert_int_equal(adl_spell_distance("", "mount"), 5);
    assert_int_equal(adl_spell_distance("mont", "mount"), 1);
    assert_int_equal(adl_spell_distance("mouunt", "mount"), 1);
    assert_int_equal(adl_spell_distance("moumt", "mount"), 1);
    assert_int_equal(adl_spell_distance("muont", "mount"), 1); /* neighbours swapped: one slip */
    assert_int_equal(adl_spell_distance("kitten", "sitting"), 3);
}

static void distance_of_long_words_is_not_computed(void **state)
{
    (void)state;
    char longer[65];
    for (size_t i = 0; i < 64; i++)
        longer[i] = 'a';
    longer[64] = '\0';
    assert_int_equal(adl_spell_distance(longer, "a"), SIZE_MAX);
    assert_int_equal(adl_spell_distance("a", longer), SIZE_MAX);
    longer[63] = '\0';
    assert_int_equal(adl_spell_distance(longer, "a"), 62);
}

static void nearest_finds_the_word_that_was_meant(void **state)
{
    (void)state;
    assert_string_equal(adl_spell_nearest("muont", words), "mount");
    assert_string_equal(adl_spell_nearest("unmount", words), "umount");
    assert_string_equal(adl_spell_nearest("prob", words), "probe");
    assert_string_equal(adl_spell_nearest("--cahce-dri", words), "--cache-dir");
    assert_string_equal(adl_spell_nearest("--cache", words), "--cache-dir"); /* goes on */
}

static void nearest_keeps_silent_about_other_words(void **state)
{
    (void)state;
    assert_null(adl_spell_nearest("frobnicate", words));
    assert_null(adl_spell_nearest("", words));
    assert_null(adl_spell_nearest("x", words));
    assert_null(adl_spell_nearest("status", words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_slips),
        cmocka_unit_test(distance_of_long_words_is_not_computed),
        cmocka_unit_test(nearest_finds_the_word_that_was_meant),
        cmocka_unit_test(nearest_keeps_silent_about_other_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
