#include "store.h"

#include "scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>

#include <cmocka.h>

static const unsigned block_size = 65536;

static int setup(void **state)
{
    struct scratch *scratch = malloc(sizeof(*scratch));
    *state = scratch;
    return scratch_open(scratch, block_size);
}

static int teardown(void **state)
{
    scratch_close(*state);
    free(*state);
    return 0;
}

static int try_open(const char *path, struct adl_store **store)
{
    return adl_store_open(path, block_size, ADL_ALLOCATE_SPARSE, NULL, store);
}

static void missing_directories_are_made_for_the_user_alone(void **state)
{
    struct scratch *scratch = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/a/b/c//", scratch->path);
    struct adl_store *store;
    assert_int_equal(try_open(path, &store), 0);
    struct stat st;
    assert_int_equal(fstat(store->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    adl_store_free(store);
    assert_int_equal(try_open(path, &store), 0); /* and taken as they are */
    adl_store_free(store);
    snprintf(path, sizeof(path), "%s/a/b/c", scratch->path);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rmdir(path), 0);
        *strrchr(path, '/') = '\0';
    }
}

static void a_directory_that_others_may_write_to_is_refused(void **state)
{
    struct scratch *scratch = *state;
    struct adl_store *store;
    assert_int_equal(chmod(scratch->path, 0770), 0);
    assert_int_equal(try_open(scratch->path, &store), -EPERM);
    assert_int_equal(chmod(scratch->path, 0703), 0);
    assert_int_equal(try_open(scratch->path, &store), -EPERM);
    assert_int_equal(chmod(scratch->path, 0755), 0);
    assert_int_equal(try_open(scratch->path, &store), 0);
    adl_store_free(store);
}

static void somebody_elses_directory_is_refused(void **state)
{
    struct scratch *scratch = *state;
    if (geteuid() != 0)
        skip();
    struct adl_store *store;
    assert_int_equal(chown(scratch->path, 12345, (gid_t)-1), 0);
    assert_int_equal(try_open(scratch->path, &store), -EPERM);
}

static void what_is_no_directory_is_refused(void **state)
{
    struct scratch *scratch = *state;
    char path[128], slash[132];
    struct adl_store *store;
    snprintf(path, sizeof(path), "%s/link", scratch->path);
    snprintf(slash, sizeof(slash), "%s//", path);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_int_equal(try_open(path, &store), -ELOOP);
    assert_int_equal(try_open(slash, &store), -ELOOP);
    snprintf(path, sizeof(path), "%s/file", scratch->path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(try_open(path, &store), -ENOTDIR);
    snprintf(path, sizeof(path), "%s/file/below", scratch->path);
    assert_int_equal(try_open(path, &store), -ENOTDIR);
    assert_int_equal(try_open("", &store), -EINVAL);
}

static void odd_block_sizes_are_refused(void **state)
{
    struct scratch *scratch = *state;
    static const uint32_t wrong[] = {0, 1, 2048, 4095, 65537, 98304, 32u << 20, UINT32_MAX};
    struct adl_store *store;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(adl_store_open(scratch->path, wrong[i], ADL_ALLOCATE_SPARSE, NULL, &store),
                         -EINVAL);
    assert_true(adl_store_block_size_valid(4096));
    assert_true(adl_store_block_size_valid(16u << 20));
}

static void the_boot_id_is_the_kernels(void **state)
{
    struct scratch *scratch = *state;
    char text[64] = "", mine[64] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (!file)
        skip();
    assert_int_equal(fscanf(file, "%63s", text), 1);
    fclose(file);
    for (size_t i = 0; i < ADL_BOOT_ID_SIZE; i++)
        sprintf(mine + strlen(mine), "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                scratch->store->boot[i]);
    assert_string_equal(mine, text);
}

/* The names of caches that exist must not change: XXH3-128 of the URL, in hex. */
static void a_key_is_the_urls_hash(void **state)
{
    (void)state;
    struct adl_key key = adl_store_key("http://example.org/"), other = adl_store_key("");
    char name[ADL_NAME_ROOM];
    adl_store_name(&other, ".map", name);
    assert_string_equal(name, "99aa06d3014798d86001c324468d497f.map"); /* XXH3-128 of nothing */
    adl_store_name(&key, ".data", name);
    assert_int_equal(strlen(name), 37);
    assert_int_equal(strspn(name, "0123456789abcdef"), 32);
    assert_memory_not_equal(key.bytes, other.bytes, ADL_KEY_SIZE);
}

static void one_lock_at_a_time(void **state)
{
    struct scratch *scratch = *state;
    struct adl_key key = adl_store_key("a"), other = adl_store_key("b");
    int first, second, third;
    assert_int_equal(adl_store_lock(scratch->store, &key, &first), 0);
    assert_int_equal(adl_store_lock(scratch->store, &key, &second), -EWOULDBLOCK);
    assert_int_equal(adl_store_lock(scratch->store, &other, &third), 0);
    close(first);
    assert_int_equal(adl_store_lock(scratch->store, &key, &second), 0);
    close(second);
    close(third);
}

/* The holder removes the file: a new lock is a new file's, and the old fd does not hinder it. */
static void the_lock_goes_with_the_name(void **state)
{
    struct scratch *scratch = *state;
    struct adl_key key = adl_store_key("a");
    int first, second;
    struct stat st;
    assert_int_equal(adl_store_lock(scratch->store, &key, &first), 0);
    adl_store_remove(scratch->store, &key);
    assert_int_equal(adl_store_lock(scratch->store, &key, &second), 0);
    assert_int_equal(fstat(second, &st), 0);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(fstat(first, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    close(first);
    close(second);
}

static void links_are_not_followed(void **state)
{
    struct scratch *scratch = *state;
    struct adl_key key = adl_store_key("a");
    char name[ADL_NAME_ROOM];
    int fd;
    adl_store_name(&key, ".map", name);
    assert_int_equal(symlinkat("/dev/null", scratch->store->dir, name), 0);
    assert_int_equal(adl_store_lock(scratch->store, &key, &fd), -ELOOP);
    adl_store_name(&key, ".data", name);
    assert_int_equal(symlinkat("/dev/null", scratch->store->dir, name), 0);
    assert_int_equal(adl_store_open_data(scratch->store, &key, &fd), -ELOOP);
}

/* Planted while the directory was open to others: a file that they can still write to. */
static void files_that_others_may_change_are_not_used(void **state)
{
    struct scratch *scratch = *state;
    struct adl_key key = adl_store_key("a");
    int dir = scratch->store->dir;
    static const char *const suffixes[] = {".map", ".data"};
    for (int kind = 0; kind < 4; kind++) {
        for (int i = 0; i < 2; i++) {
            char name[ADL_NAME_ROOM];
            adl_store_name(&key, suffixes[i], name);
            unlinkat(dir, name, 0);
            unlinkat(dir, suffixes[i], 0);
            if (kind == 2) {
                assert_int_equal(mkfifoat(dir, name, 0600), 0);
                continue;
            }
            int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
            assert_int_equal(write(fd, "planted", 7), 7);
            assert_int_equal(fchmod(fd, kind == 0 ? 0620 : 0600), 0);
            if (kind == 1)
                assert_int_equal(linkat(dir, name, dir, suffixes[i], 0), 0);
            if (kind == 3 && geteuid() == 0)
                assert_int_equal(fchown(fd, 12345, 12345), 0);
            close(fd);
        }
        if (kind == 3 && geteuid() != 0)
            break;
        int map, data;
        struct stat st;
        assert_int_equal(adl_store_open_data(scratch->store, &key, &data), -ENOENT);
        assert_int_equal(adl_store_lock(scratch->store, &key, &map), 0);
        assert_int_equal(fstat(map, &st), 0);
        assert_int_equal(st.st_size, 0); /* a new one */
        assert_true(adl_store_is_ours(map));
        close(map);
    }
    unlinkat(dir, ".map", 0);
    unlinkat(dir, ".data", 0);
}

static void new_data_leaves_readers_of_the_old_alone(void **state)
{
    struct scratch *scratch = *state;
    struct adl_key key = adl_store_key("a");
    int old, fresh;
    char byte = 0;
    assert_int_equal(adl_store_open_data(scratch->store, &key, &old), -ENOENT);
    assert_int_equal(adl_store_new_data(scratch->store, &key, &old), 0);
    assert_int_equal(pwrite(old, "x", 1, 0), 1);
    assert_int_equal(adl_store_new_data(scratch->store, &key, &fresh), 0);
    assert_int_equal(pread(fresh, &byte, 1, 0), 0);
    assert_int_equal(pread(old, &byte, 1, 0), 1);
    assert_int_equal(byte, 'x');
    close(old);
    close(fresh);
}

static void private_data_has_no_name_until_it_is_given_one(void **state)
{
    struct scratch *scratch = *state;
    struct adl_key key = adl_store_key("a");
    int private, named;
    char byte = 0;
    assert_int_equal(adl_store_private_data(scratch->store, &private), 0);
    assert_int_equal(scratch_count(scratch), 0);
    assert_int_equal(pwrite(private, "p", 1, 0), 1);
    assert_int_equal(adl_store_new_data(scratch->store, &key, &named), 0); /* is replaced */
    close(named);
    assert_int_equal(adl_store_name_data(scratch->store, &key, private), 0);
    assert_int_equal(adl_store_open_data(scratch->store, &key, &named), 0);
    assert_int_equal(pread(named, &byte, 1, 0), 1);
    assert_int_equal(byte, 'p');
    close(named);
    close(private);
}

static void sparse_files_cost_nothing_and_full_ones_their_size(void **state)
{
    struct scratch *scratch = *state;
    int fd;
    struct stat st;
    assert_int_equal(adl_store_private_data(scratch->store, &fd), 0);
    assert_int_equal(adl_store_allocate(scratch->store, fd, INT64_C(1) << 30), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, INT64_C(1) << 30);
    assert_true(st.st_blocks * 512 < 1 << 20);
    assert_int_equal(pwrite(fd, "kept", 4, 0), 4);
    scratch->store->allocate = ADL_ALLOCATE_FULL;
    assert_int_equal(adl_store_allocate(scratch->store, fd, 3 << 20), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 3 << 20);
    assert_true(st.st_blocks * 512 >= 3 << 20 || strstr(scratch->said, "cannot reserve"));
    char bytes[4];
    assert_int_equal(pread(fd, bytes, 4, 0), 4);
    assert_memory_equal(bytes, "kept", 4);
    assert_int_equal(adl_store_allocate(scratch->store, fd, 0), 0);
    close(fd);
}

static void a_size_that_is_not_allowed_is_an_error(void **state)
{
    struct scratch *scratch = *state;
    int fd;
    struct rlimit before, small;
    assert_int_equal(adl_store_private_data(scratch->store, &fd), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int r = adl_store_allocate(scratch->store, fd, 65536);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(r, -EFBIG);
    close(fd);
}

static void data_is_given_away_without_a_copy(void **state)
{
    struct scratch *scratch = *state;
    struct adl_store *store = scratch->store;
    struct adl_key key = adl_store_key("http://a/b");
    int lock, named, unnamed;
    struct stat before, after;
    assert_int_equal(adl_store_lock(store, &key, &lock), 0);
    assert_int_equal(adl_store_new_data(store, &key, &named), 0);
    assert_int_equal(adl_store_private_data(store, &unnamed), 0);
    assert_int_equal(fstat(named, &before), 0);
    assert_int_equal(adl_store_give_data(store, &key, named, store->dir, "out", false), 0);
    assert_int_equal(fstatat(store->dir, "out", &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    int fd;
    assert_int_equal(adl_store_open_data(store, &key, &fd), -ENOENT);
    assert_int_equal(adl_store_give_data(store, NULL, unnamed, store->dir, "out", false), -EEXIST);
    assert_int_equal(fstat(unnamed, &before), 0);
    assert_int_equal(adl_store_give_data(store, NULL, unnamed, store->dir, "out", true), 0);
    assert_int_equal(fstatat(store->dir, "out", &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(scratch_count(scratch), 2); /* it, and the lock: nothing on the way */
    close(lock);
    close(named);
    close(unnamed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(missing_directories_are_made_for_the_user_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_others_may_write_to_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(somebody_elses_directory_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_directory_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_block_sizes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_boot_id_is_the_kernels, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_is_the_urls_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(one_lock_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(the_lock_goes_with_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_others_may_change_are_not_used, setup, teardown),
        cmocka_unit_test_setup_teardown(new_data_leaves_readers_of_the_old_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(private_data_has_no_name_until_it_is_given_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sparse_files_cost_nothing_and_full_ones_their_size, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(data_is_given_away_without_a_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(a_size_that_is_not_allowed_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
