/* The promises of mount/inode.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inode.h"

static const struct adl_inode_look look = {.uid = 1000, .gid = 100, .born = 1700000000};

static void a_node_id_holds_number_and_version(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 2, 0x7fffffff, 0x80000000, UINT32_MAX};
    enum { COUNT = sizeof(values) / sizeof(values[0]) };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < COUNT; k++) {
            uint64_t ino = adl_inode_of(values[i], values[k]);
            assert_int_equal(adl_inode_number(ino), values[i]);
            assert_int_equal(adl_inode_version(ino), values[k]);
        }
}

static void another_version_is_another_node_id(void **state)
{
    (void)state;
    assert_int_not_equal(adl_inode_of(7, 0), adl_inode_of(7, 1));
    assert_int_equal(adl_inode_of(ADL_ROOT, 0), 1); /* FUSE_ROOT_ID */
}

static void a_directory_has_its_subdirectories_links(void **state)
{
    (void)state;
    const struct adl_node node = {.name = "d", .count = 5, .dirs = 3};
    struct stat st;
    adl_inode_dir(&look, 7, &node, 1234, &st);
    assert_int_equal(st.st_mode, S_IFDIR | 0555);
    assert_int_equal(st.st_ino, 7);
    assert_int_equal(st.st_nlink, 5);
    assert_int_equal(st.st_uid, 1000);
    assert_int_equal(st.st_gid, 100);
    assert_int_equal(st.st_mtim.tv_sec, 1234);
}

static void a_file_s_blocks_are_those_of_all_of_it(void **state)
{
    (void)state;
    static const struct {
        int64_t size, shown, blocks;
    } rows[] = {
        {-1, 0, 0},    {0, 0, 0},
        {1, 1, 1},     {512, 512, 1},
        {513, 513, 2}, {INT64_MAX, INT64_MAX, (INT64_C(1) << 54)}, /* nothing overflows */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct adl_attr attr = {.size = rows[i].size, .mtime = 99};
        struct stat st;
        adl_inode_file(&look, 8, &attr, &st);
        assert_int_equal(st.st_size, rows[i].shown);
        assert_int_equal(st.st_blocks, rows[i].blocks);
        assert_int_equal(st.st_mtim.tv_sec, 99);
        assert_int_equal(st.st_nlink, 1);
    }
}

static void a_time_that_is_not_told_is_the_mount_s(void **state)
{
    (void)state;
    const struct adl_attr attr = {.size = 1, .mtime = ADL_TIME_UNKNOWN};
    struct stat st;
    adl_inode_file(&look, 8, &attr, &st);
    assert_int_equal(st.st_mtim.tv_sec, look.born);
    assert_int_equal(st.st_ctim.tv_sec, look.born);
}

static void a_program_may_be_run_and_with_exec_everything(void **state)
{
    (void)state;
    struct adl_inode_look exec = look;
    struct adl_attr attr = {.size = 1};
    struct stat st;
    adl_inode_file(&look, 8, &attr, &st);
    assert_int_equal(st.st_mode, S_IFREG | 0444);
    attr.executable = true;
    adl_inode_file(&look, 8, &attr, &st);
    assert_int_equal(st.st_mode, S_IFREG | 0555);
    attr.executable = false;
    exec.exec = true;
    adl_inode_file(&exec, 8, &attr, &st);
    assert_int_equal(st.st_mode, S_IFREG | 0555);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_id_holds_number_and_version),
        cmocka_unit_test(another_version_is_another_node_id),
        cmocka_unit_test(a_directory_has_its_subdirectories_links),
        cmocka_unit_test(a_file_s_blocks_are_those_of_all_of_it),
        cmocka_unit_test(a_time_that_is_not_told_is_the_mount_s),
        cmocka_unit_test(a_program_may_be_run_and_with_exec_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
