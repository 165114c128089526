/* The promises of src/tree.h about a tree that comes after another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 3000

/* A manifest, its tree, and what each entry's number is outside. The URL of an entry is a letter.
 */
struct state {
    struct adl_entry entries[ENTRIES_MAX];
    struct adl_manifest manifest;
    struct adl_tree *tree;
    uint32_t numbers[ENTRIES_MAX];
    const struct adl_entry *of_number[2 * ENTRIES_MAX];
    uint32_t limit;
};

static struct state *plant(const char *const *paths, const char *const *urls, size_t count)
{
    struct state *state = calloc(1, sizeof(*state));
    assert_non_null(state);
    for (size_t i = 0; i < count; i++)
        state->entries[i] = (struct adl_entry){.path = paths[i], .urls = urls[i], .n_urls = 1};
    state->manifest = (struct adl_manifest){.entries = state->entries, .count = count};
    assert_int_equal(adl_tree_new(&state->manifest, NULL, &state->tree), 0);
    for (size_t i = 0; i < count; i++) {
        state->numbers[i] = (uint32_t)i;
        state->of_number[i] = &state->entries[i];
    }
    state->limit = (uint32_t)count;
    return state;
}

static void fell(struct state *state)
{
    adl_tree_free(state->tree);
    free(state);
}

struct pair {
    const struct state *old, *new;
};

static bool same_url(void *ctx, uint32_t old_entry, uint32_t new_entry)
{
    const struct pair *pair = ctx;
    return strcmp(pair->old->of_number[old_entry]->urls, pair->new->entries[new_entry].urls) == 0;
}

/* As the engine does it, but that no number is given twice. */
static void inherit(struct state *new, const struct state *old)
{
    struct pair pair = {old, new};
    assert_int_equal(adl_tree_inherit(new->tree, old->tree, same_url, &pair, new->numbers), 0);
    memset(new->of_number, 0, sizeof(new->of_number));
    new->limit = old->limit;
    for (size_t i = 0; i < new->manifest.count; i++) {
        if (new->numbers[i] == ADL_NO_ENTRY)
            new->numbers[i] = new->limit++;
        new->of_number[new->numbers[i]] = &new->entries[i];
    }
    assert_int_equal(adl_tree_assign(new->tree, new->numbers, new->limit), 0);
}

static uint32_t find(const struct state *state, const char *path)
{
    uint32_t number = ADL_ROOT;
    for (const char *part = path; *part && number != ADL_NO_NODE;) {
        size_t length = strcspn(part, "/");
        number = adl_tree_lookup(state->tree, number, part, length);
        part += length + (part[length] == '/');
    }
    return number;
}

static struct state *plant_pairs(const char *const pairs[][2], size_t count)
{
    const char *paths[16], *urls[16];
    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++) {
        paths[i] = pairs[i][0];
        urls[i] = pairs[i][1];
    }
    return plant(paths, urls, count);
}

/* {path, URL}, ... */
#define PLANT(...)                                                                                 \
    plant_pairs((const char *const[][2]){__VA_ARGS__},                                             \
                sizeof((const char *const[][2]){__VA_ARGS__}) / sizeof(const char *[2]))

static void what_is_the_same_keeps_its_number_and_nothing_else_gets_it(void **unused)
{
    (void)unused;
    struct state *old = PLANT({"a", "A"}, {"d/b", "B"}, {"d/c", "C"}, {"e", "E"});
    struct state *new = PLANT({"x", "X"}, {"e", "E"}, {"d/c", "other"}, {"d/b", "B"}, {"f/a", "A"});
    inherit(new, old);
    assert_int_equal(find(new, "e"), find(old, "e"));
    assert_int_equal(find(new, "d"), find(old, "d"));
    assert_int_equal(find(new, "d/b"), find(old, "d/b"));
    static const char *const fresh[] = {"x", "d/c", "f", "f/a"};
    for (size_t i = 0; i < 4; i++)
        assert_true(find(new, fresh[i]) >= adl_tree_limit(old->tree));
    assert_int_equal(find(new, "a"), ADL_NO_NODE);
    assert_null(adl_tree_node(new->tree, find(old, "a")));
    assert_null(adl_tree_node(new->tree, find(old, "d/c")));
    fell(old);
    fell(new);
}

static void an_entrys_number_leads_to_its_node_and_back(void **unused)
{
    (void)unused;
    struct state *old = PLANT({"a", "A"}, {"b", "B"}, {"c", "C"});
    struct state *new = PLANT({"n", "N"}, {"c", "C"}, {"a", "A"});
    inherit(new, old);
    assert_int_equal(adl_tree_node(new->tree, find(new, "a"))->entry, 0);
    assert_int_equal(adl_tree_node(new->tree, find(new, "c"))->entry, 2);
    assert_int_equal(adl_tree_of_entry(new->tree, 0), find(new, "a"));
    assert_int_equal(adl_tree_of_entry(new->tree, 1), ADL_NO_NODE);
    assert_int_equal(adl_tree_of_entry(new->tree, 3), find(new, "n"));
    assert_int_equal(adl_tree_of_entry(new->tree, 99), ADL_NO_NODE);
    fell(old);
    fell(new);
}

static void children_stand_in_the_order_of_the_new_manifest(void **unused)
{
    (void)unused;
    struct state *old = PLANT({"d/a", "A"}, {"d/b", "B"}, {"d/c", "C"});
    struct state *new = PLANT({"d/z", "Z"}, {"d/c", "C"}, {"d/a", "A"}, {"d/b", "B"});
    inherit(new, old);
    static const char *const order[] = {"z", "c", "a", "b"};
    uint32_t dir = find(new, "d");
    assert_int_equal(adl_tree_node(new->tree, dir)->count, 4);
    for (uint32_t k = 0; k < 4; k++) {
        uint32_t child = adl_tree_child(new->tree, dir, k);
        assert_string_equal(adl_tree_node(new->tree, child)->name, order[k]);
        assert_int_equal(adl_tree_node(new->tree, child)->parent, dir);
        assert_int_equal(adl_tree_rank(new->tree, child), k);
    }
    fell(old);
    fell(new);
}

static void a_file_in_the_place_of_a_directory_is_something_else(void **unused)
{
    (void)unused;
    struct state *old = PLANT({"a", "A"}, {"d/b", "B"});
    struct state *new = PLANT({"a/x", "A"}, {"d", "B"});
    inherit(new, old);
    assert_true(find(new, "a") >= adl_tree_limit(old->tree));
    assert_true(find(new, "d") >= adl_tree_limit(old->tree));
    fell(old);
    fell(new);
}

static void numbers_last_over_many_generations(void **unused)
{
    (void)unused;
    static char paths[ENTRIES_MAX][16], urls[ENTRIES_MAX][16];
    const char *path_list[ENTRIES_MAX], *url_list[ENTRIES_MAX];
    struct state *old = PLANT({"lasting", "L"});
    uint32_t lasting = find(old, "lasting"), seen = adl_tree_limit(old->tree);
    for (unsigned turn = 0; turn < 20; turn++) {
        size_t count = 1 + (turn * 37) % 97;
        for (size_t i = 0; i < count; i++) {
            snprintf(paths[i], sizeof(paths[i]), "%u/%zu", turn % 2, i);
            snprintf(urls[i], sizeof(urls[i]), "%u.%zu", turn, i);
            path_list[i] = paths[i];
            url_list[i] = urls[i];
        }
        path_list[count / 2] = "lasting";
        url_list[count / 2] = "L";
        struct state *new = plant(path_list, url_list, count);
        inherit(new, old);
        assert_int_equal(find(new, "lasting"), lasting);
        for (uint32_t number = 2; number < seen; number++)
            assert_true(number == lasting || !adl_tree_node(new->tree, number));
        seen = adl_tree_limit(new->tree);
        fell(old);
        old = new;
        /* the next turn's names are in other directories */
        struct state *bare = PLANT({"lasting", "L"});
        inherit(bare, old);
        fell(old);
        old = bare;
    }
    fell(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_the_same_keeps_its_number_and_nothing_else_gets_it),
        cmocka_unit_test(an_entrys_number_leads_to_its_node_and_back),
        cmocka_unit_test(children_stand_in_the_order_of_the_new_manifest),
        cmocka_unit_test(a_file_in_the_place_of_a_directory_is_something_else),
        cmocka_unit_test(numbers_last_over_many_generations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
