/* The inside of copy: what its files share. Only src/copy*.c include this. */
#ifndef ADL_COPY_BLOCKS_H
#define ADL_COPY_BLOCKS_H

#include "copy.h"

/* The block that holds byte `at`. */
static inline uint64_t adl_block_at(const struct adl_copy *copy, int64_t at)
{
    return (uint64_t)at / copy->block_size;
}

static inline int64_t adl_block_first(const struct adl_copy *copy, uint64_t block)
{
    return (int64_t)(block * copy->block_size);
}

/* The end of a block that begins below the size; the last one's is the size. */
static inline int64_t adl_block_end(const struct adl_copy *copy, uint64_t block)
{
    int64_t first = adl_block_first(copy, block), left = copy->size - first;
    return left < copy->block_size ? copy->size : first + copy->block_size;
}

/* The XXH3-64 of the bytes of one block of a data file, as many as it has. `buffer` has room for
 * block_size bytes. 0, -ENODATA for a short file, -errno of pread(2). Any thread. */
int adl_block_sum(int data, const struct adl_head *head, uint64_t block, void *buffer,
                  uint64_t *sum);

/* Gives a homeless copy the files that it could not have. */
void adl_copy_make_home(struct adl_copy *copy);

#endif
