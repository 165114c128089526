/* mounts: the table of mounts as the kernel tells it (proc(5), /proc/self/mountinfo): which file
 * system a path lies in. Asks no file system. */
#ifndef ADL_MOUNTS_H
#define ADL_MOUNTS_H

#include <stdio.h>
#include <sys/types.h>

/* Of adl_mounts_over() its strings are owned; in adl_mounts_each() they are good for the call. */
struct adl_mount {
    char *point, *root, *type; /* root: which part of the file system is shown there */
    dev_t device;
    uid_t owner; /* FUSE's user_id; 0 elsewhere */
};

void adl_mount_free(struct adl_mount *mount);

/* Calls `each` for every mount until it returns less than 0, and returns that. Lines that make no
 * sense are passed over. */
typedef int adl_mount_fn(void *ctx, const struct adl_mount *mount);
int adl_mounts_each(FILE *mountinfo, adl_mount_fn *each, void *ctx);

/* The mount that an absolute path without symbolic links lies in: of those at the longest part of
 * it, the last. 0, -ENOENT or -ENOMEM. */
int adl_mounts_over(FILE *mountinfo, const char *path, struct adl_mount *out);

/* The process' own table: NULL, errno. */
FILE *adl_mounts_open(void);

/* Undoes mountinfo's \ooo in place; returns `text`. */
char *adl_mounts_unescape(char *text);

#endif
