/* drain: what the kernel still asks of a mount that nobody serves any more is refused, so that who
 * waits in the kernel for an answer of ours does not wait for ever. */
#ifndef ADL_DRAIN_H
#define ADL_DRAIN_H

#include <stdbool.h>

/* Refuses (ENOTCONN) every request on the FUSE device `fd`, as long as `busy` says so or until the
 * connection is gone. No other thread reads from it. */
void adl_drain(int fd, bool (*busy)(void *ctx), void *ctx);

#endif
