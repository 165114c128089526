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
    struct adl_backing *backing; /* not owned */
    pthread_mutex_t lock;        /* for all below; held across ioctls that wait for nothing */
    bool offered;                /* the kernel has it: handles are counted */
    bool refused;                /* ... but it does not work here: not tried again */
    LIST_HEAD(, opened) opened[BUCKETS];
};

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
    int id = adl_backing_open(passthrough->backing, data);
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
        adl_backing_close(passthrough->backing, opened->backing);
    LIST_REMOVE(opened, link);
    free(opened);
}

/* --- the interface */

int adl_passthrough_new(struct adl_backing *backing, const struct adl_log *log,
                        struct adl_passthrough **out)
{
    struct adl_passthrough *passthrough = calloc(1, sizeof(*passthrough));
    if (!passthrough)
        return -ENOMEM;
    passthrough->backing = backing;
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
                          int directory)
{
    /* Two file systems at most may be stacked on another. A cache on overlayfs, a container's root,
     * needs both places; else one is left for an overlayfs on this mount. */
    struct statfs st;
    bool stacked = fstatfs(directory, &st) == 0 && st.f_type == OVERLAYFS_SUPER_MAGIC;
    pthread_mutex_lock(&passthrough->lock);
    passthrough->offered = adl_backing_ask(passthrough->backing, conn, stacked);
    pthread_mutex_unlock(&passthrough->lock);
}

int adl_passthrough_open(struct adl_passthrough *passthrough, fuse_ino_t ino, const char *name,
                         int data, int *backing)
{
    *backing = 0;
    pthread_mutex_lock(&passthrough->lock);
    int error = passthrough->offered ? count(passthrough, ino, data, backing) : 0;
    pthread_mutex_unlock(&passthrough->lock);
    if (*backing > 0)
        adl_log(passthrough->log, ADL_DEBUG, "%s: opened, passed through", name);
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
