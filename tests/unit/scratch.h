/* What the tests of rooms that keep files share: a directory that goes when the test does, and
 * bytes that are the same wherever they are asked for. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "store.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
    char path[64];
    struct adl_store *store; /* in path, 64 KiB blocks unless the test says otherwise */
    struct adl_log log;
    char said[4096]; /* all messages, a line each */
};

static inline void scratch_hear(void *ctx, enum adl_level level, const char *message)
{
    struct scratch *scratch = ctx;
    (void)level;
    size_t used = strlen(scratch->said);
    snprintf(scratch->said + used, sizeof(scratch->said) - used, "%s\n", message);
}

static inline int scratch_open_in(struct scratch *scratch, const char *parent, uint32_t block_size)
{
    *scratch = (struct scratch){.log = {ADL_DEBUG, scratch_hear, scratch}};
    snprintf(scratch->path, sizeof(scratch->path), "%s/adlfs-test-XXXXXX", parent);
    if (!mkdtemp(scratch->path))
        return -1;
    return adl_store_open(scratch->path, block_size, ADL_ALLOCATE_SPARSE, &scratch->log,
                          &scratch->store);
}

static inline int scratch_open(struct scratch *scratch, uint32_t block_size)
{
    return scratch_open_in(scratch, "/tmp", block_size);
}

/* In memory, where there is such a place, for tests that replace files by the thousand: a disk's
 * file system starts to write a file that replaces another one when it is closed. */
static inline int scratch_open_fast(struct scratch *scratch, uint32_t block_size)
{
    return scratch_open_in(scratch, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
                           block_size);
}

static inline void scratch_close(struct scratch *scratch)
{
    adl_store_free(scratch->store);
    DIR *dir = opendir(scratch->path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(scratch->path);
}

/* How many files are there. */
static inline int scratch_count(const struct scratch *scratch)
{
    int count = 0;
    DIR *dir = opendir(scratch->path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

static inline int scratch_file(const struct scratch *scratch, const struct adl_key *key,
                               const char *suffix, int flags)
{
    char name[ADL_NAME_ROOM];
    adl_store_name(key, suffix, name);
    return openat(scratch->store->dir, name, flags | O_CLOEXEC, 0600);
}

/* Sanitizers, and valgrind, touch memory of their own for all that is allocated. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* Bytes of memory that the process really uses; -1 where that cannot be told. From here on malloc
 * leaves alone what it gives out, though Meson asks it (MALLOC_PERTURB_) to fill it. */
static inline long resident_bytes(void)
{
#ifdef SANITIZED
    return -1;
#else
    if (getenv("ADLFS_VALGRIND"))
        return -1;
    mallopt(M_PERTURB, 0);
    long total = 0, resident = -1;
    FILE *statm = fopen("/proc/self/statm", "r");
    int found = statm ? fscanf(statm, "%ld %ld", &total, &resident) : 0;
    if (statm)
        fclose(statm);
    return found == 2 ? resident * sysconf(_SC_PAGESIZE) : -1;
#endif
}

/* The byte at an offset of the file that all tests fetch. */
static inline unsigned char true_byte(int64_t at)
{
    uint64_t x = (uint64_t)at / 8 * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    return (unsigned char)(x >> 8 * (at % 8));
}

static inline void true_bytes(unsigned char *out, int64_t first, int64_t end)
{
    for (int64_t at = first; at < end; at++)
        out[at - first] = true_byte(at);
}

/* xorshift64*: the same cases on every machine. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

#endif
