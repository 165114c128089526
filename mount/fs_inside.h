/* The inside of fs: what its files share. Only mount/fs*.c include this.
 *
 *   fs.c          the session: mounting, serving, its end
 *   fs_names.c    names, directories, attributes
 *   fs_files.c    opening, reading, releasing
 *   fs_xattrs.c   extended attributes
 *   fs_change.c   another tree in the place of the one that is shown
 *   fs_pending.c  requests that wait for the engine
 *
 * Operations run in any of libfuse's threads, several at a time, and wait for nothing but the
 * names' lock. What takes the network is handed to the engine with a pending request, which its
 * loop's thread answers and frees. */
#ifndef ADL_FS_INSIDE_H
#define ADL_FS_INSIDE_H

#define FUSE_USE_VERSION 312

#include "backing.h"
#include "foresight.h"
#include "fs.h"
#include "inode.h"
#include "passthrough.h"
#include "reply.h"

#include <assert.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stddef.h>

/* Names change only with the manifest, and that tells the kernel by itself. Seconds. */
#define ADL_FS_NAME_TIMEOUT 3600.0

/* Attributes change with the version, which is another node id: what the kernel keeps of an old
 * one does no harm, but `stat` should not show an old size for ever. Seconds. */
#define ADL_FS_ATTR_TIMEOUT 60.0

struct adl_fs {
    struct adl_backing backing;           /* first: see backing.h */
    const struct adl_fs_options *options; /* the caller's, as are the next two */
    struct adl_engine *engine;
    const struct adl_log *log;
    struct fuse_session *session;        /* owned by run_session() */
    struct adl_passthrough *passthrough; /* owned */
    struct adl_reply *reply;             /* owned */
    struct adl_inode_look look;
    const struct adl_fs_events *events; /* the caller's */
    void *ctx;                          /* of the events */

    /* What a reload changes: who looks holds the lock meanwhile, and waits for nothing. */
    pthread_rwlock_t lock;
    const struct adl_tree *tree;     /* the caller's */
    struct adl_foresight *foresight; /* owned */
    time_t changed;                  /* s: when directories got what is in them */
    struct adl_xattr_root told;
};
static_assert(offsetof(struct adl_fs, backing) == 0,
              "the hooks take the session's userdata for it");

static inline void adl_fs_let_go(pthread_rwlock_t **lock)
{
    pthread_rwlock_unlock(*lock);
}

/* The names stay as they are until the scope ends. Not twice in one thread. */
#define ADL_FS_HOLD_NAMES(fs)                                                                      \
    __attribute__((cleanup(adl_fs_let_go), unused)) pthread_rwlock_t *held_ = &(fs)->lock;         \
    pthread_rwlock_rdlock(held_)

static inline struct adl_fs *adl_fs_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* NULL: a reload took it away. With the names held, and good for as long. */
static inline const struct adl_node *adl_fs_node(const struct adl_fs *fs, fuse_ino_t ino)
{
    return adl_tree_node(fs->tree, adl_inode_number(ino));
}

/* Of an open file. */
static inline struct adl_handle *adl_fs_handle(const struct fuse_file_info *info)
{
    return (struct adl_handle *)(uintptr_t)info->fh;
}

/* --- fs_pending.c */

/* What a waiting request needs when its answer comes. Owned by the call that waits for it, whose
 * function answers `req` and frees it. */
struct adl_fs_pending {
    fuse_req_t req;
    fuse_ino_t ino;
    char name[64]; /* getxattr: the attribute; "": listxattr */
    size_t size;   /* getxattr, listxattr: the caller's room, bytes; 0: how much it takes */
    struct fuse_file_info info; /* open */
};

/* NULL without memory; then the request is answered. */
struct adl_fs_pending *adl_fs_pend(fuse_req_t req, fuse_ino_t ino);

/* A ticket with which the kernel's interrupt finds the call. 0: it was interrupted already, and the
 * answer was given. */
uint64_t adl_fs_ticket(fuse_req_t req);

/* --- the operations, as libfuse calls them */

/* fs_names.c */
void adl_fs_on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void adl_fs_on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void adl_fs_on_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void adl_fs_on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void adl_fs_on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void adl_fs_on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       struct fuse_file_info *info);
void adl_fs_on_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void adl_fs_on_statfs(fuse_req_t req, fuse_ino_t ino);

/* fs_files.c */
void adl_fs_on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void adl_fs_on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *info);
void adl_fs_on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);

/* fs_xattrs.c */
void adl_fs_on_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void adl_fs_on_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);

#endif
