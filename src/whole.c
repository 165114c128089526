/* whole: what is done with a file that is all here: its checksum awaited, its bytes taken away. */
#include "engine.h"

#include <errno.h>

int adl_handle_whole(const struct adl_handle *handle, int64_t *size)
{
    const struct adl_copy *copy = handle->edition->copy;
    int64_t bytes = atomic_load_explicit(&copy->size, memory_order_acquire);
    if (bytes < 0 || !adl_copy_trusted(copy))
        return -1;
    *size = bytes;
    return copy->data;
}

int adl_handle_data(const struct adl_handle *handle)
{
    return handle->edition->copy->data;
}

static void post(struct adl_handle *handle, const struct adl_call *said)
{
    struct adl_call *call = malloc(sizeof(*call));
    if (!call) {
        said->done.whole(said->ctx, -ENOMEM);
        return;
    }
    *call = *said;
    adl_engine_post(handle->engine, call);
}

void adl_file_digest(struct adl_handle *handle, adl_done_fn *done, void *ctx)
{
    struct adl_call call = {.kind = ADL_CALL_DIGEST,
                            .handle = handle,
                            .done.whole = done,
                            .ctx = ctx};
    post(handle, &call);
}

void adl_file_take(struct adl_handle *handle, int directory, const char *name, bool replace,
                   adl_done_fn *done, void *ctx)
{
    struct adl_call call = {.kind = ADL_CALL_TAKE,
                            .handle = handle,
                            .directory = directory,
                            .name = name,
                            .replace = replace,
                            .done.whole = done,
                            .ctx = ctx};
    post(handle, &call);
}

static void answer(struct adl_call *call, int error)
{
    call->done.whole(call->ctx, error);
    free(call);
}

static void digest(struct adl_call *call)
{
    struct adl_edition *edition = call->handle->edition;
    const struct adl_file *file = edition->file;
    const struct adl_entry_options *options = file->entry->options;
    int64_t size;
    if (adl_handle_whole(call->handle, &size) < 0)
        answer(call, -EINVAL);
    else if (edition != file->edition)
        answer(call, file->error == -EBADMSG ? -EBADMSG : -ESTALE);
    else if (!options || options->checksum.kind == ADL_DIGEST_NONE ||
             adl_edition_digest_right(edition))
        answer(call, 0);
    else {
        adl_edition_complete(edition);
        if (edition->digesting)
            TAILQ_INSERT_TAIL(&edition->settling, call, link);
        else
            answer(call, -ENOMEM);
    }
}

void adl_whole_digested(struct adl_edition *edition, int error)
{
    struct adl_call *call;
    while ((call = TAILQ_FIRST(&edition->settling))) {
        TAILQ_REMOVE(&edition->settling, call, link);
        answer(call, error);
    }
}

void adl_whole_call(struct adl_call *call)
{
    if (call->kind == ADL_CALL_DIGEST)
        digest(call);
    else
        answer(call, adl_copy_give(call->handle->edition->copy, call->directory, call->name,
                                   call->replace));
}
