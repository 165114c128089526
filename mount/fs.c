#define FUSE_USE_VERSION 312

#include "fs.h"

#include "drain.h"
#include "ending.h"
#include "foresight.h"
#include "mountpoint.h"
#include "passthrough.h"
#include "reply.h"

#include <assert.h>
#include <errno.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Names change only with the manifest, and that tells the kernel by itself. */
#define ENTRY_TIMEOUT 3600.0

/* Attributes change with the version, which is another node id: what the kernel keeps of an old
 * one does no harm, but `stat` should not show an old size for ever. */
#define ATTR_TIMEOUT 60.0

/* The kernel's readahead for this mount, in KiB: the kernel then asks for 1 MiB at a time instead
 * of 128 KiB, an eighth of the requests (measured: 1,026 in place of 8,192 for 1 GiB). */
#define KERNEL_READAHEAD_KIB "1024"

/* One request of the kernel's, at most: with its head it must fit a pipe of 1 MiB, the most that a
 * process without CAP_SYS_RESOURCE gets, or libfuse reads the data into memory instead of splicing
 * it (pipe(7), /proc/sys/fs/pipe-max-size). */
#define REQUEST_MAX (512 << 10)

#define XATTR_ROOM 4096

struct adl_fs {
    struct adl_backing backing; /* first: see backing.h */
    const struct adl_fs_options *options;
    struct adl_engine *engine;
    const struct adl_log *log;
    struct fuse_session *session;
    struct adl_passthrough *passthrough; /* owned */
    struct adl_reply *reply;             /* owned */
    uid_t uid;
    gid_t gid;
    time_t born;
    const struct adl_fs_events *events;
    void *ctx;

    /* What a reload changes: who looks holds the lock meanwhile, and waits for nothing. */
    pthread_rwlock_t lock;
    const struct adl_tree *tree;
    struct adl_foresight *foresight; /* owned */
    time_t changed;                  /* when directories got what is in them */
    struct adl_xattr_root told;
};
static_assert(offsetof(struct adl_fs, backing) == 0,
              "the hooks take the session's userdata for it");

static void let_go(pthread_rwlock_t **lock)
{
    pthread_rwlock_unlock(*lock);
}

/* The names stay as they are until the scope ends. Not twice in one thread. */
#define HOLD_NAMES(fs)                                                                             \
    __attribute__((cleanup(let_go), unused)) pthread_rwlock_t *held_ = &(fs)->lock;                \
    pthread_rwlock_rdlock(held_)

static uint32_t number_of(fuse_ino_t ino)
{
    return (uint32_t)ino;
}

static uint32_t version_of(fuse_ino_t ino)
{
    return (uint32_t)(ino >> 32);
}

static fuse_ino_t ino_of(uint32_t number, uint32_t version)
{
    return (fuse_ino_t)version << 32 | number;
}

static struct adl_fs *fs_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* NULL: a reload took it away. */
static const struct adl_node *node_of(const struct adl_fs *fs, fuse_ino_t ino)
{
    return adl_tree_node(fs->tree, number_of(ino));
}

/* --- attributes */

static void fill_dir(const struct adl_fs *fs, uint32_t number, struct stat *st)
{
    *st = (struct stat){.st_ino = number,
                        .st_mode = S_IFDIR | 0555,
                        .st_nlink = 2 + adl_tree_node(fs->tree, number)->dirs,
                        .st_uid = fs->uid,
                        .st_gid = fs->gid,
                        .st_blksize = 4096,
                        .st_mtim.tv_sec = fs->changed,
                        .st_ctim.tv_sec = fs->changed,
                        .st_atim.tv_sec = fs->changed};
}

static void fill_file(const struct adl_fs *fs, uint32_t number, const struct adl_attr *attr,
                      struct stat *st)
{
    int64_t size = attr->size < 0 ? 0 : attr->size;
    time_t mtime = attr->mtime == ADL_TIME_UNKNOWN ? fs->born : attr->mtime;
    *st = (struct stat){.st_ino = number,
                        .st_mode = S_IFREG | (fs->options->exec || attr->executable ? 0555 : 0444),
                        .st_nlink = 1,
                        .st_uid = fs->uid,
                        .st_gid = fs->gid,
                        .st_size = size,
                        .st_blocks = size / 512 + (size % 512 != 0),
                        .st_blksize = 4096,
                        .st_mtim.tv_sec = mtime,
                        .st_ctim.tv_sec = mtime,
                        .st_atim.tv_sec = mtime};
}

/* --- requests that wait */

static void interrupted(fuse_req_t req, void *data)
{
    adl_engine_cancel(fs_of(req)->engine, (uint64_t)(uintptr_t)data);
}

/* A ticket with which the kernel's interrupt finds the call. 0: it was interrupted already, and
 * the answer was given. */
static uint64_t ticket_for(fuse_req_t req)
{
    uint64_t ticket = adl_engine_ticket(fs_of(req)->engine);
    fuse_req_interrupt_func(req, interrupted, (void *)(uintptr_t)ticket);
    if (!fuse_req_interrupted(req))
        return ticket;
    fuse_reply_err(req, EINTR);
    return 0;
}

/* What a waiting request needs when its answer comes. */
struct pending {
    fuse_req_t req;
    fuse_ino_t ino;
    char name[64];
    size_t size;
    struct fuse_file_info info;
};

static struct pending *pend(fuse_req_t req, fuse_ino_t ino)
{
    struct pending *pending = calloc(1, sizeof(*pending));
    if (!pending) {
        fuse_reply_err(req, ENOMEM);
        return NULL;
    }
    pending->req = req;
    pending->ino = ino;
    return pending;
}

/* --- what will be wanted next */

static void foresee_stats(struct adl_fs *fs, uint32_t number, bool unknown)
{
    uint32_t entries[ADL_FORESEEN_MAX];
    size_t count = adl_foresight_stat(fs->foresight, number, unknown, entries);
    if (count)
        adl_file_foresee(fs->engine, entries, count, false);
}

static void foresee_opens(struct adl_fs *fs, uint32_t number)
{
    uint32_t entries[ADL_FORESEEN_MAX];
    size_t count = adl_foresight_open(fs->foresight, number, entries);
    if (count)
        adl_file_foresee(fs->engine, entries, count, true);
}

/* --- names */

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct adl_fs *fs = fs_of(req);
    HOLD_NAMES(fs);
    uint32_t number = adl_tree_lookup(fs->tree, number_of(parent), name, strlen(name));
    struct fuse_entry_param entry = {.entry_timeout = ENTRY_TIMEOUT};
    if (number == ADL_NO_NODE) {
        fuse_reply_entry(req, &entry); /* ino 0: not there, and that may be remembered */
        return;
    }
    const struct adl_node *node = adl_tree_node(fs->tree, number);
    entry.ino = number;
    if (node->entry == ADL_NO_ENTRY) {
        entry.attr_timeout = ENTRY_TIMEOUT;
        fill_dir(fs, number, &entry.attr);
    } else {
        /* A name costs no network: attributes that are not known expire at once. */
        struct adl_attr attr;
        if (adl_file_known(fs->engine, node->entry, &attr) && attr.size >= 0)
            entry.attr_timeout = ATTR_TIMEOUT;
        entry.ino = ino_of(number, attr.version);
        fill_file(fs, number, &attr, &entry.attr);
        foresee_stats(fs, number, false);
    }
    fuse_reply_entry(req, &entry);
}

static void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    (void)ino, (void)count; /* node ids are computed, nothing is kept for them */
    fuse_reply_none(req);
}

static void on_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    (void)count, (void)forgets;
    fuse_reply_none(req);
}

static void on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    struct adl_fs *fs = fs_of(req);
    HOLD_NAMES(fs);
    adl_foresight_listed(fs->foresight, number_of(ino), true);
    info->cache_readdir = 1;
    info->keep_cache = 1;
    fuse_reply_open(req, info);
}

static void on_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)info;
    struct adl_fs *fs = fs_of(req);
    HOLD_NAMES(fs);
    adl_foresight_listed(fs->foresight, number_of(ino), false);
    fuse_reply_err(req, 0);
}

/* Offsets: 0 is ".", 1 "..", then the children in order. */
static const char *dir_entry(const struct adl_fs *fs, uint32_t number, uint64_t at, struct stat *st)
{
    const struct adl_node *dir = adl_tree_node(fs->tree, number);
    *st = (struct stat){.st_mode = S_IFDIR, .st_ino = number};
    if (at == 0)
        return ".";
    if (at == 1) {
        st->st_ino = dir->parent;
        return "..";
    }
    if (at - 2 >= dir->count)
        return NULL;
    uint32_t child = adl_tree_child(fs->tree, number, (uint32_t)(at - 2));
    const struct adl_node *node = adl_tree_node(fs->tree, child);
    st->st_ino = child;
    st->st_mode = node->entry == ADL_NO_ENTRY ? S_IFDIR : S_IFREG;
    return node->name;
}

static void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       struct fuse_file_info *info)
{
    (void)info;
    struct adl_fs *fs = fs_of(req);
    HOLD_NAMES(fs);
    char *buffer = node_of(fs, ino) ? malloc(size) : NULL;
    if (!buffer) {
        fuse_reply_err(req, node_of(fs, ino) ? ENOMEM : ESTALE);
        return;
    }
    size_t used = 0;
    struct stat st;
    const char *name;
    for (uint64_t at = (uint64_t)offset; (name = dir_entry(fs, number_of(ino), at, &st)); at++) {
        size_t length =
            fuse_add_direntry(req, buffer + used, size - used, name, &st, (off_t)at + 1);
        if (length > size - used)
            break;
        used += length;
    }
    fuse_reply_buf(req, buffer, used);
    free(buffer);
}

/* --- files */

static void stat_done(void *ctx, int error, const struct adl_attr *attr)
{
    struct pending *pending = ctx;
    struct stat st;
    if (error < 0) {
        fuse_reply_err(pending->req, -error);
    } else {
        fill_file(fs_of(pending->req), number_of(pending->ino), attr, &st);
        fuse_reply_attr(pending->req, &st, attr->size >= 0 ? ATTR_TIMEOUT : 0);
    }
    free(pending);
}

static struct adl_handle *handle_of(const struct fuse_file_info *info)
{
    return (struct adl_handle *)(uintptr_t)info->fh;
}

/* A file that a reload took away is still there for who has it open. */
static void stat_gone(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *info)
{
    struct adl_attr attr;
    struct stat st;
    if (!info) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    adl_handle_attr(handle_of(info), &attr);
    fill_file(fs_of(req), number_of(ino), &attr, &st);
    st.st_nlink = 0;
    fuse_reply_attr(req, &st, ATTR_TIMEOUT);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    struct adl_fs *fs = fs_of(req);
    HOLD_NAMES(fs);
    const struct adl_node *node = node_of(fs, ino);
    struct stat st;
    struct adl_attr attr;
    if (!node) {
        stat_gone(req, ino, info);
        return;
    }
    if (node->entry == ADL_NO_ENTRY) {
        fill_dir(fs, number_of(ino), &st);
        fuse_reply_attr(req, &st, ENTRY_TIMEOUT);
        return;
    }
    if (adl_file_known(fs->engine, node->entry, &attr) && attr.version == version_of(ino)) {
        fill_file(fs, number_of(ino), &attr, &st);
        fuse_reply_attr(req, &st, attr.size >= 0 ? ATTR_TIMEOUT : 0);
        return;
    }
    uint64_t ticket = ticket_for(req);
    struct pending *pending = ticket ? pend(req, ino) : NULL;
    if (pending)
        adl_file_stat(fs->engine, ticket, node->entry, version_of(ino), stat_done, pending);
    foresee_stats(fs, number_of(ino), true);
}

/* Tells the kernel how the handle is read. Returns what fuse_reply_open() does. */
static int reply_open(const struct pending *pending, struct adl_handle *handle, int backing,
                      bool renewed)
{
    struct fuse_file_info info = pending->info;
    info.fh = (uint64_t)(uintptr_t)handle;
    if (backing)
        return adl_backing_reply_open(pending->req, &info, backing);
    info.direct_io = adl_handle_direct(handle);
    /* Pages of an earlier open are as good as new, but of a file that nothing pins. */
    info.keep_cache = !info.direct_io && !renewed;
    return fuse_reply_open(pending->req, &info);
}

/* In this order: the kernel must not be left with a data file that the engine closed. */
static void close_handle(struct adl_fs *fs, fuse_ino_t ino, struct adl_handle *handle)
{
    adl_passthrough_release(fs->passthrough, ino);
    adl_file_release(handle);
}

static void open_done(void *ctx, int error, struct adl_handle *handle, const struct adl_attr *attr)
{
    struct pending *pending = ctx;
    struct adl_fs *fs = fs_of(pending->req);
    int backing = 0;
    if (error == 0) {
        HOLD_NAMES(fs);
        const struct adl_node *node = node_of(fs, pending->ino); /* a reload may be faster */
        error = adl_passthrough_open(fs->passthrough, pending->ino, node ? node->name : "?",
                                     adl_handle_complete(handle), &backing);
        if (error < 0)
            adl_file_release(handle);
    }
    if (error < 0)
        fuse_reply_err(pending->req, -error);
    else if (reply_open(pending, handle, backing, attr->renewed) == -ENOENT)
        close_handle(fs, pending->ino, handle); /* interrupted: no release will come */
    free(pending);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    struct adl_fs *fs = fs_of(req);
    if ((info->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(req, EROFS);
        return;
    }
    HOLD_NAMES(fs);
    const struct adl_node *node = node_of(fs, ino);
    if (!node) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    uint64_t ticket = ticket_for(req);
    struct pending *pending = ticket ? pend(req, ino) : NULL;
    if (!pending)
        return;
    pending->info = *info;
    adl_file_open(fs->engine, ticket, node->entry, version_of(ino), open_done, pending);
    foresee_opens(fs, number_of(ino));
}

static int read_done(void *ctx, int error, int fd, int64_t offset, size_t length)
{
    fuse_req_t req = ctx;
    if (error == 0)
        return adl_reply_bytes(fs_of(req)->reply, req, fd, offset, length);
    fuse_reply_err(req, -error);
    return 0;
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    (void)ino;
    uint64_t ticket = ticket_for(req);
    if (ticket)
        adl_file_read(handle_of(info), ticket, offset, size, read_done, req);
}

static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    close_handle(fs_of(req), ino, handle_of(info));
    fuse_reply_err(req, 0);
}

static void on_statfs(fuse_req_t req, fuse_ino_t ino)
{
    (void)ino;
    struct adl_fs *fs = fs_of(req);
    HOLD_NAMES(fs);
    struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255, .f_flag = ST_RDONLY};
    struct adl_attr attr;
    for (uint32_t i = 0; i < adl_tree_entries(fs->tree); i++) {
        if (adl_tree_of_entry(fs->tree, i) == ADL_NO_NODE)
            continue;
        st.f_files++;
        if (adl_file_known(fs->engine, i, &attr) && attr.size > 0)
            st.f_blocks += (fsblkcnt_t)attr.size / 4096 + 1;
    }
    fuse_reply_statfs(req, &st);
}

/* --- extended attributes */

/* The kernel asks for the length first (size 0), then for the value. */
static void reply_xattr(fuse_req_t req, size_t size, const char *value, int length)
{
    if (length < 0)
        fuse_reply_err(req, -length);
    else if (size == 0)
        fuse_reply_xattr(req, (size_t)length);
    else if ((size_t)length > size || length > XATTR_ROOM)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, value, (size_t)length);
}

static void xattr_done(void *ctx, const struct adl_report *report)
{
    struct pending *pending = ctx;
    char value[XATTR_ROOM] = "";
    int length = -ENOMEM;
    if (report && pending->name[0])
        length = adl_xattr_of_file(pending->name, report, value, sizeof(value));
    else if (report)
        length = (int)adl_xattr_list_file(report, value, sizeof(value));
    reply_xattr(pending->req, pending->size, value, length);
    free(pending);
}

static void ask_report(fuse_req_t req, fuse_ino_t ino, uint32_t entry, const char *name,
                       size_t size)
{
    struct pending *pending = pend(req, ino);
    if (!pending)
        return;
    snprintf(pending->name, sizeof(pending->name), "%s", name);
    pending->size = size;
    adl_file_report(fs_of(req)->engine, entry, xattr_done, pending);
}

static const char *control_of(const struct adl_fs *fs)
{
    return fs->options->control(fs->ctx);
}

static void on_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct adl_fs *fs = fs_of(req);
    HOLD_NAMES(fs);
    const struct adl_node *node = node_of(fs, ino);
    char value[XATTR_ROOM] = "";
    if (!node)
        fuse_reply_err(req, ESTALE);
    else if (node->entry != ADL_NO_ENTRY && adl_xattr_is_file(name))
        ask_report(req, ino, node->entry, name, size);
    else if (ino == FUSE_ROOT_ID && adl_xattr_is_root(name))
        reply_xattr(req, size, value,
                    adl_xattr_of_root(name, &fs->told, control_of(fs), value, sizeof(value)));
    else
        fuse_reply_err(req, ENODATA);
}

static void on_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct adl_fs *fs = fs_of(req);
    HOLD_NAMES(fs);
    const struct adl_node *node = node_of(fs, ino);
    char value[XATTR_ROOM] = "";
    if (!node)
        fuse_reply_err(req, ESTALE);
    else if (node->entry != ADL_NO_ENTRY)
        ask_report(req, ino, node->entry, "", size);
    else if (ino == FUSE_ROOT_ID)
        reply_xattr(req, size, value,
                    (int)adl_xattr_list_root(control_of(fs_of(req)), value, sizeof(value)));
    else
        reply_xattr(req, size, value, 0);
}

/* --- other names */

/* What the kernel remembers of a name, or of its absence; -ENOENT: nothing. */
static void forget_name(const struct adl_fs *fs, uint32_t parent, const char *name)
{
    fuse_lowlevel_notify_inval_entry(fs->session, parent, name, strlen(name));
}

/* Names that are in `tree`, in directories that are in both, and not in `other`; and what was
 * listed of those directories. */
static void forget_names(const struct adl_fs *fs, const struct adl_tree *tree,
                         const struct adl_tree *other)
{
    uint32_t last = ADL_NO_NODE;
    for (uint32_t number = ADL_ROOT + 1; number < adl_tree_limit(tree); number++) {
        const struct adl_node *node = adl_tree_node(tree, number);
        if (!node || adl_tree_node(other, number) || !adl_tree_node(other, node->parent))
            continue;
        forget_name(fs, node->parent, node->name);
        if (node->parent != last)
            fuse_lowlevel_notify_inval_inode(fs->session, node->parent, 0, 0);
        last = node->parent;
    }
}

int adl_fs_replace(struct adl_fs *fs, const struct adl_tree *tree)
{
    struct adl_foresight *foresight = adl_foresight_new(tree);
    if (!foresight)
        return -ENOMEM;
    pthread_rwlock_wrlock(&fs->lock);
    const struct adl_tree *old = fs->tree;
    struct adl_foresight *old_foresight = fs->foresight;
    fs->tree = tree;
    fs->foresight = foresight;
    fs->changed = time(NULL);
    pthread_rwlock_unlock(&fs->lock);
    adl_foresight_free(old_foresight);
    forget_names(fs, old, tree);
    forget_names(fs, tree, old);
    return 0;
}

static uint32_t number_of_entry(struct adl_fs *fs, uint32_t entry)
{
    HOLD_NAMES(fs);
    return adl_tree_of_entry(fs->tree, entry);
}

void adl_fs_forget(struct adl_fs *fs, uint32_t entry, uint32_t version, int64_t first, int64_t end)
{
    uint32_t number = number_of_entry(fs, entry);
    if (number != ADL_NO_NODE)
        fuse_lowlevel_notify_inval_inode(fs->session, ino_of(number, version), first,
                                         end < 0 ? 0 : end - first);
}

void adl_fs_tell(struct adl_fs *fs, const struct adl_xattr_root *told)
{
    pthread_rwlock_wrlock(&fs->lock);
    fs->told = *told;
    pthread_rwlock_unlock(&fs->lock);
}

/* --- the session */

static void on_init(void *ctx, struct fuse_conn_info *conn)
{
    struct adl_fs *fs = ctx;
    conn->want |= conn->capable & (FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                                   FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ);
    /* Or O_DIRECT reads would be background requests: 64 at a time, and deaf to Ctrl-C. */
    conn->want &= ~FUSE_CAP_ASYNC_DIO;
    conn->max_write = REQUEST_MAX; /* libfuse makes the limit for reads of it, too */
    conn->max_background = 64;
    conn->congestion_threshold = 48;
    conn->time_gran = 1000000000; /* HTTP dates are seconds */
    adl_passthrough_init(fs->passthrough, conn, adl_engine_directory(fs->engine));
}

static const struct fuse_lowlevel_ops operations = {
    .init = on_init,
    .lookup = on_lookup,
    .forget = on_forget,
    .forget_multi = on_forget_multi,
    .getattr = on_getattr,
    .opendir = on_opendir,
    .readdir = on_readdir,
    .releasedir = on_releasedir,
    .open = on_open,
    .read = on_read,
    .release = on_release,
    .statfs = on_statfs,
    .getxattr = on_getxattr,
    .listxattr = on_listxattr,
};

static void raise_kernel_readahead(const struct adl_fs *fs, dev_t dev)
{
    char path[64];
    snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(dev), minor(dev));
    FILE *file = fopen(path, "we");
    bool raised = file && fputs(KERNEL_READAHEAD_KIB, file) >= 0;
    if (file && fclose(file) != 0)
        raised = false;
    if (!raised)
        adl_log(fs->log, ADL_DEBUG, "%s could not be set: the kernel's readahead stays as it is",
                path);
}

/* The mount is usable once it answers; only then does the kernel take its readahead. */
static void *greet(void *ctx)
{
    struct adl_fs *fs = ctx;
    dev_t device;
    if (adl_mountpoint_await(fs->options->mountpoint, &device) == 0)
        raise_kernel_readahead(fs, device);
    fs->events->ready(fs->ctx, fs);
    return NULL;
}

static int serve(struct adl_fs *fs)
{
    pthread_t greeter;
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config)
        return -ENOMEM;
    int error = adl_backing_attach(&fs->backing, fs->session);
    if (error == 0)
        error = -pthread_create(&greeter, NULL, greet, fs);
    bool greeted = error == 0;
    if (greeted) {
        int signalled = fuse_session_loop_mt(fs->session, config);
        error = signalled < 0 ? signalled : 0;
    }
    fs->events->ending(fs->ctx);
    adl_engine_stop(
        fs->engine); /* whoever waits is answered while there is a device to answer to */
    adl_drain(fuse_session_fd(fs->session), fs->events->waiting, fs->ctx);
    fuse_session_unmount(fs->session);
    if (greeted)
        pthread_join(greeter, NULL);
    fs->events->ended(fs->ctx);
    fuse_loop_cfg_destroy(config);
    return error;
}

/* No default_permissions: everything is readable for whoever may use the mount at all, and the
 * kernel's own check would cost a round trip to the origin for each name's mode before its open. */
static int add_options(const struct adl_fs_options *options, struct fuse_args *args)
{
    char *all = NULL, *name = NULL;
    int error = -ENOMEM;
    if (asprintf(&name, "fsname=%s", options->source) < 0)
        return -ENOMEM;
    if (fuse_opt_add_opt(&all, "ro,nosuid,nodev,subtype=adlfs") == 0 &&
        (!options->allow_other || fuse_opt_add_opt(&all, "allow_other") == 0) &&
        fuse_opt_add_opt_escaped(&all, name) == 0 && fuse_opt_add_arg(args, "adlfs") == 0 &&
        fuse_opt_add_arg(args, "-o") == 0 && fuse_opt_add_arg(args, all) == 0)
        error = 0;
    free(all);
    free(name);
    return error;
}

static int run_session(struct adl_fs *fs)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    int error = add_options(fs->options, &args);
    if (error == 0)
        fs->session = fuse_session_new(&args, &operations, sizeof(operations), fs);
    fuse_opt_free_args(&args);
    if (!fs->session)
        return error < 0 ? error : -EINVAL;

    if (fuse_set_signal_handlers(fs->session) != 0) {
        error = -EIO;
    } else if (fuse_session_mount(fs->session, fs->options->mountpoint) != 0) {
        error = errno ? -errno : -EIO;
        fuse_remove_signal_handlers(fs->session);
    } else {
        adl_ending_catch(fs->session);
        error = serve(fs);
        adl_ending_release();
        fuse_remove_signal_handlers(fs->session);
    }
    fuse_session_destroy(fs->session);
    return error;
}

/* Who waits to change something is not kept waiting by who only looks. */
static void init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attr);
    pthread_rwlockattr_destroy(&attr);
}

int adl_fs_run(const struct adl_fs_options *options, struct adl_engine *engine,
               const struct adl_tree *tree, const struct adl_log *log,
               const struct adl_fs_events *events, void *ctx)
{
    time_t now = time(NULL);
    struct adl_fs fs = {.options = options,
                        .engine = engine,
                        .log = log,
                        .uid = getuid(),
                        .gid = getgid(),
                        .born = now,
                        .events = events,
                        .ctx = ctx,
                        .tree = tree,
                        .changed = now,
                        .told = {.generation = 1}};
    int error = adl_passthrough_new(&fs.backing, log, &fs.passthrough);
    if (error < 0)
        return error;
    if (!options->reloads)
        snprintf(fs.told.error, sizeof(fs.told.error), "never");
    init_lock(&fs.lock);
    fs.foresight = adl_foresight_new(tree);
    error = fs.foresight ? adl_reply_new(REQUEST_MAX, &fs.reply) : -ENOMEM;
    if (error == 0)
        error = run_session(&fs);
    adl_reply_free(fs.reply);
    adl_foresight_free(fs.foresight);
    pthread_rwlock_destroy(&fs.lock);
    adl_passthrough_free(fs.passthrough);
    return error;
}
