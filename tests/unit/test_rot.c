/* Cached bytes that changed are found, told and dropped, in closed entries and in open ones. */
#include "rot.h"

#include "copy_fixture.h"

#include <errno.h>
#include <xxhash.h>

static const _Atomic bool go_on;

/* The whole file is cached, and closed in order. */
static void fill(struct fixture *f)
{
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    adl_copy_close(copy);
}

static void flip(struct fixture *f, const char *suffix, int64_t at)
{
    unsigned char byte;
    int fd = scratch_file(&f->scratch, &f->want.key, suffix, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* A flipped bit that nothing but the checksum tells: as the disk does it, behind the kernel's back,
 * with the file's times as they were. Here the head is made to say so. */
static void rot(struct fixture *f, int64_t at)
{
    unsigned char head[ADL_MAP_PAGE];
    struct stat st;
    flip(f, ".data", at);
    int data = scratch_file(&f->scratch, &f->want.key, ".data", O_RDONLY);
    int map = scratch_file(&f->scratch, &f->want.key, ".map", O_RDWR);
    assert_int_equal(fstat(data, &st), 0);
    assert_int_equal(pread(map, head, sizeof(head), 0), sizeof(head));
    uint64_t ctime = (uint64_t)st.st_ctim.tv_sec;
    uint32_t ctime_nsec = (uint32_t)st.st_ctim.tv_nsec;
    memcpy(head + 88, &ctime, sizeof(ctime)); /* offsets: see src/README.md */
    memcpy(head + 96, &ctime_nsec, sizeof(ctime_nsec));
    XXH64_hash_t sum = XXH3_64bits(head + 16, sizeof(head) - 16);
    memcpy(head + 8, &sum, sizeof(sum));
    assert_int_equal(pwrite(map, head, sizeof(head), 0), sizeof(head));
    close(data);
    close(map);
}

static int check(struct fixture *f, struct adl_rot *out)
{
    *out = (struct adl_rot){0};
    return adl_rot_check(f->scratch.store, &f->want.key, &go_on, out);
}

static void assert_extents(const struct adl_extents *set, size_t count, int64_t first, int64_t end)
{
    assert_int_equal(set->count, count);
    if (count == 0)
        return;
    assert_int_equal(set->list[0].first, first);
    assert_int_equal(set->list[count - 1].end, end);
}

static void what_is_right_is_checked_and_kept(void **state)
{
    struct fixture *f = *state;
    struct adl_rot found;
    fill(f);
    assert_int_equal(check(f, &found), 0);
    assert_int_equal(found.checked, SIZE);
    assert_extents(&found.wrong, 0, 0, 0);
    assert_extents(&found.right, 0, 0, 0); /* it was trusted before */
    assert_extents(&found.lost, 0, 0, 0);
    adl_rot_free(&found);
    struct adl_copy *copy = open_copy(f, true);
    assert_true(adl_copy_trusted(copy));
    adl_copy_close(copy);
}

static void flipped_bits_of_trusted_blocks_are_found_and_those_blocks_dropped(void **state)
{
    struct fixture *f = *state;
    struct adl_rot found;
    fill(f);
    rot(f, 3 * BLOCK + 17);
    rot(f, SIZE - 1);
    struct adl_copy *copy = open_copy(f, true); /* nobody notices */
    assert_true(adl_copy_trusted(copy));
    assert_false(right(copy, 0, SIZE));
    adl_copy_close(copy);

    assert_int_equal(check(f, &found), 0);
    assert_extents(&found.wrong, 2, (int64_t)3 * BLOCK, SIZE);
    assert_int_equal(found.wrong.list[0].end, (int64_t)4 * BLOCK);
    assert_int_equal(found.wrong.list[1].first, (int64_t)10 * BLOCK);
    adl_rot_free(&found);

    copy = open_copy(f, true);
    assert_missing(copy, 0, SIZE, (int64_t)3 * BLOCK, (int64_t)4 * BLOCK);
    assert_missing(copy, (int64_t)4 * BLOCK, SIZE, (int64_t)10 * BLOCK, SIZE);
    assert_true(adl_copy_has(copy, 0, (int64_t)3 * BLOCK)); /* the rest is trusted as before */
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    assert_true(right(copy, 0, SIZE));
    adl_copy_close(copy);
    assert_int_equal(check(f, &found), 0);
    assert_extents(&found.wrong, 0, 0, 0);
    adl_rot_free(&found);
}

static void what_was_only_claimed_is_trusted_once_it_was_checked(void **state)
{
    struct fixture *f = *state;
    struct adl_rot found;
    fill(f);
    f->scratch.store->boot[0] ^= 1;
    assert_int_equal(check(f, &found), 0);
    assert_extents(&found.right, 1, 0, SIZE);
    adl_rot_free(&found);
    struct adl_copy *copy = open_copy(f, true);
    assert_true(adl_copy_trusted(copy));
    adl_copy_close(copy);
}

static void a_damaged_page_of_the_sidecar_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct adl_rot found;
    fill(f);
    flip(f, ".map", ADL_MAP_PAGE + 200);
    assert_int_equal(check(f, &found), 0);
    assert_int_equal(found.checked, 0);
    assert_extents(&found.lost, 1, 0, SIZE);
    adl_rot_free(&found);
    assert_int_equal(check(f, &found), 0);
    assert_extents(&found.lost, 0, 0, 0);
    adl_rot_free(&found);
    struct adl_copy *copy = open_copy(f, true);
    assert_missing(copy, 0, SIZE, 0, SIZE);
    adl_copy_close(copy);
}

static void a_damaged_head_and_a_data_file_of_another_size_are_removed(void **state)
{
    struct fixture *f = *state;
    struct adl_rot found;
    fill(f);
    flip(f, ".map", 200);
    assert_int_equal(check(f, &found), -EBADMSG);
    assert_int_equal(scratch_count(&f->scratch), 0);
    assert_int_equal(check(f, &found), -ENOENT);
    assert_int_equal(scratch_count(&f->scratch), 0); /* asking makes no files */

    fill(f);
    int data = scratch_file(&f->scratch, &f->want.key, ".data", O_RDWR);
    assert_int_equal(ftruncate(data, SIZE - 1), 0);
    close(data);
    assert_int_equal(check(f, &found), -EBADMSG);
    assert_int_equal(scratch_count(&f->scratch), 0);
}

static void what_somebody_has_open_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct adl_rot found;
    fill(f);
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(check(f, &found), -EWOULDBLOCK);
    adl_copy_close(copy);
}

static void to_check_an_entry_is_not_to_use_it(void **state)
{
    struct fixture *f = *state;
    struct adl_rot found;
    struct stat st;
    const struct timespec long_ago[] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 5}};
    fill(f);
    int map = scratch_file(&f->scratch, &f->want.key, ".map", O_RDWR);
    assert_int_equal(futimens(map, long_ago), 0);
    assert_int_equal(check(f, &found), 0);
    adl_rot_free(&found);
    assert_int_equal(fstat(map, &st), 0);
    assert_int_equal(st.st_mtim.tv_sec, 1000);
    assert_int_equal(st.st_mtim.tv_nsec, 5);
    close(map);
}

static void it_can_be_stopped(void **state)
{
    static const _Atomic bool stop = true;
    struct fixture *f = *state;
    struct adl_rot found = {0};
    fill(f);
    assert_int_equal(adl_rot_check(f->scratch.store, &f->want.key, &stop, &found), -ECANCELED);
    struct adl_copy *copy = open_copy(f, true);
    assert_true(adl_copy_trusted(copy));
    adl_copy_close(copy);
}

static void a_checksum_that_was_right_says_nothing_of_what_comes_after(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    copy->sidecar->head.flags |= ADL_HEAD_DIGESTED | 77u << ADL_HEAD_DIGEST_SHIFT;
    adl_sidecar_touch(copy->sidecar);
    adl_copy_close(copy);
    copy = open_copy(f, true);
    assert_true(copy->sidecar->head.flags & ADL_HEAD_DIGESTED);
    adl_sidecar_drop(copy->sidecar, 3);
    adl_copy_close(copy);
    copy = open_copy(f, true);
    assert_int_equal(copy->sidecar->head.flags & ADL_HEAD_DIGEST_MASK, 0);
    adl_copy_close(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_right_is_checked_and_kept),
        T(flipped_bits_of_trusted_blocks_are_found_and_those_blocks_dropped),
        T(what_was_only_claimed_is_trusted_once_it_was_checked),
        T(a_damaged_page_of_the_sidecar_is_told_once),
        T(a_damaged_head_and_a_data_file_of_another_size_are_removed),
        T(what_somebody_has_open_is_left_alone),
        T(to_check_an_entry_is_not_to_use_it),
        T(it_can_be_stopped),
        T(a_checksum_that_was_right_says_nothing_of_what_comes_after),
    };
    return cmocka_run_group_tests(tests, make_truth, NULL);
}
