/* cleanup: ownership that can be seen: a variable marked with one of these is released when its
 * scope ends, so that an early return is always right; steal_*() hands it on and leaves nothing to
 * release. */
#ifndef ADL_CLEANUP_H
#define ADL_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void adl_cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void adl_cleanup_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define cleanup_free _cleanup_(adl_cleanup_free)
#define cleanup_fd   _cleanup_(adl_cleanup_fd)

#define steal_pointer(p)                                                                           \
    __extension__({                                                                                \
        __typeof__(p) stolen_ = (p);                                                               \
        (p) = NULL;                                                                                \
        stolen_;                                                                                   \
    })

static inline int steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

#endif
