/* The session: the mount's birth, its service, its end. */
#include "fs_inside.h"

#include "drain.h"
#include "ending.h"
#include "mountpoint.h"
#include "thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* The kernel's readahead for this mount, in KiB: the kernel then asks for 1 MiB at a time instead
 * of 128 KiB, an eighth of the requests (measured: 1,026 in place of 8,192 for 1 GiB). */
#define KERNEL_READAHEAD_KIB "1024"

/* One request of the kernel's, at most: with its head it must fit a pipe of 1 MiB, the most that a
 * process without CAP_SYS_RESOURCE gets, or libfuse reads the data into memory instead of splicing
 * it (pipe(7), /proc/sys/fs/pipe-max-size). */
#define REQUEST_MAX (512 << 10)

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
    .lookup = adl_fs_on_lookup,
    .forget = adl_fs_on_forget,
    .forget_multi = adl_fs_on_forget_multi,
    .getattr = adl_fs_on_getattr,
    .opendir = adl_fs_on_opendir,
    .readdir = adl_fs_on_readdir,
    .releasedir = adl_fs_on_releasedir,
    .open = adl_fs_on_open,
    .read = adl_fs_on_read,
    .release = adl_fs_on_release,
    .statfs = adl_fs_on_statfs,
    .getxattr = adl_fs_on_getxattr,
    .listxattr = adl_fs_on_listxattr,
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
        error = adl_thread_start(&greeter, greet, fs);
    bool greeted = error == 0;
    if (greeted) {
        error = fuse_session_loop_mt(fs->session, config);
        if (error == -ECONNABORTED) /* umount --force came while a request was read: an end, too */
            error = 0;
        adl_ending_heard();
    }
    fs->events->ending(fs->ctx);
    /* Whoever waits is answered while there is a device to answer to. */
    adl_engine_stop(fs->engine);
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

    adl_ending_catch(fs->session);
    if (fuse_session_mount(fs->session, fs->options->mountpoint) != 0)
        error = errno ? -errno : -EIO;
    else
        error = serve(fs);
    adl_ending_release();
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
    struct adl_fs fs = {
        .options = options,
        .engine = engine,
        .log = log,
        .look = {.uid = getuid(), .gid = getgid(), .born = now, .exec = options->exec},
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
