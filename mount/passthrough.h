/* passthrough: complete files are read by the kernel itself, from their cache files.
 *
 * A file that is all here, and trusted, is opened with its data file as FUSE's backing file: reads,
 * mmap(2) and exec of that handle do not come to the daemon any more and cost what the data file
 * costs. That takes Linux 6.9 and CAP_SYS_ADMIN; where one is missing, and for all other files, the
 * daemon answers reads as ever.
 *
 * The kernel refuses (EIO to who opens) to have one inode open both ways at a time, or over two
 * backing files. So the open handles of each node id are counted here, and the first one decides
 * for all that come while one is open. A node id is one version of a file, and its bytes never
 * change: any of its data files is as good as another.
 *
 * The kernel holds the data file itself, read-only handles on it at that: it may be unlinked, as
 * that of an old version is, but while anybody has it open no hole may be punched into it. The
 * kernel would read zeros, and nobody would hear of it. */
#ifndef ADL_PASSTHROUGH_H
#define ADL_PASSTHROUGH_H

#include "backing.h"
#include "log.h"

struct adl_passthrough;

/* `backing`, of the session, must outlive it. 0 or -ENOMEM. */
int adl_passthrough_new(struct adl_backing *backing, const struct adl_log *log,
                        struct adl_passthrough **out);

/* The session has ended. */
void adl_passthrough_free(struct adl_passthrough *passthrough);

/* In the init operation: asks the kernel for it. `directory` is the cache's. */
void adl_passthrough_init(struct adl_passthrough *passthrough, struct fuse_conn_info *conn,
                          int directory);

/* Counts a handle of `ino` and decides how it is read: *backing is what to answer it with by
 * adl_backing_reply_open(), or 0: the daemon answers its reads. `data` is its data file where that
 * is complete and trusted (adl_handle_complete()), else -1. Each success takes one
 * adl_passthrough_release(), also when the answer came too late. `name` is for the log. 0 or
 * -ENOMEM. Any thread. */
int adl_passthrough_open(struct adl_passthrough *passthrough, fuse_ino_t ino, const char *name,
                         int data, int *backing);

/* The kernel has released a handle of `ino`, or never got it. Any thread. */
void adl_passthrough_release(struct adl_passthrough *passthrough, fuse_ino_t ino);

#endif
