#include "fs_inside.h"

#include <errno.h>
#include <stdlib.h>

static void interrupted(fuse_req_t req, void *data)
{
    adl_engine_cancel(adl_fs_of(req)->engine, (uint64_t)(uintptr_t)data);
}

uint64_t adl_fs_ticket(fuse_req_t req)
{
    uint64_t ticket = adl_engine_ticket(adl_fs_of(req)->engine);
    fuse_req_interrupt_func(req, interrupted, (void *)(uintptr_t)ticket);
    if (!fuse_req_interrupted(req))
        return ticket;
    fuse_reply_err(req, EINTR);
    return 0;
}

struct adl_fs_pending *adl_fs_pend(fuse_req_t req, fuse_ino_t ino)
{
    struct adl_fs_pending *pending = calloc(1, sizeof(*pending));
    if (!pending) {
        fuse_reply_err(req, ENOMEM);
        return NULL;
    }
    pending->req = req;
    pending->ino = ino;
    return pending;
}
