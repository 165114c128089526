/* io: reading and writing at an offset until it is done: short counts and EINTR are dealt with
 * here. */
#ifndef ADL_IO_H
#define ADL_IO_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

/* Writes all of it. 0 or -errno (then any part may have been written). Any thread. */
static inline int adl_io_write(int fd, const void *bytes, size_t length, int64_t offset)
{
    for (const char *at = bytes; length > 0;) {
        ssize_t n = pwrite(fd, at, length, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        length -= (size_t)n;
        offset += n;
    }
    return 0;
}

/* Reads all of it. 0; -ENODATA where the file ends before; -errno. Any thread. */
static inline int adl_io_read(int fd, void *bytes, size_t length, int64_t offset)
{
    for (char *at = bytes; length > 0;) {
        ssize_t n = pread(fd, at, length, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENODATA;
        at += n;
        length -= (size_t)n;
        offset += n;
    }
    return 0;
}

#endif
