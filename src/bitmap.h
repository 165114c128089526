/* bitmap: which blocks are here. Pure.
 *
 * One thread sets and clears bits (the fetch loop); any thread may test them at the same time,
 * without a lock: setting releases, testing acquires, so that whoever sees a bit also sees what was
 * written before it was set. */
#ifndef ADL_BITMAP_H
#define ADL_BITMAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adl_bitmap {
    uint64_t bits;           /* how many */
    _Atomic uint64_t *words; /* owned; untouched pages of it cost no memory */
    _Atomic uint64_t set;    /* how many are set */
};

/* All bits clear. 0 or -ENOMEM. */
int adl_bitmap_init(struct adl_bitmap *bitmap, uint64_t bits);
void adl_bitmap_free(struct adl_bitmap *bitmap);

/* Makes it longer, keeping what is set. Only while no other thread looks. 0 or -ENOMEM. */
int adl_bitmap_grow(struct adl_bitmap *bitmap, uint64_t bits);

/* bit < bits. Setting and clearing: the one owner; testing: any thread. */
void adl_bitmap_set(struct adl_bitmap *bitmap, uint64_t bit);
void adl_bitmap_clear(struct adl_bitmap *bitmap, uint64_t bit);
bool adl_bitmap_test(const struct adl_bitmap *bitmap, uint64_t bit);

/* Whether bits [from, to) are all set; true for an empty range. Any thread. */
bool adl_bitmap_all(const struct adl_bitmap *bitmap, uint64_t from, uint64_t to);

/* The first set or clear bit in [from, to); `to` where there is none. Any thread. Looks at 64 bits
 * at a time. */
uint64_t adl_bitmap_next_set(const struct adl_bitmap *bitmap, uint64_t from, uint64_t to);
uint64_t adl_bitmap_next_clear(const struct adl_bitmap *bitmap, uint64_t from, uint64_t to);

/* How many are set. Any thread. */
uint64_t adl_bitmap_count(const struct adl_bitmap *bitmap);

/* How many of [from, to) are set. Any thread. */
uint64_t adl_bitmap_count_in(const struct adl_bitmap *bitmap, uint64_t from, uint64_t to);

#endif
