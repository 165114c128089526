#include "sidecar.h"

#include "cleanup.h"
#include "io.h"
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* Pages that a load reads at a time: 64 KiB, a good size for one read(2) that still fits a stack.
 */
#define PAGES_AT_ONCE 16

static const unsigned char no_boot[ADL_BOOT_ID_SIZE];

uint64_t adl_head_blocks(const struct adl_head *head)
{
    uint64_t size = (uint64_t)head->size;
    return size / head->block_size + (size % head->block_size != 0);
}

static uint64_t pages_of(const struct adl_sidecar *sidecar)
{
    return sidecar->blocks / ADL_BLOCKS_PER_PAGE + (sidecar->blocks % ADL_BLOCKS_PER_PAGE != 0);
}

/* The blocks of a page are [first_block(page), first_block(page + 1)). */
static uint64_t first_block(const struct adl_sidecar *sidecar, uint64_t page)
{
    uint64_t block = page * ADL_BLOCKS_PER_PAGE;
    return block < sidecar->blocks ? block : sidecar->blocks;
}

static int64_t page_offset(uint64_t page)
{
    return (int64_t)((page + 1) * ADL_MAP_PAGE);
}

bool adl_head_same(const struct adl_head *a, const struct adl_head *b)
{
    return a->size == b->size && a->validator.last_modified == b->validator.last_modified &&
           strcmp(a->validator.etag, b->validator.etag) == 0;
}

/* A number that no sidecar has had, and not 0. */
static int fresh_number(uint64_t *out)
{
    do {
        if (getrandom(out, sizeof(*out), 0) != sizeof(*out))
            return -EIO;
    } while (*out == 0);
    return 0;
}

static void release(struct adl_sidecar *sidecar)
{
    adl_bitmap_free(&sidecar->claimed);
    adl_bitmap_free(&sidecar->trusted);
    adl_bitmap_free(&sidecar->dirty);
    adl_bitmap_free(&sidecar->damaged);
    free(sidecar->sums);
    if (sidecar->fd >= 0)
        close(sidecar->fd);
    free(sidecar);
}

/* In memory only, nothing set. NULL without memory. */
static struct adl_sidecar *make(const struct adl_store *store, const struct adl_head *head)
{
    struct adl_sidecar *sidecar = calloc(1, sizeof(*sidecar));
    if (!sidecar)
        return NULL;
    sidecar->fd = -1;
    sidecar->head = *head;
    sidecar->blocks = adl_head_blocks(head);
    memcpy(sidecar->boot, store->boot, sizeof(sidecar->boot));
    if (sidecar->blocks <= SIZE_MAX / sizeof(*sidecar->sums))
        sidecar->sums = calloc((size_t)sidecar->blocks + 1, sizeof(*sidecar->sums));
    if (!sidecar->sums || adl_bitmap_init(&sidecar->claimed, sidecar->blocks) < 0 ||
        adl_bitmap_init(&sidecar->trusted, sidecar->blocks) < 0 ||
        adl_bitmap_init(&sidecar->dirty, pages_of(sidecar)) < 0 ||
        adl_bitmap_init(&sidecar->damaged, pages_of(sidecar)) < 0) {
        release(sidecar);
        return NULL;
    }
    return sidecar;
}

/* left NULL: the sidecar is in use. */
static int write_head(struct adl_sidecar *sidecar, const struct adl_map_left *left)
{
    unsigned char page[ADL_MAP_PAGE];
    struct adl_map_head map = {.head = sidecar->head,
                               .random = sidecar->random,
                               .epoch = sidecar->epoch};
    if (left)
        map.left = *left;
    adl_map_put_head(&map, page);
    int r = adl_io_write(sidecar->fd, page, sizeof(page), 0);
    sidecar->head_dirty = r < 0;
    return r;
}

static int read_head(int fd, const struct adl_key *key, struct adl_map_head *out)
{
    unsigned char page[ADL_MAP_PAGE];
    int r = adl_io_read(fd, page, sizeof(page), 0);
    if (r < 0)
        return r == -ENODATA ? -ENOENT : r;
    return adl_map_get_head(page, key, out) ? 0 : -ENOENT;
}

static int open_map(const struct adl_store *store, const struct adl_key *key, int *out)
{
    char name[ADL_NAME_ROOM];
    adl_store_name(key, ".map", name);
    int fd = openat(store->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (!adl_store_is_ours(fd)) {
        close(fd);
        return -ENOENT;
    }
    *out = fd;
    return 0;
}

int adl_sidecar_peek(const struct adl_store *store, const struct adl_key *key, struct adl_head *out)
{
    struct adl_map_head map;
    cleanup_fd int fd = -1;
    int r = open_map(store, key, &fd);
    if (r < 0 || (r = read_head(fd, key, &map)) < 0)
        return r;
    *out = map.head;
    return 0;
}

int adl_sidecar_note(const struct adl_store *store, const struct adl_head *head)
{
    struct adl_sidecar alone = {.fd = -1, .head = *head};
    if (alone.head.block_size == 0)
        alone.head.block_size = store->block_size;
    alone.head.flags &= ~ADL_HEAD_DIGESTED;
    if (head->size < 0 || !adl_store_block_size_valid(alone.head.block_size))
        return -EINVAL;
    cleanup_fd int fd = -1;
    int r = adl_store_lock(store, &head->key, &fd);
    if (r < 0)
        return r;
    struct adl_map_head old;
    if (read_head(fd, &head->key, &old) == 0 && adl_head_same(&old.head, head))
        return 0;
    alone.fd = fd;
    if ((r = fresh_number(&alone.random)) < 0 || (r = fresh_number(&alone.epoch)) < 0)
        return r;
    /* The old version's data goes with the old head: only the name of KEY.map holds the lock. */
    if (ftruncate(fd, 0) < 0)
        return -errno;
    adl_store_remove_data(store, &head->key);
    r = write_head(&alone, NULL);
    if (r < 0)
        adl_store_remove(store, &head->key);
    return r;
}

/* Whether the data file is as the last owner left it, in this boot. */
static bool untouched(const struct adl_map_left *left, const struct adl_store *store,
                      const struct stat *data)
{
    return memcmp(left->boot, no_boot, sizeof(no_boot)) != 0 &&
           memcmp(left->boot, store->boot, sizeof(store->boot)) == 0 &&
           left->inode == data->st_ino && left->ctime == data->st_ctim.tv_sec &&
           left->ctime_nsec == (uint64_t)data->st_ctim.tv_nsec;
}

/* Takes the epoch over, or begins a new one; marks the head as in use. Where that mark cannot be
 * written, what lies on the disk must not be trusted after this either. */
static int begin_epoch(struct adl_sidecar *sidecar, uint64_t epoch, bool trust)
{
    sidecar->epoch = epoch;
    if (trust && write_head(sidecar, NULL) == 0)
        return 0;
    int r = fresh_number(&sidecar->epoch);
    if (r == 0)
        write_head(sidecar, NULL);
    return r;
}

/* Where the next bytes are that somebody wrote, from `at` on; -1 behind the last. */
static int64_t next_data(int fd, int64_t at)
{
    int64_t found = lseek(fd, at, SEEK_DATA);
    if (found >= 0)
        return found;
    return errno == ENXIO ? -1 : at; /* a file system that cannot tell: read everything */
}

/* A page that nobody ever wrote, or that did not reach the disk, is no damage. */
static bool is_blank(const unsigned char *page)
{
    return page[0] == 0 && memcmp(page, page + 1, ADL_MAP_PAGE - 1) == 0;
}

static void take_page(struct adl_sidecar *sidecar, uint64_t number, const unsigned char *page)
{
    if (!adl_map_check(page, number, sidecar->random)) {
        if (!is_blank(page))
            adl_bitmap_set(&sidecar->damaged, number);
        return;
    }
    bool trusted = adl_map_epoch(page) == sidecar->epoch;
    uint64_t first = first_block(sidecar, number), end = first_block(sidecar, number + 1);
    for (uint64_t block = first; block < end; block++) {
        uint64_t sum;
        if (!adl_map_get_block(page, (unsigned)(block - first), &sum))
            continue;
        atomic_store_explicit(&sidecar->sums[block], sum, memory_order_relaxed);
        adl_bitmap_set(&sidecar->claimed, block);
        if (trusted)
            adl_bitmap_set(&sidecar->trusted, block);
    }
}

/* Reads the pages that are there. One that cannot be read is one that is missing. */
static void read_pages(struct adl_sidecar *sidecar)
{
    unsigned char buffer[PAGES_AT_ONCE * ADL_MAP_PAGE];
    uint64_t pages = pages_of(sidecar);
    for (uint64_t page = 0; page < pages;) {
        int64_t at = next_data(sidecar->fd, page_offset(page));
        if (at < 0)
            return;
        page = (uint64_t)at / ADL_MAP_PAGE - 1;
        if (page >= pages)
            return;
        uint64_t want = pages - page < PAGES_AT_ONCE ? pages - page : PAGES_AT_ONCE;
        ssize_t n = pread(sidecar->fd, buffer, want * ADL_MAP_PAGE, page_offset(page));
        if (n < 0 && errno == EINTR)
            continue;
        if (n >= 0 && n < ADL_MAP_PAGE)
            return;
        uint64_t got = n < 0 ? 0 : (uint64_t)n / ADL_MAP_PAGE;
        for (uint64_t i = 0; i < got; i++)
            take_page(sidecar, page + i, buffer + i * ADL_MAP_PAGE);
        page += got ? got : 1;
    }
}

/* Bytes of the blocks that are claimed; the last block may be short. */
static int64_t claimed_bytes(const struct adl_sidecar *sidecar)
{
    uint64_t count = adl_bitmap_count(&sidecar->claimed), last = sidecar->blocks - 1;
    int64_t bytes = (int64_t)(count * sidecar->head.block_size);
    if (sidecar->blocks > 0 && adl_bitmap_test(&sidecar->claimed, last))
        bytes -= (int64_t)(sidecar->blocks * sidecar->head.block_size) - sidecar->head.size;
    return bytes;
}

static bool data_size_is(const struct adl_store *store, const struct adl_key *key, int64_t size)
{
    char name[ADL_NAME_ROOM];
    struct stat st;
    adl_store_name(key, ".data", name);
    return fstatat(store->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == size;
}

int adl_sidecar_survey(const struct adl_store *store, const struct adl_key *key,
                       struct adl_head *out, int64_t *claimed)
{
    struct adl_map_head map;
    cleanup_fd int fd = -1;
    int r = open_map(store, key, &fd);
    if (r < 0 || (r = read_head(fd, key, &map)) < 0)
        return r;
    struct adl_sidecar *sidecar = make(store, &map.head);
    if (!sidecar)
        return -ENOMEM;
    sidecar->random = map.random;
    sidecar->fd = steal_fd(&fd);
    read_pages(sidecar);
    *claimed = data_size_is(store, key, map.head.size) ? claimed_bytes(sidecar) : 0;
    *out = map.head;
    release(sidecar);
    return 0;
}

/* Reads what is there into a sidecar that has no fd of its own yet. */
static int load(struct adl_sidecar *sidecar, const struct adl_store *store, int data,
                const struct adl_map_head *map)
{
    struct stat st;
    if (fstat(data, &st) < 0 || st.st_size != map->head.size) {
        if (ftruncate(sidecar->fd, ADL_MAP_PAGE) == 0)
            return begin_epoch(sidecar, 0, false);
        return -ENOENT;
    }
    int r = begin_epoch(sidecar, map->epoch, untouched(&map->left, store, &st));
    if (r < 0)
        return r;
    read_pages(sidecar);
    return 0;
}

int adl_sidecar_load(const struct adl_store *store, const struct adl_key *key, int fd, int data,
                     struct adl_sidecar **out)
{
    struct adl_map_head map;
    if (read_head(fd, key, &map) < 0)
        return -ENOENT;
    struct adl_sidecar *sidecar = make(store, &map.head);
    if (!sidecar)
        return -ENOMEM;
    sidecar->random = map.random;
    sidecar->fd = fd;
    int r = load(sidecar, store, data, &map);
    if (r < 0) {
        sidecar->fd = -1;
        release(sidecar);
        return r;
    }
    *out = sidecar;
    return 0;
}

static int begin_file(struct adl_sidecar *sidecar)
{
    int r;
    if ((r = fresh_number(&sidecar->random)) < 0 || (r = fresh_number(&sidecar->epoch)) < 0)
        return r;
    return ftruncate(sidecar->fd, 0) < 0 ? -errno : write_head(sidecar, NULL);
}

int adl_sidecar_new(const struct adl_store *store, const struct adl_head *head, int fd,
                    struct adl_sidecar **out)
{
    if (head->size < 0 || !adl_store_block_size_valid(head->block_size))
        return -EINVAL;
    struct adl_sidecar *sidecar = make(store, head);
    if (!sidecar)
        return -ENOMEM;
    sidecar->fd = fd;
    int r = fd < 0 ? 0 : begin_file(sidecar);
    if (r < 0) {
        sidecar->fd = -1;
        release(sidecar);
        return r;
    }
    *out = sidecar;
    return 0;
}

static int flush_page(struct adl_sidecar *sidecar, uint64_t number)
{
    unsigned char page[ADL_MAP_PAGE];
    uint64_t first = first_block(sidecar, number), end = first_block(sidecar, number + 1);
    uint64_t epoch = sidecar->epoch;
    adl_map_begin(page, number);
    for (uint64_t block = adl_bitmap_next_set(&sidecar->claimed, first, end); block < end;
         block = adl_bitmap_next_set(&sidecar->claimed, block + 1, end)) {
        adl_map_put_block(page, (unsigned)(block - first),
                          atomic_load_explicit(&sidecar->sums[block], memory_order_relaxed));
        if (!adl_bitmap_test(&sidecar->trusted, block))
            epoch = 0;
    }
    adl_map_seal(page, epoch, sidecar->random);
    int r = adl_io_write(sidecar->fd, page, sizeof(page), page_offset(number));
    if (r == 0)
        adl_bitmap_clear(&sidecar->dirty, number);
    return r;
}

static int flush_pages(struct adl_sidecar *sidecar)
{
    int first_error = 0;
    uint64_t pages = pages_of(sidecar);
    for (uint64_t page = adl_bitmap_next_set(&sidecar->dirty, 0, pages); page < pages;
         page = adl_bitmap_next_set(&sidecar->dirty, page + 1, pages)) {
        int r = flush_page(sidecar, page);
        if (r < 0 && first_error == 0)
            first_error = r;
    }
    return first_error;
}

int adl_sidecar_flush(struct adl_sidecar *sidecar)
{
    if (sidecar->fd < 0)
        return 0;
    int pages = flush_pages(sidecar);
    int head = sidecar->head_dirty ? write_head(sidecar, NULL) : 0;
    return pages < 0 ? pages : head;
}

bool adl_sidecar_dirty(const struct adl_sidecar *sidecar)
{
    return sidecar->fd >= 0 && (sidecar->head_dirty || adl_bitmap_count(&sidecar->dirty) > 0);
}

/* Says how the data file is left. Not where a page could not be written: what lies on the disk in
 * its place may be of this epoch and older than what was dropped since. */
static void leave(struct adl_sidecar *sidecar, int data)
{
    struct stat st;
    if (adl_sidecar_flush(sidecar) < 0 || data < 0 || fstat(data, &st) < 0)
        return;
    struct adl_map_left left = {.inode = st.st_ino,
                                .ctime = st.st_ctim.tv_sec,
                                .ctime_nsec = (uint32_t)st.st_ctim.tv_nsec};
    memcpy(left.boot, sidecar->boot, sizeof(left.boot));
    write_head(sidecar, &left);
}

void adl_sidecar_close(struct adl_sidecar *sidecar, int data)
{
    if (!sidecar)
        return;
    if (sidecar->fd >= 0)
        leave(sidecar, data);
    release(sidecar);
}

void adl_sidecar_detach(struct adl_sidecar *sidecar)
{
    if (sidecar->fd >= 0)
        close(sidecar->fd);
    sidecar->fd = -1;
}

int adl_sidecar_attach(struct adl_sidecar *sidecar, int fd)
{
    sidecar->fd = fd;
    int r = begin_file(sidecar);
    if (r < 0) {
        sidecar->fd = -1;
        return r;
    }
    for (uint64_t page = 0; page < pages_of(sidecar); page++)
        if (adl_bitmap_next_set(&sidecar->claimed, first_block(sidecar, page),
                                first_block(sidecar, page + 1)) < first_block(sidecar, page + 1))
            adl_bitmap_set(&sidecar->dirty, page);
    return 0;
}

static void mark_dirty(struct adl_sidecar *sidecar, uint64_t block)
{
    adl_bitmap_set(&sidecar->dirty, block / ADL_BLOCKS_PER_PAGE);
}

void adl_sidecar_set(struct adl_sidecar *sidecar, uint64_t block, uint64_t sum)
{
    atomic_store_explicit(&sidecar->sums[block], sum, memory_order_relaxed);
    adl_bitmap_set(&sidecar->claimed, block);
    adl_bitmap_set(&sidecar->trusted, block);
    mark_dirty(sidecar, block);
}

void adl_sidecar_trust(struct adl_sidecar *sidecar, uint64_t block)
{
    if (!adl_bitmap_test(&sidecar->claimed, block) || adl_bitmap_test(&sidecar->trusted, block))
        return;
    adl_bitmap_set(&sidecar->trusted, block);
    mark_dirty(sidecar, block);
}

void adl_sidecar_drop(struct adl_sidecar *sidecar, uint64_t block)
{
    adl_bitmap_clear(&sidecar->trusted, block);
    adl_bitmap_clear(&sidecar->claimed, block);
    mark_dirty(sidecar, block);
    if (sidecar->head.flags & ADL_HEAD_DIGESTED) {
        sidecar->head.flags &= ~ADL_HEAD_DIGEST_MASK;
        sidecar->head_dirty = true;
    }
}

void adl_sidecar_touch(struct adl_sidecar *sidecar)
{
    sidecar->head_dirty = true;
}
