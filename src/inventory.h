/* inventory: what is in the cache directory, and how it is taken out again.
 *
 * For whoever looks after the cache as a whole: the quota of a running engine, `adlfs cache`. What
 * a copy is doing at the moment is none of its business: an entry that somebody has open is locked
 * (adl_store_lock()), here or in another process, and is left alone.
 *
 * When an entry was last used is its KEY.map's mtime: a copy writes its sidecar's head when it is
 * opened, and again when it is closed. So nothing more is kept for it, and it survives restarts.
 *
 * Whoever takes something out holds the entry's lock for it, for a moment only, and the directory's
 * own flock(2) around that: an adl_store_lock() that meets a locked entry waits that moment out. */
#ifndef ADL_INVENTORY_H
#define ADL_INVENTORY_H

#include "store.h"

#include <stddef.h>

struct adl_item {
    struct adl_key key;
    bool data, map; /* which of KEY.data and KEY.map are there */
    bool garbage;   /* of no use to anybody: a data file without a sidecar, or one without a head */
    int64_t used;   /* when it was last used, ns since 1970; a data file alone: its mtime */
    int64_t allocated; /* bytes of disk that both files take */
    /* What the sidecar says; only where that was asked for, and where there is a head. */
    int64_t size;   /* bytes of the file; -1: not known */
    int64_t cached; /* bytes that are claimed to be here */
    char *url;      /* owned: redacted, for people; NULL: not known */
};

struct adl_inventory {
    struct adl_item *items; /* owned; in no order */
    size_t count;
    int64_t allocated; /* bytes of disk that all of them take */
    int64_t available; /* bytes that the file system has for us; INT64_MAX: it does not tell */
};

/* Lists the entries; with `heads` also what their sidecars say, at a page or more of reading each.
 * What appears or goes meanwhile may be listed or not. 0 (to be freed), -ENOMEM or -errno. Any
 * thread, any process; takes as long as the directory is large. */
int adl_inventory_take(const struct adl_store *store, bool heads, struct adl_inventory *out);
void adl_inventory_free(struct adl_inventory *inventory);

/* Takes an entry out, whole. *freed: the bytes of disk that it took. 0; -ENOENT, there was none;
 * -EWOULDBLOCK, somebody has it open; -errno. Any thread, any process. */
int adl_inventory_remove(const struct adl_store *store, const struct adl_key *key, int64_t *freed);

/* Takes about `bytes` of an entry out, from its end, by punching holes: its blocks are dropped from
 * the sidecar first. *freed: bytes of disk that became free. 0 or as adl_inventory_remove();
 * -EOPNOTSUPP where the file system has no holes; -EINVAL when it has no use of its own that way
 * (no head: remove it). */
int adl_inventory_shrink(const struct adl_store *store, const struct adl_key *key, int64_t bytes,
                         int64_t *freed);

/* Takes garbage out: what is marked so in the inventory, and the files KEY.tmp that a killed daemon
 * left, unless they are locked. *freed as above, also on an error. 0 or -errno. */
int adl_inventory_sweep(const struct adl_store *store, const struct adl_inventory *inventory,
                        int64_t *freed);

#endif
