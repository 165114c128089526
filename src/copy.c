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

static int open_private(struct adl_copy *copy, const struct adl_head *want)
{
    struct adl_head head = fresh_head(copy, want);
    int r = adl_store_private_data(copy->store, &copy->data);
    if (r == 0 && want->size >= 0)
        r = adl_store_allocate(copy->store, copy->data, want->size);
    if (r == 0)
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

/* A full disk is told where space is reserved, and memory is short for a private copy just as well;
 * anything else may hit the files' names alone. */
static bool final_error(const struct adl_store *store, int error)
{
    return error == -ENOMEM || (error == -ENOSPC && store->allocate == ADL_ALLOCATE_FULL);
}

static int open_somehow(struct adl_copy *copy, const struct adl_head *want, bool resume)
{
    if (want->size >= 0) {
        int r = open_named(copy, want, resume);
        if (r == 0 || copy->named || final_error(copy->store, r))
            return r;
        tell_private(copy->store, want, r);
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
    adl_extents_free(&copy->partial);
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

/* Gives the data file its name. The old copy's sidecar goes first, as in make_new(). */
static int name_data(const struct adl_copy *copy, const struct adl_key *key, int *map)
{
    cleanup_fd int locked = -1;
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

/* The checksum of each block of the data file, which is whole. The caller frees *out. */
static int sum_up(const struct adl_copy *copy, const struct adl_head *head, uint64_t **out)
{
    uint64_t blocks = adl_head_blocks(head);
    cleanup_free unsigned char *buffer = malloc(head->block_size);
    cleanup_free uint64_t *sums = reallocarray(NULL, blocks + 1, sizeof(*sums));
    if (!buffer || !sums)
        return -ENOMEM;
    for (uint64_t block = 0; block < blocks; block++) {
        int r = adl_block_sum(copy->data, head, block, buffer, &sums[block]);
        if (r < 0)
            return r;
    }
    *out = steal_pointer(sums);
    return 0;
}

/* A sidecar for the finished data file, named if that can be. */
static int make_finished(struct adl_copy *copy, const struct adl_head *head,
                         struct adl_sidecar **out)
{
    cleanup_fd int map = -1;
    int named = name_data(copy, &head->key, &map);
    if (named < 0)
        tell_private(copy->store, head, named);
    int r = adl_sidecar_new(copy->store, head, map, out);
    if (r < 0) {
        if (named == 0)
            adl_store_remove(copy->store, &head->key);
        return r;
    }
    steal_fd(&map);
    copy->named = named == 0;
    return 0;
}

int adl_copy_finish(struct adl_copy *copy, const struct adl_head *want)
{
    if (copy->size >= 0 || want->size < 0 || !adl_extents_cover(&copy->partial, 0, want->size))
        return -EINVAL;
    if (ftruncate(copy->data, want->size) < 0)
        return -errno;
    struct adl_head head = fresh_head(copy, want);
    cleanup_free uint64_t *sums = NULL;
    struct adl_sidecar *sidecar;
    int r = sum_up(copy, &head, &sums);
    if (r < 0)
        return r;
    r = make_finished(copy, &head, &sidecar);
    if (r < 0)
        return r;
    for (uint64_t block = 0; block < sidecar->blocks; block++)
        adl_sidecar_set(sidecar, block, sums[block]);
    adl_sidecar_close(copy->sidecar, -1);
    copy->sidecar = sidecar;
    adl_extents_free(&copy->partial);
    set_size(copy, want->size); /* from here on other threads look at the sidecar */
    return 0;
}
