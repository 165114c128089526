/* output: the place below a directory where a fetched file is put, whole and at once.
 *
 * Until then ".NAME.adlfs-part" stands beside it: empty, and locked, so that two processes do not
 * make one output at a time, or, where the bytes have to be copied, what was copied so far. Nothing
 * is ever written outside the directory: symbolic links in the path are not followed. One thread.
 */
#ifndef ADL_OUTPUT_H
#define ADL_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct adl_output {
    int dir;    /* owned: the directory that it stands in; -1: none yet */
    char *name; /* owned: in that directory */
    char *part; /* owned: what it is called until it is whole */
    int lock;   /* owned: the open part; -1: not locked */
    int64_t copied;
};
#define ADL_OUTPUT_NONE                                                                            \
    {                                                                                              \
        .dir = -1, .lock = -1                                                                      \
    }

/* Opens the directory `path`, making it and its parents as far as they are missing. 0, -errno. */
int adl_output_directory(const char *path, int *fd);

/* `path` is relative to `root` and clean (see manifest.h); the directories in it are made. 0;
 * -ELOOP: a part of it is a symbolic link; -ENOTDIR; -errno. To be closed in any case. */
int adl_output_open(int root, const char *path, struct adl_output *output);

/* -EWOULDBLOCK: another process is making it. 0 or -errno. */
int adl_output_lock(struct adl_output *output);

/* What stands there now, not followed. 0, -ENOENT, -errno. */
int adl_output_look(const struct adl_output *output, struct stat *st);

/* Opens what stands there for reading. The fd is the caller's. 0 or -errno. */
int adl_output_open_existing(const struct adl_output *output, int *fd);

/* Copies the next piece of `fd`, which has `size` bytes, into the part: shares the blocks where the
 * file system can, or copies up to `most` bytes. 1: that was the last; 0: there is more; -errno. */
int adl_output_copy(struct adl_output *output, int fd, int64_t size, int64_t most);

/* What the file is to look like: mode 0666 less the umask, and that time; UTIME_OMIT for now. */
int adl_output_dress(int fd, struct timespec mtime);

/* Gives the part its name. Locked. 0; -EEXIST: there is another, and not `replace`; -errno. */
int adl_output_place(struct adl_output *output, bool replace);

/* Removes the part, if it is ours, and gives the lock back. */
void adl_output_close(struct adl_output *output);

#endif
