/* A sidecar made of any bytes: loading it, changing it and loading it again never crashes, and what
 * was written is what is read. The first byte of the input says how far the rest is repaired first
 * (magic, checksums, the boot that it was left in), since no fuzzer finds a checksum by chance. */
#include "fuzz.h"

#include "copy.h"
#include "map.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { REPAIR_HEAD = 1, REPAIR_PAGES = 2, REPAIR_LEFT = 4, REPAIR_EPOCH = 8 };

#define MAP_ROOM (8 * ADL_MAP_PAGE)

/* Larger files cost the fuzzer time and find nothing else. */
#define SIZE_ROOM (INT64_C(1) << 32)

static void put_sum(unsigned char *at, uint64_t sum)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(sum >> 8 * i);
}

static uint64_t get_number(const unsigned char *at)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number |= (uint64_t)at[i] << 8 * i;
    return number;
}

/* Makes the head say that `data` was left just so, in this boot (see src/README.md). */
static void repair_left(unsigned char *head, const struct adl_store *store, int data)
{
    struct stat st;
    must(fstat(data, &st) == 0);
    memcpy(head + 64, store->boot, ADL_BOOT_ID_SIZE);
    put_sum(head + 80, st.st_ino);
    put_sum(head + 88, (uint64_t)st.st_ctim.tv_sec);
    for (int i = 0; i < 4; i++)
        head[96 + i] = (unsigned char)(st.st_ctim.tv_nsec >> 8 * i);
}

static void repair(unsigned char *map, size_t length, unsigned how, const struct adl_store *store,
                   int data)
{
    static const unsigned char front[] = {1, 0, 0, 0};
    if (length < ADL_MAP_PAGE)
        return;
    if (how & REPAIR_LEFT)
        repair_left(map, store, data);
    if (how & REPAIR_HEAD) {
        memcpy(map, "adlfsmap", 8);
        memcpy(map + 16, front, sizeof(front));
        memset(map + 32, 0, ADL_KEY_SIZE);
        put_sum(map + 8, XXH3_64bits(map + 16, ADL_MAP_PAGE - 16));
    }
    for (size_t page = 1; how & REPAIR_PAGES && (page + 1) * ADL_MAP_PAGE <= length; page++) {
        unsigned char *at = map + page * ADL_MAP_PAGE;
        put_sum(at + 8, page - 1);
        if (how & REPAIR_EPOCH)
            memcpy(at + 16, map + 56, 8);
        put_sum(at, XXH3_64bits_withSeed(at + 8, ADL_MAP_PAGE - 8, get_number(map + 48)));
    }
}

/* Loads and checks what holds for any sidecar. NULL: not in order. */
static struct adl_sidecar *load(const struct adl_store *store, int map, int data)
{
    static const struct adl_key key;
    struct adl_sidecar *sidecar;
    int fd = dup(map);
    if (adl_sidecar_load(store, &key, fd, data, &sidecar) < 0) {
        close(fd);
        return NULL;
    }
    uint64_t claimed = 0;
    for (uint64_t block = adl_bitmap_next_set(&sidecar->claimed, 0, sidecar->blocks);
         block < sidecar->blocks;
         block = adl_bitmap_next_set(&sidecar->claimed, block + 1, sidecar->blocks))
        claimed++;
    must(claimed == adl_bitmap_count(&sidecar->claimed));
    for (uint64_t block = adl_bitmap_next_set(&sidecar->trusted, 0, sidecar->blocks);
         block < sidecar->blocks;
         block = adl_bitmap_next_set(&sidecar->trusted, block + 1, sidecar->blocks))
        must(adl_bitmap_test(&sidecar->claimed, block));
    must(strnlen(sidecar->head.url, ADL_URL_KEPT) < ADL_URL_KEPT);
    must(strnlen(sidecar->head.validator.etag, ADL_ETAG_MAX) < ADL_ETAG_MAX);
    return sidecar;
}

/* Changes a block in each way, closes in order, and finds the same again. */
static void change_and_compare(const struct adl_store *store, struct adl_sidecar *sidecar, int map,
                               int data)
{
    uint64_t blocks = sidecar->blocks, sum = 0;
    if (blocks > 0) {
        adl_sidecar_trust(sidecar, blocks / 2);
        adl_sidecar_drop(sidecar, blocks - 1);
        adl_sidecar_set(sidecar, 0, 42);
    }
    uint64_t claimed = adl_bitmap_count(&sidecar->claimed);
    uint64_t some = adl_bitmap_next_set(&sidecar->claimed, blocks / 3, blocks);
    if (some < blocks)
        sum = sidecar->sums[some];
    adl_sidecar_close(sidecar, data);
    sidecar = load(store, map, data);
    must(sidecar && sidecar->blocks == blocks);
    must(adl_bitmap_count(&sidecar->claimed) == claimed);
    must(some == blocks ||
         (adl_bitmap_test(&sidecar->claimed, some) && sidecar->sums[some] == sum));
    adl_sidecar_close(sidecar, -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    if (length < 1 || length > 1 + MAP_ROOM)
        return 0;
    unsigned how = *input++;
    length--;
    const struct adl_store store = {.dir = -1, .boot = {1, 2, 3}, .block_size = 65536};
    unsigned char *bytes = malloc(length + 1);
    int map = memfd_create("map", MFD_CLOEXEC), data = memfd_create("data", MFD_CLOEXEC);
    must(bytes && map >= 0 && data >= 0);
    memcpy(bytes, input, length);
    uint64_t size = length >= ADL_MAP_PAGE ? get_number(bytes + 24) : 0;
    if (size <= SIZE_ROOM) {
        must(ftruncate(data, (off_t)size) == 0);
        repair(bytes, length, how, &store, data);
        must(pwrite(map, bytes, length, 0) == (ssize_t)length);
        struct adl_sidecar *sidecar = load(&store, map, data);
        if (sidecar)
            change_and_compare(&store, sidecar, map, data);
    }
    free(bytes);
    close(map);
    close(data);
    return 0;
}
