#include "limit.h"

#define BURST_MS 100

/* A step of the clock that is longer fills no more than a bucket anyway. */
#define STEP_MAX_MS 10000

static void fill(struct adl_limit *limit, int64_t now)
{
    int64_t step = now - limit->at;
    if (step < 0 || step > STEP_MAX_MS)
        step = step < 0 ? 0 : STEP_MAX_MS;
    limit->at = now;
    limit->level += limit->rate * step;
    if (limit->level > limit->rate * BURST_MS)
        limit->level = limit->rate * BURST_MS;
}

void adl_limit_set(struct adl_limit *limit, int64_t rate, int64_t now)
{
    if (rate < 0)
        rate = 0;
    *limit = (struct adl_limit){.rate = rate < ADL_LIMIT_MAX ? rate : ADL_LIMIT_MAX, .at = now};
}

bool adl_limit_open(struct adl_limit *limit, int64_t now, int64_t ahead)
{
    if (!limit->rate)
        return true;
    fill(limit, now);
    return limit->level > -ahead * 1000;
}

void adl_limit_take(struct adl_limit *limit, int64_t now, int64_t bytes)
{
    if (!limit->rate)
        return;
    fill(limit, now);
    limit->level -= bytes * 1000;
}

int64_t adl_limit_wait(struct adl_limit *limit, int64_t now)
{
    if (adl_limit_open(limit, now, 0))
        return 0;
    return -limit->level / limit->rate + 1;
}
