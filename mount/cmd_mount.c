/* adlfs mount: the order of its steps is the point. What can go wrong because of what was typed
 * comes first, in the terminal: options, manifest, mount point. Then the fork, since the engine
 * starts threads, and only then the engine and the mount itself. */
#include "cleanup.h"
#include "commands.h"
#include "control.h"
#include "daemon.h"
#include "file.h"
#include "fs.h"
#include "logger.h"
#include "mountpoint.h"
#include "notify.h"
#include "reloader.h"
#include "source.h"
#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everything that one mount consists of. */
struct job {
    const struct adl_options *options;
    char *mountpoint; /* owned; absolute */
    struct adl_source source;
    struct adl_manifest manifest;
    struct adl_tree *tree; /* owned */
    struct adl_daemon daemon;
    struct adl_logger logger;
    struct adl_engine *engine;           /* owned */
    struct adl_control *_Atomic control; /* owned; NULL: none, or not yet */
    struct adl_reloader *reloader;       /* owned */
    char *path; /* owned: of the manifest, absolute; NULL: cannot be read again */
};

static void free_job(struct job *job)
{
    adl_tree_free(job->tree);
    adl_manifest_free(&job->manifest);
    adl_source_free(&job->source);
    free(job->mountpoint);
    free(job->path);
}

/* Where it is to be read again: the daemon leaves its directory. */
static int find_path(struct job *job, const char *source)
{
    if (adl_source_is_url(source) || strcmp(source, "-") == 0)
        return 0;
    cleanup_free char *directory = getcwd(NULL, 0);
    if (!directory)
        return -errno;
    int length = source[0] == '/' ? asprintf(&job->path, "%s", source)
                                  : asprintf(&job->path, "%s/%s", directory, source);
    if (length < 0)
        job->path = NULL;
    return length < 0 ? -ENOMEM : 0;
}

/* Reads what is to be mounted, and where. Everything that is wrong has been told. */
static int prepare(struct job *job, const char *source, const char *mountpoint)
{
    int r = adl_source_init(&job->source, source);
    if (r < 0)
        return r;
    r = adl_source_read(&job->source, source, job->options->keep_going, &job->manifest);
    if (r < 0)
        return r;
    r = adl_tree_new(&job->manifest, &job->source.problems, &job->tree);
    if (r < 0) {
        fprintf(stderr, "adlfs: %s: %s\n", job->source.name, strerror(-r));
        return r;
    }
    adl_source_finish(&job->source);
    r = find_path(job, source);
    if (r == 0 && !job->path && job->options->follow) {
        fputs("adlfs: --follow needs a manifest that is a file\n", stderr);
        r = -EINVAL;
    }
    if (r < 0)
        return r;
    return adl_mountpoint_prepare(mountpoint, &job->mountpoint);
}

/* A cached file costs two descriptors, a connection one, and a mount may serve thousands. */
static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Something of a file was taken out of the cache. */
static void forget(void *ctx, const struct adl_stale *stale)
{
    adl_fs_forget(ctx, stale->entry, stale->version, stale->first, stale->end);
}

/* Without it everything works but 'adlfs status' and its sisters. */
static void start_control(struct job *job, struct adl_fs *fs)
{
    struct stat st;
    struct adl_control *control = NULL;
    if (stat(job->mountpoint, &st) < 0)
        return;
    const struct adl_control_facts facts = {.mountpoint = job->mountpoint,
                                            .source = job->source.name,
                                            .device = st.st_dev,
                                            .forget = forget,
                                            .ctx = fs};
    if (adl_control_new(job->engine, job->tree, &job->logger.log, &facts, &control) == 0)
        job->control = control;
}

/* The manifest was read again. */
static void on_shown(void *ctx, const struct adl_tree *tree)
{
    const struct job *job = ctx;
    struct adl_control *control = job->control;
    if (control)
        adl_control_replace(control, tree);
}

static const char *control_path(void *ctx)
{
    const struct job *job = ctx;
    const struct adl_control *control = job->control;
    return control ? adl_control_path(control) : NULL;
}

/* What a service manager shows of us; only the process that it started may say so. */
static void tell_manager(const struct job *job, const char *state, const char *what)
{
    char point[1024];
    if (!job->options->foreground)
        return;
    adl_log_escape(job->mountpoint, point, sizeof(point));
    int r = adl_notify("%sSTATUS=%s %s at %s: %zu file%s", state, what, job->source.name, point,
                       job->manifest.count, job->manifest.count == 1 ? "" : "s");
    if (r < 0)
        adl_log(&job->logger.log, ADL_WARNING, "cannot tell the service manager: %s", strerror(-r));
}

/* The mount is usable: from here on the daemon is on its own. */
static void on_ready(void *ctx, struct adl_fs *fs)
{
    struct job *job = ctx;
    start_control(job, fs);
    if (!job->options->foreground)
        adl_logger_detach(&job->logger);
    adl_daemon_ready(&job->daemon);
    adl_log(&job->logger.log, ADL_NOTICE, "mounted %s at %s: %zu file%s", job->source.name,
            job->mountpoint, job->manifest.count, job->manifest.count == 1 ? "" : "s");
    tell_manager(job, "READY=1\n", "Mounted");
    if (job->reloader) /* last: from here on the manifest may be another */
        adl_reloader_ready(job->reloader, fs);
}

static void on_ending(void *ctx)
{
    struct job *job = ctx;
    if (job->reloader) /* first: it may have another manifest in its hands */
        adl_reloader_stop(job->reloader);
    tell_manager(job, "STOPPING=1\n", "Unmounting");
}

static bool is_waiting(void *ctx)
{
    const struct job *job = ctx;
    return adl_control_forgets(job->control);
}

static void on_ended(void *ctx)
{
    struct job *job = ctx;
    if (job->reloader)
        adl_reloader_join(job->reloader);
    adl_control_remember(job->control);
}

/* A terminal that hangs up ends what runs in its foreground. */
static bool hangup_reloads(const struct job *job)
{
    return job->path && (!job->options->foreground || !isatty(STDERR_FILENO));
}

static int start_reloader(struct job *job)
{
    if (!hangup_reloads(job) && !job->options->follow)
        return 0;
    const struct adl_reloader_options options = {.path = job->path,
                                                 .name = job->source.name,
                                                 .keep_going = job->options->keep_going,
                                                 .follow = job->options->follow,
                                                 .hangup = hangup_reloads(job),
                                                 .log = &job->logger.log,
                                                 .engine = job->engine,
                                                 .manifest = &job->manifest,
                                                 .tree = &job->tree,
                                                 .shown = on_shown,
                                                 .ctx = job};
    int r = adl_reloader_new(&options, &job->reloader);
    if (r < 0)
        adl_log(&job->logger.log, ADL_ERROR, "%s cannot be followed: %s", job->source.name,
                strerror(-r));
    return r;
}

static int start_engine(struct job *job)
{
    const struct adl_settings *settings = &job->options->settings;
    cleanup_free char *usual = NULL;
    int r = adl_engine_new(settings, &job->manifest, &job->logger.log, &job->engine);
    if (r < 0 && !settings->cache_dir)
        adl_store_default(&usual);
    if (r < 0)
        adl_log(&job->logger.log, ADL_ERROR,
                "cannot use the cache directory %s: %s; --cache-dir=DIR names another",
                settings->cache_dir ? settings->cache_dir
                : usual             ? usual
                                    : "(no HOME)",
                strerror(-r));
    return r;
}

/* libfuse and fusermount3 have told what they know on standard error. */
static void tell_mount_error(const struct job *job, int error)
{
    const char *hint = "";
    if (access("/dev/fuse", F_OK) < 0)
        hint = ": there is no /dev/fuse ('modprobe fuse' brings it; a container must be given it)";
    else if (access("/dev/fuse", R_OK | W_OK) < 0)
        hint = ": /dev/fuse may not be opened: 'ls -l /dev/fuse' tells by whom it may";
    else if (geteuid() != 0 && (error == -EPERM || error == -EACCES))
        hint = ": without root it takes fusermount3 (Debian's package fuse3) and a directory of "
               "your own";
    adl_log(&job->logger.log, ADL_ERROR, "cannot mount on %s: %s%s", job->mountpoint,
            strerror(-error), hint);
}

static int mount_and_serve(struct job *job)
{
    int r = start_engine(job);
    if (r < 0)
        return r;
    const struct adl_fs_options fs = {.mountpoint = job->mountpoint,
                                      .source = job->source.name,
                                      .allow_other = job->options->allow_other,
                                      .exec = job->options->exec,
                                      .control = control_path,
                                      .reloads = hangup_reloads(job)};
    const struct adl_log *log = &job->logger.log;
    static const struct adl_fs_events events = {.ready = on_ready,
                                                .ending = on_ending,
                                                .waiting = is_waiting,
                                                .ended = on_ended};
    r = start_reloader(job);
    if (r == 0)
        r = adl_fs_run(&fs, job->engine, job->tree, log, &events, job);
    adl_reloader_free(job->reloader);
    if (r < 0)
        tell_mount_error(job, r);
    adl_control_stop(job->control);
    adl_engine_free(job->engine);
    adl_control_free(job->control);
    if (r == 0)
        adl_log(log, ADL_NOTICE, "unmounted %s", job->mountpoint);
    return r;
}

/* In the process that serves. */
static int serve(struct job *job)
{
    const struct adl_options *options = job->options;
    int r = adl_logger_open(&job->logger, (enum adl_level)options->log_level, options->log_file);
    if (r < 0) {
        fprintf(stderr, "adlfs: cannot write the log %s: %s\n", options->log_file, strerror(-r));
        return r;
    }
    job->logger.mount = job->mountpoint;
    job->logger.source = job->source.name;
    signal(SIGPIPE, SIG_IGN);
    raise_limits();
    r = mount_and_serve(job);
    if (r < 0 && options->foreground)
        adl_notify("STATUS=Failed: %s\nERRNO=%d", strerror(-r), -r);
    adl_logger_close(&job->logger);
    return r;
}

static int run(const struct adl_options *options)
{
    struct job job = {.options = options, .daemon = ADL_DAEMON_NONE};
    int r = prepare(&job, options->operands[0], options->operands[1]);
    int status = ADL_EXIT_FAILED;
    if (r == 0 && !options->foreground) {
        r = adl_daemon_fork(&job.daemon, &status);
        if (r < 0)
            fprintf(stderr, "adlfs: cannot go to the background: %s\n", strerror(-r));
    }
    if (r == 0) /* the daemon, or the foreground */
        status = serve(&job) < 0 ? ADL_EXIT_FAILED : ADL_EXIT_DONE;
    free_job(&job);
    return status;
}

const struct adl_command adl_mount_command = {
    .name = "mount",
    .synopsis = "[OPTION]... SOURCE MOUNTPOINT",
    .summary = "mount a list of URLs as a directory",
    .about = "Mounts the URLs of SOURCE as read-only files below the directory MOUNTPOINT, and\n"
             "returns when it is usable. SOURCE is a file with one URL a line (aria2's input\n"
             "format), '-' for standard input, or one URL.",
    .notes = "Times are in seconds, or end in s, m, h or d; sizes end in K, M or G.\n"
             "\n"
             "  adlfs mount urls.txt /mnt/remote\n"
             "  adlfs mount https://example.org/big.iso /mnt/remote\n"
             "  adlfs mount -o ro,cache-dir=/var/cache/adlfs,allow-other urls.txt /mnt/remote",
    .user = ADL_FOR_MOUNT,
    .min_operands = 2,
    .max_operands = 2,
    .run = run,
};
