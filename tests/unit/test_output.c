/* The promises of mount/output.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "output.h"

#include "scratch.h"

#include <errno.h>
#include <sys/mman.h>

struct place {
    struct scratch scratch; /* its store is not used, its directory is */
    int root;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    *state = place;
    if (!place || scratch_open(&place->scratch, 65536) < 0)
        return -1;
    return adl_output_directory(place->scratch.path, &place->root);
}

static int tear_down(void **state)
{
    struct place *place = *state;
    close(place->root);
    scratch_close(&place->scratch);
    free(place);
    return 0;
}

static int source_of(const void *bytes, size_t length)
{
    int fd = memfd_create("source", MFD_CLOEXEC);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    return fd;
}

static void put(int root, const char *path, const char *bytes, bool replace, int result)
{
    struct adl_output output;
    int fd = source_of(bytes, strlen(bytes));
    assert_int_equal(adl_output_open(root, path, &output), 0);
    assert_int_equal(adl_output_lock(&output), 0);
    assert_int_equal(adl_output_copy(&output, fd, (int64_t)strlen(bytes), 1 << 20), 1);
    assert_int_equal(adl_output_place(&output, replace), result);
    adl_output_close(&output);
    close(fd);
}

static void assert_content(int root, const char *path, const char *bytes)
{
    char found[64] = "";
    int fd = openat(root, path, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(read(fd, found, sizeof(found) - 1) >= 0);
    assert_string_equal(found, bytes);
    close(fd);
}

static void a_file_gets_its_name_when_it_is_whole(void **state)
{
    struct place *place = *state;
    put(place->root, "name", "whole", false, 0);
    assert_content(place->root, "name", "whole");
    assert_int_equal(scratch_count(&place->scratch), 1);
}

static void another_is_replaced_only_when_told_so(void **state)
{
    struct place *place = *state;
    put(place->root, "name", "first", false, 0);
    put(place->root, "name", "second", false, -EEXIST);
    assert_content(place->root, "name", "first");
    put(place->root, "name", "third", true, 0);
    assert_content(place->root, "name", "third");
    assert_int_equal(scratch_count(&place->scratch), 1); /* no part is left */
}

static void pieces_make_a_whole(void **state)
{
    struct place *place = *state;
    struct adl_output output;
    int fd = source_of("0123456789", 10), pieces = 1;
    assert_int_equal(adl_output_open(place->root, "name", &output), 0);
    assert_int_equal(adl_output_lock(&output), 0);
    for (int r; (r = adl_output_copy(&output, fd, 10, 3)) != 1; pieces++)
        assert_int_equal(r, 0);
    assert_int_equal(pieces, 4);
    assert_int_equal(adl_output_place(&output, false), 0);
    adl_output_close(&output);
    close(fd);
    assert_content(place->root, "name", "0123456789");
}

static void two_at_a_time_do_not_make_one_output(void **state)
{
    struct place *place = *state;
    struct adl_output one, other;
    assert_int_equal(adl_output_open(place->root, "name", &one), 0);
    assert_int_equal(adl_output_open(place->root, "name", &other), 0);
    assert_int_equal(adl_output_lock(&one), 0);
    assert_int_equal(adl_output_lock(&other), -EWOULDBLOCK);
    adl_output_close(&one);
    assert_int_equal(adl_output_lock(&other), 0);
    adl_output_close(&other);
    assert_int_equal(scratch_count(&place->scratch), 0);
}

static void directories_are_made_and_links_are_not_followed(void **state)
{
    struct place *place = *state;
    struct adl_output output;
    assert_int_equal(mkdirat(place->root, ".out", 0755), 0);
    int root = openat(place->root, ".out", O_RDONLY | O_DIRECTORY);
    assert_int_equal(adl_output_open(root, "a/b/name", &output), 0);
    adl_output_close(&output);
    assert_int_equal(faccessat(root, "a/b", F_OK, 0), 0);
    assert_int_equal(symlinkat("/tmp", root, "link"), 0);
    assert_int_equal(adl_output_open(root, "link/name", &output), -ELOOP);
    adl_output_close(&output);
    put(root, "file", "x", false, 0);
    assert_int_equal(adl_output_open(root, "file/name", &output), -ENOTDIR);
    adl_output_close(&output);
    unlinkat(root, "file", 0);
    unlinkat(root, "link", 0);
    unlinkat(root, "a/b", AT_REMOVEDIR);
    unlinkat(root, "a", AT_REMOVEDIR);
    close(root);
    unlinkat(place->root, ".out", AT_REMOVEDIR);
}

static void the_longest_names_have_parts_of_their_own(void **state)
{
    struct place *place = *state;
    char long_name[256], other_name[256];
    struct adl_output one, other;
    memset(long_name, 'n', 255);
    long_name[255] = '\0';
    memcpy(other_name, long_name, 256);
    other_name[254] = 'x';
    put(place->root, long_name, "long", false, 0);
    assert_content(place->root, long_name, "long");
    assert_int_equal(adl_output_open(place->root, long_name, &one), 0);
    assert_int_equal(adl_output_open(place->root, other_name, &other), 0);
    assert_int_equal(adl_output_lock(&one), 0);
    assert_int_equal(adl_output_lock(&other), 0);
    adl_output_close(&one);
    adl_output_close(&other);
}

static void what_a_killed_process_left_is_not_part_of_the_file(void **state)
{
    struct place *place = *state;
    int fd = openat(place->root, ".name.adlfs-part", O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, "rubbish that is long", 20), 20);
    close(fd);
    put(place->root, "name", "new", false, 0);
    assert_content(place->root, "name", "new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_gets_its_name_when_it_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_is_replaced_only_when_told_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pieces_make_a_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_at_a_time_do_not_make_one_output, set_up, tear_down),
        cmocka_unit_test_setup_teardown(directories_are_made_and_links_are_not_followed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_longest_names_have_parts_of_their_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_a_killed_process_left_is_not_part_of_the_file, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
