#include "map.h"

#include <assert.h>
#include <endian.h>
#include <string.h>
#include <xxhash.h>

/* Offsets within the head page. */
enum {
    HEAD_MAGIC = 0,
    HEAD_SUM = 8,
    HEAD_VERSION = 16,
    HEAD_BLOCK_SIZE = 20,
    HEAD_SIZE = 24,
    HEAD_KEY = 32,
    HEAD_RANDOM = 48,
    HEAD_EPOCH = 56,
    HEAD_LEFT_BOOT = 64,
    HEAD_LEFT_INODE = 80,
    HEAD_LEFT_CTIME = 88,
    HEAD_LEFT_NSEC = 96,
    HEAD_FLAGS = 100,
    HEAD_CHECKED_AT = 104,
    HEAD_LAST_MODIFIED = 112,
    HEAD_ETAG = 120,
    HEAD_URL = HEAD_ETAG + ADL_ETAG_MAX,
    HEAD_END = HEAD_URL + ADL_URL_KEPT,
};

/* Offsets within a page of blocks. */
enum {
    PAGE_SUM = 0,
    PAGE_NUMBER = 8,
    PAGE_EPOCH = 16,
    PAGE_BITS = 32,
    PAGE_BLOCKS = 96,
};

_Static_assert(HEAD_END <= ADL_MAP_PAGE, "the head fits its page");
_Static_assert(PAGE_BLOCKS + 8 * ADL_BLOCKS_PER_PAGE == ADL_MAP_PAGE, "a page is full");
_Static_assert(PAGE_BITS + (ADL_BLOCKS_PER_PAGE + 7) / 8 <= PAGE_BLOCKS, "the bits fit");

static const char magic[8] = {'a', 'd', 'l', 'f', 's', 'm', 'a', 'p'};

#define FORMAT_VERSION 1

/* The years that HTTP can say, 1 to 9999, as Unix times, s: what comes from another place than an
 * answer may not overflow where it is reckoned with. */
#define TIME_MIN INT64_C(-62135596800)
#define TIME_MAX INT64_C(253402300799)

static void put32(unsigned char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static void put64(unsigned char *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t get64(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

/* The head carries the seed of the others, so that its own is a constant. */
static uint64_t sum_head(const unsigned char *page)
{
    return XXH3_64bits(page + HEAD_VERSION, ADL_MAP_PAGE - HEAD_VERSION);
}

static uint64_t sum_page(const unsigned char *page, uint64_t random)
{
    return XXH3_64bits_withSeed(page + PAGE_NUMBER, ADL_MAP_PAGE - PAGE_NUMBER, random);
}

void adl_map_put_head(const struct adl_map_head *map, unsigned char page[ADL_MAP_PAGE])
{
    const struct adl_head *head = &map->head;
    memset(page, 0, ADL_MAP_PAGE);
    memcpy(page + HEAD_MAGIC, magic, sizeof(magic));
    put32(page + HEAD_VERSION, FORMAT_VERSION);
    put32(page + HEAD_BLOCK_SIZE, head->block_size);
    put64(page + HEAD_SIZE, (uint64_t)head->size);
    memcpy(page + HEAD_KEY, head->key.bytes, ADL_KEY_SIZE);
    put64(page + HEAD_RANDOM, map->random);
    put64(page + HEAD_EPOCH, map->epoch);
    memcpy(page + HEAD_LEFT_BOOT, map->left.boot, ADL_BOOT_ID_SIZE);
    put64(page + HEAD_LEFT_INODE, map->left.inode);
    put64(page + HEAD_LEFT_CTIME, (uint64_t)map->left.ctime);
    put32(page + HEAD_LEFT_NSEC, map->left.ctime_nsec);
    put32(page + HEAD_FLAGS, head->flags);
    put64(page + HEAD_CHECKED_AT, (uint64_t)head->checked_at);
    put64(page + HEAD_LAST_MODIFIED, (uint64_t)head->validator.last_modified);
    memcpy(page + HEAD_ETAG, head->validator.etag, strnlen(head->validator.etag, ADL_ETAG_MAX - 1));
    memcpy(page + HEAD_URL, head->url, strnlen(head->url, ADL_URL_KEPT - 1));
    put64(page + HEAD_SUM, sum_head(page));
}

static bool time_sane(int64_t when)
{
    return when >= TIME_MIN && when <= TIME_MAX;
}

/* Ends within its room, and holds nothing that would end a line of a request. */
static bool etag_sane(const unsigned char *etag)
{
    size_t length = strnlen((const char *)etag, ADL_ETAG_MAX);
    for (size_t i = 0; i < length; i++)
        if (etag[i] < ' ' || etag[i] == 0x7f)
            return false;
    return length < ADL_ETAG_MAX;
}

static bool head_sane(const unsigned char *page)
{
    int64_t modified = (int64_t)get64(page + HEAD_LAST_MODIFIED);
    return (int64_t)get64(page + HEAD_SIZE) >= 0 && get64(page + HEAD_EPOCH) != 0 &&
           adl_store_block_size_valid(get32(page + HEAD_BLOCK_SIZE)) &&
           time_sane((int64_t)get64(page + HEAD_CHECKED_AT)) &&
           (modified == ADL_TIME_UNKNOWN || time_sane(modified)) && etag_sane(page + HEAD_ETAG) &&
           page[HEAD_URL + ADL_URL_KEPT - 1] == '\0';
}

bool adl_map_get_head(const unsigned char page[ADL_MAP_PAGE], const struct adl_key *key,
                      struct adl_map_head *out)
{
    if (memcmp(page + HEAD_MAGIC, magic, sizeof(magic)) != 0 ||
        get32(page + HEAD_VERSION) != FORMAT_VERSION || get64(page + HEAD_SUM) != sum_head(page) ||
        memcmp(page + HEAD_KEY, key->bytes, ADL_KEY_SIZE) != 0 || !head_sane(page))
        return false;
    *out = (struct adl_map_head){
        .head = {.key = *key,
                 .validator = {.last_modified = (int64_t)get64(page + HEAD_LAST_MODIFIED)},
                 .size = (int64_t)get64(page + HEAD_SIZE),
                 .block_size = get32(page + HEAD_BLOCK_SIZE),
                 .flags = get32(page + HEAD_FLAGS),
                 .checked_at = (int64_t)get64(page + HEAD_CHECKED_AT)},
        .random = get64(page + HEAD_RANDOM),
        .epoch = get64(page + HEAD_EPOCH),
        .left = {.inode = get64(page + HEAD_LEFT_INODE),
                 .ctime = (int64_t)get64(page + HEAD_LEFT_CTIME),
                 .ctime_nsec = get32(page + HEAD_LEFT_NSEC)},
    };
    memcpy(out->left.boot, page + HEAD_LEFT_BOOT, ADL_BOOT_ID_SIZE);
    memcpy(out->head.validator.etag, page + HEAD_ETAG, ADL_ETAG_MAX);
    memcpy(out->head.url, page + HEAD_URL, ADL_URL_KEPT);
    return true;
}

void adl_map_begin(unsigned char page[ADL_MAP_PAGE], uint64_t number)
{
    memset(page, 0, ADL_MAP_PAGE);
    put64(page + PAGE_NUMBER, number);
}

void adl_map_put_block(unsigned char page[ADL_MAP_PAGE], unsigned index, uint64_t sum)
{
    assert(index < ADL_BLOCKS_PER_PAGE);
    page[PAGE_BITS + index / 8] |= (unsigned char)(1u << index % 8);
    put64(page + PAGE_BLOCKS + 8 * (size_t)index, sum);
}

void adl_map_seal(unsigned char page[ADL_MAP_PAGE], uint64_t epoch, uint64_t random)
{
    put64(page + PAGE_EPOCH, epoch);
    put64(page + PAGE_SUM, sum_page(page, random));
}

bool adl_map_check(const unsigned char page[ADL_MAP_PAGE], uint64_t number, uint64_t random)
{
    return get64(page + PAGE_NUMBER) == number && get64(page + PAGE_SUM) == sum_page(page, random);
}

uint64_t adl_map_epoch(const unsigned char page[ADL_MAP_PAGE])
{
    return get64(page + PAGE_EPOCH);
}

bool adl_map_get_block(const unsigned char page[ADL_MAP_PAGE], unsigned index, uint64_t *sum)
{
    assert(index < ADL_BLOCKS_PER_PAGE);
    if (!(page[PAGE_BITS + index / 8] >> index % 8 & 1))
        return false;
    *sum = get64(page + PAGE_BLOCKS + 8 * (size_t)index);
    return true;
}
