#define FUSE_USE_VERSION 312

#include "backing.h"

#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/uio.h>
#include <unistd.h>

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)

int adl_backing_attach(struct adl_backing *backing, struct fuse_session *session)
{
    backing->session = session;
    return 0;
}

bool adl_backing_ask(struct adl_backing *backing, struct fuse_conn_info *conn, bool stacked)
{
    (void)backing;
    if (!(conn->capable & FUSE_CAP_PASSTHROUGH))
        return false;
    conn->want |= FUSE_CAP_PASSTHROUGH;
    conn->max_backing_stack_depth =
        stacked ? FUSE_BACKING_STACKED_OVER : FUSE_BACKING_STACKED_UNDER;
    return true;
}

#else

/* --- the hooks. libfuse answers FUSE_INIT in the thread that read it */

static bool offers(const void *request, size_t size)
{
    const struct fuse_in_header *head = request;
    const struct fuse_init_in *init = (const void *)(head + 1);
    return size >= sizeof(*head) + offsetof(struct fuse_init_in, flags2) + sizeof(init->flags2) &&
           head->opcode == FUSE_INIT && init->flags & FUSE_INIT_EXT &&
           init->flags2 & ADL_KERNEL_PASSTHROUGH;
}

static void amend(const struct adl_backing *backing, const struct iovec *answer, int count)
{
    const struct fuse_out_header *head = answer[0].iov_base;
    if (!backing->depth || head->error || count != 2 ||
        answer[1].iov_len < sizeof(struct adl_kernel_init_out))
        return;
    struct adl_kernel_init_out *out = answer[1].iov_base;
    out->flags |= FUSE_INIT_EXT;
    out->flags2 |= ADL_KERNEL_PASSTHROUGH;
    out->max_stack_depth = backing->depth;
}

static ssize_t read_request(int device, void *request, size_t size, void *userdata)
{
    struct adl_backing *backing = userdata;
    ssize_t got = read(device, request, size);
    if (got > 0 && offers(request, (size_t)got))
        atomic_store(&backing->asked, ((const struct fuse_in_header *)request)->unique);
    return got;
}

static ssize_t write_answer(int device, struct iovec *answer, int count, void *userdata)
{
    struct adl_backing *backing = userdata;
    uint64_t asked = atomic_load_explicit(&backing->asked, memory_order_relaxed);
    if (asked && asked == ((const struct fuse_out_header *)answer[0].iov_base)->unique) {
        amend(backing, answer, count);
        atomic_store(&backing->asked, 0);
    }
    return writev(device, answer, count);
}

/* Without this one, libfuse would not splice data to the device. */
static ssize_t splice_answer(int pipe, off_t *pipe_at, int device, off_t *device_at, size_t size,
                             unsigned flags, void *userdata)
{
    (void)userdata;
    return splice(pipe, pipe_at, device, device_at, size, flags);
}

int adl_backing_attach(struct adl_backing *backing, struct fuse_session *session)
{
    static const struct fuse_custom_io hooks = {.read = read_request,
                                                .writev = write_answer,
                                                .splice_send = splice_answer};
    backing->session = session;
    return fuse_session_custom_io(session, &hooks, fuse_session_fd(session));
}

bool adl_backing_ask(struct adl_backing *backing, struct fuse_conn_info *conn, bool stacked)
{
    (void)conn;
    backing->depth = stacked ? 2 : 1;
    return atomic_load(&backing->asked) != 0;
}

#endif

/* --- backing files. Not by libfuse's fuse_passthrough_open() and _close(): they want a request,
 * which is gone when an answered one turns out to have been interrupted, and they print what is no
 * error here */

int adl_backing_open(const struct adl_backing *backing, int data)
{
    struct adl_kernel_backing map = {.fd = data};
    int number = ioctl(fuse_session_fd(backing->session), ADL_KERNEL_BACKING_OPEN, &map);
    return number < 0 ? -errno : number;
}

void adl_backing_close(const struct adl_backing *backing, int number)
{
    ioctl(fuse_session_fd(backing->session), ADL_KERNEL_BACKING_CLOSE, &number);
}

int adl_backing_reply_open(fuse_req_t req, const struct fuse_file_info *info, int number)
{
    struct adl_kernel_open_out out = {.fh = info->fh,
                                      .open_flags = ADL_KERNEL_OPEN_PASSTHROUGH,
                                      .backing_id = number};
    return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}
