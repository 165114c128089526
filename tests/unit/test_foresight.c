/* The promises of mount/foresight.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "foresight.h"

#include <stdio.h>
#include <stdlib.h>

#define FILES 1000

/* "d/f0000" ... "d/f0999": nodes 2 for the directory, 3 and up for the files. */
struct scene {
    struct adl_manifest manifest;
    struct adl_entry entries[FILES];
    char paths[FILES][16];
    struct adl_tree *tree;
    struct adl_foresight *foresight;
    uint32_t dir;
    uint32_t said[ADL_FORESEEN_MAX];
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    *state = scene;
    if (!scene)
        return -1;
    for (uint32_t i = 0; i < FILES; i++) {
        snprintf(scene->paths[i], sizeof(scene->paths[i]), "d/f%04u", i);
        scene->entries[i] = (struct adl_entry){.path = scene->paths[i], .size = -1};
    }
    scene->manifest = (struct adl_manifest){.entries = scene->entries, .count = FILES};
    if (adl_tree_new(&scene->manifest, NULL, &scene->tree) < 0)
        return -1;
    scene->dir = adl_tree_lookup(scene->tree, ADL_ROOT, "d", 1);
    scene->foresight = adl_foresight_new(scene->tree);
    return scene->foresight ? 0 : -1;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    adl_foresight_free(scene->foresight);
    adl_tree_free(scene->tree);
    free(scene);
    return 0;
}

static uint32_t file(const struct scene *scene, uint32_t k)
{
    return adl_tree_child(scene->tree, scene->dir, k);
}

static size_t stat_file(struct scene *scene, uint32_t k, bool unknown)
{
    return adl_foresight_stat(scene->foresight, file(scene, k), unknown, scene->said);
}

static size_t open_file(struct scene *scene, uint32_t k)
{
    return adl_foresight_open(scene->foresight, file(scene, k), scene->said);
}

static void a_stat_without_a_listing_foresees_nothing(void **state)
{
    struct scene *scene = *state;
    for (uint32_t k = 0; k < 10; k++)
        assert_int_equal(stat_file(scene, k, true), 0);
}

static void in_a_listing_every_sibling_is_said_once_and_ahead(void **state)
{
    struct scene *scene = *state;
    unsigned said[FILES] = {0};
    uint32_t ahead = 0;
    adl_foresight_listed(scene->foresight, scene->dir, true);
    for (uint32_t k = 0; k < FILES; k++) {
        /* The first is not known; the others are by the time that they are asked for. */
        size_t count = stat_file(scene, k, k == 0);
        for (size_t i = 0; i < count; i++) {
            said[scene->said[i]]++;
            assert_true(scene->said[i] > k);
            ahead = scene->said[i] + 1;
        }
        assert_true(k + 1 == FILES || ahead > k + 1);
    }
    assert_int_equal(said[0], 0);
    for (uint32_t k = 1; k < FILES; k++)
        assert_int_equal(said[k], 1);
}

static void a_look_up_in_a_listing_begins_nothing(void **state)
{
    struct scene *scene = *state;
    adl_foresight_listed(scene->foresight, scene->dir, true);
    for (uint32_t k = 0; k < 10; k++)
        assert_int_equal(stat_file(scene, k, false), 0);
}

static void opens_in_order_are_foreseen_more_the_longer_it_goes_on(void **state)
{
    struct scene *scene = *state;
    unsigned said[FILES] = {0};
    uint32_t furthest = 0;
    for (uint32_t k = 0; k < FILES; k++) {
        size_t count = open_file(scene, k);
        for (size_t i = 0; i < count; i++) {
            said[scene->said[i]]++;
            furthest = scene->said[i];
        }
        assert_true(furthest <= 2 * k && furthest <= k + 32);
    }
    for (uint32_t k = 3; k < FILES; k++)
        assert_int_equal(said[k], 1);
}

static void an_open_out_of_order_ends_it(void **state)
{
    struct scene *scene = *state;
    for (uint32_t k = 100; k < 120; k++)
        open_file(scene, k);
    assert_int_equal(open_file(scene, 500), 0);
    assert_int_equal(open_file(scene, 501), 0);
    assert_int_equal(open_file(scene, 300), 0);
    assert_int_equal(open_file(scene, 299), 0);
}

static void random_and_repeated_opens_foresee_nothing(void **state)
{
    struct scene *scene = *state;
    for (uint32_t k = 0; k < FILES; k++)
        assert_int_equal(open_file(scene, k * 7 % FILES), 0);
    for (uint32_t k = 0; k < 100; k++)
        assert_int_equal(open_file(scene, 5), 0);
}

static void the_end_of_the_directory_is_the_end(void **state)
{
    struct scene *scene = *state;
    for (uint32_t k = FILES - 40; k < FILES; k++) {
        size_t count = open_file(scene, k);
        for (size_t i = 0; i < count; i++)
            assert_true(scene->said[i] < FILES);
    }
    adl_foresight_listed(scene->foresight, scene->dir, true);
    assert_int_equal(stat_file(scene, FILES - 1, true), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_stat_without_a_listing_foresees_nothing),
        TEST(in_a_listing_every_sibling_is_said_once_and_ahead),
        TEST(a_look_up_in_a_listing_begins_nothing),
        TEST(opens_in_order_are_foreseen_more_the_longer_it_goes_on),
        TEST(an_open_out_of_order_ends_it),
        TEST(random_and_repeated_opens_foresee_nothing),
        TEST(the_end_of_the_directory_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
