/* fs: the tree and its files as the kernel's FUSE sees them (low-level API of libfuse 3).
 *
 * What changed at the origin is another inode (inode.h). An operation on the node id of an old
 * version is answered ESTALE, and the kernel looks the path up again by itself. */
#ifndef ADL_FS_H
#define ADL_FS_H

#include "file.h"
#include "log.h"
#include "tree.h"
#include "xattr.h"

struct adl_fs_options {
    const char *mountpoint; /* absolute */
    const char *source;     /* what is mounted, for the table of mounts; without secrets */
    bool allow_other;
    bool exec;    /* all files get mode 0555 */
    bool reloads; /* on SIGHUP the manifest is read again */
    /* The control socket's path, for the root's attribute; NULL while there is none. `ctx` is that
     * of the events. Any thread. */
    const char *(*control)(void *ctx);
};

struct adl_fs;

struct adl_fs_events {
    /* The mount is usable. From another thread; perhaps as late as `ending`. */
    void (*ready)(void *ctx, struct adl_fs *fs);
    /* It is not any more. The engine stops when this returns ... */
    void (*ending)(void *ctx);
    /* Whether somebody still waits in the kernel: what it asks is refused meanwhile ... */
    bool (*waiting)(void *ctx);
    /* ... and nothing may use the adl_fs when this returns. */
    void (*ended)(void *ctx);
};

/* Mounts and serves until unmounted or signalled: SIGTERM, SIGINT, and SIGHUP if nobody else has a
 * handler for it. 0 or -errno. */
int adl_fs_run(const struct adl_fs_options *options, struct adl_engine *engine,
               const struct adl_tree *tree, const struct adl_log *log,
               const struct adl_fs_events *events, void *ctx);

/* Shows another tree from now on, which has inherited the numbers of the one that was shown, and
 * whose entries the engine knows; makes the kernel forget what is not so any more. The old one is
 * not used when this returns. 0; -ENOMEM: nothing has changed. Between `ready` and `ended`, by one
 * thread at a time, which holds nothing that an operation or the engine waits for. */
int adl_fs_replace(struct adl_fs *fs, const struct adl_tree *tree);

/* Has the kernel forget [first, end) of a file as it was in that version; end -1: to its end. Waits
 * for reads of it: for a thread that nobody else waits for. Between `ready` and `ended`. */
void adl_fs_forget(struct adl_fs *fs, uint32_t entry, uint32_t version, int64_t first, int64_t end);

/* What the root's attributes say. Any thread. */
void adl_fs_tell(struct adl_fs *fs, const struct adl_xattr_root *told);

#endif
