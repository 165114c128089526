/* extents: a set of byte ranges, merged where they touch. Pure; one thread.
 *
 * Holds the parts of blocks that have arrived while their block has not: few at a time (a handful
 * per transfer), so a sorted array is the fastest thing to search. */
#ifndef ADL_EXTENTS_H
#define ADL_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adl_extent {
    int64_t first, end; /* bytes [first, end), 0 <= first < end */
};

struct adl_extents {
    struct adl_extent *list; /* owned, sorted, disjoint, not touching */
    size_t count, room;
};

/* All zero is the empty set. */
void adl_extents_free(struct adl_extents *set);

/* Adds [first, end), merging. 0 or -ENOMEM. */
int adl_extents_add(struct adl_extents *set, int64_t first, int64_t end);

/* Takes [first, end) out, splitting where it must. 0 or -ENOMEM. */
int adl_extents_remove(struct adl_extents *set, int64_t first, int64_t end);

/* Whether all of [first, end) is in the set; true for an empty range. */
bool adl_extents_cover(const struct adl_extents *set, int64_t first, int64_t end);

/* The extent that holds byte `at`, else the first one behind it, else NULL. Valid until the set
 * changes. */
const struct adl_extent *adl_extents_at(const struct adl_extents *set, int64_t at);

#endif
