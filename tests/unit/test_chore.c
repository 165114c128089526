/* The promises of src/chore.h about what is told of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chore.h"
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

static void files_that_went_meanwhile_are_left_out(void **state)
{
    (void)state;
    struct adl_entry entries[] = {{.path = "a/x", .urls = "u", .n_urls = 1},
                                  {.path = "y", .urls = "v", .n_urls = 1}};
    const struct adl_manifest manifest = {.entries = entries, .count = 2};
    struct adl_tree *tree;
    assert_int_equal(adl_tree_new(&manifest, NULL, &tree), 0);
    struct adl_errand errand = {.tree = tree,
                                .files = json_pack("[{s:i}, {s:i}, {s:i}, {s:i}]", "entry", 7,
                                                   "entry", 1, "entry", 2, "entry", 0)};
    adl_chore_name(&errand);
    json_t *expected =
        json_pack("[{s:i, s:s}, {s:i, s:s}]", "entry", 1, "path", "y", "entry", 0, "path", "a/x");
    assert_true(json_equal(errand.files, expected));
    json_decref(expected);
    json_decref(errand.files);
    adl_tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_went_meanwhile_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
