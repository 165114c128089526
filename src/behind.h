/* behind: of many ranges, whether one of them leads up to a byte. Who asks about each of 10,000
 * reads asks about 10,000 others: they are sorted once. Pure. */
#ifndef ADL_BEHIND_H
#define ADL_BEHIND_H

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adl_lead {
    int64_t first, end;
};

/* All zero: none. The owner frees `leads`. */
struct adl_behind {
    struct adl_lead *leads;
    size_t count, room;
    bool sorted;
};

/* One more range, [first, end). 0 or -ENOMEM. */
int adl_behind_add(struct adl_behind *behind, int64_t first, int64_t end);

/* Whether there is a range that begins before `at` and reaches at least to it. */
bool adl_behind_is(struct adl_behind *behind, int64_t at);

static inline void adl_behind_free(struct adl_behind *behind)
{
    free(behind->leads);
    *behind = (struct adl_behind){0};
}

#define cleanup_behind _cleanup_(adl_behind_free)

#endif
