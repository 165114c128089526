/* store: the cache directory: who may use it, and what is in it by name.
 *
 * One data file and one sidecar for each URL, named by the XXH3-128 of the URL in 32 hex digits:
 * KEY.data and KEY.map, flat in the directory. The directory is the user's alone: made with mode
 * 0700, refused when it is a symbolic link, belongs to somebody else or may be written to by others
 * (its files have mode 0600: who may only list it learns nothing but hashes). */
#ifndef ADL_STORE_H
#define ADL_STORE_H

#include "log.h"

#include <stdbool.h>
#include <stdint.h>

#define ADL_KEY_SIZE     16
#define ADL_BOOT_ID_SIZE 16

enum adl_allocate { ADL_ALLOCATE_SPARSE, ADL_ALLOCATE_FULL };

struct adl_overflow;

struct adl_key {
    unsigned char bytes[ADL_KEY_SIZE]; /* XXH3-128 of the URL, canonical (big-endian) form */
};

struct adl_store {
    int dir;    /* owned: the directory */
    char *path; /* owned: where it is made anew if it is removed; NULL: nowhere */
    unsigned char boot[ADL_BOOT_ID_SIZE]; /* this boot, of /proc/sys/kernel/random/boot_id */
    enum adl_allocate allocate;
    uint32_t block_size;           /* of new copies; a power of two, 4 KiB .. 16 MiB */
    struct adl_overflow *overflow; /* not owned: takes what the disk does not; NULL: nothing does */
    const struct adl_log *log;     /* not owned */
};

/* Opens `path`, making it and its missing parents. block_size as above, else -EINVAL. -EPERM
 * when it is somebody else's or writable for others, -ELOOP for a symbolic link, -ENOTDIR, -errno.
 */
int adl_store_open(const char *path, uint32_t block_size, enum adl_allocate allocate,
                   const struct adl_log *log, struct adl_store **out);
void adl_store_free(struct adl_store *store);

/* $XDG_CACHE_HOME/adlfs, or ~/.cache/adlfs (XDG Base Directory Specification), which the caller
 * frees. 0 or -ENOMEM. */
int adl_store_default(char **out);

/* Whether a copy may have blocks of that many bytes. */
bool adl_store_block_size_valid(uint32_t block_size);

struct adl_key adl_store_key(const char *url);

/* "KEY" + suffix, e.g. ".data". `out` has room for ADL_NAME_ROOM bytes. */
#define ADL_NAME_ROOM (2 * ADL_KEY_SIZE + 8)
void adl_store_name(const struct adl_key *key, const char *suffix, char out[ADL_NAME_ROOM]);

/* The functions below may be called by any thread; a file descriptor that they give is the
 * caller's. */

/* Whether a file of the directory is a regular one of this user's alone: its owner, no other name,
 * not writable for others. */
bool adl_store_is_ours(int fd);

/* Opens KEY.map for reading and writing, making an empty one where there is none, and locks it:
 * closing gives the lock back. Who holds it may write, replace and remove KEY.map and KEY.data, and
 * nobody else may; KEY.data is to be removed before KEY.map, since with KEY.map's name goes the
 * lock. flock(2), so that two opens of one process exclude each other too. -EWOULDBLOCK when
 * somebody holds it, but for who takes things out of the cache (adl_store_hold()), who is waited
 * for, 0.2 s at most; -errno. A KEY.map that is not this user's alone makes way for a new one. */
int adl_store_lock(const struct adl_store *store, const struct adl_key *key, int *fd);

/* For who takes entries out that others want to open: holds the directory, waiting for others that
 * do, until *fd is closed. Entries are locked by adl_store_lock_held() in between, for a moment.
 * 0 or -errno. */
int adl_store_hold(const struct adl_store *store, int *fd);
/* adl_store_lock(), without the wait. */
int adl_store_lock_held(const struct adl_store *store, const struct adl_key *key, int *fd);

/* Opens the existing KEY.data for reading and writing. -ENOENT where there is none, or none that is
 * this user's alone; -errno. */
int adl_store_open_data(const struct adl_store *store, const struct adl_key *key, int *fd);

/* Makes a new, empty KEY.data in place of the one that is there. The lock is held. 0 or -errno. */
int adl_store_new_data(const struct adl_store *store, const struct adl_key *key, int *fd);

/* A new file without a name. 0 or -errno. */
int adl_store_private_data(const struct adl_store *store, int *fd);

/* Gives such a file the name KEY.data, in place of the one that is there. The lock is held. 0;
 * -ENOENT where the file system cannot do that; -errno. */
int adl_store_name_data(const struct adl_store *store, const struct adl_key *key, int fd);

/* Gives the data file `fd` away: it gets the name `name` in the directory `dir`, in place of a file
 * that is there only if `replace`. `key`: it is KEY.data, which is no more then, and the lock is
 * held; NULL: it has no name. 0; -EEXIST; -EXDEV on another file system; -ENOENT where what has no
 * name cannot get one; -errno. */
int adl_store_give_data(const struct adl_store *store, const struct adl_key *key, int fd, int dir,
                        const char *name, bool replace);

/* Removes KEY.data; KEY.data, then KEY.map; as far as they are there. The lock is held. */
void adl_store_remove_data(const struct adl_store *store, const struct adl_key *key);
void adl_store_remove(const struct adl_store *store, const struct adl_key *key);

/* Sets the file's size and, with ADL_ALLOCATE_FULL, reserves its space; what it holds stays. A file
 * system that cannot reserve is told of in the log and gets a sparse file. 0; -ENOSPC (more than is
 * free is not even tried); -errno. */
int adl_store_allocate(const struct adl_store *store, int fd, int64_t size);

#endif
