/* A disk that fails on demand, for LD_PRELOAD: while the file that BROKEN_DISK names says so, calls
 * on files below the directory that BROKEN_BELOW names fail. The file's words: "read" and "write"
 * with EIO, "full" (writes, with ENOSPC), "make" (new files, with ENOSPC). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_told(const char *word)
{
    char text[64] = "";
    const char *path = getenv("BROKEN_DISK");
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    long n = syscall(SYS_read, fd, text, sizeof(text) - 1);
    syscall(SYS_close, fd);
    return n > 0 && strstr(text, word);
}

static bool is_below(int fd)
{
    char link[64], path[512];
    const char *below = getenv("BROKEN_BELOW");
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    return below && n > 0 && (size_t)n > strlen(below) && strncmp(path, below, strlen(below)) == 0;
}

static int trouble_of_write(int fd)
{
    if (!is_below(fd))
        return 0;
    return is_told("full") ? ENOSPC : is_told("write") ? EIO : 0;
}

static int trouble_of_read(int fd)
{
    return is_below(fd) && is_told("read") ? EIO : 0;
}

#define FAIL_IF(trouble)                                                                           \
    do {                                                                                           \
        int error_ = (trouble);                                                                    \
        if (error_) {                                                                              \
            errno = error_;                                                                        \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

#define NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    FAIL_IF(trouble_of_write(fd));
    return NEXT(pwrite)(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    FAIL_IF(trouble_of_write(fd));
    return NEXT(pwrite64)(fd, bytes, length, offset);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset)
{
    FAIL_IF(trouble_of_read(fd));
    return NEXT(pread)(fd, bytes, length, offset);
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset)
{
    FAIL_IF(trouble_of_read(fd));
    return NEXT(pread64)(fd, bytes, length, offset);
}

ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t length,
               unsigned flags)
{
    FAIL_IF(from_offset ? trouble_of_read(from) : 0);
    return NEXT(splice)(from, from_offset, to, to_offset, length, flags);
}

static int trouble_of_open(int dir, int flags)
{
    bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
    const char *below = getenv("BROKEN_BELOW");
    char link[64], path[512] = "";
    snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
    if (!makes || !below || readlink(link, path, sizeof(path) - 1) < 0)
        return 0;
    return strncmp(path, below, strlen(below)) == 0 && is_told("make") ? ENOSPC : 0;
}

int openat64(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    FAIL_IF(trouble_of_open(dir, flags));
    return NEXT(openat64)(dir, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    FAIL_IF(trouble_of_open(dir, flags));
    return NEXT(openat)(dir, path, flags, mode);
}
