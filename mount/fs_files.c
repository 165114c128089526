/* Files that are open. A read that is cached is answered within its own call, from the data file.
 */
#include "fs_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* Files that will be read next. */
static void foresee_opens(struct adl_fs *fs, uint32_t number)
{
    uint32_t entries[ADL_FORESEEN_MAX];
    size_t count = adl_foresight_open(fs->foresight, number, entries);
    if (count)
        adl_file_foresee(fs->engine, entries, count, true);
}

/* Tells the kernel how the handle is read. Returns what fuse_reply_open() does. */
static int reply_open(const struct adl_fs_pending *pending, struct adl_handle *handle, int backing,
                      bool renewed)
{
    struct fuse_file_info info = pending->info;
    info.fh = (uint64_t)(uintptr_t)handle;
    if (backing)
        return adl_backing_reply_open(pending->req, &info, backing);
    info.direct_io = adl_handle_direct(handle);
    /* Pages of an earlier open are as good as new, but of a file that nothing pins. */
    info.keep_cache = !info.direct_io && !renewed;
    return fuse_reply_open(pending->req, &info);
}

/* In this order: the kernel must not be left with a data file that the engine closed. */
static void close_handle(struct adl_fs *fs, fuse_ino_t ino, struct adl_handle *handle)
{
    adl_passthrough_release(fs->passthrough, ino);
    adl_file_release(handle);
}

/* The kernel drops attributes that were asked for before others came in, in whatever order they
 * were told: the right size that a read asks for now, where a size of 0, told before it was known,
 * is still on its way to the inode in another thread. That read would find the end of the file at
 * its beginning. What was told until now is overtaken by this. */
static void overtake(const struct adl_fs *fs, fuse_ino_t ino)
{
    fuse_lowlevel_notify_inval_inode(fs->session, ino, -1, 0);
}

static void open_done(void *ctx, int error, struct adl_handle *handle, const struct adl_attr *attr)
{
    struct adl_fs_pending *pending = ctx;
    struct adl_fs *fs = adl_fs_of(pending->req);
    int backing = 0;
    if (error == 0 && attr->sizeless)
        overtake(fs, pending->ino);
    if (error == 0) {
        ADL_FS_HOLD_NAMES(fs);
        const struct adl_node *node = adl_fs_node(fs, pending->ino); /* a reload may be faster */
        error = adl_passthrough_open(fs->passthrough, pending->ino, node ? node->name : "?",
                                     adl_handle_complete(handle), &backing);
        if (error < 0)
            adl_file_release(handle);
    }
    if (error < 0)
        fuse_reply_err(pending->req, -error);
    else if (reply_open(pending, handle, backing, attr->renewed) == -ENOENT)
        close_handle(fs, pending->ino, handle); /* interrupted: no release will come */
    free(pending);
}

void adl_fs_on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    struct adl_fs *fs = adl_fs_of(req);
    if ((info->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(req, EROFS);
        return;
    }
    ADL_FS_HOLD_NAMES(fs);
    const struct adl_node *node = adl_fs_node(fs, ino);
    if (!node) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    uint64_t ticket = adl_fs_ticket(req);
    struct adl_fs_pending *pending = ticket ? adl_fs_pend(req, ino) : NULL;
    if (!pending)
        return;
    pending->info = *info;
    adl_file_open(fs->engine, ticket, node->entry, adl_inode_version(ino), open_done, pending);
    foresee_opens(fs, adl_inode_number(ino));
}

static int read_done(void *ctx, int error, int fd, int64_t offset, size_t length)
{
    fuse_req_t req = ctx;
    if (error == 0)
        return adl_reply_bytes(adl_fs_of(req)->reply, req, fd, offset, length);
    fuse_reply_err(req, -error);
    return 0;
}

void adl_fs_on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    (void)ino;
    uint64_t ticket = adl_fs_ticket(req);
    if (ticket)
        adl_file_read(adl_fs_handle(info), ticket, offset, size, read_done, req);
}

void adl_fs_on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    close_handle(adl_fs_of(req), ino, adl_fs_handle(info));
    fuse_reply_err(req, 0);
}
