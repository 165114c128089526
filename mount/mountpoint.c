#include "mountpoint.h"

#include "cleanup.h"
#include "mounts.h"
#include "scout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/* Dead mounts on one another that are cleared at a time: one for each crash since somebody looked.
 * The bound only ends a loop that makes no headway. */
#define DEAD_MOUNTS_MAX 64

static void close_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

int adl_mountpoint_resolve(const char *path, char **out)
{
    char *whole = realpath(path, NULL);
    if (whole) {
        *out = whole;
        return 0;
    }
    if (errno != ENOTCONN)
        return -errno;
    /* A dead mount: its parent still answers. */
    cleanup_free char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    size_t length = strlen(copy);
    while (length > 1 && copy[length - 1] == '/')
        copy[--length] = '\0';
    char *slash = strrchr(copy, '/');
    const char *name = slash ? slash + 1 : copy;
    if (slash)
        *slash = '\0';
    cleanup_free char *parent = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
    if (!parent)
        return -errno;
    return asprintf(out, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name) < 0 ? -ENOMEM : 0;
}

struct search {
    const char *path;
    char type[64]; /* of the last mount there; "": none */
};

static int compare(void *ctx, const struct adl_mount *mount)
{
    struct search *search = ctx;
    if (strcmp(mount->point, search->path) == 0)
        snprintf(search->type, sizeof(search->type), "%s", mount->type);
    return 0;
}

int adl_mountpoint_find(FILE *mountinfo, const char *path, char *type, size_t room)
{
    struct search search = {.path = path};
    adl_mounts_each(mountinfo, compare, &search);
    if (!search.type[0])
        return -ENOENT;
    snprintf(type, room, "%s", search.type);
    return 0;
}

bool adl_mountpoint_ours(const char *path)
{
    _cleanup_(close_file) FILE *mountinfo = adl_mounts_open();
    char type[64];
    return mountinfo && adl_mountpoint_find(mountinfo, path, type, sizeof(type)) == 0 &&
           strcmp(type, ADL_MOUNT_TYPE) == 0;
}

static void ask_at_length(const void *path, void *found)
{
    /* Asked of the daemon: stat(2) may be answered from what the kernel remembers. */
    struct statx st;
    int *error = found;
    *error = statx(AT_FDCWD, path, AT_STATX_FORCE_SYNC, STATX_TYPE, &st) < 0 ? -errno : 0;
}

int adl_mountpoint_ask(const char *path)
{
    int error = 0;
    int r = adl_scout_send(ask_at_length, path, &error, sizeof(error), ADL_SCOUT_MS);
    return r < 0 ? r : error;
}

struct attribute {
    const char *path, *name;
};

struct value {
    ssize_t length; /* or -errno */
    char text[ADL_MOUNTPOINT_VALUE];
};

static void get_attribute(const void *what, void *found)
{
    const struct attribute *attribute = what;
    struct value *value = found;
    value->length =
        getxattr(attribute->path, attribute->name, value->text, sizeof(value->text) - 1);
    if (value->length < 0)
        value->length = -errno;
}

int adl_mountpoint_attribute(const char *path, const char *name, char *out, size_t room)
{
    const struct attribute attribute = {.path = path, .name = name};
    struct value value = {0};
    int r = adl_scout_send(get_attribute, &attribute, &value, sizeof(value), ADL_SCOUT_MS);
    if (r < 0 || value.length < 0)
        return r < 0 ? r : (int)value.length;
    if ((size_t)value.length >= room)
        return -ERANGE;
    snprintf(out, room, "%s", value.text); /* its end is a NUL: nothing is written there */
    return 0;
}

struct paths {
    const char *const *list;
    size_t count;
};

/* What is found out here the kernel remembers, for who comes after. */
static void walk(const void *what, void *found)
{
    const struct paths *paths = what;
    char whole[PATH_MAX];
    for (size_t *at = found; *at < paths->count; ++*at)
        (void)!realpath(paths->list[*at], whole);
}

int adl_mountpoint_reach(const char *const *paths, size_t count, size_t *stuck)
{
    const struct paths all = {.list = paths, .count = count};
    size_t at = 0, from;
    int r;
    do {
        from = at;
        r = adl_scout_send(walk, &all, &at, sizeof(at), ADL_SCOUT_MS);
    } while (r == -ETIMEDOUT && at > from); /* it got on: they are many */
    if (r == -ETIMEDOUT)
        *stuck = at < count ? at : count - 1;
    return r;
}

int adl_mountpoint_locate(const char *path, char **out)
{
    size_t stuck;
    int r = adl_mountpoint_reach(&path, 1, &stuck);
    return r == -ETIMEDOUT ? r : adl_mountpoint_resolve(path, out);
}

int adl_mountpoint_daemon(const char *path, pid_t *pid)
{
    char text[32], *end;
    int r = adl_mountpoint_attribute(path, "user.adlfs.pid", text, sizeof(text));
    if (r < 0)
        return r;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end || number <= 0 || number > INT_MAX)
        return -EINVAL;
    *pid = (pid_t)number;
    return 0;
}

bool adl_mountpoint_dead(const char *path)
{
    int r = adl_mountpoint_ask(path);
    return r == -ENOTCONN || r == -ECONNABORTED;
}

/* Lazily unmounts the dead mounts of ours at `path`, telling so. */
static int clear_dead(const char *path)
{
    for (int i = 0; i < DEAD_MOUNTS_MAX && adl_mountpoint_dead(path); i++) {
        if (!adl_mountpoint_ours(path)) {
            fprintf(stderr, "adlfs: %s: a mount that is not ours is dead there: %s\n", path,
                    strerror(ENOTCONN));
            return -ENOTCONN;
        }
        int r = adl_mountpoint_unmount(path, true);
        if (r < 0) {
            fprintf(stderr, "adlfs: %s: cannot clear the dead mount there: %s\n", path,
                    strerror(-r));
            return r;
        }
        fprintf(stderr, "adlfs: %s: cleared a dead mount (its daemon was gone)\n", path);
    }
    return 0;
}

int adl_mountpoint_prepare(const char *path, char **out)
{
    cleanup_free char *resolved = NULL;
    int r = adl_mountpoint_locate(path, &resolved);
    if (!resolved) {
        fprintf(stderr, "adlfs: cannot mount on %s: %s\n", path,
                r == -ETIMEDOUT ? "the file system there does not answer" : strerror(-r));
        if (r == -ENOENT)
            fprintf(stderr, "  'mkdir -p %s' makes the directory\n", path);
        return r;
    }
    r = clear_dead(resolved);
    if (r < 0)
        return r;
    if (adl_mountpoint_ours(resolved)) {
        fprintf(stderr, "adlfs: %s: is mounted already; 'adlfs umount' it first\n", path);
        return -EBUSY;
    }
    struct stat st;
    r = stat(resolved, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    if (r < 0) {
        fprintf(stderr, "adlfs: cannot mount on %s: %s\n", path, strerror(-r));
        return r;
    }
    *out = steal_pointer(resolved);
    return 0;
}

/* Starts `argv` with its standard error in a pipe. Returns the pipe's end to read, or -errno. */
static int spawn(char *const *argv, pid_t *child)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    cleanup_fd int reader = ends[0];
    cleanup_fd int writer = ends[1];
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);
    if (r > 0)
        return -r;
    r = posix_spawn_file_actions_adddup2(&actions, writer, STDERR_FILENO);
    if (r == 0)
        r = posix_spawnp(child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r > 0 ? -r : steal_fd(&reader);
}

/* Reads to the end; keeps what has room. */
static void drain(int fd, char *out, size_t room)
{
    size_t used = 0;
    char chunk[256];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        size_t kept = (size_t)got < room - 1 - used ? (size_t)got : room - 1 - used;
        memcpy(out + used, chunk, kept);
        used += kept;
    }
    out[used] = '\0';
}

static int run_fusermount(const char *path, bool lazy)
{
    cleanup_free char *where = strdup(path); /* argv's strings are not const */
    if (!where)
        return -ENOMEM;
    char program[] = "fusermount3", unmount[] = "-u", detach[] = "-uz";
    char *argv[] = {program, lazy ? detach : unmount, where, NULL};
    pid_t child = 0;
    cleanup_fd int output = spawn(argv, &child);
    if (output < 0) {
        if (output == -ENOENT)
            fprintf(stderr, "adlfs: fusermount3 is not installed (Debian's package fuse3)\n");
        return output;
    }
    char said[512];
    drain(output, said, sizeof(said));
    int state;
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR)
            return -errno;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return 0;
    if (strstr(said, strerror(EBUSY)))
        return -EBUSY;
    fputs(said, stderr);
    return -EPERM;
}

int adl_mountpoint_unmount(const char *path, bool lazy)
{
    if (geteuid() == 0) {
        if (umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
            return 0;
        if (errno != EPERM) /* EPERM: root of a user namespace that does not own the mount */
            return -errno;
    }
    return run_fusermount(path, lazy);
}

/* The child of a process of many threads may call what is async-signal-safe, and no more. */
static void ask(const char *path, int answer)
{
    struct stat st;
    dup2(answer, STDIN_FILENO);
    close_range(STDIN_FILENO + 1, ~0U, 0);
    bool answered = stat(path, &st) == 0 &&
                    write(STDIN_FILENO, &st.st_dev, sizeof(st.st_dev)) == sizeof(st.st_dev);
    _exit(!answered);
}

int adl_mountpoint_await(const char *path, dev_t *device)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t child = fork();
    if (child == 0)
        ask(path, ends[1]);
    int error = child < 0 ? -errno : 0;
    close(ends[1]);
    if (error == 0 && TEMP_FAILURE_RETRY(read(ends[0], device, sizeof(*device))) != sizeof(*device))
        error = -ENOTCONN;
    close(ends[0]);
    if (child > 0)
        TEMP_FAILURE_RETRY(waitpid(child, NULL, 0));
    return error;
}
