#include "quota.h"

#include "minmax.h"

#include <stdlib.h>
#include <string.h>

/* Smaller entries go whole: what is left of them would cost a request and save little. */
#define SHRINK_MIN (INT64_C(16) << 20)

#define SLACK_MAX   (INT64_C(1) << 30)
#define SLACK_SHARE 8

bool adl_quota_set(const struct adl_quota *quota)
{
    return quota->most > 0 || quota->reserve > 0;
}

int64_t adl_quota_excess(const struct adl_quota *quota, int64_t allocated, int64_t available)
{
    int64_t over = quota->most > 0 ? max64(allocated - quota->most, 0) : 0;
    int64_t lacks = quota->reserve > 0 ? max64(quota->reserve - available, 0) : 0;
    int64_t excess = max64(over, lacks);
    return excess < allocated ? excess : max64(allocated, 0);
}

int64_t adl_quota_goal(const struct adl_quota *quota, int64_t excess)
{
    int64_t limit = quota->most > 0 ? quota->most : quota->reserve;
    int64_t slack = limit / SLACK_SHARE < SLACK_MAX ? limit / SLACK_SHARE : SLACK_MAX;
    return excess > 0 ? excess + slack : 0;
}

static int compare(const void *a, const void *b)
{
    const struct adl_item *left = a, *right = b;
    if (left->garbage != right->garbage)
        return left->garbage ? -1 : 1;
    if (left->used != right->used)
        return left->used < right->used ? -1 : 1;
    return memcmp(left->key.bytes, right->key.bytes, ADL_KEY_SIZE);
}

void adl_quota_order(struct adl_inventory *inventory)
{
    if (inventory->count)
        qsort(inventory->items, inventory->count, sizeof(*inventory->items), compare);
}

int64_t adl_quota_share(const struct adl_item *item, int64_t goal)
{
    bool shrinks = !item->garbage && item->data && item->allocated >= SHRINK_MIN;
    return shrinks && goal <= item->allocated / 2 ? goal : item->allocated;
}
