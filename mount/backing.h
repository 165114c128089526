/* backing: how kernel and daemon speak of the files that the kernel reads itself (FUSE
 * passthrough).
 *
 * libfuse can ask for passthrough since 3.17. Before, two of its messages are completed on their
 * way, by the hooks of fuse_session_custom_io(): the kernel's FUSE_INIT is looked at, for libfuse
 * does not tell that passthrough is offered; and what asks for it is written into libfuse's answer,
 * which is long enough, since the kernel takes unknown fields as zeros. All other messages pass
 * unseen. The rest is the same for every libfuse: the two ioctls, and an answer to FUSE_OPEN as the
 * kernel wants it. */
#ifndef ADL_BACKING_H
#define ADL_BACKING_H

#include <fuse_lowlevel.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The session's userdata must begin with one, all zero: the hooks find it there. */
struct adl_backing {
    struct fuse_session *session; /* not owned */
    _Atomic uint64_t
        asked;      /* number of a FUSE_INIT that offers passthrough, until it is answered */
    uint32_t depth; /* what its answer will ask for; 0: nothing */
};

/* Between fuse_session_mount() and the session's loop. 0 or -errno. */
int adl_backing_attach(struct adl_backing *backing, struct fuse_session *session);

/* In the init operation: asks for passthrough to files of a file system that is itself stacked on
 * another (overlayfs), or not. Returns whether the kernel offers it. */
bool adl_backing_ask(struct adl_backing *backing, struct fuse_conn_info *conn, bool stacked);

/* Has the kernel take the file `data`, which may be closed then. Returns its number, above 0, for
 * adl_backing_reply_open() until adl_backing_close(), which does not end what is open by then.
 * -errno: -EPERM without CAP_SYS_ADMIN. Any thread. */
int adl_backing_open(const struct adl_backing *backing, int data);
void adl_backing_close(const struct adl_backing *backing, int number);

/* fuse_reply_open() for a handle that is read from that backing file, whatever `info` says of
 * caching. Any thread. */
int adl_backing_reply_open(fuse_req_t req, const struct fuse_file_info *info, int number);

#endif
