/* evict: keeping the cache within its limits.
 *
 * The loop counts what it writes and has the keeper, a thread, look the directory over when the
 * limits may be passed: what was used least recently goes, whole or in part (quota.h), but for what
 * somebody has open, here or in another process (inventory.h). Where that is not enough, since all
 * is open, the overflow is shut: files are read past the cache until something can go. So the
 * limits hold also while one file that is larger than they are is read from its start to its end.
 */
#ifndef ADL_EVICT_H
#define ADL_EVICT_H

#include "quota.h"

#include <stdatomic.h>

struct adl_engine;

/* What the keeper found, and did. */
struct adl_look {
    int64_t allocated; /* bytes of disk that the cache takes now */
    int64_t excess;    /* bytes that should have gone, too, and could not */
    int64_t freed;     /* bytes of disk that did */
    int error;         /* 0 or -errno: it could not look */
};

/* The loop's side. */
struct adl_evictor {
    struct adl_quota quota; /* read by the keeper, too */
    bool looking;           /* the keeper is at work */
    int64_t look_at;        /* ms: when it is due in any case */
    int64_t not_before;     /* ms: and when it may be */
    int64_t allocated;      /* of the last look */
    int64_t wrote;          /* bytes since it began */
    int64_t wrote_before;   /* of them, what was written when the look under way began */
    bool is_full;           /* the last look could not free enough */
};

/* Looks the cache over and takes out what is to go. Ends early when *stop. Any thread. */
void adl_evict_look(const struct adl_store *store, const struct adl_quota *quota,
                    const _Atomic bool *stop, struct adl_look *look);

#endif
