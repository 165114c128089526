/* verify: what is cached of a file is compared with its checksums while the file is in use. */
#include "cleanup.h"
#include "engine.h"
#include "url.h"

#include <errno.h>
#include <inttypes.h>

void adl_verify_begin(struct adl_file *file, struct adl_call *call)
{
    struct adl_edition *edition = adl_file_kept(file);
    if (!edition) {
        const struct adl_extents none = {0};
        const struct adl_damage damage = {.wrong = &none, .lost = &none, .version = file->version};
        call->done.verify(call->ctx, 0, &damage);
        free(call);
        return;
    }
    call->edition = adl_edition_ref(edition);
    if (adl_worker_verify(file->engine->worker, call) < 0) {
        adl_edition_unref(edition);
        call->kind = ADL_CALL_VERIFY;
        adl_call_fail(call, -ENOMEM);
    }
}

static void tell(const struct adl_file *file, const struct adl_extents *set, const char *what)
{
    cleanup_free char *url = set->count ? adl_url_redact(adl_file_url(file)) : NULL;
    for (size_t i = 0; i < set->count; i++)
        adl_log(file->engine->log, ADL_WARNING, "%s: bytes %" PRId64 "-%" PRId64 " %s",
                url ? url : "?", set->list[i].first, set->list[i].end - 1, what);
}

/* A handle's last window is as good a place as any: who reads that many streams of a complete file
 * at a time gets it by asking. */
static void fetch_again(struct adl_edition *edition, const struct adl_extents *set)
{
    struct adl_handle *handle;
    LIST_FOREACH (handle, &edition->file->handles, link)
        if (handle->edition == edition && edition == edition->file->edition) {
            handle->windows[ADL_STREAMS - 1] =
                (struct adl_window){.first = set->list[0].first,
                                    .end = set->list[set->count - 1].end};
            return;
        }
}

void adl_verify_end(struct adl_call *call)
{
    struct adl_edition *edition = call->edition;
    struct adl_file *file = edition->file;
    const struct adl_damage damage = {.checked = call->rot.checked,
                                      .wrong = &call->rot.wrong,
                                      .lost = &call->rot.lost,
                                      .version = edition->attr.version};
    if (call->result == 0) {
        bool complete = adl_copy_complete(edition->copy);
        adl_rot_drop(edition->copy, &call->rot);
        tell(file, &call->rot.wrong, "of the cached copy were damaged: they are fetched again");
        tell(file, &call->rot.lost, "may have been cached: what told of them was damaged");
        if (complete && call->rot.wrong.count > 0)
            fetch_again(edition, &call->rot.wrong);
        adl_edition_complete(edition); /* what was only claimed is trusted now */
        adl_flush_soon(file->engine);
    }
    call->done.verify(call->ctx, call->result, call->result == 0 ? &damage : NULL);
    adl_rot_free(&call->rot);
    free(call);
    adl_engine_busy(file);
    adl_edition_unref(edition);
}
