/* How copies come, go and are found again. */
#include "copy_fixture.h"

#include <errno.h>
#include <sys/statvfs.h>

static void a_new_copy_has_its_full_size_and_nothing_in_it(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    struct stat st;
    assert_true(copy->named);
    assert_int_equal(fstat(copy->data, &st), 0);
    assert_int_equal(st.st_size, SIZE);
    assert_int_equal(adl_copy_bytes(copy), 0);
    assert_false(adl_copy_complete(copy));
    assert_false(adl_copy_has(copy, 0, 1));
    assert_true(adl_copy_has(copy, 5, 5));
    assert_false(adl_copy_covers(copy, 0, 1));
    assert_missing(copy, 0, SIZE, 0, SIZE);
    assert_missing(copy, 5, 6, 5, 6);
    assert_int_equal(scratch_count(&f->scratch), 2);
    adl_copy_close(copy);
}

static void an_empty_file_is_complete_at_once(void **state)
{
    struct fixture *f = *state;
    f->want.size = 0;
    for (int i = 0; i < 2; i++) {
        struct adl_copy *copy = open_copy(f, true);
        assert_true(copy->named);
        assert_true(adl_copy_complete(copy));
        assert_true(adl_copy_trusted(copy));
        assert_int_equal(adl_copy_bytes(copy), 0);
        assert_true(adl_copy_has(copy, 0, 0));
        adl_copy_close(copy);
    }
}

static void what_was_closed_is_taken_up(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, BLOCK, 3 * BLOCK + 10), 0);
    adl_copy_close(copy);
    f->want.checked_at = 77;
    f->want.flags = ADL_HEAD_EXECUTABLE | ADL_HEAD_DIGESTED;
    f->want.block_size = 65536; /* the copy has its own */
    copy = open_copy(f, true);
    assert_int_equal(copy->block_size, BLOCK);
    assert_true(adl_copy_has(copy, BLOCK, 3 * BLOCK));
    assert_true(right(copy, BLOCK, 3 * BLOCK));
    assert_int_equal(adl_copy_bytes(copy), 2 * BLOCK); /* incomplete blocks are not recorded */
    assert_int_equal(copy->sidecar->head.checked_at, 77);
    assert_int_equal(copy->sidecar->head.flags, ADL_HEAD_EXECUTABLE);
    adl_copy_close(copy);
}

static void another_version_is_a_new_copy(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    copy->sidecar->head.flags |= ADL_HEAD_DIGESTED;
    adl_sidecar_touch(copy->sidecar);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    adl_copy_close(copy);
    copy = open_copy(f, false); /* not resumed */
    assert_int_equal(adl_copy_bytes(copy), 0);
    assert_int_equal(copy->sidecar->head.flags, 0);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    adl_copy_close(copy);
    strcpy(f->want.validator.etag, "\"two\"");
    copy = open_copy(f, true);
    assert_int_equal(adl_copy_bytes(copy), 0);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    adl_copy_close(copy);
    f->want.validator.last_modified++;
    copy = open_copy(f, true);
    assert_int_equal(adl_copy_bytes(copy), 0);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    adl_copy_close(copy);
    f->want.size--;
    copy = open_copy(f, true);
    assert_int_equal(adl_copy_bytes(copy), 0);
    assert_true(copy->named);
    adl_copy_close(copy);
}

static void a_note_is_filled_by_the_copy(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(adl_sidecar_note(f->scratch.store, &f->want), 0);
    struct adl_copy *copy = open_copy(f, true);
    assert_true(copy->named);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    adl_copy_close(copy);
    copy = open_copy(f, true);
    assert_true(adl_copy_trusted(copy));
    adl_copy_close(copy);
}

static void the_second_to_open_is_private(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *first = open_copy(f, true), *second = open_copy(f, true);
    assert_true(first->named);
    assert_false(second->named);
    assert_non_null(strstr(f->scratch.said, "in use elsewhere"));
    assert_int_equal(put(second, NULL, 0, SIZE), 0);
    assert_true(adl_copy_trusted(second));
    assert_true(right(second, 0, SIZE));
    adl_copy_close(second);
    assert_int_equal(adl_copy_bytes(first), 0);
    adl_copy_close(first);
    assert_int_equal(scratch_count(&f->scratch), 2);
    second = open_copy(f, true);
    assert_true(second->named);
    assert_int_equal(adl_copy_bytes(second), 0);
    adl_copy_close(second);
}

static void an_unlinked_copy_goes_on(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *old = open_copy(f, true);
    assert_int_equal(put(old, NULL, 0, BLOCK), 0);
    adl_copy_unlink(old);
    assert_int_equal(scratch_count(&f->scratch), 0);
    assert_false(old->named);
    struct adl_copy *new = open_copy(f, true); /* the lock is free, the name too */
    assert_true(new->named);
    assert_int_equal(adl_copy_bytes(new), 0);
    assert_int_equal(put(old, NULL, BLOCK, SIZE), 0);
    assert_true(adl_copy_trusted(old));
    assert_true(right(old, 0, SIZE));
    adl_copy_unlink(old);
    adl_copy_close(old);
    assert_int_equal(scratch_count(&f->scratch), 2);
    adl_copy_close(new);
}

/* Whatever stands in the store: each block that is trusted or passes its comparison is right. */
static void check_nothing_wrong(struct fixture *f)
{
    unsigned char buffer[BLOCK];
    struct adl_copy *copy = open_copy(f, true);
    assert_true(copy->named);
    for (uint64_t block = 0; block < copy->sidecar->blocks; block++) {
        int64_t first = (int64_t)block * BLOCK;
        int64_t end = first + BLOCK < SIZE ? first + BLOCK : SIZE;
        if (adl_copy_has(copy, first, end) || adl_copy_verify(copy, block, buffer) == 1)
            assert_true(right(copy, first, end));
    }
    adl_copy_close(copy);
}

static void make_complete(struct fixture *f)
{
    struct adl_copy *copy = open_copy(f, false);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    adl_copy_close(copy);
}

static void a_damaged_cache_is_fetched_again(void **state)
{
    struct fixture *f = *state;
    struct adl_store *store = f->scratch.store;
    int fd;
    for (int damage = 0; damage < 6; damage++) {
        make_complete(f);
        char map[ADL_NAME_ROOM], data[ADL_NAME_ROOM], other[ADL_NAME_ROOM];
        struct adl_key foreign = adl_store_key("http://example.org/b");
        adl_store_name(&f->want.key, ".map", map);
        adl_store_name(&f->want.key, ".data", data);
        adl_store_name(&foreign, ".map", other);
        if (damage == 0)
            assert_int_equal(unlinkat(store->dir, data, 0), 0);
        if (damage == 1)
            assert_int_equal(unlinkat(store->dir, map, 0), 0);
        if (damage == 2 || damage == 3) {
            fd = scratch_file(&f->scratch, &f->want.key, damage == 2 ? ".map" : ".data", O_RDWR);
            assert_int_equal(ftruncate(fd, 1000), 0);
            close(fd);
        }
        if (damage == 4) { /* another file of that size */
            assert_int_equal(adl_store_new_data(store, &f->want.key, &fd), 0);
            assert_int_equal(ftruncate(fd, SIZE), 0);
            close(fd);
        }
        if (damage == 5) { /* another URL's sidecar */
            struct adl_head head = f->want;
            f->want.key = foreign;
            make_complete(f);
            f->want = head;
            assert_int_equal(renameat(store->dir, other, store->dir, map), 0);
        }
        check_nothing_wrong(f);
        check_nothing_wrong(f);
        struct adl_copy *copy = open_copy(f, true);
        for (uint64_t block = 0; block < copy->sidecar->blocks; block++)
            adl_copy_verified(copy, block, false);
        assert_int_equal(adl_copy_bytes(copy), 0);
        assert_int_equal(put(copy, NULL, 0, SIZE), 0);
        assert_true(right(copy, 0, SIZE));
        adl_copy_close(copy);
    }
}

/* A power cut: any of the data's and the sidecar's pages may be old (zeros, here) or torn. */
static void a_power_cut_leaves_no_wrong_byte(void **state)
{
    struct fixture *f = *state;
    static const unsigned char zeros[BLOCK];
    uint64_t random = 99;
    for (int round = 0; round < 200; round++) {
        make_complete(f);
        int map = scratch_file(&f->scratch, &f->want.key, ".map", O_RDWR);
        int data = scratch_file(&f->scratch, &f->want.key, ".data", O_RDWR);
        for (int64_t at = 0; at < SIZE; at += BLOCK) {
            uint64_t kind = next_random(&random) % 4;
            size_t length = kind == 0 ? BLOCK : kind == 1 ? 512 : 0;
            if (at + (int64_t)length <= SIZE)
                assert_int_equal(pwrite(data, zeros, length, at), length);
        }
        if (next_random(&random) % 2)
            assert_int_equal(pwrite(map, zeros, 512, 512 * (off_t)(next_random(&random) % 16)),
                             512);
        close(map);
        close(data);
        f->scratch.store->boot[round % ADL_BOOT_ID_SIZE]++;
        check_nothing_wrong(f);
        check_nothing_wrong(f);
    }
}

static void a_stream_of_unknown_size_becomes_a_copy(void **state)
{
    struct fixture *f = *state;
    f->want.size = -1;
    struct adl_copy *copy = open_copy(f, true);
    struct adl_run run = {0};
    assert_false(copy->named);
    assert_string_equal(f->scratch.said, "");
    assert_false(adl_copy_complete(copy));
    assert_false(adl_copy_trusted(copy));
    assert_int_equal(put(copy, &run, 0, 9 * BLOCK + 1), 0);
    assert_true(adl_copy_covers(copy, 3, 9 * BLOCK));
    assert_false(adl_copy_has(copy, 0, 1));
    assert_missing(copy, 0, SIZE, 9 * BLOCK + 1, SIZE);
    assert_int_equal(adl_copy_bytes(copy), 9 * BLOCK + 1);
    f->want.size = SIZE;
    assert_int_equal(adl_copy_finish(copy, &f->want), -EINVAL); /* not all has come */
    assert_int_equal(put(copy, &run, 9 * BLOCK + 1, SIZE), 0);
    assert_int_equal(adl_copy_finish(copy, &f->want), 0);
    assert_true(copy->named);
    assert_true(adl_copy_trusted(copy));
    assert_int_equal(adl_copy_bytes(copy), SIZE);
    assert_true(right(copy, 0, SIZE));
    check_sums(copy);
    assert_int_equal(adl_copy_finish(copy, &f->want), -EINVAL);
    adl_run_free(&run);
    adl_copy_close(copy);
    copy = open_copy(f, true);
    assert_true(adl_copy_trusted(copy));
    assert_true(right(copy, 0, SIZE));
    adl_copy_close(copy);
}

static void a_finished_stream_replaces_the_old_copy(void **state)
{
    struct fixture *f = *state;
    make_complete(f);
    f->want.size = -1;
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, 0, 5), 0);
    f->want.size = 5;
    assert_int_equal(adl_copy_finish(copy, &f->want), 0);
    adl_copy_close(copy);
    copy = open_copy(f, true);
    assert_true(adl_copy_trusted(copy));
    assert_true(right(copy, 0, 5));
    adl_copy_close(copy);
    assert_int_equal(scratch_count(&f->scratch), 2);
}

static void a_finished_stream_stays_private_where_the_lock_is_taken(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *holder = open_copy(f, true);
    f->want.size = -1;
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    f->want.size = SIZE;
    assert_int_equal(adl_copy_finish(copy, &f->want), 0);
    assert_false(copy->named);
    assert_true(adl_copy_trusted(copy));
    assert_true(right(copy, 0, SIZE));
    assert_int_equal(adl_copy_bytes(holder), 0);
    adl_copy_close(copy);
    adl_copy_close(holder);
}

static void an_empty_stream_becomes_an_empty_copy(void **state)
{
    struct fixture *f = *state;
    f->want.size = -1;
    struct adl_copy *copy = open_copy(f, true);
    f->want.size = 0;
    assert_int_equal(adl_copy_finish(copy, &f->want), 0);
    assert_true(copy->named);
    assert_true(adl_copy_complete(copy));
    adl_copy_close(copy);
}

static void full_allocation_reserves(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    f->scratch.store->allocate = ADL_ALLOCATE_FULL;
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(fstat(copy->data, &st), 0);
    assert_true(st.st_blocks * 512 >= SIZE || strstr(f->scratch.said, "cannot reserve"));
    adl_copy_close(copy);
}

/* More than the test's disk is large, so that no test has to fill it. */
static void want_too_much(struct fixture *f)
{
    struct statvfs disk;
    assert_int_equal(fstatvfs(f->scratch.store->dir, &disk), 0);
    if (disk.f_blocks == 0)
        skip(); /* the file system does not tell */
    f->want.size = (int64_t)(disk.f_blocks * disk.f_frsize) + 1;
    f->want.block_size = 16 << 20;
}

static void full_allocation_says_when_it_cannot(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy;
    want_too_much(f);
    f->scratch.store->allocate = ADL_ALLOCATE_FULL;
    assert_int_equal(adl_copy_open(f->scratch.store, &f->want, true, &copy), -ENOSPC);
    assert_int_equal(scratch_count(&f->scratch), 0);
}

static void what_cannot_be_reserved_takes_no_space(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy;
    struct stat before, after;
    want_too_much(f);
    copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    adl_copy_close(copy);
    f->scratch.store->allocate = ADL_ALLOCATE_FULL;
    int data = scratch_file(&f->scratch, &f->want.key, ".data", O_RDONLY);
    assert_int_equal(fstat(data, &before), 0);
    assert_int_equal(adl_copy_open(f->scratch.store, &f->want, true, &copy), -ENOSPC);
    assert_int_equal(fstat(data, &after), 0);
    assert_int_equal(after.st_blocks, before.st_blocks);
    close(data);
}

static void a_store_that_makes_trouble_still_serves(void **state)
{
    struct fixture *f = *state;
    char name[ADL_NAME_ROOM];
    adl_store_name(&f->want.key, ".map", name);
    assert_int_equal(mkdirat(f->scratch.store->dir, name, 0700), 0);
    struct adl_copy *copy = open_copy(f, true);
    assert_false(copy->named);
    assert_non_null(strstr(f->scratch.said, "cannot be kept"));
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    assert_true(right(copy, 0, SIZE));
    adl_copy_close(copy);
    assert_int_equal(unlinkat(f->scratch.store->dir, name, AT_REMOVEDIR), 0);
}

static void odd_block_sizes_are_refused_and_none_is_the_stores(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy;
    f->want.block_size = 5000;
    assert_int_equal(adl_copy_open(f->scratch.store, &f->want, true, &copy), -EINVAL);
    f->want.block_size = 0;
    f->scratch.store->block_size = 8192;
    copy = open_copy(f, true);
    assert_int_equal(copy->block_size, 8192);
    adl_copy_close(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_new_copy_has_its_full_size_and_nothing_in_it),
        T(an_empty_file_is_complete_at_once),
        T(what_was_closed_is_taken_up),
        T(another_version_is_a_new_copy),
        T(a_note_is_filled_by_the_copy),
        T(the_second_to_open_is_private),
        T(an_unlinked_copy_goes_on),
        T(a_damaged_cache_is_fetched_again),
        T(a_power_cut_leaves_no_wrong_byte),
        T(a_stream_of_unknown_size_becomes_a_copy),
        T(a_finished_stream_replaces_the_old_copy),
        T(a_finished_stream_stays_private_where_the_lock_is_taken),
        T(an_empty_stream_becomes_an_empty_copy),
        T(full_allocation_reserves),
        T(full_allocation_says_when_it_cannot),
        T(what_cannot_be_reserved_takes_no_space),
        T(a_store_that_makes_trouble_still_serves),
        T(odd_block_sizes_are_refused_and_none_is_the_stores),
    };
    return cmocka_run_group_tests(tests, make_truth, NULL);
}
