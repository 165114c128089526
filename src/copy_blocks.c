/* What a copy holds: bytes that arrive, blocks that they complete, and who may believe them.
 *
 * Every byte is written once: the first transfer that brings it decides, and what another one
 * brings of it is passed over. So a running checksum that was fed with exactly what was written is
 * the checksum of what the file holds, whoever else writes around it. */
#include "copy_blocks.h"
#include "cleanup.h"
#include "copy.h"
#include "io.h"

#include <errno.h>

int adl_block_sum(int data, const struct adl_head *head, uint64_t block, void *buffer,
                  uint64_t *sum)
{
    int64_t first = (int64_t)(block * head->block_size), left = head->size - first;
    size_t length = left < head->block_size ? (size_t)left : head->block_size;
    int r = adl_io_read(data, buffer, length, first);
    if (r < 0)
        return r;
    *sum = XXH3_64bits(buffer, length);
    return 0;
}

void adl_run_free(struct adl_run *run)
{
    XXH3_freeState(run->state);
    *run = (struct adl_run){0};
}

/* Takes [first, end), which lies within one block and was just written, into the running checksum.
 * Without memory for it there is none, and blocks are read back. */
static void run_feed(struct adl_run *run, bool at_block, const void *bytes, int64_t first,
                     int64_t end)
{
    if (at_block) {
        if (!run->state)
            run->state = XXH3_createState();
        run->valid = run->state && XXH3_64bits_reset(run->state) == XXH_OK;
    } else if (run->next != first) {
        run->valid = false;
    }
    if (run->valid)
        run->valid = XXH3_64bits_update(run->state, bytes, (size_t)(end - first)) == XXH_OK;
    run->next = end;
}

/* The checksum of a block of which every byte is in the file. */
static int sum_of_written(const struct adl_copy *copy, const struct adl_run *run, uint64_t block,
                          uint64_t *sum)
{
    if (run && run->valid && run->next == adl_block_end(copy, block)) {
        *sum = XXH3_64bits_digest(run->state);
        return 0;
    }
    cleanup_free unsigned char *buffer = malloc(copy->block_size);
    if (!buffer)
        return -ENOMEM;
    return adl_block_sum(copy->data, &copy->sidecar->head, block, buffer, sum);
}

/* Counts [first, end), a part of one block that was just written. A block that cannot be read back
 * is not here: without its checksum it could not be told right from wrong later. */
static int count_part(struct adl_copy *copy, struct adl_run *run, const void *bytes, int64_t first,
                      int64_t end)
{
    uint64_t block = adl_block_at(copy, first);
    int64_t begin = adl_block_first(copy, block), limit = adl_block_end(copy, block);
    int r = adl_extents_add(&copy->partial, first, end);
    if (r < 0)
        return r;
    if (run)
        run_feed(run, first == begin, bytes, first, end);
    if (!adl_extents_cover(&copy->partial, begin, limit))
        return 0;
    uint64_t sum;
    r = sum_of_written(copy, run, block, &sum);
    int removed = adl_extents_remove(&copy->partial, begin, limit);
    if (r == 0)
        adl_sidecar_set(copy->sidecar, block, sum);
    else if (r != -ENOMEM && copy->store->overflow)
        adl_extents_add(&copy->unreadable, begin, limit);
    return r < 0 ? r : removed;
}

/* Counts [first, end), which was just written. */
static int count_written(struct adl_copy *copy, struct adl_run *run, const unsigned char *bytes,
                         int64_t first, int64_t end)
{
    if (copy->size < 0)
        return adl_extents_add(&copy->partial, first, end);
    for (int64_t at = first, next; at < end; at = next) {
        uint64_t block = adl_block_at(copy, at);
        next = adl_block_end(copy, block) < end ? adl_block_end(copy, block) : end;
        int r = 0;
        if (at == adl_block_first(copy, block) && next == adl_block_end(copy, block))
            adl_sidecar_set(copy->sidecar, block,
                            XXH3_64bits(bytes + (at - first), (size_t)(next - at)));
        else
            r = count_part(copy, run, bytes + (at - first), at, next);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Counts what is missing of [first, end), all of which was just written where it is. */
static int count_all(struct adl_copy *copy, struct adl_run *run, const unsigned char *bytes,
                     int64_t first, int64_t end)
{
    int64_t from, to;
    for (int64_t at = first; adl_copy_missing(copy, at, end, &from, &to); at = to) {
        int r = count_written(copy, run, bytes + (from - first), from, to);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Whether the disk is to be asked to take [first, end). */
static bool disk_takes(const struct adl_copy *copy, int64_t first, int64_t end)
{
    const struct adl_extent *bad = adl_extents_at(&copy->unreadable, first);
    return copy->data >= 0 && !(bad && bad->first < end) &&
           !(copy->store->overflow && adl_overflow_resting(copy->store->overflow));
}

/* Writes what is missing of [first, end) to the data file. *to is how far that got: all of it, or
 * less with -errno, or less since it is not to be tried. */
static int write_missing(const struct adl_copy *copy, const unsigned char *bytes, int64_t first,
                         int64_t end, int64_t *to)
{
    int64_t from, until;
    int r = 0;
    *to = first;
    if (!disk_takes(copy, first, end))
        return 0;
    for (; adl_copy_missing(copy, *to, end, &from, &until); *to = until) {
        r = adl_io_write(copy->data, bytes + (from - first), (size_t)(until - from), from);
        if (r < 0)
            return r;
    }
    *to = end;
    if (copy->store->overflow)
        adl_overflow_well(copy->store->overflow);
    return 0;
}

/* What the disk did not take of [first, end) is kept in memory. */
static int spill_missing(struct adl_copy *copy, const unsigned char *bytes, int64_t first,
                         int64_t end)
{
    int64_t from, to;
    for (int64_t at = first; adl_copy_missing(copy, at, end, &from, &to); at = to) {
        int r =
            adl_overflow_put(copy->store->overflow, &copy->spill, bytes + (from - first), from, to);
        if (r < 0)
            return r;
    }
    return 0;
}

int adl_copy_write(struct adl_copy *copy, struct adl_run *run, const void *bytes, size_t length,
                   int64_t offset)
{
    struct adl_overflow *overflow = copy->store->overflow;
    const unsigned char *from = bytes;
    int64_t limit = copy->size >= 0 ? copy->size : INT64_MAX, written;
    if (offset < 0 || offset > limit || length > (uint64_t)(limit - offset))
        return -EINVAL;
    int64_t last = offset + (int64_t)length;
    /* All is written before anything counts, so that an error half-way leaves nothing counted; and
     * counted before anything is put aside, which may make other bytes missing. */
    int r = write_missing(copy, from, offset, last, &written);
    if (r < 0 && overflow)
        adl_overflow_failed(overflow, r);
    else if (r < 0)
        return r;
    r = count_all(copy, run, from, offset, written);
    if (r == -ENOMEM || !overflow)
        return r;
    if (r < 0) /* a block that cannot be read back */
        adl_overflow_failed(overflow, r);
    return spill_missing(copy, from, r < 0 ? offset : written, last);
}

/* The first byte in [at, end) that is not here; `end` where all is. `blocks` says which blocks are:
 * the claimed or the trusted ones. */
static int64_t skip_present(const struct adl_copy *copy, const struct adl_bitmap *blocks,
                            int64_t at, int64_t end)
{
    while (at < end) {
        const struct adl_extent *part = adl_extents_at(&copy->partial, at);
        if (part && part->first <= at) {
            at = part->end;
            continue;
        }
        const struct adl_cell *cell = adl_spill_at(&copy->spill, at);
        if (cell && cell->first <= at) {
            at = cell->end;
            continue;
        }
        if (copy->size < 0 || at >= copy->size || !adl_bitmap_test(blocks, adl_block_at(copy, at)))
            return at;
        uint64_t limit = end < copy->size ? adl_block_at(copy, end - 1) + 1 : copy->sidecar->blocks;
        uint64_t next = adl_bitmap_next_clear(blocks, adl_block_at(copy, at), limit);
        at = next < limit ? adl_block_first(copy, next) : adl_block_end(copy, limit - 1);
    }
    return end;
}

/* The first byte in [at, end) that is here; `end` where none is. */
static int64_t skip_missing(const struct adl_copy *copy, int64_t at, int64_t end)
{
    const struct adl_extent *part = adl_extents_at(&copy->partial, at);
    if (part && part->first < end)
        end = part->first < at ? at : part->first;
    const struct adl_cell *cell = adl_spill_at(&copy->spill, at);
    if (cell && cell->first < end)
        end = cell->first < at ? at : cell->first;
    if (copy->size < 0 || at >= copy->size)
        return end;
    uint64_t from = adl_block_at(copy, at), limit = copy->sidecar->blocks;
    uint64_t to = end < copy->size ? adl_block_at(copy, end) + 1 : limit;
    uint64_t next = adl_bitmap_next_set(&copy->sidecar->claimed, from, to);
    if (next >= to)
        return end;
    return adl_block_first(copy, next) < end ? adl_block_first(copy, next) : end;
}

bool adl_copy_covers(const struct adl_copy *copy, int64_t first, int64_t end)
{
    return skip_present(copy, &copy->sidecar->trusted, first, end) >= end;
}

bool adl_copy_missing(const struct adl_copy *copy, int64_t first, int64_t end, int64_t *from,
                      int64_t *to)
{
    int64_t begin = skip_present(copy, &copy->sidecar->claimed, first, end);
    if (begin >= end)
        return false;
    *from = begin;
    *to = skip_missing(copy, begin, end);
    return true;
}

bool adl_copy_has(const struct adl_copy *copy, int64_t first, int64_t end)
{
    int64_t size = atomic_load_explicit(&copy->size, memory_order_acquire);
    if (first >= end)
        return true;
    if (first < 0 || end > size)
        return false;
    return adl_bitmap_all(&copy->sidecar->trusted, adl_block_at(copy, first),
                          adl_block_at(copy, end - 1) + 1);
}

int adl_copy_verify(const struct adl_copy *copy, uint64_t block, void *buffer)
{
    const struct adl_sidecar *sidecar = copy->sidecar;
    if (copy->size < 0 || block >= sidecar->blocks || !adl_bitmap_test(&sidecar->claimed, block))
        return 0;
    uint64_t sum;
    return adl_block_sum(copy->data, &sidecar->head, block, buffer, &sum) == 0 &&
           sum == atomic_load_explicit(&sidecar->sums[block], memory_order_relaxed);
}

void adl_copy_verified(struct adl_copy *copy, uint64_t block, bool right)
{
    struct adl_sidecar *sidecar = copy->sidecar;
    if (block >= sidecar->blocks || !adl_bitmap_test(&sidecar->claimed, block) ||
        adl_bitmap_test(&sidecar->trusted, block))
        return;
    if (!right) {
        cleanup_free void *buffer = malloc(copy->block_size);
        right = buffer && adl_copy_verify(copy, block, buffer) == 1;
    }
    if (right)
        adl_sidecar_trust(sidecar, block);
    else
        adl_sidecar_drop(sidecar, block);
}

bool adl_copy_complete(const struct adl_copy *copy)
{
    return atomic_load_explicit(&copy->size, memory_order_acquire) >= 0 &&
           adl_bitmap_count(&copy->sidecar->claimed) == copy->sidecar->blocks;
}

bool adl_copy_trusted(const struct adl_copy *copy)
{
    return atomic_load_explicit(&copy->size, memory_order_acquire) >= 0 &&
           adl_bitmap_count(&copy->sidecar->trusted) == copy->sidecar->blocks;
}

int64_t adl_copy_bytes(const struct adl_copy *copy)
{
    int64_t bytes = adl_spill_bytes(&copy->spill);
    for (size_t i = 0; i < copy->partial.count; i++)
        bytes += copy->partial.list[i].end - copy->partial.list[i].first;
    if (copy->size < 0)
        return bytes;
    const struct adl_sidecar *sidecar = copy->sidecar;
    uint64_t whole = adl_bitmap_count(&sidecar->claimed), last = sidecar->blocks - 1;
    if (sidecar->blocks > 0 && adl_bitmap_test(&sidecar->claimed, last)) {
        bytes += adl_block_end(copy, last) - adl_block_first(copy, last);
        whole--;
    }
    return bytes + (int64_t)(whole * copy->block_size);
}

/* What of [first, end) lies in one block, if that is here. */
static int64_t edge(const struct adl_copy *copy, uint64_t block, int64_t first, int64_t end)
{
    int64_t from = adl_block_first(copy, block), to = adl_block_end(copy, block);
    if (!adl_bitmap_test(&copy->sidecar->claimed, block))
        return 0;
    return (to < end ? to : end) - (from > first ? from : first);
}

int64_t adl_copy_bytes_in(const struct adl_copy *copy, int64_t first, int64_t end)
{
    const struct adl_extent *extent;
    int64_t bytes = 0;
    for (int64_t at = first; at < end && (extent = adl_extents_at(&copy->partial, at));) {
        int64_t from = extent->first > at ? extent->first : at;
        at = extent->end;
        if (from < end)
            bytes += (at < end ? at : end) - from;
    }
    const struct adl_cell *cell;
    for (int64_t at = first; at < end && (cell = adl_spill_at(&copy->spill, at)); at = cell->end)
        if (cell->first < end)
            bytes +=
                (cell->end < end ? cell->end : end) - (cell->first > first ? cell->first : first);
    if (copy->size < 0 || end <= first)
        return bytes;
    uint64_t from = (uint64_t)first / copy->block_size, to = (uint64_t)(end - 1) / copy->block_size;
    bytes += edge(copy, from, first, end);
    if (to == from)
        return bytes;
    uint64_t whole = adl_bitmap_count_in(&copy->sidecar->claimed, from + 1, to);
    return bytes + (int64_t)(whole * copy->block_size) + edge(copy, to, first, end);
}

bool adl_copy_touched(const struct adl_copy *copy)
{
    return copy->spill.lost || adl_copy_bytes(copy) > 0;
}
