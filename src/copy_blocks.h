/* What copy.c and copy_blocks.c share, and nobody else needs. */
#ifndef ADL_COPY_BLOCKS_H
#define ADL_COPY_BLOCKS_H

#include "sidecar.h"

/* The XXH3-64 of the bytes of one block of a data file, as many as it has. `buffer` has room for
 * block_size bytes. 0, -ENODATA for a short file, -errno of pread(2). Any thread. */
int adl_block_sum(int data, const struct adl_head *head, uint64_t block, void *buffer,
                  uint64_t *sum);

#endif
