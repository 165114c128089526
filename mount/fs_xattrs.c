/* Extended attributes: a file's are the loop's to tell, the root's are told here. */
#include "fs_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The longest value, bytes. */
#define XATTR_ROOM 4096

/* The kernel asks for the length first (size 0), then for the value. */
static void reply_xattr(fuse_req_t req, size_t size, const char *value, int length)
{
    if (length < 0)
        fuse_reply_err(req, -length);
    else if (size == 0)
        fuse_reply_xattr(req, (size_t)length);
    else if ((size_t)length > size || length > XATTR_ROOM)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, value, (size_t)length);
}

static void xattr_done(void *ctx, const struct adl_report *report)
{
    struct adl_fs_pending *pending = ctx;
    char value[XATTR_ROOM] = "";
    int length = -ENOMEM;
    if (report && pending->name[0])
        length = adl_xattr_of_file(pending->name, report, value, sizeof(value));
    else if (report)
        length = (int)adl_xattr_list_file(report, value, sizeof(value));
    reply_xattr(pending->req, pending->size, value, length);
    free(pending);
}

static void ask_report(fuse_req_t req, fuse_ino_t ino, uint32_t entry, const char *name,
                       size_t size)
{
    struct adl_fs_pending *pending = adl_fs_pend(req, ino);
    if (!pending)
        return;
    snprintf(pending->name, sizeof(pending->name), "%s", name);
    pending->size = size;
    adl_file_report(adl_fs_of(req)->engine, entry, xattr_done, pending);
}

static const char *control_of(const struct adl_fs *fs)
{
    return fs->options->control(fs->ctx);
}

void adl_fs_on_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct adl_fs *fs = adl_fs_of(req);
    ADL_FS_HOLD_NAMES(fs);
    const struct adl_node *node = adl_fs_node(fs, ino);
    char value[XATTR_ROOM] = "";
    if (!node)
        fuse_reply_err(req, ESTALE);
    else if (node->entry != ADL_NO_ENTRY && adl_xattr_is_file(name))
        ask_report(req, ino, node->entry, name, size);
    else if (ino == FUSE_ROOT_ID && adl_xattr_is_root(name))
        reply_xattr(req, size, value,
                    adl_xattr_of_root(name, &fs->told, control_of(fs), value, sizeof(value)));
    else
        fuse_reply_err(req, ENODATA);
}

void adl_fs_on_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct adl_fs *fs = adl_fs_of(req);
    ADL_FS_HOLD_NAMES(fs);
    const struct adl_node *node = adl_fs_node(fs, ino);
    char value[XATTR_ROOM] = "";
    if (!node)
        fuse_reply_err(req, ESTALE);
    else if (node->entry != ADL_NO_ENTRY)
        ask_report(req, ino, node->entry, "", size);
    else if (ino == FUSE_ROOT_ID)
        reply_xattr(req, size, value,
                    (int)adl_xattr_list_root(control_of(adl_fs_of(req)), value, sizeof(value)));
    else
        reply_xattr(req, size, value, 0);
}
