/* quota: how much is to go, and what goes first. Pure.
 *
 * Least recently used first, entry by entry. A large one that need not go whole is shrunk. What is
 * open cannot go, and is found out only when it is tried: so the choice goes on behind what is
 * enough only when it is asked again, with what was refused left out. */
#ifndef ADL_QUOTA_H
#define ADL_QUOTA_H

#include "inventory.h"

struct adl_quota {
    int64_t most;    /* bytes of disk that the cache may take; 0: as many as there are */
    int64_t reserve; /* bytes that are to stay free on its file system; 0: none */
};

/* Whether anything is limited. */
bool adl_quota_set(const struct adl_quota *quota);

/* How many bytes are to go, of a cache that takes `allocated` bytes of a file system that has
 * `available` more; 0: none. */
int64_t adl_quota_excess(const struct adl_quota *quota, int64_t allocated, int64_t available);

/* How many are to go so that there is room for a while: what is over, and an eighth of the limit,
 * but at most 1 GiB; 0 where nothing is over. */
int64_t adl_quota_goal(const struct adl_quota *quota, int64_t excess);

/* Sorts the items so that the first to go is the first: garbage, then by last use. */
void adl_quota_order(struct adl_inventory *inventory);

/* How many bytes of an entry are to go when `goal` are still to: all that it takes, or `goal` of a
 * large one that would keep more than it loses. */
int64_t adl_quota_share(const struct adl_item *item, int64_t goal);

#endif
