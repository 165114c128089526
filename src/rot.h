/* rot: what a copy holds that is not what was recorded any more, and how it is taken out.
 *
 * Blocks that are trusted are read without being compared; that is what makes them fast. So a disk
 * that gives other bytes back than it got is believed, until somebody looks: reads every block that
 * is here, from the disk where the kernel can be had to do that, and compares its checksum. Looking
 * takes as long as reading does and changes nothing; taking out takes no time.
 *
 * A sidecar may rot as well. One page of it that is in no order says nothing of its blocks, which
 * are missing then; a head in no order, of none. */
#ifndef ADL_ROT_H
#define ADL_ROT_H

#include "copy.h"

struct adl_rot {
    int64_t checked;          /* bytes that were compared */
    struct adl_extents wrong; /* whole blocks: other bytes, or such as cannot be read */
    struct adl_extents right; /* whole blocks that were claimed only, and are as recorded */
    struct adl_extents lost;  /* what damaged pages of the sidecar spoke for */
};

void adl_rot_free(struct adl_rot *rot);

/* Compares what is here of a copy whose size is known; of another one nothing is compared. *stop is
 * looked at before each block. 0 (*out to be freed); -ECANCELED; -ENOMEM. Any thread. */
int adl_rot_find(const struct adl_copy *copy, const _Atomic bool *stop, struct adl_rot *out);

/* Drops what is wrong and trusts what is right. Blocks that went meanwhile are as they are. Loop.
 */
void adl_rot_drop(struct adl_copy *copy, const struct adl_rot *rot);

/* Does both to an entry that nobody has open, which counts as no use of it. 0 (*out to be freed);
 * -ENOENT, nothing is cached of it; -EWOULDBLOCK, somebody has it open; -EBADMSG: its sidecar's
 * head is damaged, or its data file has another size: nothing of it can be told, and it was
 * removed; -ECANCELED, -ENOMEM, -errno. Any thread, any process. */
int adl_rot_check(struct adl_store *store, const struct adl_key *key, const _Atomic bool *stop,
                  struct adl_rot *out);

#endif
