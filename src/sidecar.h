/* sidecar: the bitmap on disk: format, checksums, recovery.
 *
 * Beside each data file stands KEY.map: one head page that says what is cached (size, validator,
 * URL), then pages of 4096 bytes for 500 blocks each with their bits and their checksums. Every
 * page carries a checksum of its own, seeded with the sidecar's random number, so that a torn,
 * foreign, swapped or stale page reads as 'these blocks are missing'. src/README.md has the layout
 * byte by byte; all integers are little-endian.
 *
 * A bit has three states: missing; claimed (the sidecar says that it is here, but the machine
 * restarted since, or the data file was touched since it was recorded: only its checksum can tell);
 * trusted. `claimed` includes `trusted`. Blocks are claimed or trusted at load:
 *
 *   trusted   the page carries the head's epoch, and the head says that the data file was left in
 *             this boot with the inode number and ctime that it has
 *   claimed   any other block whose bit is set in a page that is in order
 *
 * The epoch is a random number. A page is written with it only if all blocks that are set in it are
 * trusted, else with 0: its blocks will be verified after the next load, which costs a checksum,
 * never a byte. A load that finds the data file left as the head says goes on with the head's
 * epoch; any other begins a new one, so that no page that lies on the disk is trusted until it was
 * written again. While a sidecar is in use its head does not say how the data file was left: who is
 * killed leaves nothing that is trusted.
 *
 * Nothing here is fsync'ed: after a power cut the boot id and the checksums tell. Threads: one
 * owner writes; `claimed`, `trusted` and the sums of claimed blocks may be read by any thread. */
#ifndef ADL_SIDECAR_H
#define ADL_SIDECAR_H

#include "bitmap.h"
#include "probe.h"
#include "store.h"

#define ADL_MAP_PAGE        4096
#define ADL_BLOCKS_PER_PAGE 500
#define ADL_URL_KEPT        2048 /* bytes of the redacted URL that the head keeps */

/* What the head page says. */
struct adl_head {
    struct adl_key key;
    struct adl_validator validator;
    int64_t size;           /* of the file, bytes, >= 0 */
    uint32_t block_size;    /* bytes, a power of two */
    uint32_t flags;         /* ADL_HEAD_* */
    int64_t checked_at;     /* Unix time, s, of the last answer that confirmed the validator */
    char url[ADL_URL_KEPT]; /* redacted, for people; "" for none */
};

#define ADL_HEAD_SPLIT        1u /* the origin has ranges */
#define ADL_HEAD_DIGESTED     2u /* complete, and checksum= was right: */
#define ADL_HEAD_DIGEST_SHIFT 8  /* from here on 24 bits of the XXH3-64 of that checksum */
#define ADL_HEAD_EXECUTABLE   4u /* the data begins with "\x7f" "ELF" or "#!" */
#define ADL_HEAD_DIGEST_MASK  (ADL_HEAD_DIGESTED | UINT32_MAX << ADL_HEAD_DIGEST_SHIFT)

struct adl_sidecar {
    struct adl_head head;
    struct adl_bitmap claimed, trusted; /* one bit a block */
    _Atomic uint64_t *sums;             /* owned: XXH3-64 of each claimed block's bytes */
    uint64_t blocks;
    struct adl_bitmap damaged; /* one bit a page: what lay there at load was in no order */
    /* private to sidecar.c */
    int fd;                  /* owned; -1: nothing is written (a private copy) */
    uint64_t random;         /* seed of the pages' checksums */
    struct adl_bitmap dirty; /* one bit a page */
    uint64_t epoch;          /* of the pages whose blocks are all trusted */
    unsigned char boot[ADL_BOOT_ID_SIZE];
    bool head_dirty;
};

/* Whether both are of one version: the same size and validator. */
bool adl_head_same(const struct adl_head *a, const struct adl_head *b);

/* How many blocks such a file has; the last one may be short. size >= 0, block_size > 0. */
uint64_t adl_head_blocks(const struct adl_head *head);

/* The head of KEY.map alone, without a lock: what is known of a file without asking the origin.
 * 0, -ENOENT (none, damaged, of another version of the format, or of another key), -errno. */
int adl_sidecar_peek(const struct adl_store *store, const struct adl_key *key,
                     struct adl_head *out);

/* The same, and how many bytes of the data file are claimed, which is no use of it (inventory.h);
 * without the lock, so that it need not be so any more. -ENOMEM too. */
int adl_sidecar_survey(const struct adl_store *store, const struct adl_key *key,
                       struct adl_head *out, int64_t *claimed);

/* Writes a head alone, for a file that was asked about but never read, unless a sidecar is there
 * that says the same size and validator. What was cached of another version is dropped. A
 * block_size of 0 stands for the store's. -EWOULDBLOCK when somebody has it locked. 0 or -errno. */
int adl_sidecar_note(const struct adl_store *store, const struct adl_head *head);

/* Takes over `fd` (open for reading and writing, locked by the caller), reads what is there and
 * sets claimed and trusted. `data` is the data file's fd: its size must be head.size, else
 * everything is missing. 0; -ENOENT when the head is not in order, or is not of `key`; -ENOMEM.
 * On an error fd stays the caller's. */
int adl_sidecar_load(const struct adl_store *store, const struct adl_key *key, int fd, int data,
                     struct adl_sidecar **out);

/* A new, empty one that says `head`. Truncates `fd` (taken over on success) and writes the head;
 * fd -1: kept in memory only. `head->size` >= 0. 0 or -errno. */
int adl_sidecar_new(const struct adl_store *store, const struct adl_head *head, int fd,
                    struct adl_sidecar **out);

/* Writes what is dirty if it can, with data's inode and ctime when `data` >= 0 (the data file is
 * left: nobody writes to it any more), and frees. */
void adl_sidecar_close(struct adl_sidecar *sidecar, int data);

/* One that is kept in memory only is written from now on, to `fd`, locked by the caller, taken over
 * on success. What `fd` held is gone in any case. Owner. 0 or -errno. */
int adl_sidecar_attach(struct adl_sidecar *sidecar, int fd);

/* Goes on in memory only: gives its fd back, and the lock with it. Owner. */
void adl_sidecar_detach(struct adl_sidecar *sidecar);

/* The block is here, with this checksum of its bytes (as many as the block has; the last one may
 * be short). Owner. */
void adl_sidecar_set(struct adl_sidecar *sidecar, uint64_t block, uint64_t sum);
/* The claimed block's bytes were compared with its sum and are right. Owner. */
void adl_sidecar_trust(struct adl_sidecar *sidecar, uint64_t block);
/* The block is missing after all, and a checksum= that was found right says nothing any more.
 * Owner. */
void adl_sidecar_drop(struct adl_sidecar *sidecar, uint64_t block);
/* The head was changed by the owner (flags, checked_at). */
void adl_sidecar_touch(struct adl_sidecar *sidecar);

bool adl_sidecar_dirty(const struct adl_sidecar *sidecar);
/* Writes dirty pages and head, one pwrite(2) each. 0 or the first -errno; what could not be
 * written stays dirty. */
int adl_sidecar_flush(struct adl_sidecar *sidecar);

#endif
