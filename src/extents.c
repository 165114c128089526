#include "extents.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void adl_extents_free(struct adl_extents *set)
{
    free(set->list);
    *set = (struct adl_extents){0};
}

/* Index of the first extent that ends behind `at`; set->count where there is none. */
static size_t find(const struct adl_extents *set, int64_t at)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->list[middle].end > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int make_room(struct adl_extents *set, size_t count)
{
    if (count <= set->room)
        return 0;
    size_t room = set->room ? 2 * set->room : 8;
    struct adl_extent *list = reallocarray(set->list, room, sizeof(*list));
    if (!list)
        return -ENOMEM;
    set->list = list;
    set->room = room;
    return 0;
}

/* Puts `count` extents (at most one more than it takes away) in the place of [at, at + away). */
static int replace(struct adl_extents *set, size_t at, size_t away, const struct adl_extent *with,
                   size_t count)
{
    int r = make_room(set, set->count - away + count);
    if (r < 0)
        return r;
    memmove(set->list + at + count, set->list + at + away,
            (set->count - at - away) * sizeof(*set->list));
    memcpy(set->list + at, with, count * sizeof(*with));
    set->count = set->count - away + count;
    return 0;
}

int adl_extents_add(struct adl_extents *set, int64_t first, int64_t end)
{
    assert(first >= 0 && first <= end);
    if (first == end)
        return 0;
    struct adl_extent merged = {first, end};
    size_t at = find(set, first);
    if (at > 0 && set->list[at - 1].end == first)
        at--;
    size_t behind = at;
    for (; behind < set->count && set->list[behind].first <= end; behind++) {
        if (set->list[behind].first < merged.first)
            merged.first = set->list[behind].first;
        if (set->list[behind].end > merged.end)
            merged.end = set->list[behind].end;
    }
    if (behind - at == 1) { /* the usual case: an extent grows */
        set->list[at] = merged;
        return 0;
    }
    return replace(set, at, behind - at, &merged, 1);
}

int adl_extents_remove(struct adl_extents *set, int64_t first, int64_t end)
{
    assert(first >= 0 && first <= end);
    size_t at = find(set, first), behind = at;
    while (behind < set->count && set->list[behind].first < end)
        behind++;
    if (first == end || behind == at)
        return 0;
    struct adl_extent left[2];
    size_t count = 0;
    if (set->list[at].first < first)
        left[count++] = (struct adl_extent){set->list[at].first, first};
    if (set->list[behind - 1].end > end)
        left[count++] = (struct adl_extent){end, set->list[behind - 1].end};
    return replace(set, at, behind - at, left, count);
}

const struct adl_extent *adl_extents_at(const struct adl_extents *set, int64_t at)
{
    size_t found = find(set, at);
    return found < set->count ? &set->list[found] : NULL;
}

bool adl_extents_cover(const struct adl_extents *set, int64_t first, int64_t end)
{
    if (first >= end)
        return true;
    const struct adl_extent *extent = adl_extents_at(set, first);
    return extent && extent->first <= first && extent->end >= end;
}
