#include "plan.h"

#include "minmax.h"

/* Helping a laggard closes its connection early and costs a request: not for less than this. */
#define HELP_GAIN_MS 200

/* It lags when it is this many times slower than the best. */
#define HELP_RATIO 3

/* Before this, in round trips and in ms, it is not late but on its way. */
#define HELP_AGE    3
#define HELP_AGE_MS 500

/* A range of a window is at most this part of its distance from the front. With a third and 16
 * connections a first window of 32 MiB is asked for at once. */
#define FRONT_SHARE 3

static int64_t block_end(const struct adl_plan *plan, int64_t at)
{
    int64_t block = plan->copy->block_size;
    return min64((at / block + 1) * block, plan->copy->size);
}

/* The flight that will bring byte `at` first, or -1. */
static int flight_over(const struct adl_plan *plan, int64_t at)
{
    int nearest = -1;
    for (size_t i = 0; i < plan->n_flights; i++) {
        const struct adl_flight *flight = &plan->flights[i];
        if (flight->at <= at && at < flight->end &&
            (nearest < 0 || flight->at > plan->flights[nearest].at))
            nearest = (int)i;
    }
    return nearest;
}

/* Where the first flight behind `at` begins, at most `end`. */
static int64_t next_flight(const struct adl_plan *plan, int64_t at, int64_t end)
{
    for (size_t i = 0; i < plan->n_flights; i++)
        if (plan->flights[i].at > at && plan->flights[i].at < end)
            end = plan->flights[i].at;
    return end;
}

/* The first stretch of [first, end) that is neither here nor in flight, but for flights that are
 * too far away to wait for: then *cut is that flight. */
static bool wanting(const struct adl_plan *plan, int64_t first, int64_t end, int64_t near,
                    int64_t *from, int64_t *to, int *cut)
{
    while (adl_copy_missing(plan->copy, first, end, from, to)) {
        *cut = flight_over(plan, *from);
        if (*cut < 0) {
            *to = next_flight(plan, *from, *to);
            return true;
        }
        const struct adl_flight *flight = &plan->flights[*cut];
        if (*from - flight->at > near) {
            *to = min64(*to, flight->end);
            return true;
        }
        first = min64(flight->end, *to);
    }
    return false;
}

/* How far a window reaches over byte `at`, at most to the file's end; else `at`. */
static int64_t window_over(const struct adl_plan *plan, int64_t at)
{
    int64_t end = at;
    for (size_t i = 0; i < plan->n_windows; i++) {
        const struct adl_window *window = &plan->windows[i];
        if (window->first <= at && window->end > end)
            end = min64(window->end, plan->copy->size);
    }
    return end;
}

/* The end of a range that begins at `at`, behind `front`, the front of its window, and may go on to
 * `end`: on a block's border, and all if half of it would be left. What a reader wants soon comes
 * in small ranges, which are here early; the farther away, the more time there is for a large one.
 */
static int64_t chunk_end(const struct adl_plan *plan, int64_t front, int64_t at, int64_t end)
{
    int64_t chunk = max64(min64(plan->chunk, (at - front) / FRONT_SHARE), plan->chunk_least);
    if (end - at <= chunk + chunk / 2)
        return end;
    return min64(block_end(plan, at + chunk - 1), end);
}

bool adl_plan_demand(const struct adl_plan *plan, int64_t first, int64_t end, struct adl_range *out)
{
    end = min64(end, plan->copy->size);
    int64_t from, to;
    int cut;
    if (!wanting(plan, first, end, plan->near, &from, &to, &cut))
        return false;

    /* From there on to the end of the last block that is waited for, or farther into a window. */
    int64_t limit =
        max64(block_end(plan, end - 1), chunk_end(plan, from, from, window_over(plan, end)));
    int64_t reach_from, reach_to;
    if (!adl_copy_missing(plan->copy, from, limit, &reach_from, &reach_to))
        return false;
    reach_to = cut < 0 ? next_flight(plan, from, reach_to)
                       : min64(next_flight(plan, from, reach_to), plan->flights[cut].end);
    *out = (struct adl_range){.first = from, .end = reach_to, .reason = ADL_DEMAND, .cut = cut};
    return true;
}

/* What is left of blocks of which a part is here. */
static bool rest(const struct adl_plan *plan, struct adl_range *out)
{
    const struct adl_extents *partial = &plan->copy->partial;
    for (size_t i = 0; i < partial->count; i++) {
        int64_t block = plan->copy->block_size;
        int64_t from, to, first = partial->list[i].first / block * block;
        int64_t end = block_end(plan, partial->list[i].end - 1);
        int cut;
        if (!wanting(plan, first, end, INT64_MAX, &from, &to, &cut))
            continue;
        *out = (struct adl_range){.first = from, .end = to, .reason = ADL_REST, .cut = -1};
        return true;
    }
    return false;
}

bool adl_plan_idle(const struct adl_plan *plan, struct adl_range *out)
{
    if (rest(plan, out))
        return true;
    for (size_t i = 0; i < plan->n_windows; i++) {
        int64_t from, to, first = plan->windows[i].first; /* not here: it is trimmed */
        int64_t end = min64(plan->windows[i].end, plan->copy->size);
        int cut;
        if (first >= end || !wanting(plan, first, end, INT64_MAX, &from, &to, &cut))
            continue;
        /* To the end of its last block, so that nothing is left half. */
        if (to == end) {
            int64_t more_from, more_to;
            if (adl_copy_missing(plan->copy, from, block_end(plan, end - 1), &more_from, &more_to))
                to = next_flight(plan, from, more_to);
        }
        *out = (struct adl_range){.first = from,
                                  .end = chunk_end(plan, first, from, to),
                                  .reason = ADL_AHEAD,
                                  .cut = -1};
        return true;
    }
    return false;
}

/* How much sooner, ms, the rest of `flight` is here with help, and what share of it, bytes, the
 * helper takes: so much that both are done at the same time. */
static int64_t gain_of(const struct adl_flight *flight, int64_t rate, int64_t delay, int64_t *share)
{
    int64_t own = max64(flight->rate, 1), left = flight->end - flight->at;
    double alone = (double)left * 1000 / (double)own;
    if (flight->age < HELP_AGE * delay || flight->age < HELP_AGE_MS || alone <= (double)delay)
        return 0;
    double part =
        (alone - (double)delay) / 1000 * (double)own * (double)rate / (double)(own + rate);
    *share = (int64_t)part;
    double gain = part * 1000 / (double)own;
    if (gain * 2 < alone)
        return 0;
    return gain > INT32_MAX ? INT32_MAX : (int64_t)gain;
}

bool adl_plan_help(const struct adl_plan *plan, int64_t wanted, int64_t rate, int64_t delay,
                   struct adl_range *out)
{
    int64_t block = plan->copy->block_size, share = 0;
    int cut = flight_over(plan, wanted);
    if (cut < 0 || rate <= 0)
        return false;
    const struct adl_flight *flight = &plan->flights[cut];
    if (flight->rate * HELP_RATIO > rate ||
        gain_of(flight, rate, max64(delay, 1), &share) < HELP_GAIN_MS)
        return false;
    int64_t first = (flight->end - share) / block * block;
    first = max64(first, flight->at);
    if (first >= flight->end)
        return false;
    *out = (struct adl_range){.first = first, .end = flight->end, .reason = ADL_AHEAD, .cut = cut};
    return true;
}
