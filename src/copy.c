/* How copies come and go; what they hold is in copy_blocks.c. */
#include "copy.h"

#include "cleanup.h"
#include "copy_blocks.h"
#include "io.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Fresh copies hold nothing yet, so nothing of them can have been compared with a digest. */
static struct adl_head fresh_head(const struct adl_copy *copy, const struct adl_head *want)
{
    struct adl_head head = *want;
    head.block_size = copy->block_size;
    head.flags &= ~ADL_HEAD_DIGESTED;
    if (head.size < 0)
        head.size = 0;
    return head;
}

static void set_size(struct adl_copy *copy, int64_t size)
{
    atomic_store_explicit(&copy->size, size, memory_order_release);
}

/* What `want` knows better than the head of the copy that was taken up. */
static void update_head(struct adl_sidecar *sidecar, const struct adl_head *want)
{
    struct adl_head head = sidecar->head;
    head.flags |= want->flags & ~ADL_HEAD_DIGESTED;
    if (want->checked_at > head.checked_at)
        head.checked_at = want->checked_at;
    memcpy(head.url, want->url, sizeof(head.url));
    if (memcmp(&head, &sidecar->head, sizeof(head)) == 0)
        return;
    sidecar->head = head;
    adl_sidecar_touch(sidecar);
}

/* The copy that is there, with the lock's fd `map`, which the copy then owns. -ENOENT: none that is
 * of use. */
static int take_up(struct adl_copy *copy, const struct adl_head *want, int map)
{
    struct adl_head found;
    int r = adl_sidecar_peek(copy->store, &want->key, &found);
    if (r < 0)
        return r;
    if (!adl_head_same(&found, want))
        return -ENOENT;
    cleanup_fd int data = -1;
    r = adl_store_open_data(copy->store, &want->key, &data);
    if (r < 0)
        return r;
    struct stat st;
    if (fstat(data, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size != want->size)
        return -ENOENT;
    r = adl_sidecar_load(copy->store, &want->key, map, data, &copy->sidecar);
    if (r < 0)
        return r;
    copy->data = steal_fd(&data);
    copy->block_size = copy->sidecar->head.block_size;
    update_head(copy->sidecar, want);
    return 0;
}

/* A new copy in place of what is there. The order keeps a kill harmless: without its head no page
 * of the old sidecar is believed, and the new one has none yet. */
static int make_new(struct adl_copy *copy, const struct adl_head *want, int map)
{
    if (ftruncate(map, 0) < 0)
        return -errno;
    cleanup_fd int data = -1;
    int r = adl_store_new_data(copy->store, &want->key, &data);
    if (r == 0)
        r = adl_store_allocate(copy->store, data, want->size);
    if (r == 0) {
        struct adl_head head = fresh_head(copy, want);
        r = adl_sidecar_new(copy->store, &head, map, &copy->sidecar);
    }
    if (r < 0) {
        adl_store_remove(copy->store, &want->key);
        return r;
    }
    copy->data = steal_fd(&data);
    return 0;
}

static int open_named(struct adl_copy *copy, const struct adl_head *want, bool resume)
{
    cleanup_fd int map = -1;
    int r = adl_store_lock(copy->store, &want->key, &map);
    if (r < 0)
        return r;
    r = resume ? take_up(copy, want, map) : -ENOENT;
    bool taken_up = r == 0;
    if (r == -ENOENT)
        r = make_new(copy, want, map);
    if (r < 0)
        return r;
    steal_fd(&map);
    copy->named = true;
    set_size(copy, want->size);
    if (!taken_up || adl_copy_complete(copy) || copy->store->allocate != ADL_ALLOCATE_FULL)
        return 0;
    return adl_store_allocate(copy->store, copy->data, want->size);
}

/* A full disk is told where space is reserved, and memory is short for a private copy just as well;
 * anything else may hit the files' names alone. */
static bool final_error(const struct adl_store *store, int error)
{
    return error == -ENOMEM || (error == -ENOSPC && store->allocate == ADL_ALLOCATE_FULL);
}

static int open_private(struct adl_copy *copy, const struct adl_head *want)
{
    struct adl_head head = fresh_head(copy, want);
    cleanup_fd int data = -1;
    int r = adl_store_private_data(copy->store, &data);
    if (r == 0 && want->size >= 0)
        r = adl_store_allocate(copy->store, data, want->size);
    if (r < 0 && (!copy->store->overflow || final_error(copy->store, r)))
        return r;
    if (r == 0)
        copy->data = steal_fd(&data);
    r = adl_sidecar_new(copy->store, &head, -1, &copy->sidecar);
    set_size(copy, want->size);
    return r;
}

static void tell_private(const struct adl_store *store, const struct adl_head *want, int error)
{
    if (error == -EWOULDBLOCK)
        adl_log(store->log, ADL_NOTICE,
                "%s: the cached copy is in use elsewhere; what is read here is not kept",
                want->url);
    else
        adl_log(store->log, ADL_WARNING, "%s: cannot be kept in the cache: %s", want->url,
                strerrordesc_np(-error));
}

static int open_somehow(struct adl_copy *copy, const struct adl_head *want, bool resume)
{
    if (want->size >= 0) {
        int r = open_named(copy, want, resume);
        if (r == 0 || copy->named || final_error(copy->store, r))
            return r;
        tell_private(copy->store, want, r);
        copy->homeless = r != -EWOULDBLOCK;
    }
    return open_private(copy, want);
}

int adl_copy_open(struct adl_store *store, const struct adl_head *want, bool resume,
                  struct adl_copy **out)
{
    uint32_t block_size = want->block_size ? want->block_size : store->block_size;
    if (!adl_store_block_size_valid(block_size))
        return -EINVAL;
    struct adl_copy *copy = calloc(1, sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    copy->store = store;
    copy->data = -1;
    copy->block_size = block_size;
    adl_spill_init(&copy->spill);
    set_size(copy, -1);
    int r = open_somehow(copy, want, resume);
    if (r < 0) {
        adl_copy_close(copy);
        return r;
    }
    *out = copy;
    return 0;
}

int adl_copy_open_found(struct adl_store *store, const struct adl_key *key, struct adl_copy **out)
{
    struct adl_head head; /* looked for first: to lock an entry is to make its file */
    cleanup_fd int map = -1;
    int r = adl_sidecar_peek(store, key, &head);
    if (r == 0)
        r = adl_store_lock(store, key, &map);
    if (r < 0)
        return r;
    struct adl_copy *copy = calloc(1, sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    copy->store = store;
    copy->data = -1;
    r = take_up(copy, &head, map);
    if (r < 0) {
        adl_copy_close(copy);
        return r;
    }
    steal_fd(&map);
    copy->named = true;
    set_size(copy, head.size);
    *out = copy;
    return 0;
}

void adl_copy_close(struct adl_copy *copy)
{
    if (!copy)
        return;
    /* Closing the sidecar gives the lock back: from then on the data file may be somebody else's.
     */
    adl_sidecar_close(copy->sidecar, copy->data);
    if (copy->data >= 0)
        close(copy->data);
    if (copy->store->overflow)
        adl_overflow_drop(copy->store->overflow, &copy->spill);
    adl_extents_free(&copy->partial);
    adl_extents_free(&copy->unreadable);
    free(copy);
}

void adl_copy_unlink(struct adl_copy *copy)
{
    if (!copy->named)
        return;
    adl_store_remove(copy->store, &copy->sidecar->head.key);
    adl_sidecar_detach(copy->sidecar);
    copy->named = false;
}

int adl_copy_give(struct adl_copy *copy, int dir, const char *name, bool replace)
{
    if (copy->size < 0 || !adl_copy_trusted(copy))
        return -EINVAL;
    const struct adl_key *key = copy->named ? &copy->sidecar->head.key : NULL;
    int r = adl_store_give_data(copy->store, key, copy->data, dir, name, replace);
    if (r == 0)
        adl_copy_unlink(copy);
    return r;
}

/* Files for a copy that had to do without. The order is that of make_new(). */
static int settle_down(struct adl_copy *copy, int map)
{
    const struct adl_key *key = &copy->sidecar->head.key;
    cleanup_fd int data = -1;
    if (ftruncate(map, 0) < 0)
        return -errno;
    int r = copy->data < 0 ? adl_store_new_data(copy->store, key, &data)
                           : adl_store_name_data(copy->store, key, copy->data);
    if (r == 0 && data >= 0)
        r = adl_store_allocate(copy->store, data, copy->size);
    if (r == 0)
        r = adl_sidecar_attach(copy->sidecar, map);
    if (r < 0) {
        adl_store_remove(copy->store, key);
        return r;
    }
    if (data >= 0)
        copy->data = steal_fd(&data);
    return 0;
}

void adl_copy_make_home(struct adl_copy *copy)
{
    cleanup_fd int map = -1;
    int r = adl_store_lock(copy->store, &copy->sidecar->head.key, &map);
    if (r == 0)
        r = settle_down(copy, map);
    if (r == 0)
        steal_fd(&map);
    copy->named = r == 0;
    /* Whoever has the lock keeps it; a file that lost its name does not get one again. */
    copy->homeless = r < 0 && r != -EWOULDBLOCK && r != -ENOENT;
    if (copy->homeless)
        adl_overflow_failed(copy->store->overflow, r);
}

/* Gives the data file its name. The old copy's sidecar goes first, as in make_new(). */
static int name_data(const struct adl_copy *copy, const struct adl_key *key, int *map)
{
    cleanup_fd int locked = -1;
    if (copy->data < 0)
        return -ENOSPC;
    int r = adl_store_lock(copy->store, key, &locked);
    if (r < 0)
        return r;
    if (ftruncate(locked, 0) < 0)
        return -errno;
    r = adl_store_name_data(copy->store, key, copy->data);
    if (r < 0) {
        adl_store_remove(copy->store, key);
        return r;
    }
    *map = steal_fd(&locked);
    return 0;
}

/* The block's bytes, of which none are missing. */
static void block_range(const struct adl_head *head, uint64_t block, int64_t *first, int64_t *end)
{
    *first = (int64_t)(block * head->block_size);
    *end = head->size - *first < head->block_size ? head->size : *first + head->block_size;
}

/* The checksum of each block that is whole in the data file, where *here says so. A block that
 * cannot be read back is not. */
static int sum_up(struct adl_copy *copy, const struct adl_head *head, uint64_t *sums, bool *here)
{
    int64_t first, end;
    cleanup_free unsigned char *buffer = malloc(head->block_size);
    if (!buffer)
        return -ENOMEM;
    for (uint64_t block = 0; block < adl_head_blocks(head); block++) {
        block_range(head, block, &first, &end);
        here[block] = adl_extents_cover(&copy->partial, first, end);
        int r = here[block] ? adl_block_sum(copy->data, head, block, buffer, &sums[block]) : 0;
        if (r < 0 && !copy->store->overflow)
            return r;
        if (r < 0 && (r = adl_extents_add(&copy->unreadable, first, end)) < 0)
            return r;
        here[block] = here[block] && !adl_extents_cover(&copy->unreadable, first, end);
    }
    return 0;
}

/* A sidecar for the finished data file, named if that can be. */
static int make_finished(struct adl_copy *copy, const struct adl_head *head,
                         struct adl_sidecar **out)
{
    cleanup_fd int map = -1;
    int r = name_data(copy, &head->key, &map);
    if (r == 0) {
        r = adl_sidecar_new(copy->store, head, map, out);
        if (r < 0)
            adl_store_remove(copy->store, &head->key);
    }
    copy->named = r == 0;
    if (r == 0) {
        steal_fd(&map);
        return 0;
    }
    tell_private(copy->store, head, r);
    copy->homeless = copy->data < 0;
    return adl_sidecar_new(copy->store, head, -1, out);
}

/* What was found by sum_up() becomes blocks; parts of others stay parts. */
static int settle_blocks(struct adl_copy *copy, struct adl_sidecar *sidecar, const uint64_t *sums,
                         const bool *here)
{
    int64_t first, end;
    for (uint64_t block = 0; block < sidecar->blocks; block++) {
        block_range(&sidecar->head, block, &first, &end);
        if (here[block])
            adl_sidecar_set(sidecar, block, sums[block]);
        int r = here[block] || adl_extents_cover(&copy->unreadable, first, end)
                    ? adl_extents_remove(&copy->partial, first, end)
                    : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int adl_copy_finish(struct adl_copy *copy, const struct adl_head *want)
{
    bool whole = want->size >= 0 && adl_extents_cover(&copy->partial, 0, want->size);
    if (copy->size >= 0 || want->size < 0 || (!whole && !copy->spill.lost))
        return -EINVAL;
    if (copy->data >= 0 && ftruncate(copy->data, want->size) < 0)
        return -errno;
    struct adl_head head = fresh_head(copy, want);
    size_t blocks = (size_t)adl_head_blocks(&head);
    cleanup_free uint64_t *sums = calloc(blocks + 1, sizeof(*sums));
    cleanup_free bool *here = calloc(blocks + 1, sizeof(*here));
    struct adl_sidecar *sidecar;
    if (!sums || !here)
        return -ENOMEM;
    int r = sum_up(copy, &head, sums, here);
    if (r < 0)
        return r;
    r = make_finished(copy, &head, &sidecar);
    if (r < 0)
        return r;
    settle_blocks(copy, sidecar, sums, here); /* without memory a block may be told of twice */
    adl_sidecar_close(copy->sidecar, -1);
    copy->sidecar = sidecar;
    set_size(copy, want->size); /* from here on other threads look at the sidecar */
    return 0;
}
