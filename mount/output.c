#include "output.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <xxhash.h>

#define PART_PREFIX "."
#define PART_SUFFIX ".adlfs-part"

/* How often a lock is tried when the file loses its name between open and lock. */
#define LOCK_TRIES 16

#define COPY_PIECE (1 << 20)

int adl_output_directory(const char *path, int *fd)
{
    cleanup_free char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    for (char *slash = copy + 1; *copy && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(copy, 0777); /* the last one's error tells */
        *slash = '/';
    }
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return -errno;
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? -errno : 0;
}

/* Goes down one directory, making it where it is missing. */
static int descend(int *dir, const char *name)
{
    if (mkdirat(*dir, name, 0777) < 0 && errno != EEXIST)
        return -errno;
    int next = openat(*dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) {
        struct stat st;
        int error = -errno; /* ENOTDIR for a symbolic link, too (open(2)) */
        if (fstatat(*dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
            error = -ELOOP;
        return error;
    }
    close(*dir);
    *dir = next;
    return 0;
}

/* A name that is too long with what is put around it is cut, and told from others by its hash. */
static char *part_of(const char *name)
{
    char *part = NULL;
    size_t room = 255 - strlen(PART_PREFIX PART_SUFFIX);
    int length = strlen(name) <= room
                     ? asprintf(&part, PART_PREFIX "%s" PART_SUFFIX, name)
                     : asprintf(&part, PART_PREFIX "%.*s-%016llx" PART_SUFFIX, (int)room - 17, name,
                                (unsigned long long)XXH3_64bits(name, strlen(name)));
    return length < 0 ? NULL : part;
}

int adl_output_open(int root, const char *path, struct adl_output *output)
{
    *output = (struct adl_output)ADL_OUTPUT_NONE;
    cleanup_free char *copy = strdup(path);
    output->dir = fcntl(root, F_DUPFD_CLOEXEC, 0);
    if (!copy || output->dir < 0)
        return copy ? -errno : -ENOMEM;
    char *name = copy;
    for (char *slash; (slash = strchr(name, '/')); name = slash + 1) {
        *slash = '\0';
        int r = descend(&output->dir, name);
        if (r < 0)
            return r;
    }
    output->name = strdup(name);
    output->part = part_of(name);
    return output->name && output->part ? 0 : -ENOMEM;
}

/* Who removed the file meanwhile took the name, and with it the lock's meaning, away. */
static bool still_named(const struct adl_output *output, int fd)
{
    struct stat mine, named;
    return fstat(fd, &mine) == 0 &&
           fstatat(output->dir, output->part, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

int adl_output_lock(struct adl_output *output)
{
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        cleanup_fd int fd = openat(output->dir, output->part,
                                   O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
            return -errno;
        if (!still_named(output, fd))
            continue;
        if (ftruncate(fd, 0) < 0) /* what a killed process had copied */
            return -errno;
        output->lock = steal_fd(&fd);
        return 0;
    }
    return -EWOULDBLOCK;
}

int adl_output_look(const struct adl_output *output, struct stat *st)
{
    return fstatat(output->dir, output->name, st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int adl_output_open_existing(const struct adl_output *output, int *fd)
{
    *fd = openat(output->dir, output->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return *fd < 0 ? -errno : 0;
}

/* For file systems between which the kernel does not copy. Bytes copied, or -errno. */
static ssize_t copy_by_hand(int from, int to, int64_t at, size_t length)
{
    cleanup_free char *buffer = malloc(COPY_PIECE);
    if (!buffer)
        return -ENOMEM;
    ssize_t got = pread(from, buffer, length < COPY_PIECE ? length : COPY_PIECE, at);
    if (got <= 0)
        return got < 0 ? -errno : -EIO;
    ssize_t put = pwrite(to, buffer, (size_t)got, at);
    return put < 0 ? -errno : put;
}

static ssize_t copy_some(int from, int to, int64_t at, size_t length)
{
    off_t in = at, out = at;
    ssize_t n = copy_file_range(from, &in, to, &out, length, 0);
    if (n > 0)
        return n;
    if (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return -errno;
    return copy_by_hand(from, to, at, length);
}

int adl_output_copy(struct adl_output *output, int fd, int64_t size, int64_t most)
{
    if (output->copied == 0 && size > 0 && ioctl(output->lock, FICLONE, fd) == 0)
        output->copied = size;
    int64_t end = size - output->copied > most ? output->copied + most : size;
    while (output->copied < end) {
        ssize_t n = copy_some(fd, output->lock, output->copied, (size_t)(end - output->copied));
        if (n == -EINTR)
            return 0;
        if (n < 0)
            return (int)n;
        output->copied += n;
    }
    return output->copied == size;
}

int adl_output_dress(int fd, struct timespec mtime)
{
    mode_t mask = umask(0);
    umask(mask);
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, mtime};
    if (fchmod(fd, 0666 & ~mask) < 0 || futimens(fd, times) < 0)
        return -errno;
    return 0;
}

int adl_output_place(struct adl_output *output, bool replace)
{
    int r = renameat2(output->dir, output->part, output->dir, output->name,
                      replace ? 0 : RENAME_NOREPLACE);
    struct stat st;
    if (r < 0 && errno == EINVAL && !replace) { /* a file system that does not know the flag */
        if (adl_output_look(output, &st) == 0)
            return -EEXIST;
        r = renameat(output->dir, output->part, output->dir, output->name);
    }
    return r < 0 ? -errno : 0;
}

void adl_output_close(struct adl_output *output)
{
    if (output->lock >= 0) {
        if (still_named(output, output->lock))
            unlinkat(output->dir, output->part, 0);
        close(output->lock);
    }
    if (output->dir >= 0)
        close(output->dir);
    free(output->name);
    free(output->part);
    *output = (struct adl_output)ADL_OUTPUT_NONE;
}
