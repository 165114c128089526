/* store: the cache directory: who may use it, and what is in it by name.
 *
 * One data file and one sidecar for each URL, named by the XXH3-128 of the URL in 32 hex digits:
 * KEY.data and KEY.map, flat in the directory. The directory is the user's alone: made with mode
 * 0700, refused when it is a symbolic link, belongs to somebody else or is open to others. */
#ifndef ADL_STORE_H
#define ADL_STORE_H

#include "log.h"

#include <stdint.h>

#define ADL_KEY_SIZE 16
#define ADL_BOOT_ID_SIZE 16

enum adl_allocate { ADL_ALLOCATE_SPARSE, ADL_ALLOCATE_FULL };

struct adl_key {
    unsigned char bytes[ADL_KEY_SIZE]; /* XXH3-128 of the URL, canonical (big-endian) form */
};

struct adl_store {
    int dir;                               /* owned: the directory */
    unsigned char boot[ADL_BOOT_ID_SIZE];  /* this boot, of /proc/sys/kernel/random/boot_id */
    enum adl_allocate allocate;
    uint32_t block_size;                   /* of new copies; a power of two, 4 KiB .. 16 MiB */
    const struct adl_log *log;             /* not owned */
};

/* Opens `path`, making it and its missing parents. block_size as above, else -EINVAL. -EPERM
 * when it is somebody else's or open to others, -ELOOP for a symbolic link, -ENOTDIR, -errno. */
int adl_store_open(const char *path, uint32_t block_size, enum adl_allocate allocate,
                   const struct adl_log *log, struct adl_store **out);
void adl_store_free(struct adl_store *store);

struct adl_key adl_store_key(const char *url);

/* "KEY" + suffix, e.g. ".data". `out` has room for ADL_NAME_ROOM bytes. */
#define ADL_NAME_ROOM (2 * ADL_KEY_SIZE + 8)
void adl_store_name(const struct adl_key *key, const char *suffix, char out[ADL_NAME_ROOM]);

#endif
