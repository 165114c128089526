/* reply: bytes of a file descriptor -> the answer to a read, without a copy, and without giving the
 * reader an error that is the disk's.
 *
 * libfuse splices from the descriptor itself and answers EIO when the disk does not give the bytes
 * back, and then it is too late to get them from elsewhere. So they go into a pipe of our own
 * first: what is in there has been read. Each thread has one, as each has one of libfuse's. */
#ifndef ADL_REPLY_H
#define ADL_REPLY_H

#include <fuse_lowlevel.h>
#include <stdint.h>

struct adl_reply;

/* `most` is the largest answer, bytes. 0, -ENOMEM or -EAGAIN. */
int adl_reply_new(size_t most, struct adl_reply **out);
/* No thread answers any more. */
void adl_reply_free(struct adl_reply *reply);

/* Answers `req` with [offset, offset + length) of fd. 0: it is answered. -errno: the bytes could
 * not be read, and it is not. Any thread. */
int adl_reply_bytes(struct adl_reply *reply, fuse_req_t req, int fd, int64_t offset, size_t length);

#endif
