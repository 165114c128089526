#define FUSE_USE_VERSION 312

#include "reply.h"

#include "cleanup.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>

struct adl_reply {
    size_t most;
    pthread_key_t key; /* of struct ends, one a thread, freed by it */
};

struct ends {
    int from, to; /* owned; -1: there is no pipe, or none that is large enough */
};

static void close_ends(struct ends *ends)
{
    if (ends->from >= 0)
        close(ends->from);
    if (ends->to >= 0)
        close(ends->to);
    ends->from = ends->to = -1;
}

static void free_ends(void *ctx)
{
    close_ends(ctx);
    free(ctx);
}

/* A page of the pipe holds a page of the file, or a part of one: two more for the ends. */
static void open_ends(struct ends *ends, size_t most)
{
    int fds[2];
    size_t room = most + 2 * (size_t)sysconf(_SC_PAGESIZE);
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return;
    *ends = (struct ends){.from = fds[0], .to = fds[1]};
    int have = fcntl(ends->to, F_SETPIPE_SZ, (int)room);
    if (have < 0 || (size_t)have < room)
        close_ends(ends);
}

int adl_reply_new(size_t most, struct adl_reply **out)
{
    struct adl_reply *reply = calloc(1, sizeof(*reply));
    if (!reply)
        return -ENOMEM;
    reply->most = most;
    int error = -pthread_key_create(&reply->key, free_ends);
    if (error < 0)
        free(reply);
    else
        *out = reply;
    return error;
}

void adl_reply_free(struct adl_reply *reply)
{
    if (!reply)
        return;
    void *mine = pthread_getspecific(reply->key);
    if (mine)
        free_ends(mine);
    pthread_key_delete(reply->key);
    free(reply);
}

static struct ends *ends_of(struct adl_reply *reply)
{
    struct ends *ends = pthread_getspecific(reply->key);
    if (ends)
        return ends;
    ends = malloc(sizeof(*ends));
    if (!ends)
        return NULL;
    *ends = (struct ends){.from = -1, .to = -1};
    open_ends(ends,
              reply->most); /* tried once a thread: what there is too little of, stays little */
    if (pthread_setspecific(reply->key, ends) == 0)
        return ends;
    free_ends(ends);
    return NULL;
}

/* 0: all is in the pipe. -EINVAL, -EAGAIN: this cannot be spliced. -errno of reading. */
static int fill(const struct ends *ends, int fd, int64_t offset, size_t length)
{
    while (length > 0) {
        ssize_t n = splice(fd, &offset, ends->to, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        length -= (size_t)n;
    }
    return 0;
}

static int reply_copy(fuse_req_t req, int fd, int64_t offset, size_t length)
{
    cleanup_free char *buffer = malloc(length);
    if (!buffer) {
        fuse_reply_err(req, ENOMEM);
        return 0;
    }
    int error = adl_io_read(fd, buffer, length, offset);
    if (error < 0)
        return error == -ENODATA ? -EIO : error;
    fuse_reply_buf(req, buffer, length);
    return 0;
}

static void reply_pipe(struct ends *ends, fuse_req_t req, size_t length)
{
    struct fuse_bufvec bytes = FUSE_BUFVEC_INIT(length);
    bytes.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_RETRY;
    bytes.buf[0].fd = ends->from;
    fuse_reply_data(req, &bytes, 0);
    int left = 0;
    if (ioctl(ends->from, FIONREAD, &left) < 0 || left > 0)
        close_ends(ends); /* nobody must be answered with what another did not take */
}

int adl_reply_bytes(struct adl_reply *reply, fuse_req_t req, int fd, int64_t offset, size_t length)
{
    if (length == 0) {
        fuse_reply_buf(req, NULL, 0);
        return 0;
    }
    struct ends *ends = ends_of(reply);
    if (!ends || ends->from < 0 || length > reply->most)
        return reply_copy(req, fd, offset, length);
    int error = fill(ends, fd, offset, length);
    if (error == 0) {
        reply_pipe(ends, req, length);
        return 0;
    }
    close_ends(ends);
    open_ends(ends, reply->most);
    return error == -EINVAL || error == -EAGAIN ? reply_copy(req, fd, offset, length) : error;
}
