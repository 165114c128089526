/* edition: one version of a file as it is open: its copy, and the reads that wait for its bytes. */
#include "cleanup.h"
#include "digest.h"
#include "engine.h"

#include <errno.h>
#include <string.h>

static const struct adl_digest *digest_of(const struct adl_file *file)
{
    const struct adl_entry_options *options = file->entry->options;
    return options && options->checksum.kind != ADL_DIGEST_NONE ? &options->checksum : NULL;
}

/* Which checksum was right, as the head's flags keep it: another one in the manifest is compared
 * again. */
static uint32_t digest_flags(const struct adl_digest *digest)
{
    XXH64_hash_t hash = XXH3_64bits_withSeed(digest->bytes, adl_digest_length(digest->kind),
                                             (XXH64_hash_t)digest->kind);
    return ADL_HEAD_DIGESTED | (uint32_t)hash << ADL_HEAD_DIGEST_SHIFT;
}

static bool is_digested(const struct adl_file *file, const struct adl_head *head)
{
    const struct adl_digest *digest = digest_of(file);
    return digest && (head->flags & ADL_HEAD_DIGEST_MASK) == digest_flags(digest);
}

bool adl_edition_digest_right(const struct adl_edition *edition)
{
    return edition->copy->sidecar && is_digested(edition->file, &edition->copy->sidecar->head);
}

/* Whether what an earlier run cached may be taken up. Without a validator only its checksum can
 * say that it is still the same file. */
static bool resumable(const struct adl_file *file, const struct adl_head *want)
{
    struct adl_head head;
    if (adl_validator_pins(&want->validator) ||
        file->engine->settings->revalidate == ADL_REVALIDATE_NEVER)
        return true;
    return adl_sidecar_peek(file->engine->store, &want->key, &head) == 0 &&
           is_digested(file, &head);
}

int adl_edition_open(struct adl_file *file)
{
    struct adl_head want;
    struct adl_edition *edition = calloc(1, sizeof(*edition));
    if (!edition)
        return -ENOMEM;
    adl_file_head(file, &want);
    int error = adl_copy_open(file->engine->store, &want, resumable(file, &want), &edition->copy);
    /* Unpinned, told never to ask: whole files only, or blocks of two versions could meet. */
    if (error == 0 && file->size >= 0 && !adl_file_pinned(file) &&
        !adl_copy_complete(edition->copy) && adl_copy_bytes(edition->copy) > 0) {
        adl_copy_close(edition->copy);
        error = adl_copy_open(file->engine->store, &want, false, &edition->copy);
    }
    if (error < 0) {
        free(edition);
        adl_file_error(file, error, "cache: %s", strerror(-error));
        return error;
    }
    edition->file = file;
    edition->refs = 1;
    TAILQ_INIT(&edition->settling);
    LIST_INSERT_HEAD(&file->editions, edition, link);
    LIST_INSERT_HEAD(&file->engine->editions, edition, all);
    file->edition = edition;
    if (file->engine->store->allocate == ADL_ALLOCATE_FULL && file->size > 0)
        adl_evict_wrote(file->engine, file->size);
    adl_file_publish(file);
    adl_edition_complete(edition); /* perhaps since before its checksum was given */
    return 0;
}

int64_t adl_edition_cached(const struct adl_file *file)
{
    struct adl_head want, head;
    int64_t bytes;
    if (file->edition)
        return adl_copy_bytes(file->edition->copy);
    if (!file->known || file->size <= 0)
        return 0;
    adl_file_head(file, &want);
    if (!resumable(file, &want) ||
        adl_sidecar_survey(file->engine->store, &want.key, &head, &bytes) < 0 ||
        !adl_head_same(&head, &want))
        return 0;
    return bytes;
}

struct adl_edition *adl_edition_ref(struct adl_edition *edition)
{
    edition->refs++;
    return edition;
}

void adl_edition_unref(struct adl_edition *edition)
{
    if (--edition->refs)
        return;
    LIST_REMOVE(edition, link);
    LIST_REMOVE(edition, all);
    if (edition->attr.version == edition->file->version)
        edition->file->cached = -1; /* is counted anew when somebody asks */
    adl_copy_close(edition->copy);
    free(edition);
}

void adl_edition_leave(struct adl_file *file)
{
    if (!adl_file_pinned(file) && !adl_edition_digest_right(file->edition) &&
        adl_copy_touched(file->edition->copy))
        file->renewed = true;
    adl_edition_unref(steal_pointer(file->edition));
    adl_file_publish(file);
}

void adl_edition_renew(struct adl_file *file)
{
    struct adl_transfer *transfer;
    LIST_FOREACH (transfer, &file->transfers, link)
        if (transfer != file->probing)
            adl_transfer_doom(transfer);
    adl_copy_unlink(file->edition->copy);
    file->renewed = true;
    adl_edition_leave(file);
}

/* The last byte that a read can get, as far as is known. */
static int64_t read_end(const struct adl_copy *copy, const struct adl_call *call)
{
    int64_t end = call->offset + call->length;
    return copy->size >= 0 && end > copy->size ? copy->size : end;
}

/* How often a read is tried whose bytes the disk took, and does not give back. */
#define UNREADABLE_MAX 3

/* Bytes that are here. The disk may not give them back: false, and what cannot be read is not here
 * any more; the call is still to be answered. */
static bool answer(struct adl_edition *edition, struct adl_call *call, int64_t end)
{
    int fd = -1, error = 0;
    int64_t at = call->offset;
    size_t length = end > call->offset ? (size_t)(end - call->offset) : 0;
    call->handle->engine->served += length;
    if (length)
        error = adl_copy_place(edition->copy, call->offset, end, &fd, &at);
    if (error == 0)
        error = call->done.read(call->ctx, 0, fd, at, length);
    if (error == 0 || error == -ENOMEM || ++call->unreadable > UNREADABLE_MAX) {
        if (error < 0)
            call->done.read(call->ctx, error == -ENOMEM ? error : -EIO, -1, 0, 0);
        free(call);
        return true;
    }
    adl_edition_unreadable(edition, call->offset, end, error);
    return false;
}

void adl_edition_unreadable(struct adl_edition *edition, int64_t first, int64_t end, int error)
{
    adl_copy_unreadable(edition->copy, first, end);
    adl_flush_soon(edition->file->engine);
    adl_file_error(edition->file, error,
                   "cache: bytes %lld to %lld cannot be read: %s: fetching them again",
                   (long long)first, (long long)end - 1, strerror(-error));
}

void adl_edition_arrived(struct adl_edition *edition, int64_t first, int64_t end)
{
    struct adl_file *file = edition->file;
    if (edition != file->edition)
        return;
    struct adl_call *call, *next;
    for (call = TAILQ_FIRST(&file->reads); call; call = next) {
        next = TAILQ_NEXT(call, link);
        int64_t to = read_end(edition->copy, call);
        if (call->offset < end && to > first && adl_copy_covers(edition->copy, call->offset, to)) {
            TAILQ_REMOVE(&file->reads, call, link);
            if (!answer(edition, call, to))
                adl_edition_read(call); /* waits again, at the end */
        }
    }
}

void adl_edition_read(struct adl_call *call)
{
    struct adl_edition *edition = call->handle->edition;
    struct adl_file *file = edition->file;
    int64_t end = read_end(edition->copy, call);
    while (end <= call->offset || adl_copy_covers(edition->copy, call->offset, end))
        if (answer(edition, call, end))
            return;
    if (edition != file->edition) {
        adl_call_fail(call, -ESTALE);
        return;
    }
    if (file->error_until > file->engine->now) {
        adl_call_fail(call, adl_file_seen(file->error));
        return;
    }
    if (adl_pause_refuses(file)) {
        adl_call_fail(call, -EAGAIN);
        return;
    }
    TAILQ_INSERT_TAIL(&file->reads, call, link);
    adl_engine_busy(file);
}

void adl_edition_complete(struct adl_edition *edition)
{
    struct adl_file *file = edition->file;
    const struct adl_digest *digest = digest_of(file);
    if (edition != file->edition || edition->copy->size < 0 || edition->digesting ||
        !adl_copy_trusted(edition->copy))
        return; /* what is only claimed is compared as it is read; damaged blocks come again first
                 */
    if (!digest || adl_edition_digest_right(edition))
        return;
    edition->digesting = true;
    edition->digest = *digest;
    if (adl_worker_digest(file->engine->worker, edition) < 0) {
        edition->digesting = false;
        adl_file_error(file, -ENOMEM, "its checksum was not compared: out of memory");
    }
}

void adl_edition_digested(struct adl_edition *edition, int result)
{
    struct adl_file *file = edition->file;
    edition->digesting = false;
    bool again = result == 0 && edition == file->edition && adl_retry_elsewhere(file);
    adl_whole_digested(edition, result == 1   ? 0
                                : again       ? -ESTALE
                                : result == 0 ? -EBADMSG
                                              : result);
    if (result == 1) {
        file->bad_copies = 0;
        uint32_t *flags = &edition->copy->sidecar->head.flags;
        *flags = (*flags & ~ADL_HEAD_DIGEST_MASK) | digest_flags(&edition->digest);
        adl_sidecar_touch(edition->copy->sidecar);
        adl_flush_soon(file->engine);
    } else if (result == 0 && edition == file->edition) {
        adl_file_change(file,
                        "the checksum is not that of the manifest: the cached copy is dropped");
        if (!again) {
            adl_file_error(file, -EBADMSG, "the checksum is not that of the manifest");
            adl_file_fail(file, -EBADMSG);
        }
    } else if (result < 0 && result != -ECANCELED) {
        adl_file_error(file, result, "its checksum was not compared: %s", strerror(-result));
    }
    if (result >= 0)
        adl_edition_complete(edition); /* another may be asked for by now */
    adl_engine_busy(file);
    adl_edition_unref(edition);
}

static void set_executable(struct adl_file *file, bool executable)
{
    file->executable = executable;
    if (file->edition && file->edition->copy->size >= 0) {
        uint32_t *flags = &file->edition->copy->sidecar->head.flags;
        *flags = executable ? *flags | ADL_HEAD_EXECUTABLE : *flags & ~ADL_HEAD_EXECUTABLE;
        adl_sidecar_touch(file->edition->copy->sidecar);
    }
    adl_file_publish(file);
}

void adl_edition_sniff(struct adl_file *file, const unsigned char *bytes, size_t length)
{
    /* One byte tells an ELF file from text well enough (no text begins with DEL), so that what
     * stat() learns from the range probe already lets a program be run. */
    bool executable = bytes[0] == 0x7f || (length >= 2 && bytes[0] == '#' && bytes[1] == '!');
    if (executable != file->executable && (length >= 2 || executable))
        set_executable(file, executable);
    adl_file_sniffed(file, true);
}
