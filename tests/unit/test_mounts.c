#include "mounts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

static const char table[] =
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "30 21 0:57 / /mnt/a ro,nosuid - fuse.adlfs urls\\040x ro,user_id=1000,group_id=1000\n"
    "31 21 0:58 / /mnt/a/b\\040c ro - fuse.adlfs urls ro,user_id=0\n"
    "32 30 0:59 / /mnt/over rw - tmpfs tmpfs rw\n"
    "33 30 0:60 / /mnt/over ro shared:7 master:2 - fuse.adlfs u ro,user_id=7\n"
    "34 21 0:57 /docs /srv/docs ro - fuse.adlfs urls ro,user_id=1000\n"
    "nonsense\n"
    "35 21 x:y / /mnt/bad ro - fuse.adlfs u ro\n";

static int over(const char *path, struct adl_mount *out)
{
    char text[sizeof(table)];
    memcpy(text, table, sizeof(table));
    FILE *file = fmemopen(text, sizeof(text) - 1, "r");
    int r = adl_mounts_over(file, path, out);
    fclose(file);
    return r;
}

static void a_path_lies_in_the_mount_that_is_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *path, *point, *root;
        unsigned minor, owner;
    } rows[] = {
        {"/mnt/a", "/mnt/a", "/", 57, 1000},
        {"/mnt/a/deep/er", "/mnt/a", "/", 57, 1000},
        {"/mnt/ab", "/", "/", 1, 0},
        {"/mnt/a/b c/x", "/mnt/a/b c", "/", 58, 0},
        {"/mnt/over/x", "/mnt/over", "/", 60, 7}, /* the last one covers the others */
        {"/srv/docs/y", "/srv/docs", "/docs", 57, 1000},
        {"/mnt/bad/x", "/", "/", 1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct adl_mount mount;
        assert_int_equal(over(rows[i].path, &mount), 0);
        assert_string_equal(mount.point, rows[i].point);
        assert_string_equal(mount.root, rows[i].root);
        assert_int_equal(minor(mount.device), rows[i].minor);
        assert_int_equal(mount.owner, rows[i].owner);
        adl_mount_free(&mount);
    }
}

static int count(void *ctx, const struct adl_mount *mount)
{
    unsigned *ours = ctx;
    *ours += strcmp(mount->type, "fuse.adlfs") == 0;
    return *ours == 3 ? -ECANCELED : 0;
}

static void the_search_may_be_ended(void **state)
{
    (void)state;
    char text[sizeof(table)];
    memcpy(text, table, sizeof(table));
    FILE *file = fmemopen(text, sizeof(text) - 1, "r");
    unsigned ours = 0;
    assert_int_equal(adl_mounts_each(file, count, &ours), -ECANCELED);
    assert_int_equal(ours, 3);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_lies_in_the_mount_that_is_nearest),
        cmocka_unit_test(the_search_may_be_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
