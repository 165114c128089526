/* A command that has less patience than it is written with, for LD_PRELOAD: whatever it waits for
 * with a limit of its own, it gives up after a twentieth of that. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>

int poll(struct pollfd *fds, nfds_t count, int ms)
{
    int (*next)(struct pollfd *, nfds_t, int) =
        (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
    return next(fds, count, ms > 0 ? ms / 20 : ms);
}
