#include "store.h"

#include "cleanup.h"
#include "io.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <xxhash.h>

#define BLOCK_SIZE_MIN (4u * 1024)
#define BLOCK_SIZE_MAX (16u * 1024 * 1024)

/* How often a lock is tried when the file loses its name between open and lock: each time it does,
 * another process has finished with it, so that more than a few in a row are no accident. */
#define LOCK_TRIES 16

/* How often, and after how long, is looked whether an entry is locked only while something is taken
 * out of it: unlinking takes less than a millisecond, punching some tens of them. */
#define HOLD_TRIES 100
#define HOLD_NS    2000000

bool adl_store_block_size_valid(uint32_t block_size)
{
    return block_size >= BLOCK_SIZE_MIN && block_size <= BLOCK_SIZE_MAX &&
           (block_size & (block_size - 1)) == 0;
}

static int from_hex(int c)
{
    if (!isxdigit(c))
        return -1;
    return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

/* "0e2b4c5d-..." -> 16 bytes. */
static bool parse_uuid(const char *text, unsigned char out[ADL_BOOT_ID_SIZE])
{
    size_t nibbles = 0;
    for (; *text && *text != '\n'; text++) {
        if (*text == '-')
            continue;
        int value = from_hex((unsigned char)*text);
        if (value < 0 || nibbles == 2 * ADL_BOOT_ID_SIZE)
            return false;
        unsigned char *byte = &out[nibbles / 2];
        *byte = (unsigned char)(nibbles % 2 ? *byte | value : value << 4);
        nibbles++;
    }
    return nibbles == 2 * ADL_BOOT_ID_SIZE;
}

/* Where the kernel does not tell its boot id, a random one stands for it, which no sidecar has but
 * those of this store: then blocks are verified more often, that is all. */
static int read_boot_id(unsigned char out[ADL_BOOT_ID_SIZE])
{
    cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    char text[64];
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n > 0) {
        text[n] = '\0';
        if (parse_uuid(text, out))
            return 0;
    }
    return getrandom(out, ADL_BOOT_ID_SIZE, 0) == ADL_BOOT_ID_SIZE ? 0 : -EIO;
}

/* Makes `path` and its parents as far as they are missing. `path` is changed and restored. */
static int make_directories(char *path)
{
    for (char *slash = path;;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        int r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
        if (!slash)
            return r;
        *slash = '/';
        /* A parent that is there may be one that mkdir(2) is refused for, as / or an automounted
         * home: only the last one's error tells. */
    }
}

/* Without O_DIRECTORY, so that a symbolic link is told apart from what is no directory. */
static int open_directory(const char *path, const struct adl_log *log)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        adl_log(log, ADL_ERROR, "%s: the cache directory must be yours, and writable for you alone",
                path);
        return -EPERM;
    }
    return steal_fd(&fd);
}

int adl_store_open(const char *path, uint32_t block_size, enum adl_allocate allocate,
                   const struct adl_log *log, struct adl_store **out)
{
    if (!adl_store_block_size_valid(block_size) || !*path)
        return -EINVAL;
    cleanup_free char *clean = strdup(path);
    cleanup_free struct adl_store *store = calloc(1, sizeof(*store));
    if (!clean || !store)
        return -ENOMEM;
    /* A slash at the end would make the kernel follow a symbolic link. */
    for (size_t length = strlen(clean); length > 1 && clean[length - 1] == '/'; length--)
        clean[length - 1] = '\0';

    int r = read_boot_id(store->boot);
    if (r < 0)
        return r;
    int made = make_directories(clean);
    store->dir = open_directory(clean, log);
    if (store->dir < 0)
        return store->dir == -ENOENT && made < 0 ? made : store->dir;
    store->allocate = allocate;
    store->block_size = block_size;
    store->log = log;
    if (clean[0] == '/') /* else it may mean another place by now */
        store->path = steal_pointer(clean);
    *out = steal_pointer(store);
    return 0;
}

int adl_store_default(char **out)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = base && base[0] == '/'   ? asprintf(out, "%s/adlfs", base)
                 : home && home[0] == '/' ? asprintf(out, "%s/.cache/adlfs", home)
                                          : asprintf(out, "/var/cache/adlfs");
    return length < 0 ? -ENOMEM : 0;
}

void adl_store_free(struct adl_store *store)
{
    if (!store)
        return;
    close(store->dir);
    free(store->path);
    free(store);
}

struct adl_key adl_store_key(const char *url)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(url, strlen(url)));
    struct adl_key key;
    _Static_assert(sizeof(key.bytes) == sizeof(canonical.digest), "a key is an XXH3-128");
    memcpy(key.bytes, canonical.digest, sizeof(key.bytes));
    return key;
}

void adl_store_name(const struct adl_key *key, const char *suffix, char out[ADL_NAME_ROOM])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < ADL_KEY_SIZE; i++) {
        out[2 * i] = digits[key->bytes[i] >> 4];
        out[2 * i + 1] = digits[key->bytes[i] & 15];
    }
    snprintf(out + (ptrdiff_t)2 * ADL_KEY_SIZE, ADL_NAME_ROOM - 2 * ADL_KEY_SIZE, "%s", suffix);
}

/* Whether `fd` is still what `name` means: who removed the file meanwhile took the name, and with
 * it the lock's meaning, away. */
static bool still_named(const struct adl_store *store, const char *name, int fd)
{
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && fstatat(store->dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

/* While a directory could be written to by others, or by way of a backup made of links, it may have
 * got a file that somebody else can still change behind our back, or that is of another place, too.
 */
bool adl_store_is_ours(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           st.st_nlink <= 1 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Somebody has removed the directory, as one does with ~/.cache: it is made anew, behind the number
 * that all threads know it by. Whether that could be done. */
static bool revive(const struct adl_store *store)
{
    struct stat st;
    cleanup_free char *path = store->path ? strdup(store->path) : NULL;
    if (!path || fstat(store->dir, &st) < 0 || st.st_nlink > 0)
        return false;
    make_directories(path);
    cleanup_fd int dir = open_directory(path, store->log);
    if (dir < 0 || dup3(dir, store->dir, O_CLOEXEC) < 0)
        return false;
    adl_log(store->log, ADL_NOTICE, "%s: the cache directory was removed, and is made anew", path);
    return true;
}

int adl_store_lock_held(const struct adl_store *store, const struct adl_key *key, int *fd)
{
    char name[ADL_NAME_ROOM];
    adl_store_name(key, ".map", name);
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        cleanup_fd int map =
            openat(store->dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
        if (map < 0 && errno == ENOENT &&
            revive(store)) /* so it says of a directory that is gone */
            continue;
        if (map < 0)
            return -errno;
        if (flock(map, LOCK_EX | LOCK_NB) < 0)
            return -errno;
        if (!still_named(store, name, map))
            continue;
        if (adl_store_is_ours(map)) {
            *fd = steal_fd(&map);
            return 0;
        }
        if (unlinkat(store->dir, name, 0) < 0)
            return -errno;
    }
    return -EWOULDBLOCK;
}

static int open_again(const struct adl_store *store)
{
    int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int adl_store_hold(const struct adl_store *store, int *fd)
{
    cleanup_fd int dir = open_again(store);
    if (dir < 0)
        return dir;
    while (flock(dir, LOCK_EX) < 0)
        if (errno != EINTR)
            return -errno;
    *fd = steal_fd(&dir);
    return 0;
}

/* Whoever holds the directory takes something out: shared, it keeps them off. */
static int keep_off(const struct adl_store *store)
{
    cleanup_fd int dir = open_again(store);
    for (int tries = 0; dir >= 0 && tries < HOLD_TRIES; tries++) {
        if (flock(dir, LOCK_SH | LOCK_NB) == 0)
            return steal_fd(&dir);
        nanosleep(&(struct timespec){.tv_nsec = HOLD_NS}, NULL);
    }
    return -EWOULDBLOCK;
}

int adl_store_lock(const struct adl_store *store, const struct adl_key *key, int *fd)
{
    int r = adl_store_lock_held(store, key, fd);
    if (r != -EWOULDBLOCK)
        return r;
    cleanup_fd int dir = keep_off(store);
    return dir < 0 ? r : adl_store_lock_held(store, key, fd);
}

static int open_data(const struct adl_store *store, const struct adl_key *key, int flags, int *fd)
{
    char name[ADL_NAME_ROOM];
    adl_store_name(key, ".data", name);
    int data = openat(store->dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600);
    if (data < 0)
        return -errno;
    *fd = data;
    return 0;
}

static int remove_file(const struct adl_store *store, const struct adl_key *key, const char *suffix)
{
    char name[ADL_NAME_ROOM];
    adl_store_name(key, suffix, name);
    return unlinkat(store->dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int adl_store_open_data(const struct adl_store *store, const struct adl_key *key, int *fd)
{
    cleanup_fd int data = -1;
    int r = open_data(store, key, 0, &data);
    if (r == 0 && !adl_store_is_ours(data))
        r = -ENOENT;
    if (r == 0)
        *fd = steal_fd(&data);
    return r;
}

/* A new inode, not the old one truncated: somebody may still be reading that one. */
int adl_store_new_data(const struct adl_store *store, const struct adl_key *key, int *fd)
{
    int r = remove_file(store, key, ".data");
    return r < 0 ? r : open_data(store, key, O_CREAT | O_EXCL, fd);
}

#define TMP_ROOM 32

/* A name that nobody has. */
static int random_name(char out[TMP_ROOM])
{
    uint64_t random;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    snprintf(out, TMP_ROOM, "%016llx.tmp", (unsigned long long)random);
    return 0;
}

/* For file systems without O_TMPFILE: a name of its own, taken away at once. */
static int make_unlinked(const struct adl_store *store, int *fd)
{
    char name[TMP_ROOM];
    int r = random_name(name);
    if (r < 0)
        return r;
    int data = openat(store->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (data < 0)
        return -errno;
    unlinkat(store->dir, name, 0);
    *fd = data;
    return 0;
}

int adl_store_private_data(const struct adl_store *store, int *fd)
{
    int data = openat(store->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (data >= 0) {
        *fd = data;
        return 0;
    }
    /* EISDIR is what a kernel says that has never heard of the flag (open(2)). */
    return errno == EOPNOTSUPP || errno == EISDIR ? make_unlinked(store, fd) : -errno;
}

int adl_store_name_data(const struct adl_store *store, const struct adl_key *key, int fd)
{
    char name[ADL_NAME_ROOM], link[40];
    adl_store_name(key, ".data", name);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    int r = remove_file(store, key, ".data");
    if (r < 0)
        return r;
    /* By way of /proc, since AT_EMPTY_PATH is root's alone (open(2), O_TMPFILE). */
    return linkat(AT_FDCWD, link, store->dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* As renameat2(2), also where the file system knows nothing of RENAME_NOREPLACE. */
static int move(int from, const char *name, int to, const char *new_name, bool replace)
{
    if (renameat2(from, name, to, new_name, replace ? 0 : RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL || replace)
        return -errno;
    if (faccessat(to, new_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    return renameat(from, name, to, new_name) < 0 ? -errno : 0;
}

static int link_to(int fd, int dir, const char *name)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    /* By way of /proc, since AT_EMPTY_PATH is root's alone (open(2), O_TMPFILE). */
    return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* linkat(2) replaces nothing: then by way of a name in the store. */
static int give_unnamed(const struct adl_store *store, int fd, int dir, const char *name,
                        bool replace)
{
    char random[TMP_ROOM];
    if (!replace)
        return link_to(fd, dir, name);
    int r = random_name(random);
    if (r == 0)
        r = link_to(fd, store->dir, random);
    if (r < 0)
        return r;
    r = move(store->dir, random, dir, name, true);
    if (r < 0)
        unlinkat(store->dir, random, 0);
    return r;
}

int adl_store_give_data(const struct adl_store *store, const struct adl_key *key, int fd, int dir,
                        const char *name, bool replace)
{
    if (!key)
        return give_unnamed(store, fd, dir, name, replace);
    char own[ADL_NAME_ROOM];
    adl_store_name(key, ".data", own);
    return move(store->dir, own, dir, name, replace);
}

void adl_store_remove_data(const struct adl_store *store, const struct adl_key *key)
{
    remove_file(store, key, ".data");
}

void adl_store_remove(const struct adl_store *store, const struct adl_key *key)
{
    remove_file(store, key, ".data");
    remove_file(store, key, ".map");
}

/* Whether the disk has what the file lacks. Asked before, since a reservation that cannot succeed
 * takes all that is free from everybody else until it fails, and ext4 leaves it to the file then.
 */
static bool has_room(int fd, int64_t size)
{
    struct statvfs disk;
    struct stat file;
    if (fstatvfs(fd, &disk) < 0 || fstat(fd, &file) < 0 || disk.f_blocks == 0)
        return true; /* no telling: fallocate(2) will */
    int64_t lacks = size - (int64_t)file.st_blocks * 512;
    return lacks <= 0 || (uint64_t)(lacks - 1) / disk.f_frsize < disk.f_bavail;
}

static int reserve(const struct adl_store *store, int fd, int64_t size)
{
    if (!has_room(fd, size))
        return -ENOSPC;
    int r;
    do {
        r = fallocate(fd, 0, 0, size) < 0 ? -errno : 0;
    } while (r == -EINTR);
    if (r != -EOPNOTSUPP && r != -ENOSYS)
        return r;
    adl_log(store->log, ADL_WARNING,
            "the cache's file system cannot reserve space: files are sparse in spite of "
            "--allocate=full");
    return 0;
}

int adl_store_allocate(const struct adl_store *store, int fd, int64_t size)
{
    if (ftruncate(fd, size) < 0)
        return -errno;
    return store->allocate == ADL_ALLOCATE_FULL && size > 0 ? reserve(store, fd, size) : 0;
}
