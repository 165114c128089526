/* A thread that is within write(2) on the device keeps it open: closing it does not end the
 * connection, and what that thread waits for in the kernel (a page that is locked until a read is
 * answered) would never come. */
#include "drain.h"

#include "cleanup.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* The least that the kernel takes is a page and a write's head; nobody writes here. */
#define ROOM (1 << 20)

#define LOOK_MS 20

static void refuse(int fd, const struct fuse_in_header *request)
{
    struct fuse_out_header answer = {.len = sizeof(answer),
                                     .error = -ENOTCONN,
                                     .unique = request->unique};
    if (request->opcode == FUSE_FORGET || request->opcode == FUSE_BATCH_FORGET ||
        request->opcode == FUSE_INTERRUPT)
        return;
    ssize_t written = write(fd, &answer, sizeof(answer));
    (void)written; /* who asked has gone */
}

void adl_drain(int fd, bool (*busy)(void *ctx), void *ctx)
{
    cleanup_free struct fuse_in_header *request = NULL;
    struct pollfd device = {.fd = fd, .events = POLLIN};
    while (busy(ctx)) {
        if (!request)
            request = malloc(ROOM);
        if (poll(&device, 1, LOOK_MS) < 1 || !request)
            continue;
        ssize_t length = read(fd, request, ROOM);
        if (length >= (ssize_t)sizeof(*request))
            refuse(fd, request);
        else if (length < 0 && (errno == ENODEV || errno == ECONNABORTED))
            return;
    }
}
