/* What a copy does about a disk that does not take bytes, or does not give them back. */
#include "cleanup.h"
#include "copy_blocks.h"
#include "io.h"
#include "minmax.h"

#include <errno.h>
#include <string.h>

int adl_copy_read(const struct adl_copy *copy, void *buffer, size_t length, int64_t first)
{
    unsigned char *to = buffer;
    int64_t end = first + (int64_t)length;
    for (int64_t at = first, next; at < end; at = next) {
        const struct adl_cell *cell = adl_spill_at(&copy->spill, at);
        if (cell && cell->first <= at) {
            next = min64(cell->end, end);
            memcpy(to + (at - first), cell->bytes + (at - cell->first), (size_t)(next - at));
            continue;
        }
        next = cell ? min64(cell->first, end) : end;
        int r = adl_io_read(copy->data, to + (at - first), (size_t)(next - at), at);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool spilled(const struct adl_copy *copy, int64_t first, int64_t end)
{
    const struct adl_cell *cell = adl_spill_at(&copy->spill, first);
    return cell && cell->first < end;
}

static void show(struct adl_copy *copy, int64_t first, int64_t end)
{
    struct adl_cell *cell = adl_spill_at(&copy->spill, first);
    for (; cell && cell->first < end; cell = TAILQ_NEXT(cell, place))
        adl_overflow_show(copy->store->overflow, cell);
}

int adl_copy_place(struct adl_copy *copy, int64_t first, int64_t end, int *fd, int64_t *at)
{
    if (!spilled(copy, first, end)) {
        *fd = copy->data;
        *at = first;
        return 0;
    }
    size_t length = (size_t)(end - first);
    cleanup_free unsigned char *buffer = malloc(length);
    if (!buffer)
        return -ENOMEM;
    int r = adl_copy_read(copy, buffer, length, first);
    if (r < 0)
        return r;
    int tray = adl_overflow_tray(copy->store->overflow, length);
    if (tray < 0)
        return tray;
    r = adl_io_write(tray, buffer, length, 0);
    if (r < 0)
        return r;
    show(copy, first, end);
    *fd = tray;
    *at = 0;
    return 0;
}

/* A block that is known by its checksum. */
static void check_block(struct adl_copy *copy, uint64_t block, void *buffer)
{
    if (!adl_bitmap_test(&copy->sidecar->claimed, block) ||
        adl_copy_verify(copy, block, buffer) == 1)
        return;
    adl_sidecar_drop(copy->sidecar, block);
    adl_extents_add(&copy->unreadable, adl_block_first(copy, block), adl_block_end(copy, block));
}

/* Parts of blocks have none: whether they can be read is all that can be told. */
static void check_part(struct adl_copy *copy, int64_t first, int64_t end, void *buffer)
{
    for (int64_t at = first, next; at < end; at = next) {
        const struct adl_extent *part = adl_extents_at(&copy->partial, at);
        if (!part || part->first >= end)
            return;
        int64_t from = part->first > at ? part->first : at;
        next = min64(min64(part->end, end), from + copy->block_size);
        if (adl_io_read(copy->data, buffer, (size_t)(next - from), from) == 0)
            continue;
        if (adl_extents_remove(&copy->partial, from, next) == 0)
            adl_extents_add(&copy->unreadable, from, next);
    }
}

void adl_copy_unreadable(struct adl_copy *copy, int64_t first, int64_t end)
{
    cleanup_free void *buffer = malloc(copy->block_size);
    if (!buffer || copy->data < 0 || !copy->store->overflow)
        return;
    check_part(copy, first, end, buffer);
    end = min64(end, copy->size);
    if (first >= end)
        return;
    for (uint64_t block = adl_block_at(copy, first); block <= adl_block_at(copy, end - 1); block++)
        check_block(copy, block, buffer);
}

static bool settles(const struct adl_copy *copy, const struct adl_cell *cell)
{
    const struct adl_extent *bad = adl_extents_at(&copy->unreadable, cell->first);
    return copy->data >= 0 && !(bad && bad->first < cell->end);
}

void adl_copy_settle(struct adl_copy *copy, int64_t *budget)
{
    struct adl_overflow *overflow = copy->store->overflow;
    if (copy->homeless && copy->size >= 0)
        adl_copy_make_home(copy);
    struct adl_cell *cell = TAILQ_FIRST(&copy->spill.cells), *next;
    for (; cell && *budget > 0 && !adl_overflow_resting(overflow); cell = next) {
        next = TAILQ_NEXT(cell, place);
        if (!settles(copy, cell))
            continue;
        /* Where the disk does not take it, it becomes a new cell. */
        adl_overflow_take(overflow, cell);
        adl_copy_write(copy, NULL, cell->bytes, (size_t)(cell->end - cell->first), cell->first);
        *budget -= cell->end - cell->first;
        free(cell);
    }
}
