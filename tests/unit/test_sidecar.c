#include "sidecar.h"

#include "map.h"
#include "scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <xxhash.h>

#include <cmocka.h>

#define BLOCK 4096u
#define SIZE  (1200 * (int64_t)BLOCK + 100) /* three pages, the last block short */

struct fixture {
    struct scratch scratch;
    struct adl_head head;
    int map, data; /* the test's own fds */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    if (scratch_open(&f->scratch, BLOCK) < 0)
        return -1;
    f->head = (struct adl_head){.key = adl_store_key("http://example.org/a"),
                                .validator = {.etag = "\"one\"", .last_modified = 1700000000},
                                .size = SIZE,
                                .block_size = BLOCK,
                                .flags = ADL_HEAD_SPLIT,
                                .checked_at = 1800000000,
                                .url = "http://example.org/a"};
    f->map = scratch_file(&f->scratch, &f->head.key, ".map", O_RDWR | O_CREAT);
    f->data = scratch_file(&f->scratch, &f->head.key, ".data", O_RDWR | O_CREAT);
    return ftruncate(f->data, SIZE);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->map);
    close(f->data);
    scratch_close(&f->scratch);
    free(f);
    return 0;
}

static int64_t block_length(uint64_t block)
{
    int64_t left = SIZE - (int64_t)block * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

static uint64_t true_sum(uint64_t block)
{
    unsigned char bytes[BLOCK];
    int64_t first = (int64_t)block * BLOCK;
    true_bytes(bytes, first, first + block_length(block));
    return XXH3_64bits(bytes, (size_t)block_length(block));
}

static void write_block(struct fixture *f, struct adl_sidecar *sidecar, uint64_t block)
{
    unsigned char bytes[BLOCK];
    int64_t first = (int64_t)block * BLOCK, length = block_length(block);
    true_bytes(bytes, first, first + length);
    assert_int_equal(pwrite(f->data, bytes, (size_t)length, first), length);
    adl_sidecar_set(sidecar, block, XXH3_64bits(bytes, (size_t)length));
}

static struct adl_sidecar *make(struct fixture *f)
{
    struct adl_sidecar *sidecar;
    assert_int_equal(adl_sidecar_new(f->scratch.store, &f->head, dup(f->map), &sidecar), 0);
    return sidecar;
}

static struct adl_sidecar *load(struct fixture *f)
{
    struct adl_sidecar *sidecar;
    int fd = dup(f->map);
    int r = adl_sidecar_load(f->scratch.store, &f->head.key, fd, f->data, &sidecar);
    if (r < 0) {
        assert_int_equal(r, -ENOENT);
        close(fd);
        return NULL;
    }
    return sidecar;
}

static const uint64_t some[] = {0, 1, 7, 63, 64, 499, 500, 777, 999, 1000, 1200};
#define N_SOME (sizeof(some) / sizeof(some[0]))

/* A sidecar with `some` blocks, closed in order. */
static void make_some(struct fixture *f)
{
    struct adl_sidecar *sidecar = make(f);
    for (size_t i = 0; i < N_SOME; i++)
        write_block(f, sidecar, some[i]);
    adl_sidecar_close(sidecar, f->data);
}

static bool is_some(uint64_t block)
{
    for (size_t i = 0; i < N_SOME; i++) {
        if (some[i] == block)
            return true;
    }
    return false;
}

/* What a damaged sidecar may say: nothing, or some of the truth. */
static uint64_t count_truths(const struct adl_sidecar *sidecar)
{
    for (uint64_t block = 0; block < sidecar->blocks; block++) {
        bool claimed = adl_bitmap_test(&sidecar->claimed, block);
        if (claimed) {
            assert_true(is_some(block));
            assert_int_equal(sidecar->sums[block], true_sum(block));
        }
        assert_true(claimed || !adl_bitmap_test(&sidecar->trusted, block));
    }
    return adl_bitmap_count(&sidecar->claimed);
}

static void a_new_one_is_empty_and_says_its_head(void **state)
{
    struct fixture *f = *state;
    struct adl_sidecar *sidecar = make(f);
    assert_int_equal(sidecar->blocks, 1201);
    assert_int_equal(adl_bitmap_count(&sidecar->claimed), 0);
    assert_false(adl_sidecar_dirty(sidecar));
    adl_sidecar_close(sidecar, f->data);
    struct adl_head head;
    assert_int_equal(adl_sidecar_peek(f->scratch.store, &f->head.key, &head), 0);
    assert_memory_equal(&head, &f->head, sizeof(head));
}

static void what_is_set_is_trusted_after_a_clean_close(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    struct adl_sidecar *sidecar = load(f);
    assert_non_null(sidecar);
    assert_int_equal(count_truths(sidecar), N_SOME);
    assert_int_equal(adl_bitmap_count(&sidecar->trusted), N_SOME);
    adl_sidecar_close(sidecar, f->data);
    sidecar = load(f); /* and again, when nothing was done in between */
    assert_int_equal(adl_bitmap_count(&sidecar->trusted), N_SOME);
    adl_sidecar_close(sidecar, f->data);
}

/* A kill: the process is gone after any flush, nothing is closed in order. */
static void what_was_flushed_is_claimed_after_a_kill(void **state)
{
    struct fixture *f = *state;
    struct adl_sidecar *sidecar = make(f);
    write_block(f, sidecar, 7);
    assert_true(adl_sidecar_dirty(sidecar));
    assert_int_equal(adl_sidecar_flush(sidecar), 0);
    assert_false(adl_sidecar_dirty(sidecar));
    write_block(f, sidecar, 499); /* not flushed */
    struct adl_sidecar *after = load(f);
    assert_int_equal(count_truths(after), 1);
    assert_true(adl_bitmap_test(&after->claimed, 7));
    assert_int_equal(adl_bitmap_count(&after->trusted), 0);
    adl_sidecar_close(after, -1);
    adl_sidecar_detach(sidecar);
    adl_sidecar_close(sidecar, -1);
}

/* ... also when the one that was killed had found all in order. */
static void a_kill_while_in_use_leaves_no_trust(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    struct adl_sidecar *killed = load(f);
    assert_int_equal(adl_bitmap_count(&killed->trusted), N_SOME);
    struct adl_sidecar *after = load(f);
    assert_int_equal(count_truths(after), N_SOME);
    assert_int_equal(adl_bitmap_count(&after->trusted), 0);
    adl_sidecar_close(after, -1);
    adl_sidecar_detach(killed);
    adl_sidecar_close(killed, -1);
}

static void another_boot_leaves_no_trust(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    f->scratch.store->boot[3] ^= 1;
    struct adl_sidecar *sidecar = load(f);
    assert_int_equal(count_truths(sidecar), N_SOME);
    assert_int_equal(adl_bitmap_count(&sidecar->trusted), 0);
    adl_sidecar_close(sidecar, f->data);
    /* A clean close in the new boot does not make blocks trusted that nobody compared. */
    sidecar = load(f);
    assert_int_equal(count_truths(sidecar), N_SOME);
    assert_int_equal(adl_bitmap_count(&sidecar->trusted), 0);
    adl_sidecar_close(sidecar, f->data);
}

static void a_page_is_trusted_once_all_its_blocks_are(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    f->scratch.store->boot[3] ^= 1;
    struct adl_sidecar *sidecar = load(f);
    for (uint64_t block = 0; block < 500; block++)
        adl_sidecar_trust(sidecar, block); /* does nothing where nothing is claimed */
    adl_sidecar_trust(sidecar, 500);       /* not all of the second page's */
    write_block(f, sidecar, 2);
    adl_sidecar_close(sidecar, f->data);
    sidecar = load(f);
    for (uint64_t block = 0; block < sidecar->blocks; block++)
        assert_int_equal(adl_bitmap_test(&sidecar->trusted, block),
                         block < 500 && (is_some(block) || block == 2));
    assert_int_equal(adl_bitmap_count(&sidecar->claimed), N_SOME + 1);
    adl_sidecar_close(sidecar, f->data);
}

static void a_touched_data_file_leaves_no_trust(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
    struct stat before, after;
    assert_int_equal(fstat(f->data, &before), 0);
    do { /* the clock of ctime ticks every few ms */
        assert_int_equal(futimens(f->data, times), 0);
        assert_int_equal(fstat(f->data, &after), 0);
    } while (memcmp(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim)) == 0);
    struct adl_sidecar *sidecar = load(f);
    assert_int_equal(count_truths(sidecar), N_SOME);
    assert_int_equal(adl_bitmap_count(&sidecar->trusted), 0);
    adl_sidecar_close(sidecar, f->data);
}

/* Another file in the data file's place, left and found again in one boot: nothing of it was ever
 * compared, so nothing may be trusted the second time either. */
static void a_replaced_data_file_is_never_trusted(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    close(f->data);
    assert_int_equal(adl_store_new_data(f->scratch.store, &f->head.key, &f->data), 0);
    assert_int_equal(ftruncate(f->data, SIZE), 0);
    for (int i = 0; i < 3; i++) {
        struct adl_sidecar *sidecar = load(f);
        assert_int_equal(adl_bitmap_count(&sidecar->claimed), N_SOME);
        assert_int_equal(adl_bitmap_count(&sidecar->trusted), 0);
        adl_sidecar_close(sidecar, f->data);
    }
}

static void a_data_file_of_another_size_holds_nothing(void **state)
{
    struct fixture *f = *state;
    static const int64_t sizes[] = {0, SIZE - 1, SIZE + 1};
    for (size_t i = 0; i < 3; i++) {
        make_some(f);
        assert_int_equal(ftruncate(f->data, sizes[i]), 0);
        struct adl_sidecar *sidecar = load(f);
        assert_int_equal(adl_bitmap_count(&sidecar->claimed), 0);
        adl_sidecar_close(sidecar, f->data);
        assert_int_equal(ftruncate(f->data, SIZE), 0);
        sidecar = load(f); /* nor does it when it has the right one again */
        assert_int_equal(adl_bitmap_count(&sidecar->claimed), 0);
        adl_sidecar_close(sidecar, f->data);
    }
}

static void dropped_blocks_are_gone(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    struct adl_sidecar *sidecar = load(f);
    adl_sidecar_drop(sidecar, 63);
    assert_false(adl_bitmap_test(&sidecar->claimed, 63));
    adl_sidecar_close(sidecar, f->data);
    sidecar = load(f);
    assert_false(adl_bitmap_test(&sidecar->claimed, 63));
    assert_int_equal(count_truths(sidecar), N_SOME - 1);
    adl_sidecar_close(sidecar, f->data);
}

static void truncated_at_any_length_it_says_less(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    unsigned char all[4 * ADL_MAP_PAGE];
    assert_int_equal(pread(f->map, all, sizeof(all), 0), sizeof(all));
    static const uint64_t upto[] = {0, 0, 6, 9, N_SOME}; /* blocks that fit into that many pages */
    for (size_t length = 0; length <= sizeof(all);
         length += length % ADL_MAP_PAGE < 2 || length % ADL_MAP_PAGE > 4094 ? 1 : 341) {
        assert_int_equal(ftruncate(f->map, 0), 0);
        assert_int_equal(pwrite(f->map, all, length, 0), length);
        struct adl_sidecar *sidecar = load(f);
        assert_int_equal(sidecar != NULL, length >= ADL_MAP_PAGE);
        if (!sidecar)
            continue;
        assert_int_equal(count_truths(sidecar), upto[length / ADL_MAP_PAGE]);
        adl_sidecar_close(sidecar, f->data);
    }
}

static void any_byte_flipped_it_says_less(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    unsigned char all[4 * ADL_MAP_PAGE];
    assert_int_equal(pread(f->map, all, sizeof(all), 0), sizeof(all));
    uint64_t sums[N_SOME];
    for (size_t i = 0; i < N_SOME; i++)
        sums[i] = true_sum(some[i]);
    for (size_t at = 0; at < sizeof(all); at++) {
        unsigned char wrong = (unsigned char)(all[at] ^ (1u << at % 8));
        assert_int_equal(pwrite(f->map, all, sizeof(all), 0), sizeof(all));
        assert_int_equal(pwrite(f->map, &wrong, 1, (off_t)at), 1);
        struct adl_sidecar *sidecar = load(f);
        assert_int_equal(sidecar != NULL, at >= ADL_MAP_PAGE);
        if (!sidecar)
            continue;
        uint64_t found = 0, broken = at / ADL_MAP_PAGE - 1;
        for (size_t i = 0; i < N_SOME; i++) {
            bool claimed = adl_bitmap_test(&sidecar->claimed, some[i]);
            assert_int_equal(claimed, some[i] / ADL_BLOCKS_PER_PAGE != broken);
            assert_true(!claimed || sidecar->sums[some[i]] == sums[i]);
            found += claimed;
        }
        assert_int_equal(adl_bitmap_count(&sidecar->claimed), found);
        adl_sidecar_detach(sidecar);
        adl_sidecar_close(sidecar, -1);
    }
}

static void zeroed_and_foreign_pages_say_nothing(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    unsigned char first[ADL_MAP_PAGE], second[ADL_MAP_PAGE], zero[ADL_MAP_PAGE] = {0};
    assert_int_equal(pread(f->map, first, sizeof(first), ADL_MAP_PAGE), ADL_MAP_PAGE);
    assert_int_equal(pread(f->map, second, sizeof(second), 2 * ADL_MAP_PAGE), ADL_MAP_PAGE);
    /* Swapped between their places. */
    assert_int_equal(pwrite(f->map, second, sizeof(second), ADL_MAP_PAGE), ADL_MAP_PAGE);
    assert_int_equal(pwrite(f->map, first, sizeof(first), 2 * ADL_MAP_PAGE), ADL_MAP_PAGE);
    assert_int_equal(pwrite(f->map, zero, sizeof(zero), 3 * ADL_MAP_PAGE), ADL_MAP_PAGE);
    struct adl_sidecar *sidecar = load(f);
    assert_int_equal(adl_bitmap_count(&sidecar->claimed), 0);
    adl_sidecar_close(sidecar, f->data);
    /* Of another sidecar that says the same head. */
    make_some(f);
    assert_int_equal(pwrite(f->map, first, sizeof(first), ADL_MAP_PAGE), ADL_MAP_PAGE);
    sidecar = load(f);
    assert_int_equal(count_truths(sidecar), 5);
    assert_int_equal(adl_bitmap_next_set(&sidecar->claimed, 0, 1201), 500);
    adl_sidecar_close(sidecar, f->data);
}

/* In order by every checksum, but bits stand where there are no blocks. */
static void bits_behind_the_last_block_are_ignored(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    unsigned char page[ADL_MAP_PAGE];
    struct adl_map_head head;
    assert_int_equal(pread(f->map, page, sizeof(page), 0), ADL_MAP_PAGE);
    assert_true(adl_map_get_head(page, &f->head.key, &head));
    adl_map_begin(page, 2);
    for (unsigned i = 0; i < ADL_BLOCKS_PER_PAGE; i++)
        adl_map_put_block(page, i, true_sum(1000));
    memset(page + 32 + 62, 0xff, 2); /* bits 496 .. 511 */
    adl_map_seal(page, head.epoch, head.random);
    assert_int_equal(pwrite(f->map, page, sizeof(page), 3 * ADL_MAP_PAGE), ADL_MAP_PAGE);
    assert_int_equal(pwrite(f->map, page, sizeof(page), 4 * ADL_MAP_PAGE), ADL_MAP_PAGE);
    struct adl_sidecar *sidecar = load(f);
    assert_int_equal(adl_bitmap_count(&sidecar->claimed), 9 + 201);
    adl_sidecar_close(sidecar, f->data);
}

/* A head whose checksum is right, with one thing in it that is not. */
static void heads_out_of_order_are_refused(void **state)
{
    struct fixture *f = *state;
    struct adl_key other = adl_store_key("http://example.org/b");
    for (int i = 0; i < 14; i++) {
        struct adl_map_head head = {.head = f->head, .random = 1, .epoch = 1};
        unsigned char page[ADL_MAP_PAGE];
        head.head.key = i == 0 ? other : head.head.key;
        head.head.size = i == 1 ? -1 : i == 2 ? INT64_MIN : SIZE;
        head.head.block_size = i == 3 ? 0 : i == 4 ? 12288 : i == 5 ? 1u << 31 : BLOCK;
        head.epoch = i != 6;
        head.head.checked_at = i == 9 ? INT64_MIN : i == 10 ? INT64_MAX : 0;
        head.head.validator.last_modified = i == 11   ? INT64_MAX
                                            : i == 12 ? INT64_MIN + 1
                                                      : ADL_TIME_UNKNOWN;
        strcpy(head.head.validator.etag, i == 13 ? "\"1\"\r\nHost: other" : "\"1\"");
        adl_map_put_head(&head, page);
        page[16] = i == 7 ? 2 : page[16]; /* version */
        uint64_t sum = XXH3_64bits(page + 16, sizeof(page) - 16);
        memcpy(page + 8, &sum, sizeof(sum)); /* the tests run on little-endian machines */
        assert_int_equal(pwrite(f->map, page, sizeof(page), 0), ADL_MAP_PAGE);
        struct adl_head out;
        int expected = i == 8 ? 0 : -ENOENT;
        assert_int_equal(adl_sidecar_peek(f->scratch.store, &f->head.key, &out), expected);
        struct adl_sidecar *sidecar = load(f);
        assert_int_equal(sidecar != NULL, i == 8);
        adl_sidecar_close(sidecar, -1);
    }
}

static void the_longest_strings_fit(void **state)
{
    struct fixture *f = *state;
    struct adl_head head;
    memset(f->head.validator.etag, 'e', ADL_ETAG_MAX - 1);
    memset(f->head.url, 'u', ADL_URL_KEPT - 1);
    adl_sidecar_close(make(f), f->data);
    assert_int_equal(adl_sidecar_peek(f->scratch.store, &f->head.key, &head), 0);
    assert_memory_equal(&head, &f->head, sizeof(head));
}

static void an_empty_file_has_no_blocks(void **state)
{
    struct fixture *f = *state;
    f->head.size = 0;
    assert_int_equal(ftruncate(f->data, 0), 0);
    adl_sidecar_close(make(f), f->data);
    struct adl_sidecar *sidecar = load(f);
    assert_non_null(sidecar);
    assert_int_equal(sidecar->blocks, 0);
    assert_int_equal(adl_sidecar_flush(sidecar), 0);
    adl_sidecar_close(sidecar, f->data);
}

static void changes_of_the_head_are_written(void **state)
{
    struct fixture *f = *state;
    struct adl_sidecar *sidecar = make(f);
    sidecar->head.checked_at = 42;
    sidecar->head.flags |= ADL_HEAD_EXECUTABLE;
    adl_sidecar_touch(sidecar);
    assert_true(adl_sidecar_dirty(sidecar));
    assert_int_equal(adl_sidecar_flush(sidecar), 0);
    struct adl_head head;
    assert_int_equal(adl_sidecar_peek(f->scratch.store, &f->head.key, &head), 0);
    assert_int_equal(head.checked_at, 42);
    assert_int_equal(head.flags, ADL_HEAD_SPLIT | ADL_HEAD_EXECUTABLE);
    adl_sidecar_close(sidecar, f->data);
}

static void what_cannot_be_written_stays_dirty(void **state)
{
    struct fixture *f = *state;
    struct adl_sidecar *sidecar = make(f);
    write_block(f, sidecar, 0);
    write_block(f, sidecar, 1200);
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 2 * ADL_MAP_PAGE;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int r = adl_sidecar_flush(sidecar);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(r, -EFBIG);
    assert_true(adl_sidecar_dirty(sidecar));
    assert_int_equal(adl_bitmap_count(&sidecar->dirty), 1);
    assert_int_equal(adl_sidecar_flush(sidecar), 0);
    assert_false(adl_sidecar_dirty(sidecar));
    adl_sidecar_close(sidecar, f->data);
}

/* A page that could not be written is older than the memory: a clean close must not vouch for it.
 */
static void a_close_that_could_not_write_leaves_no_trust(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    struct adl_sidecar *sidecar = load(f);
    adl_sidecar_drop(sidecar, 1200);
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = ADL_MAP_PAGE;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    adl_sidecar_close(sidecar, f->data);
    setrlimit(RLIMIT_FSIZE, &before);
    sidecar = load(f);
    assert_int_equal(adl_bitmap_count(&sidecar->trusted), 0);
    adl_sidecar_close(sidecar, f->data);
}

static void without_a_file_all_stays_in_memory(void **state)
{
    struct fixture *f = *state;
    struct adl_sidecar *sidecar;
    assert_int_equal(adl_sidecar_new(f->scratch.store, &f->head, -1, &sidecar), 0);
    adl_sidecar_set(sidecar, 3, true_sum(3));
    assert_true(adl_bitmap_test(&sidecar->trusted, 3));
    assert_false(adl_sidecar_dirty(sidecar));
    assert_int_equal(adl_sidecar_flush(sidecar), 0);
    adl_sidecar_close(sidecar, -1);
    struct stat st;
    assert_int_equal(fstat(f->map, &st), 0);
    assert_int_equal(st.st_size, 0);
}

static void nonsense_is_refused(void **state)
{
    struct fixture *f = *state;
    struct adl_sidecar *sidecar;
    struct adl_head head = f->head;
    head.size = -1;
    assert_int_equal(adl_sidecar_new(f->scratch.store, &head, -1, &sidecar), -EINVAL);
    assert_int_equal(adl_sidecar_note(f->scratch.store, &head), -EINVAL);
    head = f->head;
    head.block_size = 1000;
    assert_int_equal(adl_sidecar_new(f->scratch.store, &head, -1, &sidecar), -EINVAL);
    assert_int_equal(adl_sidecar_note(f->scratch.store, &head), -EINVAL);
}

static void a_note_can_be_peeked_at(void **state)
{
    struct fixture *f = *state;
    struct adl_head head;
    assert_int_equal(adl_sidecar_peek(f->scratch.store, &f->head.key, &head), -ENOENT);
    f->head.block_size = 0; /* the store's */
    f->head.flags |= ADL_HEAD_DIGESTED;
    assert_int_equal(adl_sidecar_note(f->scratch.store, &f->head), 0);
    assert_int_equal(adl_sidecar_peek(f->scratch.store, &f->head.key, &head), 0);
    assert_int_equal(head.size, SIZE);
    assert_int_equal(head.block_size, BLOCK);
    assert_int_equal(head.flags, ADL_HEAD_SPLIT); /* nothing is cached: nothing was digested */
    assert_string_equal(head.validator.etag, "\"one\"");
}

static void a_note_of_the_same_version_changes_nothing(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    struct adl_head again = f->head;
    again.checked_at++;
    assert_int_equal(adl_sidecar_note(f->scratch.store, &again), 0);
    struct adl_sidecar *sidecar = load(f);
    assert_int_equal(adl_bitmap_count(&sidecar->trusted), N_SOME);
    adl_sidecar_close(sidecar, f->data);
}

static void a_note_of_another_version_drops_the_old_one(void **state)
{
    struct fixture *f = *state;
    make_some(f);
    struct adl_head other = f->head, head;
    strcpy(other.validator.etag, "\"two\"");
    assert_int_equal(adl_sidecar_note(f->scratch.store, &other), 0);
    assert_int_equal(adl_sidecar_peek(f->scratch.store, &f->head.key, &head), 0);
    assert_string_equal(head.validator.etag, "\"two\"");
    int fd;
    assert_int_equal(adl_store_open_data(f->scratch.store, &f->head.key, &fd), -ENOENT);
    struct adl_sidecar *sidecar = load(f);
    assert_int_equal(adl_bitmap_count(&sidecar->claimed), 0);
    adl_sidecar_close(sidecar, -1);
}

static void a_note_respects_the_lock(void **state)
{
    struct fixture *f = *state;
    int fd;
    assert_int_equal(adl_store_lock(f->scratch.store, &f->head.key, &fd), 0);
    assert_int_equal(adl_sidecar_note(f->scratch.store, &f->head), -EWOULDBLOCK);
    close(fd);
    assert_int_equal(adl_sidecar_note(f->scratch.store, &f->head), 0);
}

/* 1 TiB in blocks of 4 KiB is 2 GiB of sums, were they all there. */
static void a_huge_file_costs_what_is_there(void **state)
{
    struct fixture *f = *state;
    f->head.size = INT64_C(1) << 40;
    if (ftruncate(f->data, f->head.size) < 0)
        skip();
    struct adl_sidecar *sidecar = make(f);
    adl_sidecar_set(sidecar, 5, 55);
    adl_sidecar_set(sidecar, 100000000, 77);
    adl_sidecar_set(sidecar, sidecar->blocks - 1, 99);
    adl_sidecar_close(sidecar, f->data);
    struct stat st;
    assert_int_equal(fstat(f->map, &st), 0);
    assert_true(st.st_blocks * 512 < 1 << 20);

    long before = resident_bytes();
    sidecar = load(f);
    assert_non_null(sidecar);
    assert_true(before < 0 || resident_bytes() - before < 32L << 20);
    assert_int_equal(adl_bitmap_count(&sidecar->trusted), 3);
    assert_int_equal(sidecar->sums[100000000], 77);
    assert_int_equal(sidecar->sums[sidecar->blocks - 1], 99);
    adl_sidecar_close(sidecar, f->data);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_new_one_is_empty_and_says_its_head),
        T(what_is_set_is_trusted_after_a_clean_close),
        T(what_was_flushed_is_claimed_after_a_kill),
        T(a_kill_while_in_use_leaves_no_trust),
        T(another_boot_leaves_no_trust),
        T(a_page_is_trusted_once_all_its_blocks_are),
        T(a_touched_data_file_leaves_no_trust),
        T(a_replaced_data_file_is_never_trusted),
        T(a_data_file_of_another_size_holds_nothing),
        T(dropped_blocks_are_gone),
        T(truncated_at_any_length_it_says_less),
        T(any_byte_flipped_it_says_less),
        T(zeroed_and_foreign_pages_say_nothing),
        T(bits_behind_the_last_block_are_ignored),
        T(heads_out_of_order_are_refused),
        T(the_longest_strings_fit),
        T(an_empty_file_has_no_blocks),
        T(changes_of_the_head_are_written),
        T(what_cannot_be_written_stays_dirty),
        T(a_close_that_could_not_write_leaves_no_trust),
        T(without_a_file_all_stays_in_memory),
        T(nonsense_is_refused),
        T(a_note_can_be_peeked_at),
        T(a_note_of_the_same_version_changes_nothing),
        T(a_note_of_another_version_drops_the_old_one),
        T(a_note_respects_the_lock),
        T(a_huge_file_costs_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
