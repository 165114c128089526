#include "mountpoint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char mountinfo[] =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    "30 22 0:40 / /mnt/plain ro,nosuid,nodev - fuse.adlfs urls.txt ro,user_id=0\n"
    "31 22 0:41 / /mnt/with\\040space\\134 ro shared:9 master:2 - fuse.adlfs a\\040b ro\n"
    "32 22 0:42 / /mnt/stacked ro - fuse.adlfs urls.txt ro\n"
    "33 32 0:43 / /mnt/stacked rw - tmpfs tmpfs rw\n"
    "34 22 0:44 / /mnt/half\n"
    "\n";

static int find(const char *path, char *type, size_t room)
{
    char *text = strdup(mountinfo);
    assert_non_null(text);
    FILE *in = fmemopen(text, strlen(text), "r");
    assert_non_null(in);
    int r = adl_mountpoint_find(in, path, type, room);
    fclose(in);
    free(text);
    return r;
}

static void a_mount_is_found_by_its_exact_path(void **state)
{
    (void)state;
    char type[32];
    assert_int_equal(find("/mnt/plain", type, sizeof(type)), 0);
    assert_string_equal(type, ADL_MOUNT_TYPE);
    assert_int_equal(find("/mnt", type, sizeof(type)), -ENOENT);
    assert_int_equal(find("/mnt/plain/x", type, sizeof(type)), -ENOENT);
    assert_int_equal(find("/mnt/half", type, sizeof(type)), -ENOENT);
}

static void escaped_paths_are_understood(void **state)
{
    (void)state;
    char type[32];
    assert_int_equal(find("/mnt/with space\\", type, sizeof(type)), 0);
    assert_string_equal(type, ADL_MOUNT_TYPE);
}

static void the_topmost_of_stacked_mounts_counts(void **state)
{
    (void)state;
    char type[32];
    assert_int_equal(find("/mnt/stacked", type, sizeof(type)), 0);
    assert_string_equal(type, "tmpfs");
}

static void a_long_type_is_cut(void **state)
{
    (void)state;
    char type[5];
    assert_int_equal(find("/mnt/plain", type, sizeof(type)), 0);
    assert_string_equal(type, "fuse");
}

/* A directory with a symbolic link to it, as the state. */
struct place {
    char directory[64], link[80];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    if (!place)
        return -1;
    *state = place;
    snprintf(place->directory, sizeof(place->directory), "/tmp/adlfs-test-XXXXXX");
    if (!mkdtemp(place->directory))
        return -1;
    snprintf(place->link, sizeof(place->link), "%s-link", place->directory);
    return symlink(place->directory, place->link);
}

static int remove_place(void **state)
{
    struct place *place = *state;
    unlink(place->link);
    rmdir(place->directory);
    free(place);
    return 0;
}

static void resolving_follows_links_and_drops_slashes(void **state)
{
    const struct place *place = *state;
    char typed[96], *resolved;
    snprintf(typed, sizeof(typed), "%s//", place->link);
    assert_int_equal(adl_mountpoint_resolve(typed, &resolved), 0);
    char *real = realpath(place->directory, NULL);
    assert_string_equal(resolved, real);
    free(real);
    free(resolved);
    assert_int_equal(adl_mountpoint_resolve("/nowhere/at/all", &resolved), -ENOENT);
}

static void paths_that_are_not_there_are_reached_as_well(void **state)
{
    const struct place *place = *state;
    const char *const paths[] = {place->link, "/nowhere/at/all", place->directory};
    size_t stuck = 7;
    assert_int_equal(adl_mountpoint_reach(paths, 3, &stuck), 0);
    assert_int_equal(stuck, 7);
}

static void an_attribute_that_is_not_there_is_told(void **state)
{
    const struct place *place = *state;
    char value[8];
    int r = adl_mountpoint_attribute(place->directory, "user.adlfs.pid", value, sizeof(value));
    assert_true(r == -ENODATA || r == -EOPNOTSUPP);
}

static void only_a_directory_can_be_mounted_on(void **state)
{
    const struct place *place = *state;
    char *resolved = NULL;
    assert_int_equal(adl_mountpoint_prepare(place->directory, &resolved), 0);
    free(resolved);
    assert_int_equal(adl_mountpoint_prepare("/proc/self/exe", &resolved), -ENOTDIR);
    assert_int_equal(adl_mountpoint_prepare("/nowhere/at/all", &resolved), -ENOENT);
}

static void a_plain_directory_is_neither_ours_nor_dead(void **state)
{
    const struct place *place = *state;
    assert_false(adl_mountpoint_ours(place->directory));
    assert_false(adl_mountpoint_dead(place->directory));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mount_is_found_by_its_exact_path),
        cmocka_unit_test(escaped_paths_are_understood),
        cmocka_unit_test(the_topmost_of_stacked_mounts_counts),
        cmocka_unit_test(a_long_type_is_cut),
        cmocka_unit_test_setup_teardown(resolving_follows_links_and_drops_slashes, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(paths_that_are_not_there_are_reached_as_well, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(an_attribute_that_is_not_there_is_told, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(only_a_directory_can_be_mounted_on, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(a_plain_directory_is_neither_ours_nor_dead, make_place,
                                        remove_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
