#include "socket.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

char *adl_socket_directory(uid_t uid)
{
    const char *base = uid == geteuid() ? getenv("XDG_RUNTIME_DIR") : NULL;
    char *path = NULL, run[64];
    struct stat st;
    if (uid == 0)
        return strdup("/run/adlfs");
    snprintf(run, sizeof(run), "/run/user/%u", uid);
    if (!base || base[0] != '/')
        base = stat(run, &st) == 0 && st.st_uid == uid ? run : NULL;
    int r = base ? asprintf(&path, "%s/adlfs", base) : asprintf(&path, "/tmp/adlfs-%u", uid);
    return r < 0 ? NULL : path;
}

void adl_socket_name(dev_t device, char *out, size_t room)
{
    snprintf(out, room, "%u:%u.sock", major(device), minor(device));
}

/* The directory, made if need be; it must be ours, and nobody else's to enter. */
static int open_directory(const char *path)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (dir < 0 || fstat(dir, &st) < 0)
        return -errno;
    if (st.st_uid != geteuid())
        return -EPERM;
    if ((st.st_mode & 0077) && fchmod(dir, 0700) < 0)
        return -errno;
    return steal_fd(&dir);
}

/* A socket's path must be short (unix(7)): it is reached through the open directory. */
static int address_of(int dir, const char *name, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", dir, name);
    return length < (int)sizeof(out->sun_path) ? 0 : -ENAMETOOLONG;
}

/* Bound under a name of its own and then moved into place: what a daemon that was killed left there
 * is replaced, and nobody connects before anybody listens. */
static int bind_there(struct adl_socket *it, int backlog)
{
    char fresh[96];
    struct sockaddr_un address;
    struct stat st;
    snprintf(fresh, sizeof(fresh), ".%d.%s", getpid(), it->name);
    int r = address_of(it->dir, fresh, &address);
    if (r < 0)
        return r;
    unlinkat(it->dir, fresh, 0);
    it->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (it->listen < 0 || bind(it->listen, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    if (fchmodat(it->dir, fresh, 0600, 0) < 0 || listen(it->listen, backlog) < 0 ||
        fstatat(it->dir, fresh, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        renameat(it->dir, fresh, it->dir, it->name) < 0) {
        r = -errno;
        unlinkat(it->dir, fresh, 0);
        return r;
    }
    it->inode = st.st_ino;
    return 0;
}

int adl_socket_open(struct adl_socket *it, const char *directory, dev_t device, int backlog)
{
    *it = (struct adl_socket){.dir = -1, .listen = -1};
    adl_socket_name(device, it->name, sizeof(it->name));
    if (asprintf(&it->path, "%s/%s", directory, it->name) < 0) {
        it->path = NULL;
        return -ENOMEM;
    }
    it->dir = open_directory(directory);
    if (it->dir < 0)
        return it->dir;
    /* Against another daemon that takes its own away: see adl_socket_end(). */
    if (flock(it->dir, LOCK_EX) < 0)
        return -errno;
    int r = bind_there(it, backlog);
    flock(it->dir, LOCK_UN);
    return r;
}

/* The device's number may already be another mount's, and the name its socket's. */
void adl_socket_end(struct adl_socket *it)
{
    struct stat st;
    if (it->listen < 0)
        return;
    close(steal_fd(&it->listen));
    flock(it->dir, LOCK_EX);
    if (it->inode && fstatat(it->dir, it->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        st.st_ino == it->inode)
        unlinkat(it->dir, it->name, 0);
    flock(it->dir, LOCK_UN);
}

void adl_socket_free(struct adl_socket *it)
{
    adl_socket_end(it);
    if (it->dir >= 0)
        close(steal_fd(&it->dir));
    free(steal_pointer(it->path));
}
