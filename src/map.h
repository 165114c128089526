/* map: the pages of a sidecar (KEY.map) as bytes. Pure.
 *
 * src/README.md has the layout byte by byte. Here it is coded and checked, and nothing else: what
 * the pages mean is sidecar.h's. Reading never trusts a byte: a page is in order or it is not. */
#ifndef ADL_MAP_H
#define ADL_MAP_H

#include "sidecar.h"

/* How the data file was left by who closed it in order. */
struct adl_map_left {
    unsigned char boot[ADL_BOOT_ID_SIZE]; /* in which boot; all zero: it was not, or is in use */
    uint64_t inode;
    int64_t ctime;       /* s */
    uint32_t ctime_nsec; /* ns */
};

/* All that the head page holds. */
struct adl_map_head {
    struct adl_head head;
    uint64_t random; /* seeds the checksums of the pages */
    uint64_t epoch;  /* which pages may be trusted, see sidecar.h; never 0 */
    struct adl_map_left left;
};

/* Head -> page. The strings in it end with a NUL. */
void adl_map_put_head(const struct adl_map_head *map, unsigned char page[ADL_MAP_PAGE]);

/* Page -> head. False: damaged, of another format, or of another key; *out is undefined then. */
bool adl_map_get_head(const unsigned char page[ADL_MAP_PAGE], const struct adl_key *key,
                      struct adl_map_head *out);

/* A page of blocks is begun, filled and sealed. `index` < ADL_BLOCKS_PER_PAGE. */
void adl_map_begin(unsigned char page[ADL_MAP_PAGE], uint64_t number);
void adl_map_put_block(unsigned char page[ADL_MAP_PAGE], unsigned index, uint64_t sum);
void adl_map_seal(unsigned char page[ADL_MAP_PAGE], uint64_t epoch, uint64_t random);

/* Whether it is page `number` of the sidecar with that random number, whole and unchanged. What
 * follows may be asked of such a page only. */
bool adl_map_check(const unsigned char page[ADL_MAP_PAGE], uint64_t number, uint64_t random);
uint64_t adl_map_epoch(const unsigned char page[ADL_MAP_PAGE]);

/* Whether the block's bit is set; *sum is set then. */
bool adl_map_get_block(const unsigned char page[ADL_MAP_PAGE], unsigned index, uint64_t *sum);

#endif
