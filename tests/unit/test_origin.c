/* The promises of src/origin.h. */
#include "origin.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MOST 16

static int set_up(void **state)
{
    *state = adl_origins_new(MOST);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    adl_origins_free(*state);
    return 0;
}

static struct adl_origin *origin_of(void **state, const char *url)
{
    struct adl_origin *origin = adl_origins_of(*state, url, 1000);
    assert_non_null(origin);
    return origin;
}

static void urls_of_one_server_share_an_origin(void **state)
{
    struct adl_origin *origin = origin_of(state, "https://example.org/a?b#c");
    assert_string_equal(origin->name, "https://example.org:443");
    assert_ptr_equal(origin_of(state, "HTTPS://user:pw@Example.ORG:443/d"), origin);
    assert_ptr_not_equal(origin_of(state, "http://example.org/a"), origin);
    assert_ptr_not_equal(origin_of(state, "https://example.org:444/a"), origin);
    assert_ptr_not_equal(origin_of(state, "https://www.example.org/a"), origin);
    assert_ptr_equal(origin_of(state, "https://example.org/"), origin);
}

/* A name that no resolver takes is for the transfer to fail with: a file without an origin would
 * wait for ever. */
static void the_longest_names_have_an_origin(void **state)
{
    char url[8192] = "http://";
    memset(url + 7, 'h', 8000);
    assert_string_equal(origin_of(state, url)->name + 7 + 8000, ":80");
    assert_ptr_equal(origin_of(state, url), origin_of(state, url));
}

static void what_is_no_url_has_no_origin(void **state)
{
    assert_null(adl_origins_of(*state, "", 0));
    assert_null(adl_origins_of(*state, "ftp://example.org/", 0));
    assert_null(adl_origins_of(*state, "http:///a", 0));
}

static void no_origins_are_freed_too(void **state)
{
    (void)state;
    adl_origins_free(NULL);
}

static void thousands_of_origins_are_told_apart(void **state)
{
    static struct adl_origin *origins[5000];
    char url[64];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5000; i++) {
            snprintf(url, sizeof(url), "http://h%d.example.org/%d", i, round);
            struct adl_origin *origin = origin_of(state, url);
            if (round == 0)
                origins[i] = origin;
            assert_ptr_equal(origin, origins[i]);
            snprintf(url, sizeof(url), "http://h%d.example.org:80", i);
            assert_string_equal(origin->name, url);
        }
}

static void a_new_origin_may_have_all_connections_at_once(void **state)
{
    const struct adl_origin *origin = origin_of(state, "http://h/");
    assert_int_equal(origin->limit, MOST);
    assert_int_equal(origin->active, 0);
    assert_int_equal(origin->failures, 0);
    assert_true(origin->not_before <= 1000);
    assert_int_equal(origin->alive_at, 1000);
}

static void a_refusal_halves_what_was_running_and_waits(void **state)
{
    struct adl_origin *origin = origin_of(state, "http://h/");
    origin->active = 12;
    adl_origin_bad(origin, 2000, 500);
    assert_int_equal(origin->limit, 6);
    assert_int_equal(origin->failures, 1);
    assert_int_equal(origin->not_before, 2500);
    origin->active = 6;
    adl_origin_bad(origin, 2500, 1000);
    assert_int_equal(origin->limit, 3);
    assert_int_equal(origin->not_before, 3500);
}

static void a_burst_of_refusals_counts_as_one(void **state)
{
    struct adl_origin *origin = origin_of(state, "http://h/");
    for (origin->active = MOST; origin->active > 0; origin->active--)
        adl_origin_bad(origin, 2000, 500);
    assert_int_equal(origin->limit, MOST / 2);
    assert_int_equal(origin->not_before, 2500);
}

/* With a mirror to go to nobody waits, but the burst is one all the same. */
static void a_burst_without_a_wait_counts_as_one(void **state)
{
    struct adl_origin *origin = origin_of(state, "http://h/");
    int64_t now = 2000;
    for (origin->active = MOST; origin->active > 0; origin->active--)
        adl_origin_bad(origin, now += 10, 0);
    assert_int_equal(origin->limit, MOST / 2);
    assert_true(origin->not_before <= now);
}

static void a_refusal_never_raises_the_limit(void **state)
{
    struct adl_origin *origin = origin_of(state, "http://h/");
    origin->active = 2;
    adl_origin_bad(origin, 2000, 0);
    origin->active = MOST; /* as many as were started before */
    adl_origin_bad(origin, 10000, 0);
    assert_int_equal(origin->limit, 1);
}

static void the_longest_wait_counts(void **state)
{
    struct adl_origin *origin = origin_of(state, "http://h/");
    origin->active = 4;
    adl_origin_bad(origin, 2000, 60000);
    adl_origin_bad(origin, 2100, 200);
    assert_int_equal(origin->not_before, 62000);
}

static void one_transfer_may_always_run(void **state)
{
    struct adl_origin *origin = origin_of(state, "http://h/");
    for (int64_t now = 2000; now < 100000; now += 1000) {
        origin->active = 1;
        adl_origin_bad(origin, now, 500);
        assert_int_equal(origin->limit, 1);
    }
}

static void a_lowered_limit_comes_back_slowly_and_no_farther(void **state)
{
    struct adl_origin *origin = origin_of(state, "http://h/");
    origin->active = MOST;
    adl_origin_bad(origin, 2000, 500);
    unsigned before = origin->limit, raised = 0;
    for (unsigned i = 0; i < 1000; i++) {
        adl_origin_good(*state, origin, 3000);
        assert_in_range(origin->limit, before, before + 1);
        raised += origin->limit - before;
        if (i == before - 2) /* not before all that may run have ended well */
            assert_int_equal(raised, 0);
        before = origin->limit;
    }
    assert_int_equal(origin->limit, MOST);
    assert_int_equal(raised, MOST / 2);
}

static void a_refusal_begins_the_way_back_anew(void **state)
{
    struct adl_origin *origin = origin_of(state, "http://h/");
    origin->active = 2;
    adl_origin_bad(origin, 2000, 500);
    int goods = 0;
    for (; origin->limit == 1; goods++)
        adl_origin_good(*state, origin, 3000);
    origin->active = 2;
    adl_origin_bad(origin, 4000, 500);
    for (int i = 0; i < goods - 1; i++)
        adl_origin_good(*state, origin, 5000);
    origin->active = 2;
    adl_origin_bad(origin, 6000, 500);
    for (int i = 0; i < goods - 1; i++)
        adl_origin_good(*state, origin, 7000);
    assert_int_equal(origin->limit, 1);
    adl_origin_good(*state, origin, 7000);
    assert_int_equal(origin->limit, 2);
}

static void an_answer_ends_the_count_of_failures(void **state)
{
    struct adl_origin *origin = origin_of(state, "http://h/");
    origin->active = 1;
    adl_origin_bad(origin, 2000, 0);
    adl_origin_bad(origin, 3000, 0);
    assert_int_equal(origin->failures, 2);
    adl_origin_good(*state, origin, 4000);
    assert_int_equal(origin->failures, 0);
    assert_int_equal(origin->alive_at, 4000);
}

/* Whoever waits is told that an origin is down by how long it has not been alive: an hour in which
 * nobody asked does not count. */
static void an_origin_that_was_idle_is_alive_until_it_fails(void **state)
{
    struct adl_origin *origin = origin_of(state, "http://h/");
    adl_origin_good(*state, origin, 2000);
    adl_origin_bad(origin, 3600000, 200);
    assert_int_equal(origin->alive_at, 3600000);
    adl_origin_bad(origin, 3601000, 200);
    assert_int_equal(origin->alive_at, 3600000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(urls_of_one_server_share_an_origin),
        TEST(the_longest_names_have_an_origin),
        TEST(what_is_no_url_has_no_origin),
        TEST(no_origins_are_freed_too),
        TEST(thousands_of_origins_are_told_apart),
        TEST(a_new_origin_may_have_all_connections_at_once),
        TEST(a_refusal_halves_what_was_running_and_waits),
        TEST(a_burst_of_refusals_counts_as_one),
        TEST(a_burst_without_a_wait_counts_as_one),
        TEST(a_refusal_never_raises_the_limit),
        TEST(the_longest_wait_counts),
        TEST(one_transfer_may_always_run),
        TEST(a_lowered_limit_comes_back_slowly_and_no_farther),
        TEST(a_refusal_begins_the_way_back_anew),
        TEST(an_answer_ends_the_count_of_failures),
        TEST(an_origin_that_was_idle_is_alive_until_it_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
