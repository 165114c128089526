/* The pace of a file: its rate, its connections by trial, its ranges. */
#include "pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define K INT64_C(1024)
#define M (K * K)

/* A link that brings `each` bytes/s for each connection and `all` in all, with transfers that never
 * end. */
struct model {
    struct adl_pace pace;
    struct adl_link link;
    int64_t each, all;
    unsigned narrowed; /* how often those farthest away were given up */
};

static struct model *begin(int64_t each, int64_t all, int64_t delay)
{
    static struct model model;
    model = (struct model){.link = {.now = 1000, .delay = delay, .share = 32},
                           .each = each,
                           .all = all};
    adl_pace_begins(&model.pace, model.link.now);
    return &model;
}

static unsigned width(const struct model *model)
{
    return adl_pace_width(&model->pace, &model->link);
}

static void run(struct model *model, int64_t ms)
{
    for (int64_t end = model->link.now + ms; model->link.now < end; model->link.now += 10) {
        int64_t rate = model->each * width(model);
        adl_pace_came(&model->pace, model->link.now, (rate < model->all ? rate : model->all) / 100);
        model->narrowed += adl_pace_turn(&model->pace, &model->link, width(model));
    }
}

static void round_trips_do_not_count_as_slowness(void **state)
{
    (void)state;
    struct adl_pace pace = {0};
    adl_pace_came(&pace, 0, 0);
    adl_pace_begins(&pace, 50); /* nothing was being answered for 50 ms */
    for (int64_t now = 50; now <= 60; now++)
        adl_pace_came(&pace, now, M);
    assert_true(pace.rate >= 900 * M && pace.rate <= 1200 * M);
}

static void a_stall_in_the_middle_of_an_answer_counts(void **state)
{
    (void)state;
    struct adl_pace pace = {0};
    adl_pace_begins(&pace, 0);
    adl_pace_came(&pace, 100, M);
    adl_pace_came(&pace, 1000, M);
    assert_true(pace.rate <= 10 * M);
}

static void a_link_that_is_slow_for_each_connection_gets_more_of_them(void **state)
{
    (void)state;
    struct model *model = begin(5 * M, 1000 * M, 40);
    assert_int_equal(width(model), 16);
    run(model, 3000);
    assert_int_equal(width(model), 32);
}

static void a_full_link_keeps_what_it_has(void **state)
{
    (void)state;
    struct model *model = begin(10 * M, 40 * M, 80);
    run(model, 20000);
    assert_int_equal(width(model), 16);
}

static void a_slow_link_brings_the_next_range_in_time(void **state)
{
    (void)state;
    struct model *model = begin(125 * K, 125 * K, 50); /* 1 Mbit/s in all */
    run(model, 8000);
    assert_true(width(model) <= 2);
    assert_int_equal(model->narrowed, 2); /* and so its next MiB comes soon */
}

static void a_slow_origin_that_is_slow_for_each_connection_is_not_narrowed(void **state)
{
    (void)state;
    struct model *model = begin(50 * K, 100 * M, 50);
    run(model, 2000);
    int64_t wide = 0, count = 0;
    for (int i = 0; i < 3000; i++, count++) {
        run(model, 10);
        wide += width(model) >= 16;
    }
    assert_true(wide * 10 >= count * 9); /* but for the trials, ever rarer */
}

static void a_fast_link_needs_few(void **state)
{
    (void)state;
    struct model *model = begin(300 * M, 1000 * M, 0);
    run(model, 1000);
    assert_int_equal(width(model), 4);
    model->link.delay = 50; /* and more where answers take their time */
    assert_true(width(model) > 4 && width(model) <= 16);
}

static void a_trial_needs_all_connections_at_work(void **state)
{
    (void)state;
    struct model *model = begin(5 * M, 1000 * M, 40);
    for (int i = 0; i < 500; i++, model->link.now += 10) {
        adl_pace_came(&model->pace, model->link.now, M / 2);
        assert_false(adl_pace_turn(&model->pace, &model->link, 15));
    }
    assert_int_equal(width(model), 16);
}

static void few_ranges_are_too_many_for_a_slow_link(void **state)
{
    (void)state;
    struct model *model = begin(125 * K, 125 * K, 50);
    bool narrowed = false;
    for (int i = 0; i < 100 && !narrowed; i++, model->link.now += 10) {
        adl_pace_came(&model->pace, model->link.now, 1250);
        narrowed = adl_pace_turn(&model->pace, &model->link, 8); /* a small file has no more */
    }
    assert_true(narrowed);
    assert_int_equal(width(model), 1);
}

static void an_origin_that_is_away_tells_nothing(void **state)
{
    (void)state;
    struct model *model = begin(10 * M, 40 * M, 80);
    run(model, 1000);
    for (int i = 0; i < 1000; i++, model->link.now += 10)
        assert_false(adl_pace_turn(&model->pace, &model->link, width(model)));
    assert_true(width(model) >= 16);
}

static void the_share_of_an_origin_is_kept(void **state)
{
    (void)state;
    struct model *model = begin(5 * M, 1000 * M, 40);
    model->link.share = 3;
    run(model, 5000);
    assert_int_equal(width(model), 3);
}

static void what_is_in_flight_covers_the_round_trips_and_is_bounded(void **state)
{
    (void)state;
    struct adl_link link = {.delay = 50, .share = 16};
    struct adl_pace pace = {.rate = 100 * M};
    assert_true(adl_pace_in_flight(&pace, &link) >= 2 * 100 * M * 50 / 1000);
    pace.rate = 10000 * M;
    link.delay = 300;
    assert_int_equal(adl_pace_in_flight(&pace, &link), 128 * M);
    pace.rate = 100 * K; /* but each connection may have a range */
    assert_int_equal(adl_pace_in_flight(&pace, &link), 16 * M);
}

static void ranges_shrink_to_the_end_but_not_below_a_round_trip(void **state)
{
    (void)state;
    struct adl_link link = {.delay = 20, .share = 16};
    struct adl_pace pace = {.rate = 100 * M};
    int64_t far = adl_pace_piece(&pace, &link, INT64_MAX);
    int64_t near = adl_pace_piece(&pace, &link, 20 * M);
    assert_true(far > near);
    assert_true(near >= M);
    link.delay = 1000;
    assert_true(adl_pace_piece(&pace, &link, 20 * M) >= 100 * M / 16);
}

static void few_connections_do_not_wait_for_answers_most_of_the_time(void **state)
{
    (void)state;
    struct adl_link link = {.delay = 50, .share = 1};
    struct adl_pace pace = {.rate = 20 * M};
    int64_t front = adl_pace_front(&pace, &link, INT64_MAX);
    assert_true(front * 1000 / pace.rate >= 7 * link.delay);
    assert_true(front <= adl_pace_piece(&pace, &link, INT64_MAX));
    assert_int_equal(adl_pace_front(&pace, &link, 3 * M), 3 * M);
    link.share = 16; /* many are far enough from the reader */
    assert_int_equal(adl_pace_front(&pace, &link, INT64_MAX), M);
    link = (struct adl_link){.delay = 50, .share = 1};
    pace.rate = 400 * M; /* who asks for something else must not wait for so much */
    assert_int_equal(adl_pace_front(&pace, &link, INT64_MAX), M);
    pace.rate = 0;
    assert_int_equal(adl_pace_front(&pace, &link, INT64_MAX), M);
}

static void the_window_is_two_seconds_within_bounds(void **state)
{
    (void)state;
    struct adl_pace pace = {0};
    assert_int_equal(adl_pace_window(&pace, 128 * M), 32 * M);
    pace.rate = 30 * M;
    assert_int_equal(adl_pace_window(&pace, 128 * M), 60 * M);
    pace.rate = 1000 * M;
    assert_int_equal(adl_pace_window(&pace, 128 * M), 128 * M);
    pace.rate = K;
    assert_int_equal(adl_pace_window(&pace, 128 * M), 32 * M);
    assert_int_equal(adl_pace_window(&pace, 4 * M), 4 * M);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(round_trips_do_not_count_as_slowness),
        TEST(a_stall_in_the_middle_of_an_answer_counts),
        TEST(a_link_that_is_slow_for_each_connection_gets_more_of_them),
        TEST(a_full_link_keeps_what_it_has),
        TEST(a_slow_link_brings_the_next_range_in_time),
        TEST(a_slow_origin_that_is_slow_for_each_connection_is_not_narrowed),
        TEST(a_fast_link_needs_few),
        TEST(a_trial_needs_all_connections_at_work),
        TEST(few_ranges_are_too_many_for_a_slow_link),
        TEST(an_origin_that_is_away_tells_nothing),
        TEST(the_share_of_an_origin_is_kept),
        TEST(what_is_in_flight_covers_the_round_trips_and_is_bounded),
        TEST(ranges_shrink_to_the_end_but_not_below_a_round_trip),
        TEST(few_connections_do_not_wait_for_answers_most_of_the_time),
        TEST(the_window_is_two_seconds_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
