/* copy: the local copy of one version of a remote file: a sparse data file of the full size, its
 * sidecar, and what has arrived of blocks that are not complete.
 *
 * Two threads meet here. The fetch loop owns the copy: it alone writes, completes and drops blocks.
 * FUSE threads ask adl_copy_has() and read the data file by its fd; for blocks that are only
 * claimed (see sidecar.h) they compare the checksum themselves with adl_copy_verify(), which
 * changes nothing, and tell the loop what they found. Every function says who may call it.
 *
 * A copy is pinned to one size and one validator from birth to end; a new version is a new copy
 * with new files. Files are replaced in an order that a kill at any point leaves harmless: the old
 * sidecar goes first, then the data file is made new, then the new sidecar appears. */
#ifndef ADL_COPY_H
#define ADL_COPY_H

#include "extents.h"
#include "overflow.h"
#include "sidecar.h"
#include "store.h"

#include <stdatomic.h>
#include <xxhash.h>

struct adl_copy {
    struct adl_store *store;       /* not owned */
    struct adl_sidecar *sidecar;   /* owned; its size is 0 blocks while the size is unknown */
    struct adl_extents partial;    /* bytes that are here of blocks that are not. Loop */
    struct adl_spill spill;        /* owned: bytes that are here, but not on the disk. Loop */
    struct adl_extents unreadable; /* what the disk did not give back: not written again. Loop */
    _Atomic int data; /* owned: the data file, open for reading and writing; -1: the disk gave none,
                         and nothing is trusted. Set once */
    _Atomic int64_t size; /* bytes; -1 while unknown (then only `partial` is used); set last */
    uint32_t block_size;
    bool named;    /* has files in the store and their lock; else unlinked, private */
    bool homeless; /* ... for want of the disk: adl_copy_settle() tries again */
};

/* Running checksum of one transfer, so that a block that one transfer brings whole is not read
 * back. All zero is a fresh one. */
struct adl_run {
    XXH3_state_t *state; /* owned, made at need */
    int64_t next;        /* the byte that it expects; the state covers [start of its block, next) */
    bool valid;          /* ... and this transfer wrote all of them itself */
};
void adl_run_free(struct adl_run *run);

/* Opens the cached copy of `want`, or makes a new one.
 *
 *   resume   a copy under this key with the same size and validator is taken up; else it is dropped
 *
 * A copy that is taken up keeps its block size and its flags; want's flags are added, its url and a
 * later checked_at replace. A new copy has want's block size (0: the store's; -EINVAL for one that
 * the store does not allow) and is never ADL_HEAD_DIGESTED.
 *
 * When another process (or another open copy) holds the lock, or want->size is -1, or the store
 * cannot be written to, the copy is private: an unlinked file in the store, with everything missing
 * (named = false; the reason is logged when it is not the unknown size). Where that cannot be made
 * either and the store has an overflow, the copy has no data file, and all that it gets goes there.
 * ADL_ALLOCATE_FULL reserves the space: -ENOSPC. 0 or -errno. Loop. */
int adl_copy_open(struct adl_store *store, const struct adl_head *want, bool resume,
                  struct adl_copy **out);

/* Opens the cached copy under that key as it is, whatever version it is of. -ENOENT: there is none
 * that is in order; -EWOULDBLOCK: somebody has it open; -ENOMEM, -errno. Loop. */
int adl_copy_open_found(struct adl_store *store, const struct adl_key *key, struct adl_copy **out);

/* Closes it, writing what is dirty. Loop. */
void adl_copy_close(struct adl_copy *copy);

/* Takes the files out of the store, at once; the copy itself goes on as a private one. Loop. */
void adl_copy_unlink(struct adl_copy *copy);

/* Gives the data file, which is whole, away under that name (see adl_store_give_data()); the copy
 * goes on as a private one. 0; -EINVAL when it is not whole; -errno, then nothing has changed.
 * Loop.
 */
int adl_copy_give(struct adl_copy *copy, int dir, const char *name, bool replace);

/* Writes bytes that arrived, sets the blocks that they complete. [offset, offset + length) lies
 * within the size where it is known, else -EINVAL. Bytes that are here already are not written
 * again, be their block complete, claimed or partial: what a reader was shown stays. `run` is the
 * transfer's, may be NULL. What the disk does not take goes to the store's overflow. 0; -ENOMEM,
 * then some of these bytes may count. Without an overflow also -errno of pwrite(2) (then none of
 * these bytes count), or of reading a block back (then some may). Loop. */
int adl_copy_write(struct adl_copy *copy, struct adl_run *run, const void *bytes, size_t length,
                   int64_t offset);

/* The size is known now: an unknown-size copy whose stream has ended. All of [0, size) must have
 * been written, else -EINVAL; what the disk did not take of it is missing. Becomes a named copy
 * saying `want` (of the block size that it has) if it can; the reason why not is logged. Reads the
 * whole file back for its checksums. On an error it stays what it was: a copy of unknown size. 0 or
 * -errno. Loop. */
int adl_copy_finish(struct adl_copy *copy, const struct adl_head *want);

/* Whether every byte of [first, end) is here (trusted, in a partial block or the overflow). Loop.
 */
bool adl_copy_covers(const struct adl_copy *copy, int64_t first, int64_t end);

/* The first byte range within [first, end) that is not here (nor claimed): sets
 * *from and *to. False where all is here. The range ends where the next byte is here. Loop. */
bool adl_copy_missing(const struct adl_copy *copy, int64_t first, int64_t end, int64_t *from,
                      int64_t *to);

/* Whether every block of [first, end) is trusted: the bytes may be read from `data`. Any thread. */
bool adl_copy_has(const struct adl_copy *copy, int64_t first, int64_t end);

/* Compares one claimed block with its checksum, reading it from `data`. 1: right; 0: wrong, or
 * cannot be read. `buffer` has room for block_size bytes. Any thread. */
int adl_copy_verify(const struct adl_copy *copy, uint64_t block, void *buffer);

/* What a thread found with adl_copy_verify(). A claimed, not trusted block is trusted or dropped
 * (after comparing once more); any other is left as it is. Loop. */
void adl_copy_verified(struct adl_copy *copy, uint64_t block, bool right);

/* All blocks here (claimed). / All trusted. Any thread. */
bool adl_copy_complete(const struct adl_copy *copy);
bool adl_copy_trusted(const struct adl_copy *copy);

/* Bytes that are here, or claimed. Loop. */
int64_t adl_copy_bytes(const struct adl_copy *copy);

/* The same of [first, end), within the size. Loop. */
int64_t adl_copy_bytes_in(const struct adl_copy *copy, int64_t first, int64_t end);

/* Whether any bytes are here or were: with an overflow they may have gone again. Loop. */
bool adl_copy_touched(const struct adl_copy *copy);

/* --- what the disk does not do: copy_spill.c */

/* Where the bytes [first, end), which are here, can be read: in the data file, or laid together on
 * the overflow's tray. Good until the next call. 0, -ENOMEM, or -errno of reading. Loop. */
int adl_copy_place(struct adl_copy *copy, int64_t first, int64_t end, int *fd, int64_t *at);

/* Reads them. Loop. */
int adl_copy_read(const struct adl_copy *copy, void *buffer, size_t length, int64_t first);

/* Something of [first, end) could not be read from the data file: blocks of it that cannot be, or
 * are not what they were, are missing from now on, and what comes in their place is not written to
 * those places of the disk again. Loop. */
void adl_copy_unreadable(struct adl_copy *copy, int64_t first, int64_t end);

/* The disk is to be tried again: makes the files that the copy could not have, and writes what is
 * in the overflow, about *budget bytes at most, which are taken from it. Loop. */
void adl_copy_settle(struct adl_copy *copy, int64_t *budget);

#endif
