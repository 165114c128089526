/* scout: a process that goes ahead where one might never come back from.
 *
 * Who asks a FUSE file system for something waits in the kernel until its daemon answers, and for
 * ever if that is stopped, or hangs; no thread can give that up, and a process whose thread waits
 * there does not end. So a process of its own asks, which can be left where it is. */
#ifndef ADL_SCOUT_H
#define ADL_SCOUT_H

#include <stddef.h>

/* A daemon answers within milliseconds, on a busy machine within seconds. */
#define ADL_SCOUT_MS 15000

/* Called in the other process, which has nothing open but what it opens itself. What it writes to
 * `found` is seen at once. */
typedef void adl_scout_fn(const void *what, void *found);

/* Calls `look` for `what`. *found, of `size` bytes, is given to it as it is, and comes back as it
 * left it. A time in which this process itself was stopped counts little. 0; -ETIMEDOUT: it has not
 * come back for `ms`, and is left behind; -EIO: it died; -errno. Not for a process with threads. */
int adl_scout_send(adl_scout_fn *look, const void *what, void *found, size_t size, int ms);

#endif
