#include "behind.h"

#include "minmax.h"

#include <errno.h>

int adl_behind_add(struct adl_behind *behind, int64_t first, int64_t end)
{
    if (behind->count == behind->room) {
        size_t more = behind->room ? behind->room * 2 : 16;
        struct adl_lead *longer = reallocarray(behind->leads, more, sizeof(*longer));
        if (!longer)
            return -ENOMEM;
        behind->leads = longer;
        behind->room = more;
    }
    behind->leads[behind->count++] = (struct adl_lead){.first = first, .end = end};
    behind->sorted = false;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct adl_lead *left = a, *right = b;
    return left->first < right->first ? -1 : left->first > right->first;
}

/* By where they begin; `end` becomes how far those up to it reach. */
static void sort(struct adl_behind *behind)
{
    if (behind->count)
        qsort(behind->leads, behind->count, sizeof(*behind->leads), compare);
    for (size_t i = 1; i < behind->count; i++)
        behind->leads[i].end = max64(behind->leads[i].end, behind->leads[i - 1].end);
    behind->sorted = true;
}

bool adl_behind_is(struct adl_behind *behind, int64_t at)
{
    if (!behind->sorted)
        sort(behind);
    size_t low = 0, high = behind->count; /* those below `low` begin before it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (behind->leads[middle].first < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && behind->leads[low - 1].end >= at;
}
