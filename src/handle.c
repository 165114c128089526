/* handle: the callers' side of a file. What is cached is served here, in the caller's thread; all
 * else is posted to the loop. */
#include "engine.h"

#include "cleanup.h"

#include <errno.h>

/* What is fetched of a file before anybody opens it: small files only. */
#define FORESEEN_SIZE_MAX (1 << 20)

bool adl_handle_direct(const struct adl_handle *handle)
{
    return handle->size < 0;
}

int adl_handle_complete(const struct adl_handle *handle)
{
    const struct adl_copy *copy = handle->edition->copy;
    return handle->size >= 0 && adl_copy_trusted(copy) ? copy->data : -1;
}

int adl_engine_directory(const struct adl_engine *engine)
{
    return engine->store->dir;
}

bool adl_file_known(struct adl_engine *engine, uint32_t entry, struct adl_attr *attr)
{
    bool known = false;
    *attr = (struct adl_attr){.size = -1, .mtime = ADL_TIME_UNKNOWN};
    pthread_mutex_lock(&engine->known_lock);
    const struct adl_entry *said = entry < engine->n_entries ? engine->entries[entry] : NULL;
    struct adl_file *file = said ? engine->files[entry] : NULL;
    if (file) {
        known = file->is_published;
        *attr = file->published;
        file->sizeless = file->sizeless || attr->size < 0;
    } else if (said) {
        known = said->size >= 0;
        *attr = (struct adl_attr){.size = said->size, .mtime = said->mtime};
    }
    pthread_mutex_unlock(&engine->known_lock);
    return known;
}

void adl_handle_attr(const struct adl_handle *handle, struct adl_attr *attr)
{
    pthread_mutex_lock(&handle->engine->known_lock);
    *attr = handle->edition->attr;
    pthread_mutex_unlock(&handle->engine->known_lock);
}

/* Hands a call to the loop. False without memory. */
static bool post(struct adl_engine *engine, const struct adl_call *said)
{
    struct adl_call *call = malloc(sizeof(*call));
    if (!call)
        return false;
    *call = *said;
    adl_engine_post(engine, call);
    return true;
}

void adl_file_stat(struct adl_engine *engine, uint64_t ticket, uint32_t entry, uint32_t version,
                   adl_stat_fn *done, void *ctx)
{
    struct adl_call call = {.kind = ADL_CALL_STAT,
                            .ticket = ticket,
                            .entry = entry,
                            .version = version,
                            .done.stat = done,
                            .ctx = ctx};
    if (!post(engine, &call))
        done(ctx, -ENOMEM, NULL);
}

void adl_file_open(struct adl_engine *engine, uint64_t ticket, uint32_t entry, uint32_t version,
                   adl_open_fn *done, void *ctx)
{
    struct adl_call call = {.kind = ADL_CALL_OPEN,
                            .ticket = ticket,
                            .entry = entry,
                            .version = version,
                            .done.open = done,
                            .ctx = ctx};
    if (!post(engine, &call))
        done(ctx, -ENOMEM, NULL, NULL);
}

static void stat_foreseen(void *ctx, int error, const struct adl_attr *attr)
{
    (void)ctx, (void)error, (void)attr;
}

/* The handle is there for its window only; the loop releases it when that has come. */
static void open_foreseen(void *ctx, int error, struct adl_handle *handle,
                          const struct adl_attr *attr)
{
    (void)ctx, (void)attr;
    if (error < 0)
        return;
    handle->foreseen = true;
    if (handle->size > 0 && handle->size <= FORESEEN_SIZE_MAX)
        handle->windows[0] = (struct adl_window){.end = handle->size};
}

void adl_file_foresee(struct adl_engine *engine, const uint32_t *entries, size_t count,
                      bool content)
{
    for (size_t i = 0; i < count; i++) {
        struct adl_call call = {.kind = content ? ADL_CALL_OPEN : ADL_CALL_STAT,
                                .entry = entries[i],
                                .version = ADL_ANY_VERSION,
                                .foreseen = true};
        if (content)
            call.done.open = open_foreseen;
        else
            call.done.stat = stat_foreseen;
        if (!post(engine, &call))
            return;
    }
}

void adl_file_report(struct adl_engine *engine, uint32_t entry, adl_report_fn *done, void *ctx)
{
    struct adl_call call = {.kind = ADL_CALL_REPORT,
                            .entry = entry,
                            .done.report = done,
                            .ctx = ctx};
    if (!post(engine, &call))
        done(ctx, NULL);
}

void adl_file_verify(struct adl_engine *engine, uint32_t entry, adl_verify_fn *done, void *ctx)
{
    struct adl_call call = {.kind = ADL_CALL_VERIFY,
                            .entry = entry,
                            .done.verify = done,
                            .ctx = ctx};
    if (!post(engine, &call))
        done(ctx, -ENOMEM, NULL);
}

void adl_file_evict(struct adl_engine *engine, uint32_t entry, adl_evict_fn *done, void *ctx)
{
    struct adl_call call = {.kind = ADL_CALL_EVICT, .entry = entry, .done.evict = done, .ctx = ctx};
    if (!post(engine, &call))
        done(ctx, -ENOMEM, 0);
}

void adl_file_release(struct adl_handle *handle)
{
    /* The kernel sends no release before every read is answered, but that is an order that only it
     * knows of; this one is for the memory model. */
    atomic_load_explicit(&handle->served, memory_order_acquire);
    struct adl_call call = {.kind = ADL_CALL_RELEASE, .handle = handle};
    post(handle->engine, &call); /* without memory the loop frees the handle at the engine's end */
}

static bool tell_verified(struct adl_handle *handle, uint64_t block, bool right)
{
    struct adl_call call = {.kind = ADL_CALL_VERIFIED,
                            .handle = handle,
                            .offset = (int64_t)block,
                            .right = right};
    return post(handle->engine, &call);
}

/* Compares the blocks of [first, end) that are only claimed and tells the loop, which cannot answer
 * a read of them before. *all: whether every block is here and right now, whatever the loop has yet
 * to hear of it. 0 or -ENOMEM. */
static int verify(struct adl_handle *handle, int64_t first, int64_t end, bool *all)
{
    const struct adl_copy *copy = handle->edition->copy;
    const struct adl_sidecar *sidecar = copy->sidecar;
    uint64_t to = (uint64_t)(end - 1) / copy->block_size + 1;
    cleanup_free void *buffer = NULL;
    *all = true;
    for (uint64_t block = (uint64_t)first / copy->block_size; block < to; block++) {
        if (adl_bitmap_test(&sidecar->trusted, block))
            continue;
        if (!adl_bitmap_test(&sidecar->claimed, block)) {
            *all = false;
            continue;
        }
        if (!buffer)
            buffer = malloc(copy->block_size);
        if (!buffer)
            return -ENOMEM;
        bool right = adl_copy_verify(copy, block, buffer) == 1;
        *all = *all && right;
        if (!tell_verified(handle, block, right))
            return -ENOMEM;
    }
    return 0;
}

static void post_read(struct adl_handle *handle, uint64_t ticket, int64_t offset, int64_t length,
                      const struct adl_ahead *ahead, adl_read_fn *done, void *ctx)
{
    struct adl_call call = {.kind = done ? ADL_CALL_READ : ADL_CALL_AHEAD,
                            .ticket = ticket,
                            .handle = handle,
                            .offset = offset,
                            .length = length,
                            .ahead = *ahead,
                            .done.read = done,
                            .ctx = ctx};
    if (!post(handle->engine, &call) && done)
        done(ctx, -ENOMEM, -1, 0, 0);
}

/* The disk does not give back what it was given: the loop fetches it again. */
static void post_unreadable(struct adl_handle *handle, uint64_t ticket, int64_t offset,
                            int64_t length, adl_read_fn *done, void *ctx)
{
    struct adl_call call = {.kind = ADL_CALL_READ,
                            .ticket = ticket,
                            .handle = handle,
                            .offset = offset,
                            .length = length,
                            .unreadable = 1,
                            .done.read = done,
                            .ctx = ctx};
    if (!post(handle->engine, &call))
        done(ctx, -ENOMEM, -1, 0, 0);
}

/* After the answer the handle may be gone. */
static void answer(struct adl_handle *handle, uint64_t ticket, int64_t offset, size_t length,
                   adl_read_fn *done, void *ctx)
{
    int fd = handle->edition->copy->data;
    handle->engine->hits++;
    handle->engine->served += length;
    atomic_fetch_add_explicit(&handle->served, 1, memory_order_release);
    if (done(ctx, 0, fd, offset, length) < 0)
        post_unreadable(handle, ticket, offset, (int64_t)length, done, ctx);
}

void adl_file_read(struct adl_handle *handle, uint64_t ticket, int64_t offset, size_t length,
                   adl_read_fn *done, void *ctx)
{
    struct adl_ahead ahead = {0};
    int64_t end;
    handle->engine->reads++;
    if (offset < 0 || length > INT32_MAX || __builtin_add_overflow(offset, (int64_t)length, &end)) {
        done(ctx, -EINVAL, -1, 0, 0);
        return;
    }
    if (handle->size < 0) {
        post_read(handle, ticket, offset, (int64_t)length, &ahead, done, ctx);
        return;
    }
    const struct adl_copy *copy = handle->edition->copy;
    if (end > handle->size)
        end = handle->size;
    if (offset >= end) {
        answer(handle, ticket, offset, 0, done, ctx);
        return;
    }
    pthread_mutex_lock(&handle->lock);
    ahead = adl_readahead_read(&handle->readahead, offset, end - offset, handle->size,
                               handle->file->window_most);
    pthread_mutex_unlock(&handle->lock);

    bool here = adl_copy_has(copy, offset, end);
    int error = here ? 0 : verify(handle, offset, end, &here);
    if (error < 0) {
        done(ctx, error, -1, 0, 0);
        return;
    }
    if (!here) {
        post_read(handle, ticket, offset, end - offset, &ahead, done, ctx);
        return;
    }
    /* The window first: the answer may be the last that is heard of the handle. */
    if (ahead.end > ahead.first)
        post_read(handle, 0, 0, 0, &ahead, NULL, NULL);
    answer(handle, ticket, offset, (size_t)(end - offset), done, ctx);
}
