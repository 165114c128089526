/* The promises of src/tree.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "effort.h"
#include "tree.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A tree over entries that a test makes by hand, and the warnings about it. */
struct grove {
    struct adl_manifest manifest;
    struct adl_tree *tree;
    char *paths; /* owned: text of the entries' paths */
    unsigned warnings;
    uint64_t last_line;
    char last_warning[512];
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct grove));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct grove *grove = *state;
    adl_tree_free(grove->tree);
    free(grove->manifest.entries);
    free(grove->paths);
    free(grove);
    return 0;
}

static void tell(void *ctx, enum adl_level level, uint64_t line, const char *text)
{
    struct grove *grove = ctx;
    assert_int_equal(level, ADL_WARNING);
    grove->warnings++;
    grove->last_line = line;
    snprintf(grove->last_warning, sizeof(grove->last_warning), "%s", text);
}

/* Room for `count` paths of at most `size` bytes with their NULs; the k-th is path_at(grove, k). */
static void make_room(struct grove *grove, size_t count, size_t size)
{
    grove->manifest.entries = calloc(count, sizeof(*grove->manifest.entries));
    grove->manifest.count = count;
    grove->paths = calloc(count, size);
    assert_non_null(grove->manifest.entries);
    assert_non_null(grove->paths);
    for (size_t i = 0; i < count; i++) {
        grove->manifest.entries[i].path = grove->paths + i * size;
        grove->manifest.entries[i].line = (uint32_t)i + 1;
    }
}

static char *path_at(struct grove *grove, size_t k)
{
    return grove->paths + (grove->manifest.entries[k].path - grove->paths);
}

static void build(struct grove *grove)
{
    const struct adl_problems problems = {tell, grove};
    assert_int_equal(adl_tree_new(&grove->manifest, &problems, &grove->tree), 0);
}

static void plant(struct grove *grove, const char *const *paths)
{
    size_t count = 0;
    while (paths[count])
        count++;
    make_room(grove, count, 300);
    for (size_t i = 0; i < count; i++)
        strcpy(path_at(grove, i), paths[i]);
    build(grove);
}

static const struct adl_node *node(const struct grove *grove, uint32_t number)
{
    const struct adl_node *found = adl_tree_node(grove->tree, number);
    assert_non_null(found);
    return found;
}

static uint32_t lookup(const struct grove *grove, uint32_t parent, const char *name)
{
    return adl_tree_lookup(grove->tree, parent, name, strlen(name));
}

/* The path of a node, from its parents. */
static void path_of(const struct grove *grove, uint32_t number, char out[300])
{
    const struct adl_node *at = node(grove, number);
    out[0] = '\0';
    if (at->parent != ADL_ROOT) {
        path_of(grove, at->parent, out);
        strcat(out, "/");
    }
    strcat(out, at->name);
}

static void assert_paths(const struct grove *grove, const char *const *paths)
{
    for (uint32_t i = 0; i < grove->manifest.count; i++) {
        char path[300];
        path_of(grove, adl_tree_of_entry(grove->tree, i), path);
        assert_string_equal(path, paths[i]);
    }
}

/* All that must hold between the arrays of any tree. */
static void assert_whole(const struct grove *grove)
{
    uint32_t limit = adl_tree_limit(grove->tree);
    uint32_t children = 0, files = 0;
    for (uint32_t n = ADL_ROOT; n < limit; n++) {
        const struct adl_node *at = node(grove, n);
        uint32_t dirs = 0, last = 0;
        for (uint32_t k = 0; k < at->count; k++) {
            uint32_t child = adl_tree_child(grove->tree, n, k);
            assert_true(child > last);
            last = child;
            assert_int_equal(node(grove, child)->parent, n);
            assert_int_equal(lookup(grove, n, node(grove, child)->name), child);
            dirs += node(grove, child)->entry == ADL_NO_ENTRY;
        }
        assert_int_equal(at->dirs, dirs);
        children += at->count;
        if (at->entry != ADL_NO_ENTRY) {
            files++;
            assert_int_equal(at->count, 0);
            assert_int_equal(adl_tree_of_entry(grove->tree, at->entry), n);
        }
    }
    assert_int_equal(children, limit - ADL_ROOT - 1);
    assert_int_equal(files, grove->manifest.count);
}

static void an_empty_manifest_is_an_empty_root(void **state)
{
    struct grove *grove = *state;
    build(grove);
    assert_int_equal(adl_tree_limit(grove->tree), ADL_ROOT + 1);
    assert_int_equal(node(grove, ADL_ROOT)->count, 0);
    assert_int_equal(node(grove, ADL_ROOT)->parent, ADL_ROOT);
    assert_int_equal(node(grove, ADL_ROOT)->entry, ADL_NO_ENTRY);
    assert_string_equal(node(grove, ADL_ROOT)->name, "");
    assert_null(adl_tree_node(grove->tree, ADL_NO_NODE));
    assert_null(adl_tree_node(grove->tree, ADL_ROOT + 1));
    assert_null(adl_tree_node(grove->tree, UINT32_MAX));
}

static void directories_come_from_paths(void **state)
{
    struct grove *grove = *state;
    static const char *const paths[] = {"a", "d/b", "d/e/c", "d/b2", "f/e/c", NULL};
    plant(grove, paths);
    assert_paths(grove, paths);
    assert_whole(grove);
    assert_int_equal(grove->warnings, 0);
    uint32_t d = lookup(grove, ADL_ROOT, "d");
    assert_int_equal(node(grove, d)->entry, ADL_NO_ENTRY);
    assert_int_equal(node(grove, d)->count, 3);
    assert_int_equal(node(grove, d)->dirs, 1);
    assert_int_equal(node(grove, ADL_ROOT)->dirs, 2);
}

static void paths_lead_to_nodes_and_back(void **state)
{
    struct grove *grove = *state;
    static const char *const paths[] = {"a", "d/b", "d/e/c", "d/b", NULL};
    static const char *const nowhere[] = {"b", "d/c", "a/x", "d/e/c/f", "..", "d/../a", "d/e/.."};
    plant(grove, paths);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t number = adl_tree_of_entry(grove->tree, i);
        cleanup_free char *path = adl_tree_path(grove->tree, number);
        assert_string_equal(path, paths[i]);
        assert_int_equal(adl_tree_find(grove->tree, path), number);
    }
    cleanup_free char *renamed = adl_tree_path(grove->tree, adl_tree_of_entry(grove->tree, 3));
    assert_string_equal(renamed, "d/b (2)");
    cleanup_free char *root = adl_tree_path(grove->tree, ADL_ROOT);
    assert_string_equal(root, "");
    assert_int_equal(adl_tree_find(grove->tree, ""), ADL_ROOT);
    assert_int_equal(adl_tree_find(grove->tree, "/./"), ADL_ROOT);
    assert_int_equal(adl_tree_find(grove->tree, "//d/./e//c"), adl_tree_of_entry(grove->tree, 2));
    assert_int_equal(node(grove, adl_tree_find(grove->tree, "d/e/"))->entry, ADL_NO_ENTRY);
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        assert_int_equal(adl_tree_find(grove->tree, nowhere[i]), ADL_NO_NODE);
}

static void children_stand_in_the_order_of_the_manifest(void **state)
{
    struct grove *grove = *state;
    static const char *const paths[] = {"z", "m/x", "a", "m/b", "k/l/m", "m/a", "b", NULL};
    static const char *const root[] = {"z", "m", "a", "k", "b"}, *const m[] = {"x", "b", "a"};
    plant(grove, paths);
    assert_whole(grove);
    for (uint32_t k = 0; k < 5; k++)
        assert_string_equal(node(grove, adl_tree_child(grove->tree, ADL_ROOT, k))->name, root[k]);
    uint32_t dir = lookup(grove, ADL_ROOT, "m");
    for (uint32_t k = 0; k < 3; k++)
        assert_string_equal(node(grove, adl_tree_child(grove->tree, dir, k))->name, m[k]);
}

static void names_are_bytes_and_case_matters(void **state)
{
    struct grove *grove = *state;
    static const char *const paths[] = {"a", "A", "\xff", "\xc3\xa9", "e\xcc\x81", "a\n", NULL};
    plant(grove, paths);
    assert_paths(grove, paths);
    assert_int_equal(grove->warnings, 0);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct grove *grove = *state;
    static const char *const paths[] = {"a", "d/b", NULL};
    plant(grove, paths);
    char longest[1000];
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(lookup(grove, ADL_ROOT, "b"), ADL_NO_NODE);
    assert_int_equal(lookup(grove, ADL_ROOT, ""), ADL_NO_NODE);
    assert_int_equal(lookup(grove, ADL_ROOT, "d/b"), ADL_NO_NODE);
    assert_int_equal(lookup(grove, lookup(grove, ADL_ROOT, "a"), "b"), ADL_NO_NODE);
    assert_int_equal(lookup(grove, 12345, "a"), ADL_NO_NODE);
    assert_int_equal(adl_tree_lookup(grove->tree, ADL_ROOT, longest, sizeof(longest)), ADL_NO_NODE);
    assert_int_equal(adl_tree_lookup(grove->tree, ADL_ROOT, "a\0b", 3), ADL_NO_NODE);
    assert_int_equal(adl_tree_lookup(grove->tree, ADL_ROOT, "abc", 1),
                     lookup(grove, ADL_ROOT, "a"));
}

static void equal_names_get_numbers_in_the_order_of_the_manifest(void **state)
{
    struct grove *grove = *state;
    static const char *const paths[] = {"a.tar.gz", "a.tar.gz", "d/a", "d/a", "a.tar.gz", NULL};
    static const char *const named[] = {"a.tar.gz", "a (2).tar.gz", "d/a", "d/a (2)",
                                        "a (3).tar.gz"};
    plant(grove, paths);
    assert_paths(grove, named);
    assert_whole(grove);
    assert_int_equal(grove->warnings, 3);
    assert_int_equal(grove->last_line, 5);
    assert_string_equal(grove->last_warning,
                        "'a.tar.gz' is taken: this file appears as 'a (3).tar.gz'");
}

static void a_number_that_is_taken_is_skipped(void **state)
{
    struct grove *grove = *state;
    static const char *const paths[] = {"a", "a (2)", "a", "a (2)", "a (3)", NULL};
    static const char *const named[] = {"a", "a (2)", "a (3)", "a (2) (2)", "a (3) (2)"};
    plant(grove, paths);
    assert_paths(grove, named);
    assert_whole(grove);
}

static void a_file_makes_way_for_a_directory_whichever_came_first(void **state)
{
    struct grove *grove = *state;
    static const char *const paths[] = {"a", "b/c", "a/b", "b", "a (2)/x", "b (2)", NULL};
    static const char *const named[] = {"a (3)", "b/c", "a/b", "b (2)", "a (2)/x", "b (2) (2)"};
    plant(grove, paths);
    assert_paths(grove, named);
    assert_whole(grove);
    /* "a" became "a (2)", and then had to make way again. */
    assert_int_equal(grove->warnings, 4);
}

static void a_changed_name_is_no_longer_than_255_bytes(void **state)
{
    struct grove *grove = *state;
    make_room(grove, 12, 300);
    for (size_t i = 0; i < 12; i++) {
        memset(path_at(grove, i), 'n', 251);
        strcpy(path_at(grove, i) + 251, ".bin");
    }
    build(grove);
    assert_whole(grove);
    const char *name = node(grove, adl_tree_of_entry(grove->tree, 11))->name;
    assert_int_equal(strlen(name), 255);
    assert_string_equal(name + 245, "n (12).bin");
}

static void a_long_list_of_warnings_is_cut(void **state)
{
    struct grove *grove = *state;
    make_room(grove, 1000, 2);
    for (size_t i = 0; i < 1000; i++)
        strcpy(path_at(grove, i), "a");
    build(grove);
    assert_int_equal(grove->warnings, ADL_PROBLEMS_MAX + 1);
    assert_non_null(strstr(grove->last_warning, "too many"));
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Builds, and tells what it took: the time is for people, the memory is returned, in bytes (0 under
 * a sanitizer, whose malloc(3) does not count). */
static size_t measure(struct grove *grove, const char *what)
{
    struct mallinfo2 before = mallinfo2();
    double start = cpu_seconds();
    build(grove);
    double seconds = cpu_seconds() - start;
    struct mallinfo2 after = mallinfo2();
    size_t bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    print_message("%s: %zu entries, %.2f s, %.1f bytes each\n", what, grove->manifest.count,
                  seconds, (double)bytes / (double)grove->manifest.count);
    return bytes;
}

static void a_million_entries_cost_less_than_200_bytes_each(void **state)
{
    struct grove *grove = *state;
    const size_t count = (size_t)effort(1000000, 50000);
    make_room(grove, count, 40);
    for (size_t i = 0; i < count; i++)
        snprintf(path_at(grove, i), 40, "set%zu/part%zu/file-%zu.bin", i % 7, i / 1000, i);
    assert_true(measure(grove, "in 7,000 directories") < 200 * count);
    assert_int_equal(adl_tree_limit(grove->tree), ADL_ROOT + 1 + 7 + 7 * (count / 1000) + count);
    for (uint32_t i = 0; i < count; i += 997) {
        const struct adl_node *at = node(grove, adl_tree_of_entry(grove->tree, i));
        assert_int_equal(lookup(grove, at->parent, at->name), adl_tree_of_entry(grove->tree, i));
    }
}

static void a_million_entries_in_directories_of_their_own_cost_less_than_200_bytes(void **state)
{
    struct grove *grove = *state;
    const size_t count = (size_t)effort(1000000, 50000);
    make_room(grove, count, 24);
    for (size_t i = 0; i < count; i++)
        snprintf(path_at(grove, i), 24, "d%zu/f", i);
    assert_true(measure(grove, "a directory each") < 200 * count);
}

/* Quadratic work would be 10^10 comparisons: the test would not end in its time. */
static void a_name_given_100000_times_is_no_trouble(void **state)
{
    struct grove *grove = *state;
    const size_t count = (size_t)effort(100000, 10000);
    make_room(grove, count, 8);
    for (size_t i = 0; i < count; i++)
        strcpy(path_at(grove, i), "a.b");
    measure(grove, "the same name");
    char last[32];
    snprintf(last, sizeof(last), "a (%zu).b", count);
    assert_string_equal(node(grove, adl_tree_of_entry(grove->tree, (uint32_t)count - 1))->name,
                        last);
}

/* Names that differ only where a number would cut them all want the same changed names. */
static void long_names_that_become_equal_are_no_trouble(void **state)
{
    struct grove *grove = *state;
    const size_t count = (size_t)effort(60000, 10000);
    make_room(grove, count, 256);
    for (size_t i = 0; i < count; i++) {
        memset(path_at(grove, i), 'n', 250);
        snprintf(path_at(grove, i) + 250, 6, "%05zu", i / 2);
    }
    measure(grove, "cut to the same name");
    assert_whole(grove);
}

static void two_thousand_levels_are_no_trouble(void **state)
{
    struct grove *grove = *state;
    make_room(grove, 2000, 4097);
    for (size_t i = 0; i < 2000; i++) {
        char *at = path_at(grove, i);
        for (size_t level = 0; level < 2047; level++, at += 2)
            memcpy(at, level == i ? "b/" : "a/", 2);
        strcpy(at, "f");
    }
    build(grove);
    assert_int_equal(grove->warnings, 0);
    uint32_t at = adl_tree_of_entry(grove->tree, 1999);
    unsigned levels = 0;
    for (; at != ADL_ROOT; at = node(grove, at)->parent)
        levels++;
    assert_int_equal(levels, 2048);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_manifest_is_an_empty_root),
        TEST(directories_come_from_paths),
        TEST(paths_lead_to_nodes_and_back),
        TEST(children_stand_in_the_order_of_the_manifest),
        TEST(names_are_bytes_and_case_matters),
        TEST(what_is_not_there_is_not_found),
        TEST(equal_names_get_numbers_in_the_order_of_the_manifest),
        TEST(a_number_that_is_taken_is_skipped),
        TEST(a_file_makes_way_for_a_directory_whichever_came_first),
        TEST(a_changed_name_is_no_longer_than_255_bytes),
        TEST(a_long_list_of_warnings_is_cut),
        TEST(a_million_entries_cost_less_than_200_bytes_each),
        TEST(a_million_entries_in_directories_of_their_own_cost_less_than_200_bytes),
        TEST(a_name_given_100000_times_is_no_trouble),
        TEST(long_names_that_become_equal_are_no_trouble),
        TEST(two_thousand_levels_are_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
