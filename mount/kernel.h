/* kernel: of the kernel's FUSE interface what the <linux/fuse.h> of Debian 12 lacks: protocol 7.40,
 * Linux 6.9. Names of our own, so that a newer header does no harm. */
#ifndef ADL_KERNEL_H
#define ADL_KERNEL_H

#include <assert.h>
#include <linux/fuse.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* Of the second word of flags in FUSE_INIT: FUSE_PASSTHROUGH, bit 37 of them all. */
#define ADL_KERNEL_PASSTHROUGH (1U << 5)

/* struct fuse_init_out. */
struct adl_kernel_init_out {
    uint32_t major;
    uint32_t minor;
    uint32_t max_readahead;
    uint32_t flags;
    uint16_t max_background;
    uint16_t congestion_threshold;
    uint32_t max_write;
    uint32_t time_gran;
    uint16_t max_pages;
    uint16_t map_alignment;
    uint32_t flags2;
    uint32_t max_stack_depth; /* 1: backing files lie on a file system that is on no other */
    uint32_t unused[6];
};
static_assert(sizeof(struct adl_kernel_init_out) == sizeof(struct fuse_init_out), "it never grew");

/* struct fuse_open_out. */
struct adl_kernel_open_out {
    uint64_t fh;
    uint32_t open_flags;
    int32_t backing_id;
};
static_assert(sizeof(struct adl_kernel_open_out) == sizeof(struct fuse_open_out), "it never grew");

/* Of open_flags: FOPEN_PASSTHROUGH. The kernel takes no flag about its own page cache beside it. */
#define ADL_KERNEL_OPEN_PASSTHROUGH (1U << 7)

/* struct fuse_backing_map. */
struct adl_kernel_backing {
    int32_t fd;
    uint32_t flags;
    uint64_t padding;
};

/* FUSE_DEV_IOC_BACKING_OPEN returns the number that FUSE_DEV_IOC_BACKING_CLOSE takes. */
#define ADL_KERNEL_BACKING_OPEN  _IOW(229, 1, struct adl_kernel_backing)
#define ADL_KERNEL_BACKING_CLOSE _IOW(229, 2, uint32_t)

#endif
