#include "fixed.h"

#include "copy.h"
#include "minmax.h"
#include "pace.h"
#include "plan.h"

/* The least window of a fixed setting: with less, the kernel's requests set the pace. */
#define WINDOW_LEAST (INT64_C(4) << 20)

static struct sim_fixed fixed;

void sim_fix(const struct sim_fixed *setting)
{
    fixed = *setting;
}

#define WRAP(result, name, ...)                                                                    \
    result __real_adl_##name(__VA_ARGS__);                                                         \
    result __wrap_adl_##name(__VA_ARGS__);                                                         \
    result __wrap_adl_##name(__VA_ARGS__)

WRAP(unsigned, pace_width, const struct adl_pace *pace, const struct adl_link *link)
{
    if (!fixed.connections)
        return __real_adl_pace_width(pace, link);
    return (unsigned)min64(fixed.connections, link->share);
}

WRAP(int64_t, pace_in_flight, const struct adl_pace *pace, const struct adl_link *link)
{
    return fixed.connections ? fixed.connections * fixed.piece
                             : __real_adl_pace_in_flight(pace, link);
}

WRAP(int64_t, pace_piece, const struct adl_pace *pace, const struct adl_link *link, int64_t left)
{
    return fixed.connections ? fixed.piece : __real_adl_pace_piece(pace, link, left);
}

WRAP(int64_t, pace_window, const struct adl_pace *pace, int64_t most)
{
    if (!fixed.connections)
        return __real_adl_pace_window(pace, most);
    return min64(max64(2 * fixed.connections * fixed.piece, WINDOW_LEAST), most);
}

WRAP(bool, pace_turn, struct adl_pace *pace, const struct adl_link *link, unsigned running)
{
    return !fixed.connections && __real_adl_pace_turn(pace, link, running);
}

static struct adl_plan plan_of(const struct adl_plan *plan)
{
    struct adl_plan mine = *plan;
    if (fixed.connections)
        mine.chunk_least = fixed.piece;
    return mine;
}

WRAP(bool, plan_demand, const struct adl_plan *plan, int64_t first, int64_t end,
     struct adl_range *out)
{
    struct adl_plan mine = plan_of(plan);
    return __real_adl_plan_demand(&mine, first, end, out);
}

WRAP(bool, plan_idle, const struct adl_plan *plan, struct adl_range *out)
{
    struct adl_plan mine = plan_of(plan);
    return __real_adl_plan_idle(&mine, out);
}

/* What arrives is counted, and neither written nor summed up: the bytes are nobody's. */
int __wrap_adl_copy_write(struct adl_copy *copy, struct adl_run *run, const void *bytes,
                          size_t length, int64_t offset);
int __wrap_adl_copy_write(struct adl_copy *copy, struct adl_run *run, const void *bytes,
                          size_t length, int64_t offset)
{
    (void)run, (void)bytes;
    int64_t block = copy->block_size, end = offset + (int64_t)length, next;
    for (int64_t at = offset; at < end; at = next) {
        int64_t first = at / block * block, last = min64(first + block, copy->size);
        next = min64(last, end);
        if (adl_copy_covers(copy, at, next))
            continue;
        int error = adl_extents_add(&copy->partial, at, next);
        if (error < 0)
            return error;
        if (!adl_extents_cover(&copy->partial, first, last))
            continue;
        error = adl_extents_remove(&copy->partial, first, last);
        if (error < 0)
            return error;
        adl_sidecar_set(copy->sidecar, (uint64_t)(first / block), 0);
    }
    return 0;
}
