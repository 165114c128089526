/* The promises of src/plan.h. */
#include "plan.h"

#include "effort.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define K       1024
#define M       (1024 * K)
#define BLOCK   (64 * K)
#define FLIGHTS 512

/* A file as the fetch loop sees it. */
struct scene {
    struct scratch scratch;
    struct adl_copy *copy;
    struct adl_flight flights[FLIGHTS];
    struct adl_window windows[8];
    struct adl_plan plan;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    *state = scene;
    return scene ? scratch_open(&scene->scratch, BLOCK) : -1;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    adl_copy_close(scene->copy);
    scratch_close(&scene->scratch);
    free(scene);
    return 0;
}

/* A file of which nothing is here. */
static void make(struct scene *scene, int64_t size, uint32_t block_size)
{
    struct adl_head want = {.validator.last_modified = ADL_TIME_UNKNOWN,
                            .size = size,
                            .block_size = block_size};
    adl_copy_close(scene->copy);
    scene->copy = NULL;
    assert_int_equal(adl_copy_open(scene->scratch.store, &want, false, &scene->copy), 0);
    scene->plan = (struct adl_plan){.copy = scene->copy,
                                    .flights = scene->flights,
                                    .windows = scene->windows,
                                    .chunk = M,
                                    .chunk_least = M,
                                    .near = M};
}

static void add_flight(struct scene *scene, int64_t at, int64_t end)
{
    assert_true(scene->plan.n_flights < FLIGHTS);
    scene->flights[scene->plan.n_flights++] = (struct adl_flight){.at = at, .end = end};
}

static void add_window(struct scene *scene, int64_t first, int64_t end)
{
    assert_true(scene->plan.n_windows < sizeof(scene->windows) / sizeof(scene->windows[0]));
    scene->windows[scene->plan.n_windows++] = (struct adl_window){first, end};
}

/* What the fetch loop does with a range. */
static void start(struct scene *scene, const struct adl_range *range)
{
    if (range->cut >= 0)
        scene->flights[range->cut].end = range->first;
    add_flight(scene, range->first, range->end);
}

static void have_block(struct scene *scene, uint64_t block)
{
    adl_sidecar_set(scene->copy->sidecar, block, 0);
}

/* Here, as far as an earlier run says. */
static void claim_block(struct scene *scene, uint64_t block)
{
    adl_bitmap_set(&scene->copy->sidecar->claimed, block);
}

static void have_part(struct scene *scene, int64_t first, int64_t end)
{
    assert_int_equal(adl_extents_add(&scene->copy->partial, first, end), 0);
}

static void assert_range(const struct adl_range *range, int64_t first, int64_t end,
                         enum adl_reason reason, int cut)
{
    assert_int_equal(range->first, first);
    assert_int_equal(range->end, end);
    assert_int_equal(range->reason, reason);
    assert_int_equal(range->cut, cut);
}

static void assert_demand(struct scene *scene, int64_t first, int64_t end, int64_t from, int64_t to)
{
    struct adl_range range;
    assert_true(adl_plan_demand(&scene->plan, first, end, &range));
    assert_range(&range, from, to, ADL_DEMAND, -1);
    start(scene, &range);
}

static void assert_no_demand(struct scene *scene, int64_t first, int64_t end)
{
    struct adl_range range;
    assert_false(adl_plan_demand(&scene->plan, first, end, &range));
}

static void assert_idle(struct scene *scene, int64_t from, int64_t to, enum adl_reason reason)
{
    struct adl_range range;
    assert_true(adl_plan_idle(&scene->plan, &range));
    assert_range(&range, from, to, reason, -1);
    start(scene, &range);
}

static void assert_not_idle(struct scene *scene)
{
    struct adl_range range;
    assert_false(adl_plan_idle(&scene->plan, &range));
}

/* --- demand */

static void the_demanded_byte_is_the_first_on_the_wire(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    assert_demand(scene, 5 * M + 20 * K, 5 * M + 24 * K, 5 * M + 20 * K, 5 * M + BLOCK);
    assert_no_demand(scene, 5 * M + 20 * K, 5 * M + 24 * K);
    assert_not_idle(scene);
}

static void a_read_over_several_blocks_goes_to_the_end_of_its_last(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    assert_demand(scene, 60 * K, 200 * K, 60 * K, 4 * BLOCK);
    assert_demand(scene, M, M + BLOCK, M, M + BLOCK);
}

static void the_last_block_ends_with_the_file(void **state)
{
    struct scene *scene = *state;
    make(scene, 3 * BLOCK + 17, BLOCK);
    assert_demand(scene, 3 * BLOCK + 5, 3 * BLOCK + 6, 3 * BLOCK + 5, 3 * BLOCK + 17);
    assert_no_demand(scene, 3 * BLOCK + 5, INT64_MAX);
    assert_no_demand(scene, 3 * BLOCK + 17, 3 * BLOCK + 18);
    assert_no_demand(scene, 100 * M, 200 * M);
}

static void an_empty_file_wants_nothing(void **state)
{
    struct scene *scene = *state;
    make(scene, 0, BLOCK);
    add_window(scene, 0, M);
    assert_no_demand(scene, 0, M);
    assert_not_idle(scene);
}

static void what_is_here_is_not_fetched(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    have_block(scene, 0);
    claim_block(scene, 1);
    have_part(scene, 2 * BLOCK, 2 * BLOCK + 100);
    have_block(scene, 4);
    assert_no_demand(scene, 0, 2 * BLOCK + 100);
    assert_demand(scene, 0, 6 * BLOCK, 2 * BLOCK + 100, 4 * BLOCK);
    assert_demand(scene, 0, 6 * BLOCK, 5 * BLOCK, 6 * BLOCK);
    assert_no_demand(scene, 0, 6 * BLOCK);
}

static void what_is_in_flight_is_not_asked_for_again(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    add_flight(scene, BLOCK, 2 * BLOCK);
    add_flight(scene, 4 * BLOCK, 4 * BLOCK); /* has brought everything, and not said so yet */
    assert_demand(scene, 0, 5 * BLOCK, 0, BLOCK);
    assert_demand(scene, 0, 5 * BLOCK, 2 * BLOCK, 4 * BLOCK);
    assert_demand(scene, 0, 5 * BLOCK, 4 * BLOCK, 5 * BLOCK);
    assert_no_demand(scene, 0, 5 * BLOCK);
}

static void a_flight_that_is_near_is_waited_for(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    add_flight(scene, M, 9 * M);
    assert_no_demand(scene, 2 * M, 2 * M + 4 * K);
    assert_no_demand(scene, M, 9 * M);
}

static void a_flight_that_is_far_away_is_cut(void **state)
{
    struct scene *scene = *state;
    struct adl_range range;
    make(scene, 10 * M, BLOCK);
    add_flight(scene, 0, M);
    add_flight(scene, M, 9 * M);
    assert_true(adl_plan_demand(&scene->plan, 2 * M + 1, 2 * M + 4 * K, &range));
    assert_range(&range, 2 * M + 1, 2 * M + BLOCK, ADL_DEMAND, 1);
    start(scene, &range);
    assert_no_demand(scene, 2 * M + 1, 2 * M + 4 * K);
    assert_no_demand(scene, M, 2 * M + BLOCK);

    /* What the flight was to bring behind the cut is nobody's now. */
    assert_demand(scene, 3 * M, 3 * M + 1, 3 * M, 3 * M + BLOCK);
}

static void a_laggard_is_helped_only_where_that_halves_the_wait(void **state)
{
    struct scene *scene = *state;
    struct adl_range range;
    make(scene, 100 * M, BLOCK);
    add_flight(scene, 0, 8 * M);
    add_flight(scene, 8 * M, 16 * M);
    struct adl_flight *late = &scene->flights[0];
    *late = (struct adl_flight){.at = 0, .end = 8 * M, .rate = 100 * K, .age = 1000};

    /* 80 s alone; with 900 KiB/s beside it about 8 s: nine tenths of it are taken. */
    assert_true(adl_plan_help(&scene->plan, 0, 900 * K, 50, &range));
    assert_int_equal(range.cut, 0);
    assert_int_equal(range.end, 8 * M);
    assert_int_equal(range.first % BLOCK, 0);
    assert_true(range.first > 700 * K && range.first < M);

    assert_false(adl_plan_help(&scene->plan, 0, 200 * K, 50, &range));      /* not much slower */
    assert_false(adl_plan_help(&scene->plan, 0, 900 * K, 400, &range));     /* too young to tell */
    assert_false(adl_plan_help(&scene->plan, 20 * M, 900 * K, 50, &range)); /* nobody's flight */
    assert_false(adl_plan_help(&scene->plan, 0, 0, 50, &range));
    late->at = 8 * M - 4 * K; /* nearly there */
    assert_false(adl_plan_help(&scene->plan, 8 * M - 4 * K, 900 * K, 50, &range));
    late->at = 0;
    late->rate = 0; /* nothing came at all */
    late->age = 5000;
    assert_true(adl_plan_help(&scene->plan, 0, 900 * K, 50, &range));
    assert_int_equal(range.first, 0); /* it keeps nothing */
}

static void a_cut_flight_gives_no_more_than_it_had(void **state)
{
    struct scene *scene = *state;
    struct adl_range range;
    make(scene, 10 * M, BLOCK);
    add_flight(scene, 0, 5 * M);
    assert_true(adl_plan_demand(&scene->plan, 5 * M - 10, 5 * M + 10, &range));
    assert_range(&range, 5 * M - 10, 5 * M, ADL_DEMAND, 0);
    start(scene, &range);
    assert_demand(scene, 5 * M - 10, 5 * M + 10, 5 * M, 5 * M + BLOCK);
}

static void of_flights_over_the_same_byte_the_nearest_counts(void **state)
{
    struct scene *scene = *state;
    struct adl_range range;
    make(scene, 10 * M, BLOCK);
    add_flight(scene, 0, 9 * M); /* a probe's answer may overlap what was under way */
    add_flight(scene, 2 * M, 3 * M);
    assert_no_demand(scene, 2 * M, 3 * M);
    add_flight(scene, M, 9 * M);
    assert_true(adl_plan_demand(&scene->plan, 8 * M, 8 * M + 1, &range));
    assert_range(&range, 8 * M, 8 * M + BLOCK, ADL_DEMAND, 2);
    start(scene, &range);
    assert_no_demand(scene, 8 * M, 8 * M + 1);
}

static void a_window_lets_demand_go_on_for_a_chunk(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    add_window(scene, 128 * K, 8 * M);
    assert_demand(scene, 0, 128 * K, 0, M);
    add_window(scene, 9 * M, 10 * M);
    assert_demand(scene, 9 * M - 1, 9 * M, 9 * M - 1, 10 * M);
}

static void a_long_read_goes_to_its_blocks_end_under_a_window_too(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    add_window(scene, 3 * M + 4 * K, 8 * M);
    assert_demand(scene, 4 * K, 3 * M + 4 * K, 4 * K, 3 * M + BLOCK);
}

static void a_window_ends_with_the_file(void **state)
{
    struct scene *scene = *state;
    make(scene, 200 * K, BLOCK);
    add_window(scene, 100 * K, 10 * M);
    assert_demand(scene, 50 * K, 100 * K, 50 * K, 200 * K);
    scene->plan.n_flights = 0;
    assert_idle(scene, 100 * K, 200 * K, ADL_AHEAD);
}

static void a_window_elsewhere_changes_nothing(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    add_window(scene, M, 2 * M);
    add_window(scene, 5 * M, 8 * M);
    assert_demand(scene, 3 * M, 3 * M + 1, 3 * M, 3 * M + BLOCK);
}

/* --- idle */

static void the_rest_of_a_block_comes_before_windows(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    have_part(scene, 3 * BLOCK + 100, 3 * BLOCK + 200);
    have_part(scene, 5 * BLOCK - 50, 5 * BLOCK + 50); /* of two blocks */
    add_window(scene, 0, BLOCK);
    assert_idle(scene, 3 * BLOCK, 3 * BLOCK + 100, ADL_REST);
    assert_idle(scene, 3 * BLOCK + 200, 4 * BLOCK, ADL_REST);
    assert_idle(scene, 4 * BLOCK, 5 * BLOCK - 50, ADL_REST);
    assert_idle(scene, 5 * BLOCK + 50, 6 * BLOCK, ADL_REST);
    assert_idle(scene, 0, BLOCK, ADL_AHEAD);
    assert_not_idle(scene);
}

static void the_head_of_a_demanded_block_follows(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    assert_demand(scene, 20 * K, 24 * K, 20 * K, BLOCK);
    have_part(scene, 20 * K, 24 * K);
    scene->flights[0].at = 24 * K;
    assert_idle(scene, 0, 20 * K, ADL_REST);
    assert_not_idle(scene);
}

static void a_window_is_handed_out_in_file_order_in_chunks(void **state)
{
    struct scene *scene = *state;
    make(scene, 100 * M, BLOCK);
    add_window(scene, 10 * M, 14 * M + 100 * K);
    for (int64_t at = 10 * M; at < 13 * M; at += M)
        assert_idle(scene, at, at + M, ADL_AHEAD);
    assert_idle(scene, 13 * M, 14 * M + 2 * BLOCK, ADL_AHEAD); /* no crumb is left */
    assert_not_idle(scene);
}

static void a_chunk_is_no_smaller_for_the_border_it_ends_on(void **state)
{
    struct scene *scene = *state;
    make(scene, 100 * M, BLOCK);
    add_window(scene, 10 * M + 4 * K, 14 * M);
    assert_idle(scene, 10 * M + 4 * K, 11 * M + BLOCK, ADL_AHEAD);
    assert_idle(scene, 11 * M + BLOCK, 12 * M + BLOCK, ADL_AHEAD);
    add_window(scene, 50 * M + 8 * K, 60 * M);
    assert_demand(scene, 50 * M, 50 * M + 8 * K, 50 * M, 51 * M);
    assert_demand(scene, 51 * M + 1, 51 * M + 2, 51 * M + 1, 52 * M + BLOCK);
}

static void blocks_larger_than_a_chunk_come_one_by_one(void **state)
{
    struct scene *scene = *state;
    make(scene, 100 * M, 16 * M);
    add_window(scene, 16 * M + 4 * K, 72 * M);
    assert_demand(scene, 16 * M, 16 * M + 4 * K, 16 * M, 32 * M);
    assert_idle(scene, 32 * M, 48 * M, ADL_AHEAD);
    assert_idle(scene, 48 * M, 64 * M, ADL_AHEAD);
    assert_idle(scene, 64 * M, 80 * M, ADL_AHEAD);
    assert_not_idle(scene);
}

static void a_window_leaves_out_what_is_here_or_in_flight(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    have_block(scene, 2);
    claim_block(scene, 3);
    add_flight(scene, 5 * BLOCK, 6 * BLOCK);
    add_window(scene, 0, 8 * BLOCK);
    add_window(scene, 4 * BLOCK, 9 * BLOCK);
    assert_idle(scene, 0, 2 * BLOCK, ADL_AHEAD);
    assert_idle(scene, 4 * BLOCK, 5 * BLOCK, ADL_AHEAD);
    assert_idle(scene, 6 * BLOCK, 8 * BLOCK, ADL_AHEAD);
    assert_idle(scene, 8 * BLOCK, 9 * BLOCK, ADL_AHEAD);
    assert_not_idle(scene);
}

static void an_empty_window_is_none(void **state)
{
    struct scene *scene = *state;
    make(scene, 10 * M, BLOCK);
    add_window(scene, M, M);
    add_window(scene, 10 * M, 20 * M);
    add_window(scene, 3 * M, 2 * M);
    assert_not_idle(scene);
}

/* --- any state of a file */

#define CASES       2000
#define SMALL_BLOCK (4 * K)
#define SIZE_MOST   (24 * SMALL_BLOCK)
#define WAITERS     8

struct waiter {
    int64_t first, end;
};

/* What the planner may know, byte by byte, and what it was asked. */
struct model {
    struct scene *scene;
    uint64_t random;
    int64_t size;
    bool here[SIZE_MOST];
    unsigned char flying[SIZE_MOST]; /* how many flights bring it */
    struct waiter waiters[WAITERS];
    size_t n_waiters;
    unsigned steps;
};

/* 0 .. most */
static int64_t pick(struct model *model, int64_t most)
{
    return (int64_t)(next_random(&model->random) >> 1) % (most + 1);
}

static int64_t clamp(const struct model *model, int64_t at)
{
    return at < model->size ? at : model->size;
}

static int64_t block_first(int64_t at)
{
    return at / SMALL_BLOCK * SMALL_BLOCK;
}

static int64_t block_end(const struct model *model, int64_t at)
{
    return clamp(model, block_first(at) + SMALL_BLOCK);
}

static void fill_block(struct model *model, uint64_t block)
{
    int64_t first = (int64_t)block * SMALL_BLOCK, end = block_end(model, first);
    switch (pick(model, 5)) {
    case 0:
        have_block(model->scene, block);
        break;
    case 1:
        claim_block(model->scene, block);
        break;
    case 2: /* a part, often up to one of the borders, never the whole */
        if (end - first < 2)
            return;
        first += pick(model, 1) ? pick(model, end - first - 1) : 0;
        if (first % SMALL_BLOCK == 0)
            end = first + 1 + pick(model, end - first - 2);
        have_part(model->scene, first, end);
        break;
    default:
        return;
    }
    memset(model->here + first, true, (size_t)(end - first));
}

static void fly(struct model *model, int64_t first, int64_t end, int change)
{
    for (int64_t at = first; at < clamp(model, end); at++)
        model->flying[at] = (unsigned char)(model->flying[at] + change);
}

/* Up to four flights: side by side, or anyhow. */
static void fill_flights(struct model *model, bool overlapping)
{
    int64_t from = 0;
    for (int64_t n = pick(model, 4); n > 0 && from < model->size; n--) {
        int64_t at = from + pick(model, model->size - from - 1);
        int64_t end = at + pick(model, model->size - at);
        add_flight(model->scene, at, end);
        fly(model, at, end, 1);
        from = overlapping ? 0 : end;
    }
}

static void fill(struct model *model, bool overlapping)
{
    struct scene *scene = model->scene;
    model->size = 1 + pick(model, SIZE_MOST - 1);
    if (pick(model, 3) == 0)
        model->size = block_end(model, model->size - 1);
    make(scene, model->size, SMALL_BLOCK);
    scene->plan.chunk = scene->plan.chunk_least = (1 + pick(model, 8)) * SMALL_BLOCK / 2;
    scene->plan.near = pick(model, 1) ? pick(model, 4 * SMALL_BLOCK) : 0;
    memset(model->here, 0, sizeof(model->here));
    memset(model->flying, 0, sizeof(model->flying));
    for (uint64_t block = 0; block < scene->copy->sidecar->blocks; block++)
        fill_block(model, block);
    fill_flights(model, overlapping);
    for (int64_t n = pick(model, 3); n > 0; n--) {
        int64_t first = pick(model, model->size);
        add_window(scene, first, first + pick(model, SIZE_MOST));
    }
    model->n_waiters = 0;
    for (int64_t n = pick(model, WAITERS); n > 0; n--) {
        int64_t first = pick(model, model->size);
        int64_t end = first + pick(model, pick(model, 1) ? SMALL_BLOCK : SIZE_MOST);
        model->waiters[model->n_waiters++] = (struct waiter){first, end};
    }
    model->steps = 0;
}

static bool near_flight_over(const struct model *model, int64_t at)
{
    const struct adl_plan *plan = &model->scene->plan;
    for (size_t i = 0; i < plan->n_flights; i++)
        if (plan->flights[i].at <= at && at < plan->flights[i].end &&
            at - plan->flights[i].at <= plan->near)
            return true;
    return false;
}

/* Checks what is true of every range, and starts it. */
static void take(struct model *model, const struct adl_range *range, bool overlapping)
{
    struct scene *scene = model->scene;
    assert_true(0 <= range->first && range->first < range->end && range->end <= model->size);
    assert_true(range->cut >= -1 && range->cut < (int)scene->plan.n_flights);
    if (range->cut >= 0) {
        const struct adl_flight *flight = &scene->flights[range->cut];
        assert_true(range->first - flight->at > scene->plan.near);
        assert_true(range->end <= flight->end);
        assert_false(near_flight_over(model, range->first));
        fly(model, range->first, flight->end, -1);
    }
    for (int64_t at = range->first; at < range->end; at++) {
        assert_false(model->here[at]);
        if (!overlapping)
            assert_int_equal(model->flying[at], 0);
    }
    fly(model, range->first, range->end, 1);
    start(scene, range);
    /* A range begins where nothing begins yet: there are not more of them than this. */
    assert_true(++model->steps < FLIGHTS - 4);
}

/* Everything that its readers wait for and nothing else, until there is no more to say. */
static void demand_all(struct model *model, bool overlapping)
{
    const struct adl_plan *plan = &model->scene->plan;
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < model->n_waiters; i++) {
            const struct waiter *waiter = &model->waiters[i];
            struct adl_range range;
            while (adl_plan_demand(plan, waiter->first, waiter->end, &range)) {
                assert_int_equal(range.reason, ADL_DEMAND);
                assert_true(range.first >= waiter->first && range.first < waiter->end);
                if (plan->n_windows == 0)
                    assert_true(range.end <= block_end(model, clamp(model, waiter->end) - 1));
                take(model, &range, overlapping);
                again = true;
            }
        }
    }
}

static void assert_waiters_are_served(const struct model *model)
{
    for (size_t i = 0; i < model->n_waiters; i++) {
        const struct waiter *waiter = &model->waiters[i];
        bool first = true;
        for (int64_t at = waiter->first; at < clamp(model, waiter->end); at++) {
            assert_true(model->here[at] || model->flying[at]);
            if (first && !model->here[at])
                assert_true(near_flight_over(model, at));
            first = first && model->here[at];
        }
    }
}

static bool in_wanted_block(const struct model *model, int64_t at)
{
    const struct adl_plan *plan = &model->scene->plan;
    for (size_t i = 0; i < plan->n_windows; i++)
        if (plan->windows[i].first < block_end(model, at) && plan->windows[i].end > block_first(at))
            return true;
    return memchr(model->here + block_first(at), true,
                  (size_t)(block_end(model, at) - block_first(at)));
}

/* Everything that nobody waits for, until there is no more to say. */
static void idle_all(struct model *model, bool overlapping)
{
    const struct adl_plan *plan = &model->scene->plan;
    bool ahead = false;
    struct adl_range range;
    while (adl_plan_idle(plan, &range)) {
        assert_int_equal(range.cut, -1);
        assert_true(range.reason == ADL_AHEAD || (range.reason == ADL_REST && !ahead));
        ahead = range.reason == ADL_AHEAD;
        int64_t most = ahead ? plan->chunk + plan->chunk / 2 + SMALL_BLOCK : SMALL_BLOCK;
        assert_true(range.end - range.first <= most);
        for (int64_t at = range.first; at < range.end; at++)
            assert_true(in_wanted_block(model, at));
        take(model, &range, overlapping);
    }
}

static void assert_windows_are_served(const struct model *model)
{
    const struct adl_plan *plan = &model->scene->plan;
    for (size_t i = 0; i < plan->n_windows; i++)
        for (int64_t at = plan->windows[i].first; at < clamp(model, plan->windows[i].end); at++)
            assert_true(model->here[at] || model->flying[at]);
    for (size_t i = 0; i < model->scene->copy->partial.count; i++) {
        const struct adl_extent *part = &model->scene->copy->partial.list[i];
        for (int64_t at = block_first(part->first); at < block_end(model, part->end - 1); at++)
            assert_true(model->here[at] || model->flying[at]);
    }
}

static void play(struct scene *scene, uint64_t seed, bool overlapping)
{
    struct model model = {.scene = scene, .random = seed};
    int cases = effort(CASES, 100);
    for (int i = 0; i < cases; i++) {
        fill(&model, overlapping);
        demand_all(&model, overlapping);
        assert_waiters_are_served(&model);
        idle_all(&model, overlapping);
        assert_windows_are_served(&model);
        /* Readers that wait were served before: nothing that was started since took it away. */
        assert_waiters_are_served(&model);
    }
}

static void everything_wanted_is_fetched_once_and_planning_ends(void **state)
{
    play(*state, 0x5eed, false);
}

static void planning_ends_and_serves_all_though_flights_overlap(void **state)
{
    play(*state, 0xf117, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_demanded_byte_is_the_first_on_the_wire),
        TEST(a_read_over_several_blocks_goes_to_the_end_of_its_last),
        TEST(the_last_block_ends_with_the_file),
        TEST(an_empty_file_wants_nothing),
        TEST(what_is_here_is_not_fetched),
        TEST(what_is_in_flight_is_not_asked_for_again),
        TEST(a_flight_that_is_near_is_waited_for),
        TEST(a_flight_that_is_far_away_is_cut),
        TEST(a_laggard_is_helped_only_where_that_halves_the_wait),
        TEST(a_cut_flight_gives_no_more_than_it_had),
        TEST(of_flights_over_the_same_byte_the_nearest_counts),
        TEST(a_window_lets_demand_go_on_for_a_chunk),
        TEST(a_long_read_goes_to_its_blocks_end_under_a_window_too),
        TEST(a_window_ends_with_the_file),
        TEST(a_window_elsewhere_changes_nothing),
        TEST(the_rest_of_a_block_comes_before_windows),
        TEST(the_head_of_a_demanded_block_follows),
        TEST(a_window_is_handed_out_in_file_order_in_chunks),
        TEST(a_chunk_is_no_smaller_for_the_border_it_ends_on),
        TEST(blocks_larger_than_a_chunk_come_one_by_one),
        TEST(a_window_leaves_out_what_is_here_or_in_flight),
        TEST(an_empty_window_is_none),
        TEST(everything_wanted_is_fetched_once_and_planning_ends),
        TEST(planning_ends_and_serves_all_though_flights_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
