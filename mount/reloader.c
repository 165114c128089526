#include "reloader.h"

#include "cleanup.h"
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

/* After a change of the file, so that several in a row are one. */
#define SETTLE_MS 50

/* How long an end waits for what the kernel is being told; only unmounting ends that then. */
#define STOP_SECONDS 2

#define WATCHED (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB)

struct adl_reloader {
    struct adl_reloader_options options;
    int wake;    /* owned: eventfd: a signal, ready, or the end */
    int changes; /* owned: inotify; -1: not followed */
    struct stat seen;
    struct adl_xattr_root told;
    pthread_t thread;
    bool started, joined;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct adl_fs *fs; /* under lock; NULL: not ready */
    bool stopping;     /* under lock */
    bool busy;         /* under lock: with the engine */
};

/* A handler can reach nothing else. */
static _Atomic int hangup_fd = -1;
static _Atomic bool hangup;

static void on_hangup(int number)
{
    (void)number;
    int saved = errno;
    hangup = true;
    if (hangup_fd >= 0)
        eventfd_write(hangup_fd, 1);
    errno = saved;
}

/* --- reading it */

struct reading {
    struct adl_reloader *reloader;
    char first[400]; /* the first error */
};

static void tell(void *ctx, enum adl_level level, uint64_t line, const char *text)
{
    struct reading *reading = ctx;
    const struct adl_reloader_options *options = &reading->reloader->options;
    adl_log(options->log, level, "%s:%" PRIu64 ": %s", options->name, line, text);
    if (level == ADL_ERROR && !reading->first[0])
        snprintf(reading->first, sizeof(reading->first), "%.200s:%" PRIu64 ": %.150s",
                 options->name, line, text);
}

/* Returns like adl_manifest_parse(). */
static int read_file(struct adl_reloader *reloader, const struct adl_problems *problems,
                     struct adl_manifest *manifest)
{
    cleanup_fd int fd = open(reloader->options.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &reloader->seen) < 0)
        return -errno;
    return adl_manifest_read(fd, problems, manifest);
}

/* 0, or -errno with the reason in `why`. */
static int read_again(struct adl_reloader *reloader, struct adl_manifest *manifest,
                      struct adl_tree **tree, char *why, size_t room)
{
    struct reading reading = {.reloader = reloader};
    const struct adl_problems problems = {.tell = tell, .ctx = &reading};
    int r = read_file(reloader, &problems, manifest);
    if (r > 0 && !reloader->options.keep_going) {
        snprintf(why, room, "%s", reading.first);
        return -EINVAL;
    }
    if (r >= 0 && manifest->count == 0) {
        snprintf(why, room, "%s: no URLs in it", reloader->options.name);
        return -EINVAL;
    }
    if (r >= 0)
        r = adl_tree_new(manifest, &problems, tree);
    if (r < 0)
        snprintf(why, room, "%s: %s", reloader->options.name, strerror(-r));
    return r;
}

/* --- putting it in the place of the old one */

struct match {
    struct adl_engine *engine;
    const struct adl_manifest *manifest;
};

/* Paths are the same already. */
static bool same_file(void *ctx, uint32_t old_entry, uint32_t new_entry)
{
    const struct match *match = ctx;
    const struct adl_entry *old = adl_engine_entry(match->engine, old_entry);
    return old && strcmp(old->urls, match->manifest->entries[new_entry].urls) == 0;
}

static int number(struct adl_reloader *reloader, const struct adl_manifest *manifest,
                  struct adl_tree *tree)
{
    struct adl_engine *engine = reloader->options.engine;
    struct match match = {.engine = engine, .manifest = manifest};
    cleanup_free uint32_t *entries = calloc(manifest->count + 1, sizeof(*entries));
    uint32_t limit = 0;
    if (!entries)
        return -ENOMEM;
    int r = adl_tree_inherit(tree, *reloader->options.tree, same_file, &match, entries);
    if (r == 0)
        r = adl_engine_reload(engine, manifest, entries, &limit);
    return r < 0 ? r : adl_tree_assign(tree, entries, limit);
}

/* Whether the engine may be used, until leave_engine(). */
static bool enter_engine(struct adl_reloader *reloader)
{
    pthread_mutex_lock(&reloader->lock);
    reloader->busy = !reloader->stopping;
    bool entered = reloader->busy;
    pthread_mutex_unlock(&reloader->lock);
    return entered;
}

static void leave_engine(struct adl_reloader *reloader)
{
    pthread_mutex_lock(&reloader->lock);
    reloader->busy = false;
    pthread_cond_broadcast(&reloader->changed);
    pthread_mutex_unlock(&reloader->lock);
}

/* The old ones go in any case once the engine has the new manifest: without memory for the last
 * steps names stay as they were, and files that are gone cannot be opened. */
static int replace(struct adl_reloader *reloader, struct adl_manifest *manifest,
                   struct adl_tree **tree)
{
    if (!enter_engine(reloader))
        return -ESHUTDOWN;
    int r = number(reloader, manifest, *tree);
    leave_engine(reloader);
    if (r == 0)
        r = adl_fs_replace(reloader->fs, *tree);
    if (r < 0)
        return r;
    reloader->options.shown(reloader->options.ctx, *tree);
    adl_tree_free(*reloader->options.tree);
    adl_manifest_free(reloader->options.manifest);
    *reloader->options.tree = steal_pointer(*tree);
    *reloader->options.manifest = *manifest;
    *manifest = (struct adl_manifest){0};
    return 0;
}

static void reload(struct adl_reloader *reloader)
{
    struct adl_manifest manifest = {0};
    struct adl_tree *tree = NULL;
    char why[400] = "";
    int r = read_again(reloader, &manifest, &tree, why, sizeof(why));
    if (r == 0 && (r = replace(reloader, &manifest, &tree)) < 0)
        snprintf(why, sizeof(why), "%s", strerror(-r));
    adl_tree_free(tree);
    adl_manifest_free(&manifest);
    reloader->told.attempts++;
    reloader->told.generation += r == 0;
    snprintf(reloader->told.error, sizeof(reloader->told.error), "%s", why);
    adl_fs_tell(reloader->fs, &reloader->told);
    if (r == 0)
        adl_log(reloader->options.log, ADL_NOTICE, "%s was read again: %zu file%s",
                reloader->options.name, reloader->options.manifest->count,
                reloader->options.manifest->count == 1 ? "" : "s");
    else if (r != -ESHUTDOWN)
        adl_log(reloader->options.log, ADL_ERROR, "not reloaded, nothing has changed: %s", why);
}

/* --- when */

/* The directory of the path, and that of the file that it leads to through symbolic links. */
static int watch(struct adl_reloader *reloader)
{
    reloader->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (reloader->changes < 0)
        return -errno;
    cleanup_free char *real = realpath(reloader->options.path, NULL);
    const char *const paths[] = {reloader->options.path, real};
    for (size_t i = 0; i < 2; i++) {
        cleanup_free char *directory = paths[i] ? strdup(paths[i]) : NULL;
        char *slash = directory ? strrchr(directory, '/') : NULL;
        if (!slash)
            continue;
        slash[slash == directory] = '\0';
        if (inotify_add_watch(reloader->changes, directory, WATCHED) < 0)
            return -errno;
    }
    return 0;
}

/* Whether the file is another, or has been changed, since it was read. What happened in its
 * directory is only the occasion to look. */
static bool has_changed(struct adl_reloader *reloader)
{
    char events[4096];
    struct stat now;
    const struct stat *seen = &reloader->seen;
    while (read(reloader->changes, events, sizeof(events)) > 0)
        ;
    if (stat(reloader->options.path, &now) < 0)
        return false; /* between two versions */
    return now.st_dev != seen->st_dev || now.st_ino != seen->st_ino ||
           now.st_size != seen->st_size || now.st_mtim.tv_sec != seen->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec;
}

static bool stopping(struct adl_reloader *reloader)
{
    pthread_mutex_lock(&reloader->lock);
    bool stop = reloader->stopping;
    pthread_mutex_unlock(&reloader->lock);
    return stop;
}

static bool await_ready(struct adl_reloader *reloader)
{
    pthread_mutex_lock(&reloader->lock);
    while (!reloader->fs && !reloader->stopping)
        pthread_cond_wait(&reloader->changed, &reloader->lock);
    bool ready = !reloader->stopping;
    pthread_mutex_unlock(&reloader->lock);
    return ready;
}

static void *run(void *ctx)
{
    struct adl_reloader *reloader = ctx;
    struct pollfd fds[] = {{.fd = reloader->wake, .events = POLLIN},
                           {.fd = reloader->changes, .events = POLLIN}};
    if (!await_ready(reloader))
        return NULL;
    while (!stopping(reloader)) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        eventfd_t count;
        if (fds[0].revents & POLLIN)
            eventfd_read(reloader->wake, &count);
        bool due = atomic_exchange(&hangup, false);
        if (!due && (fds[1].revents & POLLIN)) {
            struct pollfd end = {.fd = reloader->wake, .events = POLLIN};
            poll(&end, 1, SETTLE_MS);
            due = has_changed(reloader);
        }
        if (due && !stopping(reloader))
            reload(reloader);
    }
    return NULL;
}

/* --- birth and end */

static void take_hangup(const struct adl_reloader *reloader)
{
    const struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    hangup_fd = reloader->wake;
    sigaction(SIGHUP, &action, NULL);
}

static int start(struct adl_reloader *reloader)
{
    int r = adl_thread_start(&reloader->thread, run, reloader);
    reloader->started = r == 0;
    return r;
}

int adl_reloader_new(const struct adl_reloader_options *options, struct adl_reloader **out)
{
    struct adl_reloader *reloader = calloc(1, sizeof(*reloader));
    if (!reloader)
        return -ENOMEM;
    *reloader = (struct adl_reloader){.options = *options,
                                      .changes = -1,
                                      .told = {.generation = 1},
                                      .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    pthread_mutex_init(&reloader->lock, NULL);
    pthread_cond_init(&reloader->changed, NULL);
    int r = reloader->wake < 0 ? -errno : 0;
    if (r == 0 && options->follow)
        r = watch(reloader);
    if (r == 0)
        stat(options->path, &reloader->seen);
    if (r == 0)
        r = start(reloader);
    if (r == 0 && options->hangup)
        take_hangup(reloader);
    if (r < 0)
        adl_reloader_free(reloader);
    else
        *out = reloader;
    return r;
}

void adl_reloader_ready(struct adl_reloader *reloader, struct adl_fs *fs)
{
    pthread_mutex_lock(&reloader->lock);
    reloader->fs = fs;
    pthread_cond_broadcast(&reloader->changed);
    pthread_mutex_unlock(&reloader->lock);
}

void adl_reloader_stop(struct adl_reloader *reloader)
{
    pthread_mutex_lock(&reloader->lock);
    reloader->stopping = true;
    pthread_cond_broadcast(&reloader->changed);
    while (reloader->busy)
        pthread_cond_wait(&reloader->changed, &reloader->lock);
    pthread_mutex_unlock(&reloader->lock);
    eventfd_write(reloader->wake, 1);
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += STOP_SECONDS;
    reloader->joined = pthread_timedjoin_np(reloader->thread, NULL, &limit) == 0;
}

void adl_reloader_join(struct adl_reloader *reloader)
{
    if (!reloader->joined)
        pthread_join(reloader->thread, NULL);
    reloader->joined = true;
}

void adl_reloader_free(struct adl_reloader *reloader)
{
    if (!reloader)
        return;
    if (reloader->started && !reloader->joined) { /* the mount never came to be */
        adl_reloader_stop(reloader);
        adl_reloader_join(reloader);
    }
    hangup_fd = -1;
    if (reloader->wake >= 0)
        close(reloader->wake);
    if (reloader->changes >= 0)
        close(reloader->changes);
    pthread_mutex_destroy(&reloader->lock);
    pthread_cond_destroy(&reloader->changed);
    free(reloader);
}
