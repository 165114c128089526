#include "inventory.h"

#include "cleanup.h"
#include "sidecar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define KEY_DIGITS ((size_t)2 * ADL_KEY_SIZE)

static int64_t disk_bytes(const struct stat *st)
{
    return (int64_t)st->st_blocks * 512;
}

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

/* --- the directory's names */

enum kind { STRANGER, DATA, MAP, LEFT_OVER };

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What a name is that a store gives. Anything else in the directory is nobody's business here. */
static enum kind kind_of(const char *name, struct adl_key *key)
{
    size_t digits = 0;
    while (digit(name[digits]) >= 0)
        digits++;
    if (digits == 16 && strcmp(name + digits, ".tmp") == 0)
        return LEFT_OVER;
    if (digits != KEY_DIGITS)
        return STRANGER;
    for (size_t i = 0; i < ADL_KEY_SIZE; i++)
        key->bytes[i] = (unsigned char)(digit(name[2 * i]) << 4 | digit(name[2 * i + 1]));
    if (strcmp(name + digits, ".data") == 0)
        return DATA;
    return strcmp(name + digits, ".map") == 0 ? MAP : STRANGER;
}

/* Walks over the directory's names. NULL and -errno. */
static DIR *open_names(const struct adl_store *store, int *error)
{
    cleanup_fd int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        *error = -errno;
    else
        steal_fd(&fd);
    return dir;
}

/* --- taking it down */

static int compare_keys(const void *a, const void *b)
{
    const struct adl_item *left = a, *right = b;
    return memcmp(left->key.bytes, right->key.bytes, ADL_KEY_SIZE);
}

static int append(struct adl_inventory *inventory, size_t *room, const struct adl_item *item)
{
    if (inventory->count == *room) {
        size_t more = *room ? *room * 2 : 64;
        struct adl_item *longer = reallocarray(inventory->items, more, sizeof(*longer));
        if (!longer)
            return -ENOMEM;
        inventory->items = longer;
        *room = more;
    }
    inventory->items[inventory->count++] = *item;
    return 0;
}

/* One for each file; those of one key come together later. */
static int read_names(const struct adl_store *store, DIR *dir, struct adl_inventory *out)
{
    size_t room = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        struct stat st;
        struct adl_item item = {.size = -1};
        enum kind kind = kind_of(entry->d_name, &item.key);
        if ((kind != DATA && kind != MAP) ||
            fstatat(store->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        item.data = kind == DATA;
        item.map = kind == MAP;
        item.used = nanoseconds(&st.st_mtim);
        item.allocated = disk_bytes(&st);
        int r = append(out, &room, &item);
        if (r < 0)
            return r;
    }
    return 0;
}

static void join(struct adl_inventory *inventory)
{
    size_t kept = 0;
    if (inventory->count)
        qsort(inventory->items, inventory->count, sizeof(*inventory->items), compare_keys);
    for (size_t i = 0; i < inventory->count; i++) {
        struct adl_item *item = &inventory->items[i];
        struct adl_item *last = kept ? &inventory->items[kept - 1] : NULL;
        inventory->allocated += item->allocated;
        if (!last || compare_keys(last, item) != 0) {
            inventory->items[kept++] = *item;
            continue;
        }
        last->used = item->map ? item->used : last->used;
        last->data = last->map = true;
        last->allocated += item->allocated;
    }
    inventory->count = kept;
    for (size_t i = 0; i < kept; i++)
        inventory->items[i].garbage = !inventory->items[i].map;
}

static int read_head(const struct adl_store *store, struct adl_item *item)
{
    struct adl_head head;
    int64_t claimed = 0;
    int r = item->map ? adl_sidecar_survey(store, &item->key, &head, &claimed) : -ENOENT;
    if (r == -ENOMEM)
        return r;
    item->garbage = r == -ENOENT;
    if (r < 0)
        return 0;
    item->size = head.size;
    item->cached = claimed;
    if (head.url[0] && !(item->url = strdup(head.url)))
        return -ENOMEM;
    return 0;
}

static int64_t available(const struct adl_store *store)
{
    struct statvfs disk;
    if (fstatvfs(store->dir, &disk) < 0 || disk.f_blocks == 0)
        return INT64_MAX;
    return (int64_t)(disk.f_bavail * disk.f_frsize);
}

int adl_inventory_take(const struct adl_store *store, bool heads, struct adl_inventory *out)
{
    int r = 0;
    struct adl_inventory taken = {.available = available(store)};
    DIR *dir = open_names(store, &r);
    if (!dir)
        return r;
    r = read_names(store, dir, &taken);
    closedir(dir);
    if (r == 0)
        join(&taken);
    for (size_t i = 0; i < taken.count && heads && r == 0; i++)
        r = read_head(store, &taken.items[i]);
    if (r < 0)
        adl_inventory_free(&taken);
    else
        *out = taken;
    return r;
}

void adl_inventory_free(struct adl_inventory *inventory)
{
    for (size_t i = 0; i < inventory->count; i++)
        free(inventory->items[i].url);
    free(inventory->items);
    *inventory = (struct adl_inventory){0};
}

/* --- taking things out */

/* The bytes of disk of a file that is there, else 0; *there is set where it is. */
static int64_t weigh(const struct adl_store *store, const struct adl_key *key, const char *suffix,
                     bool *there)
{
    char name[ADL_NAME_ROOM];
    struct stat st;
    adl_store_name(key, suffix, name);
    if (fstatat(store->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    *there = true;
    return disk_bytes(&st);
}

/* Removes an entry if `unwanted` says so under its lock. What a large file holds is given back when
 * its last descriptor goes, which may take a while: that is not done under the lock. */
static int remove_if(const struct adl_store *store, const struct adl_key *key,
                     bool (*unwanted)(const struct adl_store *store, const struct adl_key *key),
                     int64_t *freed)
{
    cleanup_fd int data = -1;
    cleanup_fd int held = -1;
    cleanup_fd int map = -1;
    bool there = false;
    int64_t bytes = weigh(store, key, ".data", &there) + weigh(store, key, ".map", &there);
    if (!there)
        return -ENOENT;
    int r = adl_store_hold(store, &held);
    if (r < 0 || (r = adl_store_lock_held(store, key, &map)) < 0)
        return r;
    if (unwanted && !unwanted(store, key))
        return -EWOULDBLOCK;
    adl_store_open_data(store, key, &data);
    adl_store_remove(store, key);
    there = false;
    weigh(store, key, ".data", &there);
    if (there)
        return -EIO;
    *freed = bytes;
    return 0;
}

int adl_inventory_remove(const struct adl_store *store, const struct adl_key *key, int64_t *freed)
{
    return remove_if(store, key, NULL, freed);
}

/* Drops claimed blocks from the end until they have `bytes`. Returns the first of them. */
static uint64_t drop_from_end(struct adl_sidecar *sidecar, int64_t bytes)
{
    uint64_t block = sidecar->blocks;
    while (block > 0 && bytes > 0) {
        block--;
        if (!adl_bitmap_test(&sidecar->claimed, block))
            continue;
        adl_sidecar_drop(sidecar, block);
        bytes -= sidecar->head.block_size;
    }
    return block;
}

/* The sidecar first: a hole that it does not know of would be read as zeros. */
static int punch(struct adl_sidecar *sidecar, int data, int64_t bytes)
{
    int64_t first = (int64_t)(drop_from_end(sidecar, bytes) * sidecar->head.block_size);
    int r = adl_sidecar_flush(sidecar);
    if (r < 0 || first >= sidecar->head.size)
        return r;
    return fallocate(data, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first,
                     sidecar->head.size - first) < 0
               ? -errno
               : 0;
}

/* With the lock's fd, which is used up. */
static int shrink(const struct adl_store *store, const struct adl_key *key, int map, int64_t bytes,
                  int64_t *freed)
{
    cleanup_fd int locked = map;
    cleanup_fd int data = -1;
    struct stat before, after;
    struct adl_sidecar *sidecar;
    int r = adl_store_open_data(store, key, &data);
    if (r < 0)
        return r;
    if (fstat(data, &before) < 0)
        return -errno;
    r = adl_sidecar_load(store, key, locked, data, &sidecar);
    if (r < 0)
        return r == -ENOENT ? -EINVAL : r;
    steal_fd(&locked);
    r = punch(sidecar, data, bytes);
    adl_sidecar_close(sidecar, data);
    if (r == 0 && fstat(data, &after) == 0)
        *freed = disk_bytes(&before) - disk_bytes(&after);
    return r;
}

int adl_inventory_shrink(const struct adl_store *store, const struct adl_key *key, int64_t bytes,
                         int64_t *freed)
{
    cleanup_fd int held = -1;
    cleanup_fd int map = -1;
    struct stat st;
    bool there = false;
    weigh(store, key, ".map", &there);
    if (!there)
        return -ENOENT;
    int r = adl_store_hold(store, &held);
    if (r < 0 || (r = adl_store_lock_held(store, key, &map)) < 0)
        return r;
    int again = fstat(map, &st) < 0 ? -1 : fcntl(map, F_DUPFD_CLOEXEC, 0);
    if (again < 0)
        return -errno;
    r = shrink(store, key, again, bytes, freed);
    /* That was no use of it. */
    futimens(map, (struct timespec[2]){{.tv_nsec = UTIME_OMIT}, st.st_mtim});
    return r;
}

/* Whether it has still no head, or no sidecar at all (then the lock has made an empty one). */
static bool headless(const struct adl_store *store, const struct adl_key *key)
{
    struct adl_head head;
    return adl_sidecar_peek(store, key, &head) == -ENOENT;
}

static void sweep_left_over(const struct adl_store *store, const char *name, int64_t *freed)
{
    struct stat st;
    if (fstatat(store->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
        unlinkat(store->dir, name, 0) == 0)
        *freed += disk_bytes(&st);
}

int adl_inventory_sweep(const struct adl_store *store, const struct adl_inventory *inventory,
                        int64_t *freed)
{
    int first_error = 0;
    *freed = 0;
    for (size_t i = 0; i < inventory->count; i++) {
        int64_t bytes = 0;
        if (!inventory->items[i].garbage)
            continue;
        int r = remove_if(store, &inventory->items[i].key, headless, &bytes);
        *freed += bytes;
        if (r < 0 && r != -EWOULDBLOCK && r != -ENOENT && first_error == 0)
            first_error = r;
    }
    DIR *dir = open_names(store, &first_error);
    const struct dirent *entry;
    struct adl_key key;
    /* What is still in use has lost its name already, or is about to. */
    while (dir && (entry = readdir(dir)))
        if (kind_of(entry->d_name, &key) == LEFT_OVER)
            sweep_left_over(store, entry->d_name, freed);
    if (dir)
        closedir(dir);
    return first_error;
}
