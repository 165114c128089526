/* body: what a transfer has brought that is not written yet.
 *
 * curl hands a body over in pieces of 16 KiB that begin anywhere. Written as they come they cost
 * the page cache a small folio and the file system a look-up each: measured on ext4 and Linux 6.18,
 * 0.40 s of CPU time for a GiB, and 0.19 s in pieces of 256 KiB that begin at a multiple of that.
 * So they are gathered here up to the next such border. A gathering never spans two of them.
 *
 * The fetch loop's alone. */
#ifndef ADL_BODY_H
#define ADL_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A power of two. 64 transfers of it are 16 MiB. */
#define ADL_BODY_SIZE (256 << 10)

/* All zero: empty. */
struct adl_body {
    unsigned char *bytes; /* owned; made at need */
    size_t used;
};

/* Takes as many of the bytes as fit before the next border; the first is byte `at` + used of the
 * file, where `at` is the place of the first one held. How many were taken (at least one where
 * length > 0); -ENOMEM. */
int64_t adl_body_take(struct adl_body *body, int64_t at, const void *bytes, size_t length);

/* Whether it is to be written before more can be taken. */
bool adl_body_full(const struct adl_body *body, int64_t at);

void adl_body_free(struct adl_body *body);

#endif
