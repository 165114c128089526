/* name: what a file name may be, and how to change one so that it stays one. Pure.
 *
 * A name is 1 .. ADL_NAME_MAX bytes, anything but '/' and NUL, and neither "." nor "..". */
#ifndef ADL_NAME_H
#define ADL_NAME_H

#include <stddef.h>

#define ADL_NAME_MAX 255  /* bytes of one part of a path, as in Linux */
#define ADL_PATH_MAX 4096 /* bytes of a path below the mount */

/* Why `length` bytes of `path` cannot be a path below the mount: a static text for people; NULL
 * where they can. */
const char *adl_path_wrong(const char *path, size_t length);

/* How many bytes of a name stand before its extension. The extension begins at the last '.', or
 * before it where that makes ".tar.gz" of ".gz". A '.' at the start, an extension of more than 16
 * bytes and one with a space in it make none: then it is the whole length. */
size_t adl_name_stem(const char *name, size_t length);

/* Writes the name with `suffix` (at most 32 bytes, may be "") before its extension and a NUL, and
 * cuts the stem, between two characters of UTF-8, so that all of it is at most ADL_NAME_MAX bytes.
 * Returns its length. */
size_t adl_name_fit(const char *name, size_t length, const char *suffix,
                    char out[ADL_NAME_MAX + 1]);

#endif
