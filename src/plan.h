/* plan: what is here + in flight + waited for + wanted ahead -> the next range to fetch. Pure.
 *
 * Called again and again by the fetch loop while it has connections to spare, once for each
 * transfer that it starts. The order of service: a reader that waits (demand); the rest of a block
 * of which a part is here, since a block counts only when it is whole; windows ahead of readers. */
#ifndef ADL_PLAN_H
#define ADL_PLAN_H

#include "copy.h"

/* A transfer under way: it will bring [at, end). Flights may overlap; of those over one byte the
 * nearest counts. */
struct adl_flight {
    int64_t at, end;
    int64_t rate; /* bytes/s since it began; 0: nothing came yet */
    int64_t age;  /* ms since it was asked for */
};

/* Bytes [first, end) that a reader will want. */
struct adl_window {
    int64_t first, end;
};

/* Whether nothing is wanted, or all of it has come. */
static inline bool adl_window_empty(const struct adl_window *window)
{
    return window->end <= window->first;
}

struct adl_plan {
    const struct adl_copy *copy; /* of known size */
    const struct adl_flight *flights;
    size_t n_flights;
    const struct adl_window *windows; /* wanted ahead; may overlap, may be here already */
    size_t n_windows;
    int64_t chunk;       /* how large a range of a window should be at the most, bytes */
    int64_t chunk_least; /* ... and at its front, where a reader soon is */
    int64_t near; /* a flight that has to bring this many bytes first is no help to a waiter */
};

enum adl_reason { ADL_DEMAND, ADL_REST, ADL_AHEAD, ADL_WARM };

struct adl_range {
    int64_t first, end;
    enum adl_reason reason;
    int cut; /* index of the flight that is to end at `first` from now on, or -1 */
};

/* The next range for a reader that waits for [first, end), clamped to the size. It begins with the
 * first byte that is neither here nor about to come, so that this byte is the first on the wire,
 * and goes on to the end of its block, or with a window over it as far as chunk. False: nothing is
 * missing that is not in flight. */
bool adl_plan_demand(const struct adl_plan *plan, int64_t first, int64_t end,
                     struct adl_range *out);

/* The next range that nobody waits for. */
bool adl_plan_idle(const struct adl_plan *plan, struct adl_range *out);

/* With a connection to spare and nothing else to fetch: takes from a flight that lags behind its
 * sisters, while a reader waits for byte `wanted` of it, as much of its end as a new transfer of
 * `rate` bytes/s, whose first byte comes after `delay` ms, would have brought by the time that the
 * laggard is done with what it keeps. False where that would not at least halve the wait. out->cut
 * is the laggard; where it keeps nothing, it has had its time. */
bool adl_plan_help(const struct adl_plan *plan, int64_t wanted, int64_t rate, int64_t delay,
                   struct adl_range *out);

#endif
