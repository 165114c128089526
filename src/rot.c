#include "rot.h"

#include "cleanup.h"
#include "inventory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* What was read is let go behind the reader, so that a large cache does not push everything else
 * out of memory: often enough to keep little, seldom enough to cost nothing. */
#define LET_GO_BYTES (32 << 20)

void adl_rot_free(struct adl_rot *rot)
{
    adl_extents_free(&rot->wrong);
    adl_extents_free(&rot->right);
    adl_extents_free(&rot->lost);
    *rot = (struct adl_rot){0};
}

/* [*first, *end) of `count` blocks from `block` on, as far as the file has them. */
static void span(const struct adl_copy *copy, uint64_t block, uint64_t count, int64_t *first,
                 int64_t *end)
{
    int64_t size = atomic_load_explicit(&copy->size, memory_order_acquire);
    *first = (int64_t)(block * copy->block_size);
    *end = block + count >= copy->sidecar->blocks ? size
                                                  : (int64_t)((block + count) * copy->block_size);
}

static int compare_block(const struct adl_copy *copy, uint64_t block, void *buffer,
                         struct adl_rot *rot)
{
    const struct adl_sidecar *sidecar = copy->sidecar;
    int64_t first, end;
    span(copy, block, 1, &first, &end);
    bool trusted = adl_bitmap_test(&sidecar->trusted, block);
    bool right = adl_copy_verify(copy, block, buffer) == 1;
    rot->checked += end - first;
    if (!right && !adl_bitmap_test(&sidecar->claimed, block))
        return 0; /* a reader was faster */
    if (!right)
        return adl_extents_add(&rot->wrong, first, end);
    return trusted ? 0 : adl_extents_add(&rot->right, first, end);
}

static int compare_all(const struct adl_copy *copy, const _Atomic bool *stop, struct adl_rot *rot)
{
    const struct adl_sidecar *sidecar = copy->sidecar;
    cleanup_free void *buffer = malloc(copy->block_size);
    if (!buffer)
        return -ENOMEM;
    posix_fadvise(copy->data, 0, 0, POSIX_FADV_DONTNEED); /* what the disk has is what counts */
    int64_t kept = 0;
    for (uint64_t block = adl_bitmap_next_set(&sidecar->claimed, 0, sidecar->blocks);
         block < sidecar->blocks;
         block = adl_bitmap_next_set(&sidecar->claimed, block + 1, sidecar->blocks)) {
        if (atomic_load_explicit(stop, memory_order_relaxed))
            return -ECANCELED;
        int r = compare_block(copy, block, buffer, rot);
        if (r < 0)
            return r;
        int64_t at = (int64_t)(block * copy->block_size);
        if (at - kept >= LET_GO_BYTES) {
            posix_fadvise(copy->data, kept, at - kept, POSIX_FADV_DONTNEED);
            kept = at;
        }
    }
    return 0;
}

static int find_lost(const struct adl_copy *copy, struct adl_rot *rot)
{
    const struct adl_bitmap *damaged = &copy->sidecar->damaged;
    uint64_t blocks = copy->sidecar->blocks;
    uint64_t pages = blocks / ADL_BLOCKS_PER_PAGE + (blocks % ADL_BLOCKS_PER_PAGE != 0);
    for (uint64_t page = adl_bitmap_next_set(damaged, 0, pages); page < pages;
         page = adl_bitmap_next_set(damaged, page + 1, pages)) {
        int64_t first, end;
        span(copy, page * ADL_BLOCKS_PER_PAGE, ADL_BLOCKS_PER_PAGE, &first, &end);
        int r = adl_extents_add(&rot->lost, first, end);
        if (r < 0)
            return r;
    }
    return 0;
}

int adl_rot_find(const struct adl_copy *copy, const _Atomic bool *stop, struct adl_rot *out)
{
    struct adl_rot rot = {0};
    if (atomic_load_explicit(&copy->size, memory_order_acquire) < 0) {
        *out = rot;
        return 0;
    }
    int r = compare_all(copy, stop, &rot);
    if (r == 0)
        r = find_lost(copy, &rot);
    if (r < 0)
        adl_rot_free(&rot);
    else
        *out = rot;
    return r;
}

static void each_block(struct adl_copy *copy, const struct adl_extents *set,
                       void (*act)(struct adl_copy *copy, uint64_t block))
{
    for (size_t i = 0; i < set->count; i++) {
        uint64_t first = (uint64_t)set->list[i].first / copy->block_size;
        uint64_t last = (uint64_t)(set->list[i].end - 1) / copy->block_size;
        for (uint64_t block = first; block <= last; block++)
            act(copy, block);
    }
}

static void drop(struct adl_copy *copy, uint64_t block)
{
    if (adl_bitmap_test(&copy->sidecar->claimed, block))
        adl_sidecar_drop(copy->sidecar, block);
}

static void trust(struct adl_copy *copy, uint64_t block)
{
    adl_copy_verified(copy, block, true);
}

void adl_rot_drop(struct adl_copy *copy, const struct adl_rot *rot)
{
    each_block(copy, &rot->wrong, drop);
    each_block(copy, &rot->right, trust);
    /* To drop a block that is missing writes its page anew. */
    for (size_t i = 0; i < rot->lost.count; i++) {
        uint64_t end = ((uint64_t)rot->lost.list[i].end - 1) / copy->block_size + 1;
        for (uint64_t block = (uint64_t)rot->lost.list[i].first / copy->block_size; block < end;
             block += ADL_BLOCKS_PER_PAGE) {
            adl_bitmap_clear(&copy->sidecar->damaged, block / ADL_BLOCKS_PER_PAGE);
            if (!adl_bitmap_test(&copy->sidecar->claimed, block))
                adl_sidecar_drop(copy->sidecar, block);
        }
    }
}

/* --- entries that nobody has open */

/* The size of one of an entry's files; -1: there is none. */
static int64_t size_of(const struct adl_store *store, const struct adl_key *key, const char *suffix,
                       struct stat *st)
{
    char name[ADL_NAME_ROOM];
    adl_store_name(key, suffix, name);
    return fstatat(store->dir, name, st, AT_SYMLINK_NOFOLLOW) == 0 ? st->st_size : -1;
}

/* There is no copy to open. A kill may leave an empty sidecar, and what was only asked about has no
 * data file; what is left then is damage. */
static int explain(const struct adl_store *store, const struct adl_key *key)
{
    struct stat st;
    struct adl_head head;
    int64_t freed;
    if (size_of(store, key, ".data", &st) < 0 || size_of(store, key, ".map", &st) <= 0)
        return -ENOENT;
    int r = adl_sidecar_peek(store, key, &head);
    if (r == 0 && size_of(store, key, ".data", &st) == head.size)
        return -ENOENT; /* it came just now */
    if (r < 0 && r != -ENOENT)
        return r;
    r = adl_inventory_remove(store, key, &freed);
    return r < 0 ? r : -EBADMSG;
}

/* The sidecar's mtime says when the entry was last used: to look after it is not to use it. */
static void keep_used(const struct adl_store *store, const struct adl_key *key,
                      const struct stat *before)
{
    char name[ADL_NAME_ROOM];
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, before->st_mtim};
    adl_store_name(key, ".map", name);
    utimensat(store->dir, name, times, AT_SYMLINK_NOFOLLOW);
}

int adl_rot_check(struct adl_store *store, const struct adl_key *key, const _Atomic bool *stop,
                  struct adl_rot *out)
{
    struct stat before;
    struct adl_copy *copy;
    if (size_of(store, key, ".map", &before) < 0)
        return -ENOENT;
    int r = adl_copy_open_found(store, key, &copy);
    if (r < 0)
        return r == -ENOENT ? explain(store, key) : r;
    r = adl_rot_find(copy, stop, out);
    if (r == 0)
        adl_rot_drop(copy, out);
    adl_copy_close(copy);
    keep_used(store, key, &before);
    return r;
}
