/* adlfs umount: unmounts, and returns when the daemon has written what it knows and is gone, so
 * that whoever mounts again at once finds all of it in the cache. */
#include "ask.h"
#include "cleanup.h"
#include "commands.h"
#include "logger.h"
#include "mountpoint.h"
#include "mounts.h"
#include "now.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define WAIT_SECONDS 30
/* How often a process is looked at where the kernel cannot tell that it ended. */
#define LOOK_MS 20
/* How often at most a mount that is busy is tried again: for half a second. */
#define BUSY_LOOKS 25

static void close_table(FILE **table)
{
    if (*table)
        fclose(*table);
}

/* Waits without a descriptor of the process: a kernel or a sandbox may not give one. */
static int wait_looking(pid_t pid)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    for (int64_t end = now_ms() + WAIT_SECONDS * 1000; now_ms() < end;) {
        if (kill(pid, 0) < 0 && errno == ESRCH)
            return 0;
        nanosleep(&pause, NULL);
    }
    return -ETIMEDOUT;
}

/* Waits until the process is gone. 0 or -ETIMEDOUT, -errno. */
static int wait_gone(int pidfd, pid_t pid)
{
    if (pidfd < 0)
        return wait_looking(pid);
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};
    for (int64_t end = now_ms() + WAIT_SECONDS * 1000;;) {
        int64_t left = end - now_ms();
        int r = left > 0 ? poll(&gone, 1, (int)left) : 0;
        if (r == 0)
            return -ETIMEDOUT;
        if (r > 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

static int complain(const char *path, int error)
{
    if (error == -EBUSY)
        fprintf(stderr,
                "adlfs: %s is busy: a process has a file or its working directory in it\n"
                "  'fuser -vm %s' shows which; 'adlfs umount --lazy' detaches it all the same\n",
                path, path);
    else if (error == -EINVAL)
        fprintf(stderr, "adlfs: %s is not an adlfs mount\n", path);
    else if (error == -ETIMEDOUT)
        fprintf(stderr,
                "adlfs: %s: its daemon does not answer\n"
                "  'adlfs umount --lazy MOUNTPOINT' takes the mount away without asking it\n",
                path);
    else
        fprintf(stderr, "adlfs: %s: %s\n", path, strerror(-error));
    return error;
}

/* The file system of the mount at the resolved `path`; 0: not known. */
static dev_t device_of(const char *path)
{
    _cleanup_(close_table) FILE *table = adl_mounts_open();
    struct adl_mount mount;
    if (!table || adl_mounts_over(table, path, &mount) < 0)
        return 0;
    dev_t device = mount.device;
    adl_mount_free(&mount);
    return device;
}

static int tell_place(void *ctx, const struct adl_mount *mount)
{
    const dev_t *device = ctx;
    char shown[1024];
    if (mount->device != *device)
        return 0;
    adl_log_escape(mount->point, shown, sizeof(shown));
    fprintf(stderr, "adlfs: the same mount is still at %s: its daemon stays\n", shown);
    return -EEXIST;
}

/* Whether the mount shows elsewhere too (mount --bind), which is told: then its daemon stays. */
static bool is_elsewhere(dev_t device)
{
    _cleanup_(close_table) FILE *table = adl_mounts_open();
    return table && device && adl_mounts_each(table, tell_place, &device) == -EEXIST;
}

/* Who looks at every mount ('adlfs status') has this one in use for a moment: that is waited out.
 */
static int unmount_patiently(const char *path)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    int r;
    for (int looks = 0; (r = adl_mountpoint_unmount(path, false)) == -EBUSY; looks++) {
        if (looks == BUSY_LOOKS)
            return r;
        nanosleep(&pause, NULL);
    }
    return r;
}

/* The mount is alive: its daemon is waited for. */
static int unmount_and_wait(const char *path)
{
    dev_t device = device_of(path);
    pid_t pid;
    int r = adl_mountpoint_daemon(path, &pid);
    if (r == -EACCES) { /* another user's, closed even to root: there is no daemon to ask for */
        r = adl_mountpoint_unmount(path, false);
        return r < 0 ? complain(path, r) : 0;
    }
    if (r < 0)
        return complain(path, r == -ENODATA || r == -EOPNOTSUPP ? -EINVAL : r);
    /* Opened before, so that it cannot be another process that got the same number after. */
    cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    r = unmount_patiently(path);
    if (r < 0)
        return complain(path, r);
    if (is_elsewhere(device))
        return 0;
    r = wait_gone(pidfd, pid);
    if (r < 0)
        fprintf(stderr,
                "adlfs: %s is unmounted, but its daemon (process %d) is still there: %s\n"
                "  it stays while the mount shows in another mount name space (a container's)\n",
                path, (int)pid, strerror(-r));
    return r;
}

/* Who has files open in there may wait for what is paused, and nobody can resume it once it is
 * detached: it goes on. Asked without patience: a daemon that hangs is let go all the same. */
static int detach(const char *path)
{
    struct adl_target target = {0};
    struct adl_ask ask;
    json_t *answer;
    bool listens = adl_target_find(path, &target) == 0 && adl_ask_open(&target, false, &ask) == 0;
    int r = adl_mountpoint_unmount(path, true);
    if (listens) {
        if (r == 0 && adl_ask(&ask, json_pack("{s:s}", "do", "resume"), &answer) == 0)
            json_decref(answer);
        adl_ask_close(&ask);
    }
    adl_target_free(&target);
    return r;
}

static int umount_one(const char *operand, bool lazy)
{
    cleanup_free char *path = NULL;
    int r = adl_mountpoint_locate(operand, &path);
    if (r < 0)
        return complain(operand, r);
    if (!adl_mountpoint_ours(path))
        return complain(operand, -EINVAL);
    /* A mount that hangs would keep even the question whether it is dead. */
    r = lazy ? -ENOTCONN : adl_mountpoint_ask(path);
    if (r == -ETIMEDOUT)
        return complain(path, r);
    if (r != -ENOTCONN && r != -ECONNABORTED)
        return unmount_and_wait(path);
    r = lazy ? detach(path) : adl_mountpoint_unmount(path, true);
    return r < 0 ? complain(path, r) : 0;
}

static int run(const struct adl_options *options)
{
    int status = ADL_EXIT_DONE;
    for (size_t i = 0; i < options->n_operands; i++)
        if (umount_one(options->operands[i], options->lazy) < 0)
            status = ADL_EXIT_FAILED;
    return status;
}

const struct adl_command adl_umount_command = {
    .name = "umount",
    .synopsis = "[OPTION]... MOUNTPOINT...",
    .summary = "unmount, and wait until the cache is in order",
    .about = "Unmounts each MOUNTPOINT, and returns when its daemon has ended and the cache\n"
             "says all that was fetched. Mounts whose daemon is dead are cleared.",
    .notes = "With --lazy the mount disappears at once, and its daemon ends when the last file\n"
             "of it is closed. What is paused goes on for whoever has files open.",
    .user = ADL_FOR_UMOUNT,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .run = run,
};
