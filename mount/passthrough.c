#define FUSE_USE_VERSION 312

#include "passthrough.h"

#include <errno.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/vfs.h>

/* Files that are open at a time are few; with thousands of them the lists are still short. */
#define BUCKETS 256

/* A node id that somebody has open. */
struct opened {
    LIST_ENTRY(opened) link;
    fuse_ino_t ino;
    unsigned handles;
    int backing; /* the kernel's number for its data file; 0: the daemon answers its reads */
};

struct adl_passthrough {
    const struct adl_log *log;
    pthread_mutex_t lock; /* for all below; held across ioctls that wait for nothing */
    bool offered;         /* the kernel and libfuse have it: handles are counted */
    bool refused;         /* ... but it does not work here: not tried again */
    int device;
    LIST_HEAD(, opened) opened[BUCKETS];
};

/* --- what takes libfuse 3.17 and the kernel headers that came before it */

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)

#include <linux/fuse.h>
#include <sys/ioctl.h>

static bool ask_for_it(struct fuse_conn_info *conn, bool stacked)
{
    if (!(conn->capable & FUSE_CAP_PASSTHROUGH))
        return false;
    conn->want |= FUSE_CAP_PASSTHROUGH;
    conn->max_backing_stack_depth =
        stacked ? FUSE_BACKING_STACKED_OVER : FUSE_BACKING_STACKED_UNDER;
    return true;
}

/* Not by fuse_passthrough_open() and _close(): they want a request, which is gone when an answered
 * one turns out to have been interrupted, and they print what is no error here. */
static int open_backing(int device, int data)
{
    struct fuse_backing_map map = {.fd = data};
    int id = ioctl(device, FUSE_DEV_IOC_BACKING_OPEN, &map);
    return id < 0 ? -errno : id;
}

static void close_backing(int device, int backing)
{
    ioctl(device, FUSE_DEV_IOC_BACKING_CLOSE, &backing);
}

/* The kernel takes no flag about its own page cache beside it. */
static void use_backing(struct fuse_file_info *info, int backing)
{
    info->backing_id = backing;
    info->keep_cache = 0;
    info->direct_io = 0;
}

#else

static bool ask_for_it(const struct fuse_conn_info *conn, bool stacked)
{
    (void)conn, (void)stacked;
    return false;
}

static int open_backing(int device, int data)
{
    (void)device, (void)data;
    return -EOPNOTSUPP;
}

static void close_backing(int device, int backing)
{
    (void)device, (void)backing;
}

static void use_backing(struct fuse_file_info *info, int backing)
{
    (void)info, (void)backing;
}

#endif

/* --- the open node ids */

static struct opened *find(struct adl_passthrough *passthrough, fuse_ino_t ino)
{
    struct opened *opened;
    LIST_FOREACH (opened, &passthrough->opened[ino % BUCKETS], link)
        if (opened->ino == ino)
            return opened;
    return NULL;
}

/* The backing file's number, or 0. What fails fails for every file: they are all in one directory,
 * and privileges do not come back. */
static int try_backing(struct adl_passthrough *passthrough, int data)
{
    if (data < 0 || passthrough->refused)
        return 0;
    int id = open_backing(passthrough->device, data);
    if (id > 0)
        return id;
    passthrough->refused = id != -ENOMEM;
    adl_log(passthrough->log, ADL_DEBUG, "complete files are not passed through: %s",
            strerror(-id));
    return 0;
}

static int count(struct adl_passthrough *passthrough, fuse_ino_t ino, int data, int *backing)
{
    struct opened *opened = find(passthrough, ino);
    if (!opened) {
        opened = calloc(1, sizeof(*opened));
        if (!opened)
            return -ENOMEM;
        opened->ino = ino;
        opened->backing = try_backing(passthrough, data);
        LIST_INSERT_HEAD(&passthrough->opened[ino % BUCKETS], opened, link);
    }
    opened->handles++;
    *backing = opened->backing;
    return 0;
}

static void uncount(struct adl_passthrough *passthrough, struct opened *opened)
{
    if (--opened->handles)
        return;
    if (opened->backing)
        close_backing(passthrough->device, opened->backing);
    LIST_REMOVE(opened, link);
    free(opened);
}

/* --- the interface */

int adl_passthrough_new(const struct adl_log *log, struct adl_passthrough **out)
{
    struct adl_passthrough *passthrough = calloc(1, sizeof(*passthrough));
    if (!passthrough)
        return -ENOMEM;
    passthrough->log = log;
    pthread_mutex_init(&passthrough->lock, NULL);
    *out = passthrough;
    return 0;
}

void adl_passthrough_free(struct adl_passthrough *passthrough)
{
    struct opened *opened;
    for (size_t i = 0; i < BUCKETS; i++)
        while ((opened = LIST_FIRST(&passthrough->opened[i]))) {
            LIST_REMOVE(opened, link);
            free(opened); /* the kernel dropped its backing file with the session */
        }
    pthread_mutex_destroy(&passthrough->lock);
    free(passthrough);
}

void adl_passthrough_init(struct adl_passthrough *passthrough, struct fuse_conn_info *conn,
                          int device, int directory)
{
    /* Two file systems at most may be stacked on another. A cache on overlayfs, a container's root,
     * needs both places; else one is left for an overlayfs on this mount. */
    struct statfs st;
    bool stacked = fstatfs(directory, &st) == 0 && st.f_type == OVERLAYFS_SUPER_MAGIC;
    pthread_mutex_lock(&passthrough->lock);
    passthrough->device = device;
    passthrough->offered = ask_for_it(conn, stacked);
    pthread_mutex_unlock(&passthrough->lock);
}

int adl_passthrough_open(struct adl_passthrough *passthrough, fuse_ino_t ino, const char *name,
                         int data, struct fuse_file_info *info)
{
    int backing = 0;
    pthread_mutex_lock(&passthrough->lock);
    int error = passthrough->offered ? count(passthrough, ino, data, &backing) : 0;
    pthread_mutex_unlock(&passthrough->lock);
    if (error == 0 && backing > 0) {
        use_backing(info, backing);
        adl_log(passthrough->log, ADL_DEBUG, "%s: opened, passed through", name);
    }
    return error;
}

void adl_passthrough_release(struct adl_passthrough *passthrough, fuse_ino_t ino)
{
    pthread_mutex_lock(&passthrough->lock);
    struct opened *opened = find(passthrough, ino);
    if (opened) /* none, where handles are not counted */
        uncount(passthrough, opened);
    pthread_mutex_unlock(&passthrough->lock);
}
