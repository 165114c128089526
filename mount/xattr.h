/* xattr: what is known of a file, as extended attributes "user.adlfs.*". */
#ifndef ADL_XATTR_H
#define ADL_XATTR_H

#include "file.h"

#include <stdbool.h>
#include <stddef.h>

/* What the root tells of reloads. */
struct adl_xattr_root {
    uint64_t generation; /* how many manifests have been in effect, from 1 */
    uint64_t attempts;   /* to read it again */
    char error[512];     /* why the last one failed; "": it did not */
};

/* Whether there is an attribute of that name, for files or for the root. */
bool adl_xattr_is_file(const char *name);
bool adl_xattr_is_root(const char *name);

/* `control`: the control socket's path, or NULL. */

/* The value, without a NUL. Returns its length, which may be more than `room`, or -ENODATA. */
int adl_xattr_of_file(const char *name, const struct adl_report *report, char *out, size_t room);
int adl_xattr_of_root(const char *name, const struct adl_xattr_root *root, const char *control,
                      char *out, size_t room);

/* All names that have a value, each with its NUL. Returns their length together, which may be more
 * than `room` (then only what fits was written). */
size_t adl_xattr_list_file(const struct adl_report *report, char *out, size_t room);
size_t adl_xattr_list_root(const char *control, char *out, size_t room);

#endif
