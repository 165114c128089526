/* What copies hold: bytes that arrive, blocks, and who may see them. */
#include "copy_fixture.h"

#include "effort.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

static void bytes_count_at_once_and_blocks_when_complete(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, 100, 5000), 0);
    assert_int_equal(adl_copy_bytes(copy), 4900);
    assert_true(adl_copy_covers(copy, 100, 5000));
    assert_false(adl_copy_covers(copy, 99, 101));
    assert_false(adl_copy_has(copy, 100, 200)); /* its block is not complete */
    assert_missing(copy, 0, SIZE, 0, 100);
    assert_missing(copy, 100, SIZE, 5000, SIZE);
    assert_int_equal(put(copy, NULL, 0, 100), 0);
    assert_true(adl_copy_has(copy, 0, BLOCK));
    assert_false(adl_copy_has(copy, 0, BLOCK + 1));
    assert_true(adl_copy_covers(copy, 0, 5000)); /* a block and a part of the next */
    assert_int_equal(adl_copy_bytes(copy), 5000);
    assert_int_equal(copy->partial.count, 1);
    check_sums(copy);
    adl_copy_close(copy);
}

static void the_short_last_block_counts_what_it_has(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, 10 * BLOCK, SIZE), 0);
    assert_int_equal(adl_copy_bytes(copy), 100);
    assert_true(adl_copy_has(copy, SIZE - 1, SIZE));
    assert_false(adl_copy_has(copy, SIZE - 1, SIZE + 1));
    assert_int_equal(put(copy, NULL, 0, 10 * BLOCK), 0);
    assert_int_equal(adl_copy_bytes(copy), SIZE);
    assert_true(adl_copy_complete(copy));
    assert_true(adl_copy_trusted(copy));
    int64_t from, to;
    assert_false(adl_copy_missing(copy, 0, SIZE, &from, &to));
    check_sums(copy);
    adl_copy_close(copy);
}

/* Blocks, parts of blocks and the short last one; every range against one byte at a time. */
static void a_range_counts_what_it_has(void **state)
{
    static const int64_t puts[][2] = {{BLOCK, 3 * BLOCK},
                                      {3 * BLOCK + 5, 3 * BLOCK + 9},
                                      {5 * BLOCK - 7, 5 * BLOCK + 7},
                                      {10 * BLOCK, SIZE}};
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    bool here[SIZE] = {false};
    for (size_t i = 0; i < sizeof(puts) / sizeof(puts[0]); i++) {
        assert_int_equal(put(copy, NULL, puts[i][0], puts[i][1]), 0);
        memset(here + puts[i][0], true, (size_t)(puts[i][1] - puts[i][0]));
    }
    int64_t step = 509 * effort(1, 20);
    for (int64_t first = 0; first < SIZE; first += step)
        for (int64_t end = first; end <= SIZE; end += 257) {
            int64_t count = 0;
            for (int64_t at = first; at < end; at++)
                count += here[at];
            assert_int_equal(adl_copy_bytes_in(copy, first, end), count);
        }
    assert_int_equal(adl_copy_bytes_in(copy, 0, SIZE), adl_copy_bytes(copy));
    adl_copy_close(copy);
}

static void a_write_outside_the_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(adl_copy_write(copy, NULL, "ab", 2, SIZE - 1), -EINVAL);
    assert_int_equal(adl_copy_write(copy, NULL, "ab", 2, -1), -EINVAL);
    assert_int_equal(adl_copy_write(copy, NULL, "ab", SIZE_MAX, 0), -EINVAL);
    assert_int_equal(adl_copy_write(copy, NULL, "ab", 2, INT64_MAX), -EINVAL);
    assert_int_equal(adl_copy_write(copy, NULL, "", 0, SIZE), 0);
    assert_int_equal(adl_copy_bytes(copy), 0);
    adl_copy_close(copy);
}

static void what_is_here_is_not_written_again(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    unsigned char wrong[3 * BLOCK];
    memset(wrong, 0xee, sizeof(wrong));
    assert_int_equal(put(copy, NULL, 0, BLOCK), 0);              /* a block */
    assert_int_equal(put(copy, NULL, BLOCK + 8, BLOCK + 16), 0); /* a part */
    assert_int_equal(adl_copy_write(copy, NULL, wrong, sizeof(wrong), 0), 0);
    assert_true(right(copy, 0, BLOCK));
    assert_true(right(copy, BLOCK + 8, BLOCK + 16));
    assert_true(adl_copy_has(copy, 0, 3 * BLOCK));
    check_sums(copy);
    adl_copy_close(copy);
}

/* Two transfers bring different bytes for one block in turns: whatever is in the file in the end,
 * the block's sum is that of it. */
static void a_running_sum_is_of_what_the_file_holds(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 7;
    int rounds = effort(200, 20);
    for (int round = 0; round < rounds; round++) {
        struct adl_copy *copy = open_copy(f, false);
        struct adl_run runs[2] = {{0}, {0}};
        int64_t at[2] = {0, 0};
        while (at[0] < SIZE || at[1] < SIZE) {
            int who = at[0] == SIZE || (at[1] < SIZE && next_random(&random) % 2);
            unsigned char bytes[6000];
            memset(bytes, who ? 0xaa : 0x55, sizeof(bytes));
            int64_t length = 1 + (int64_t)(next_random(&random) % sizeof(bytes));
            length = length < SIZE - at[who] ? length : SIZE - at[who];
            assert_int_equal(adl_copy_write(copy, &runs[who], bytes, (size_t)length, at[who]), 0);
            at[who] += length;
        }
        assert_true(adl_copy_complete(copy));
        check_sums(copy);
        adl_run_free(&runs[0]);
        adl_run_free(&runs[1]);
        adl_copy_close(copy);
    }
}

/* The file is write-only for the test's process as soon as its fd is: reading back would fail. */
static void a_transfer_in_order_is_not_read_back(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    char link[40];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", copy->data);
    int blind = open(link, O_WRONLY | O_CLOEXEC), sighted = copy->data;
    assert_true(blind >= 0);
    copy->data = blind;
    struct adl_run run = {0};
    for (int64_t at = BLOCK; at < SIZE; at += 1000)
        assert_int_equal(put(copy, &run, at, at + 1000 < SIZE ? at + 1000 : SIZE), 0);
    assert_true(adl_copy_has(copy, BLOCK, SIZE));
    /* Without a run a block in parts has to be read; what cannot be read does not count. */
    assert_int_equal(put(copy, NULL, 0, 10), 0);
    assert_int_equal(put(copy, NULL, 10, BLOCK), -EBADF);
    assert_missing(copy, 0, SIZE, 0, BLOCK);
    copy->data = sighted;
    close(blind);
    assert_int_equal(put(copy, NULL, 0, BLOCK), 0);
    assert_true(adl_copy_trusted(copy));
    check_sums(copy);
    adl_run_free(&run);
    adl_copy_close(copy);
}

static void a_failed_write_counts_nothing(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_copy(f, true);
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 3 * BLOCK + 50;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    struct adl_run run = {0};
    int fits = put(copy, &run, 0, 100), too_long = put(copy, &run, 100, SIZE);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(fits, 0);
    assert_int_equal(too_long, -EFBIG);
    assert_int_equal(adl_copy_bytes(copy), 100);
    assert_missing(copy, 0, SIZE, 100, SIZE);
    assert_int_equal(put(copy, &run, 100, SIZE), 0);
    assert_true(adl_copy_complete(copy));
    check_sums(copy);
    adl_run_free(&run);
    adl_copy_close(copy);
}

static void claimed_blocks_are_believed_once_compared(void **state)
{
    struct fixture *f = *state;
    unsigned char buffer[BLOCK];
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    assert_int_equal(pwrite(copy->data, "wrong", 5, 2 * BLOCK), 5);
    adl_copy_close(copy);
    f->scratch.store->boot[0] ^= 1; /* the machine restarted */
    copy = open_copy(f, true);
    assert_true(adl_copy_complete(copy));
    assert_false(adl_copy_trusted(copy));
    assert_false(adl_copy_has(copy, 0, 1));
    assert_false(adl_copy_covers(copy, 0, 1));
    assert_int_equal(adl_copy_bytes(copy), SIZE);
    int64_t from, to;
    assert_false(adl_copy_missing(copy, 0, SIZE, &from, &to)); /* nothing to fetch as yet */

    for (uint64_t block = 0; block < 11; block++)
        assert_int_equal(adl_copy_verify(copy, block, buffer), block != 2);
    assert_int_equal(adl_copy_verify(copy, 11, buffer), 0);
    adl_copy_verified(copy, 0, true);
    adl_copy_verified(copy, 1, false); /* whoever said so was wrong: compared once more */
    adl_copy_verified(copy, 2, false);
    adl_copy_verified(copy, 11, false);
    assert_true(adl_copy_has(copy, 0, 2 * BLOCK));
    assert_missing(copy, 0, SIZE, 2 * BLOCK, 3 * BLOCK);
    adl_copy_verified(copy, 2, true); /* late news of a block that is gone */
    assert_missing(copy, 0, SIZE, 2 * BLOCK, 3 * BLOCK);

    assert_int_equal(put(copy, NULL, 0, SIZE), 0); /* only what is missing is written */
    adl_copy_verified(copy, 2, false);             /* late news of one that is right by now */
    assert_true(adl_copy_has(copy, 0, 3 * BLOCK));
    for (uint64_t block = 3; block < 11; block++)
        adl_copy_verified(copy, block, true);
    assert_true(adl_copy_trusted(copy));
    assert_true(right(copy, 0, SIZE));
    adl_copy_close(copy);
    copy = open_copy(f, true);
    assert_true(adl_copy_trusted(copy));
    adl_copy_close(copy);
}

/* What a copy should be: one byte a byte. */
struct model {
    unsigned char here[SIZE], claimed[11];
};

static void model_write(struct model *model, int64_t first, int64_t end)
{
    memset(model->here + first, 1, (size_t)(end - first));
    for (int block = 0; block < 11; block++) {
        int64_t from = (int64_t)block * BLOCK, to = from + BLOCK < SIZE ? from + BLOCK : SIZE;
        model->claimed[block] = !memchr(model->here + from, 0, (size_t)(to - from));
    }
}

/* Blocks that were not complete do not outlive a close. */
static void model_reopen(struct model *model)
{
    for (int64_t at = 0; at < SIZE; at += BLOCK)
        memset(model->here + at, model->claimed[at / BLOCK],
               (size_t)(at + BLOCK < SIZE ? BLOCK : SIZE - at));
}

/* The first byte in [from, end) that is `what`, else `end`. */
static int64_t model_find(const struct model *model, int what, int64_t from, int64_t end)
{
    const unsigned char *found = memchr(model->here + from, what, (size_t)(end - from));
    return found ? found - model->here : end;
}

static int64_t model_bytes(const struct model *model)
{
    int64_t bytes = 0;
    for (int64_t at = 0, next; at < SIZE; at = model_find(model, 1, next, SIZE)) {
        next = model_find(model, 0, at, SIZE);
        bytes += next - at;
    }
    return bytes;
}

static void compare(const struct adl_copy *copy, const struct model *model, int64_t first,
                    int64_t end)
{
    int64_t from = model_find(model, 0, first, end), to = model_find(model, 1, from, end);
    int64_t got_from = -1, got_to = -1;
    assert_int_equal(adl_copy_covers(copy, first, end), from == end);
    assert_int_equal(adl_copy_missing(copy, first, end, &got_from, &got_to), from < end);
    if (from < end) {
        assert_int_equal(got_from, from);
        assert_int_equal(got_to, to);
    }
    bool has = true;
    for (int64_t block = first / BLOCK; first < end && block <= (end - 1) / BLOCK; block++)
        has &= model->claimed[block];
    assert_int_equal(adl_copy_has(copy, first, end), has);
    assert_int_equal(adl_copy_bytes(copy), model_bytes(model));
}

static void check_case(struct fixture *f, uint64_t seed)
{
    uint64_t random = seed;
    struct model model = {0};
    struct adl_copy *copy = open_copy(f, false);
    struct adl_run run = {0};
    int64_t next = 0;
    for (int step = 0; step < 30; step++) {
        uint64_t kind = next_random(&random) % 8;
        int64_t first = kind < 4 ? next % SIZE : (int64_t)(next_random(&random) % SIZE);
        int64_t length = (int64_t)(next_random(&random) % (kind == 4 ? SIZE : BLOCK + 10));
        int64_t end = first + length < SIZE ? first + length : SIZE;
        if (kind == 7) {
            adl_copy_close(copy);
            copy = open_copy(f, true);
            model_reopen(&model);
        } else {
            assert_int_equal(put(copy, next_random(&random) % 4 ? &run : NULL, first, end), 0);
            model_write(&model, first, end);
            next = end;
        }
        compare(copy, &model, first, end);
        compare(copy, &model, 0, SIZE);
    }
    for (int64_t at = 0, end; at < SIZE; at = model_find(&model, 1, end, SIZE)) {
        end = model_find(&model, 0, at, SIZE);
        assert_true(right(copy, at, end));
    }
    check_sums(copy);
    adl_run_free(&run);
    adl_copy_close(copy);
}

static void a_thousand_random_cases_agree_with_a_model(void **state)
{
    for (uint64_t seed = 1; seed <= (uint64_t)effort(1000, 100); seed++)
        check_case(*state, seed);
}

struct race {
    struct adl_copy *copy;
    atomic_bool done;
    int64_t wrong, seen;
};

/* What a reader thread does: whatever the copy has, the data file has. */
static void *poll_blocks(void *ctx)
{
    struct race *race = ctx;
    uint64_t random = 3;
    for (bool last = false; !last;) {
        last = atomic_load(&race->done);
        int64_t first = (int64_t)(next_random(&random) % SIZE);
        int64_t end = first + 200 < SIZE ? first + 200 : SIZE;
        if (!adl_copy_has(race->copy, first, end))
            continue;
        race->seen++;
        race->wrong += !right(race->copy, first, end);
        race->wrong += adl_copy_trusted(race->copy) && !adl_copy_has(race->copy, 0, SIZE);
    }
    return NULL;
}

static void verify_blocks(struct adl_copy *copy)
{
    unsigned char buffer[BLOCK];
    for (uint64_t block = 0; block < copy->sidecar->blocks; block++) {
        if (adl_bitmap_test(&copy->sidecar->claimed, block))
            adl_copy_verify(copy, block, buffer);
    }
}

static void *poll_sums(void *ctx)
{
    struct race *race = ctx;
    while (!atomic_load(&race->done))
        verify_blocks(race->copy);
    return NULL;
}

/* The owner writes, drops what it must not trust and writes again, while two threads read. */
static void readers_see_only_what_is_there(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 5;
    for (int round = 0; round < 30; round++) {
        struct race race = {.copy = open_copy(f, false)};
        pthread_t reader, verifier;
        assert_int_equal(pthread_create(&reader, NULL, poll_blocks, &race), 0);
        assert_int_equal(pthread_create(&verifier, NULL, poll_sums, &race), 0);
        struct adl_run run = {0};
        while (!adl_copy_complete(race.copy)) {
            int64_t first = (int64_t)(next_random(&random) % SIZE);
            int64_t end = first + 3000 < SIZE ? first + 3000 : SIZE;
            assert_int_equal(put(race.copy, &run, first, end), 0);
            assert_int_equal(adl_sidecar_flush(race.copy->sidecar), 0);
        }
        atomic_store(&race.done, true);
        pthread_join(reader, NULL);
        pthread_join(verifier, NULL);
        assert_int_equal(race.wrong, 0);
        adl_run_free(&run);
        adl_copy_close(race.copy);
    }
}

/* A stream ends while others ask: they see no copy, or a whole one. */
static void readers_may_ask_while_a_stream_is_finished(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 30; round++) {
        f->want.size = -1;
        struct race race = {.copy = open_copy(f, false)};
        pthread_t reader;
        assert_int_equal(put(race.copy, NULL, 0, SIZE), 0);
        assert_int_equal(pthread_create(&reader, NULL, poll_blocks, &race), 0);
        f->want.size = SIZE;
        assert_int_equal(adl_copy_finish(race.copy, &f->want), 0);
        atomic_store(&race.done, true);
        pthread_join(reader, NULL);
        assert_int_equal(race.wrong, 0);
        assert_true(race.seen > 0);
        adl_copy_close(race.copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(bytes_count_at_once_and_blocks_when_complete),
        T(the_short_last_block_counts_what_it_has),
        T(a_range_counts_what_it_has),
        T(a_write_outside_the_file_is_refused),
        T(what_is_here_is_not_written_again),
        T(a_running_sum_is_of_what_the_file_holds),
        T(a_transfer_in_order_is_not_read_back),
        T(a_failed_write_counts_nothing),
        T(claimed_blocks_are_believed_once_compared),
        T(a_thousand_random_cases_agree_with_a_model),
        T(readers_see_only_what_is_there),
        T(readers_may_ask_while_a_stream_is_finished),
    };
    return cmocka_run_group_tests(tests, make_truth, NULL);
}
