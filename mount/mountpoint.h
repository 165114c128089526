/* mountpoint: the directory that is mounted on: is it there, is it free, and how to free it. */
#ifndef ADL_MOUNTPOINT_H
#define ADL_MOUNTPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define ADL_MOUNT_TYPE "fuse.adlfs"

/* The absolute path without symbolic links, also of a mount whose daemon is dead (where realpath(3)
 * may fail). *out is the caller's to free. 0 or -errno. */
int adl_mountpoint_resolve(const char *path, char **out);

/* The file system type of the last mount in `mountinfo` (proc(5), /proc/self/mountinfo) that is
 * exactly at `path`, an absolute path. 0 or -ENOENT. */
int adl_mountpoint_find(FILE *mountinfo, const char *path, char *type, size_t room);

/* Whether a mount of ours, alive or dead, is the topmost one at the resolved `path`. Asks the
 * kernel only, never the file system. */
bool adl_mountpoint_ours(const char *path);

/* Whether the file system at `path` has lost its daemon. One that does not answer is alive. */
bool adl_mountpoint_dead(const char *path);

/* Asks the file system at `path` whether it is there, for 15 s at most: 0; -ETIMEDOUT, its
 * daemon is stopped, or hangs; -ENOTCONN or -ECONNABORTED, it has none; -errno. Forks: not for a
 * process with threads. */
int adl_mountpoint_ask(const char *path);

/* The text of an extended attribute of a mount's root, as of adl_mountpoint_ask(), also in its
 * errors; -ERANGE: there is no room for it, nor for more than ADL_MOUNTPOINT_VALUE - 1 bytes. */
#define ADL_MOUNTPOINT_VALUE 4096
int adl_mountpoint_attribute(const char *path, const char *name, char *out, size_t room);

/* Whether all paths can be looked up, whatever comes of it: inside a mount its daemon is asked. 0;
 * -ETIMEDOUT: none of them for 15 s, and *stuck is the one that has no answer; -errno. Forks, too.
 */
int adl_mountpoint_reach(const char *const *paths, size_t count, size_t *stuck);

/* adl_mountpoint_resolve(), where that comes back; else -ETIMEDOUT. Forks, too. */
int adl_mountpoint_locate(const char *path, char **out);

/* The process that serves the mount at the resolved `path`, as it tells itself. Errors are those of
 * adl_mountpoint_attribute(), and -EINVAL. */
int adl_mountpoint_daemon(const char *path, pid_t *pid);

/* Resolves `path` and sees to it that it can be mounted on: an existing directory, no live mount of
 * ours on it already. Mounts of ours that are dead are unmounted, which is told on stderr; so is
 * what is wrong. *out is the caller's to free. 0 or -errno. */
int adl_mountpoint_prepare(const char *path, char **out);

/* Unmounts the resolved `path`: by umount2(2) for root, else by fusermount3(1). `lazy` detaches it
 * at once. 0; -EBUSY; -errno; what else fusermount3 has to say goes to stderr (-EPERM). */
int adl_mountpoint_unmount(const char *path, bool lazy);

/* Waits until a mount of this process answers; *device is the file system's. In a process of its
 * own that has nothing open, since the kernel lets nobody be killed who waits for an answer that is
 * being worked on: a thread of the daemon that asked its own mount would keep a daemon that is
 * killed meanwhile, the device with it, and so the question, for ever. 0; -ENOTCONN, it ended
 * before; -errno. Any thread. */
int adl_mountpoint_await(const char *path, dev_t *device);

#endif
