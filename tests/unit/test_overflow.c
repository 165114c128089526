/* What the disk does not take: the store of cells, and a copy that lives on it. */
#include "overflow.h"

#include "copy_fixture.h"

#include <errno.h>

#define CELL ADL_CELL_SIZE

struct world {
    struct fixture *f;
    struct adl_overflow overflow;
};

static int begin(void **state)
{
    int r = setup(state);
    struct world *world = calloc(1, sizeof(*world));
    world->f = *state;
    adl_overflow_init(&world->overflow, 16, &world->f->scratch.log);
    world->f->scratch.store->overflow = &world->overflow;
    *state = world;
    return r;
}

static int end(void **state)
{
    struct world *world = *state;
    void *fixture = world->f;
    assert_true(TAILQ_EMPTY(&world->overflow.fresh) && TAILQ_EMPTY(&world->overflow.shown));
    adl_overflow_free(&world->overflow);
    free(world);
    return teardown(&fixture);
}

static int keep(struct world *world, struct adl_spill *spill, int64_t first, int64_t to)
{
    unsigned char *bytes = malloc((size_t)(to - first));
    true_bytes(bytes, first, to);
    int r = adl_overflow_put(&world->overflow, spill, bytes, first, to);
    free(bytes);
    return r;
}

static void check_cells(const struct adl_spill *spill)
{
    const struct adl_cell *cell;
    int64_t last = 0;
    TAILQ_FOREACH (cell, &spill->cells, place) {
        assert_true(cell->first >= last && cell->end > cell->first);
        assert_true(cell->end - cell->first <= CELL);
        for (int64_t at = cell->first; at < cell->end; at += 97)
            assert_int_equal(cell->bytes[at - cell->first], true_byte(at));
        last = cell->end;
    }
}

static void cells_are_kept_in_order_and_the_bound_holds(void **state)
{
    struct world *world = *state;
    struct adl_spill a, b;
    adl_spill_init(&a);
    adl_spill_init(&b);
    assert_int_equal(keep(world, &a, 5 * CELL, 6 * CELL + 10), 0);
    assert_int_equal(keep(world, &a, 100, 200), 0);
    assert_int_equal(keep(world, &a, 200, 300), 0);
    check_cells(&a);
    assert_int_equal(adl_spill_at(&a, 0)->first, 100);
    assert_int_equal(adl_spill_at(&a, 299)->end, 300);
    assert_int_equal(adl_spill_at(&a, 300)->first, 5 * CELL);
    assert_null(adl_spill_at(&a, 6 * CELL + 10));
    assert_int_equal(adl_spill_bytes(&a), CELL + 10 + 200);

    /* What was shown goes first, then the oldest. */
    adl_overflow_show(&world->overflow, adl_spill_at(&a, 100));
    assert_int_equal(keep(world, &b, 0, 14 * CELL), 0);
    assert_int_equal(adl_spill_at(&a, 0)->first, 5 * CELL);
    assert_int_equal(keep(world, &b, 14 * CELL, 15 * CELL), 0);
    assert_int_equal(adl_spill_at(&a, 0)->first, 6 * CELL);
    assert_int_equal(keep(world, &b, 20 * CELL, 60 * CELL), 0);
    assert_true(TAILQ_EMPTY(&a.cells));
    check_cells(&b);
    assert_int_equal(adl_spill_at(&b, 0)->first, 44 * CELL);
    assert_int_equal(adl_spill_bytes(&b), 16 * CELL);
    adl_overflow_drop(&world->overflow, &a);
    adl_overflow_drop(&world->overflow, &b);
}

static void the_disk_rests_longer_each_time(void **state)
{
    struct world *world = *state;
    struct adl_overflow *overflow = &world->overflow;
    overflow->now = 1000;
    assert_false(adl_overflow_failing(overflow) || adl_overflow_resting(overflow));
    assert_true(adl_overflow_retry_at(overflow) == INT64_MAX);
    int64_t last = 0;
    for (int i = 0; i < 8; i++) {
        adl_overflow_failed(overflow, -ENOSPC);
        adl_overflow_failed(overflow, -ENOSPC); /* of a burst */
        int64_t rest = adl_overflow_retry_at(overflow) - overflow->now;
        assert_true(rest >= last && rest > 0 && rest <= 15000);
        last = rest;
        assert_true(adl_overflow_resting(overflow));
        overflow->now += rest;
        assert_true(adl_overflow_failing(overflow) && !adl_overflow_resting(overflow));
    }
    adl_overflow_well(overflow);
    assert_false(adl_overflow_failing(overflow));
    assert_non_null(strstr(world->f->scratch.said, "No space left"));
    assert_non_null(strstr(world->f->scratch.said, "again"));
    overflow->shut = true;
    assert_true(adl_overflow_failing(overflow) && adl_overflow_resting(overflow));
}

static void what_is_not_read_limits_what_is_fetched_ahead(void **state)
{
    struct world *world = *state;
    struct adl_overflow *overflow = &world->overflow;
    struct adl_spill spill, others[3];
    adl_spill_init(&spill);
    assert_true(adl_overflow_ahead(overflow, &spill) == INT64_MAX);
    adl_overflow_failed(overflow, -EIO);
    assert_int_equal(adl_overflow_ahead(overflow, &spill), 2 * CELL);
    assert_int_equal(keep(world, &spill, 0, 4 * CELL), 0);
    assert_int_equal(adl_overflow_ahead(overflow, &spill), 0); /* until somebody reads */
    adl_overflow_show(overflow, adl_spill_at(&spill, 0));
    assert_int_equal(adl_overflow_ahead(overflow, &spill), 2 * CELL);
    for (int i = 0; i < 3; i++) {
        adl_spill_init(&others[i]);
        assert_int_equal(keep(world, &others[i], 0, 3 * CELL), 0);
    }
    assert_int_equal(adl_overflow_ahead(overflow, &spill), 0); /* others have it all */
    overflow->now += 60000;                                    /* and nobody came for it */
    assert_int_equal(adl_overflow_ahead(overflow, &spill), 2 * CELL);
    adl_overflow_drop(overflow, &spill);
    for (int i = 0; i < 3; i++)
        adl_overflow_drop(overflow, &others[i]);
}

/* Makes the data file fail as a broken disk does, and mends it. */
static int break_data(struct adl_copy *copy, int flags)
{
    char link[40];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", copy->data);
    int good = copy->data, bad = open(link, flags | O_CLOEXEC);
    assert_true(bad >= 0);
    copy->data = bad;
    return good;
}

static void mend_data(struct adl_copy *copy, int good)
{
    close(copy->data);
    copy->data = good;
}

static void assert_reads(struct adl_copy *copy, int64_t first, int64_t to)
{
    unsigned char have[SIZE];
    int fd;
    int64_t at;
    assert_true(adl_copy_covers(copy, first, to));
    assert_int_equal(adl_copy_place(copy, first, to, &fd, &at), 0);
    assert_int_equal(pread(fd, have, (size_t)(to - first), at), to - first);
    assert_memory_equal(have, truth + first, (size_t)(to - first));
}

static void what_the_disk_does_not_take_is_read_from_memory_and_written_later(void **state)
{
    struct world *world = *state;
    struct adl_copy *copy = open_copy(world->f, true);
    assert_int_equal(put(copy, NULL, 0, 2 * BLOCK + 100), 0);
    int good = break_data(copy, O_RDONLY);
    assert_int_equal(put(copy, NULL, 2 * BLOCK + 100, 4 * BLOCK), 0);
    assert_int_equal(put(copy, NULL, 9 * BLOCK, SIZE), 0);
    assert_false(adl_copy_has(copy, 2 * BLOCK, 3 * BLOCK)); /* not claimed */
    assert_reads(copy, 0, 4 * BLOCK);
    assert_reads(copy, 2 * BLOCK + 50, 2 * BLOCK + 150);
    assert_reads(copy, 9 * BLOCK + 7, SIZE);
    assert_missing(copy, 0, SIZE, 4 * BLOCK, 9 * BLOCK);
    assert_int_equal(adl_copy_bytes(copy), 4 * BLOCK + SIZE - 9 * BLOCK);

    int64_t budget = SIZE;
    world->overflow.now += 500;
    adl_copy_settle(copy, &budget); /* not yet */
    assert_int_equal(budget, SIZE);
    world->overflow.now += 60000;
    adl_copy_settle(copy, &budget); /* in vain: all stays as it is */
    assert_reads(copy, 0, 4 * BLOCK);
    mend_data(copy, good);
    world->overflow.now += 60000;
    adl_copy_settle(copy, &budget);
    assert_true(TAILQ_EMPTY(&copy->spill.cells) && !adl_overflow_failing(&world->overflow));
    assert_true(adl_copy_has(copy, 0, 4 * BLOCK) && adl_copy_has(copy, 9 * BLOCK, SIZE));
    assert_true(right(copy, 0, 4 * BLOCK) && right(copy, 9 * BLOCK, SIZE));
    check_sums(copy);
    adl_copy_close(copy);
}

static void what_is_dropped_is_missing_and_nothing_else_counts(void **state)
{
    struct world *world = *state;
    struct adl_spill other;
    adl_spill_init(&other);
    struct adl_copy *copy = open_copy(world->f, true);
    int good = break_data(copy, O_RDONLY);
    uint64_t random = 7;
    for (int i = 0; i < 300; i++) {
        int64_t first = (int64_t)(next_random(&random) % SIZE);
        int64_t to = first + 1 + (int64_t)(next_random(&random) % (2 * BLOCK));
        to = to < SIZE ? to : SIZE;
        assert_int_equal(put(copy, NULL, first, to), 0);
        if (adl_copy_covers(copy, first, to)) /* older parts of it may have gone for newer ones */
            assert_reads(copy, first, to);
        check_cells(&copy->spill);
        if (i % 3 == 0) /* others need room */
            assert_int_equal(keep(world, &other, i * 4 * CELL, i * 4 * CELL + 3 * CELL), 0);
        if (i % 50 == 49) { /* the disk comes and goes */
            int64_t budget = SIZE;
            mend_data(copy, good);
            world->overflow.now += 60000;
            adl_copy_settle(copy, &budget);
            check_sums(copy);
            good = break_data(copy, O_RDONLY);
        }
    }
    mend_data(copy, good);
    check_sums(copy);
    adl_overflow_drop(&world->overflow, &other);
    adl_copy_close(copy);
    copy = open_copy(world->f, true);
    check_sums(copy);
    adl_copy_close(copy);
}

static void what_cannot_be_read_is_missing_and_not_written_there_again(void **state)
{
    struct world *world = *state;
    struct adl_copy *copy = open_copy(world->f, true);
    assert_int_equal(put(copy, NULL, 0, 8 * BLOCK + 50), 0);
    int good = break_data(copy, O_WRONLY);
    adl_copy_unreadable(copy, 3 * BLOCK + 10, 4 * BLOCK + 10);
    adl_copy_unreadable(copy, 8 * BLOCK + 10, 8 * BLOCK + 20);
    mend_data(copy, good);
    assert_missing(copy, 0, 8 * BLOCK, 3 * BLOCK, 5 * BLOCK);
    assert_missing(copy, 8 * BLOCK, SIZE, 8 * BLOCK + 10, 8 * BLOCK + 20);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    assert_reads(copy, 0, SIZE);
    assert_false(adl_copy_has(copy, 3 * BLOCK, 4 * BLOCK));
    assert_true(adl_copy_has(copy, 0, 3 * BLOCK));
    int64_t budget = SIZE;
    adl_copy_settle(copy, &budget);
    assert_false(adl_copy_has(copy, 3 * BLOCK, 4 * BLOCK));
    /* A block that can be read is not touched. */
    adl_copy_unreadable(copy, 0, BLOCK);
    assert_true(adl_copy_has(copy, 0, 3 * BLOCK));
    adl_copy_close(copy);
}

static void a_copy_without_files_gets_them_when_there_is_room(void **state)
{
    struct world *world = *state;
    struct adl_store *store = world->f->scratch.store;
    int dir = store->dir;
    store->dir = open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* makes none */
    struct adl_copy *copy = open_copy(world->f, true);
    assert_true(copy->homeless && !copy->named && copy->data < 0);
    assert_int_equal(put(copy, NULL, 0, 5 * BLOCK + 1), 0);
    assert_reads(copy, 0, 5 * BLOCK + 1);
    close(store->dir);
    store->dir = dir;
    int64_t budget = SIZE;
    world->overflow.now += 60000;
    adl_copy_settle(copy, &budget);
    assert_true(copy->named && !copy->homeless);
    assert_true(adl_copy_has(copy, 0, 5 * BLOCK));
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    assert_true(adl_copy_trusted(copy));
    adl_copy_close(copy);
    copy = open_copy(world->f, true);
    assert_true(adl_copy_trusted(copy) && right(copy, 0, SIZE));
    adl_copy_close(copy);
}

static void a_stream_ends_with_what_the_disk_took_of_it(void **state)
{
    struct world *world = *state;
    world->f->want.size = -1;
    struct adl_copy *copy = open_copy(world->f, true);
    assert_int_equal(put(copy, NULL, 0, 3 * BLOCK + 5), 0);
    int good = break_data(copy, O_RDONLY);
    assert_int_equal(put(copy, NULL, 3 * BLOCK + 5, 6 * BLOCK), 0);
    mend_data(copy, good);
    world->overflow.now += 60000;
    assert_int_equal(put(copy, NULL, 6 * BLOCK, SIZE), 0);
    world->f->want.size = SIZE;
    assert_int_equal(adl_copy_finish(copy, &world->f->want), 0);
    assert_true(copy->named);
    assert_true(adl_copy_has(copy, 0, 3 * BLOCK) && !adl_copy_has(copy, 3 * BLOCK, 4 * BLOCK));
    assert_true(adl_copy_has(copy, 6 * BLOCK, SIZE));
    assert_reads(copy, 0, SIZE);
    int64_t budget = SIZE;
    adl_copy_settle(copy, &budget);
    assert_true(adl_copy_trusted(copy) && right(copy, 0, SIZE));
    adl_copy_close(copy);
}

#define W(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        W(cells_are_kept_in_order_and_the_bound_holds),
        W(the_disk_rests_longer_each_time),
        W(what_is_not_read_limits_what_is_fetched_ahead),
        W(what_the_disk_does_not_take_is_read_from_memory_and_written_later),
        W(what_is_dropped_is_missing_and_nothing_else_counts),
        W(what_cannot_be_read_is_missing_and_not_written_there_again),
        W(a_copy_without_files_gets_them_when_there_is_room),
        W(a_stream_ends_with_what_the_disk_took_of_it),
    };
    return cmocka_run_group_tests(tests, make_truth, NULL);
}
