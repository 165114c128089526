/* fs: the tree and its files as the kernel's FUSE sees them (low-level API of libfuse 3).
 *
 * A node id is the tree's node number in its low 32 bits and the file's version above: what changed
 * at the origin is another inode, so that no page of an old version is ever taken for one of the
 * new. An operation on a node id of an old version is answered ESTALE, and the kernel looks the
 * path up again by itself. */
#ifndef ADL_FS_H
#define ADL_FS_H

#include "file.h"
#include "log.h"
#include "tree.h"

struct adl_fs_options {
    const char *mountpoint; /* absolute */
    const char *source;     /* what is mounted, for the table of mounts; without secrets */
    bool allow_other;
    bool exec;                   /* all files get mode 0555 */
    void (*stopping)(void *ctx); /* may be NULL: called with `ctx` when the end begins */
};

/* Mounts and serves until unmounted or signalled (SIGTERM, SIGINT, SIGHUP). `ready` is called once,
 * from another thread, when the mount is usable. 0 or -errno. */
int adl_fs_run(const struct adl_fs_options *options, struct adl_engine *engine,
               const struct adl_manifest *manifest, const struct adl_tree *tree,
               const struct adl_log *log, void (*ready)(void *ctx), void *ctx);

#endif
