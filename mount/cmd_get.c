/* adlfs get: files of URLs, without a mount, by the same engine.
 *
 * DESIGN: the engine keeps its data files in a store, ".adlfs-get" beside the outputs, and a file
 * that is whole and right gets its name there by rename(2): no byte is copied, and no output is
 * ever seen half. What is not whole stays in the store, sidecar and all, and the same command goes
 * on with it. With --cache-dir the store is a cache, where files must stay: outputs are copies that
 * share its blocks where the file system can. Standard output gets the bytes in order, by way of a
 * store in $TMPDIR that holds no more than what is on its way. */
#include "cleanup.h"
#include "commands.h"
#include "get.h"
#include "json.h"
#include "json_name.h"
#include "logger.h"
#include "tempdir.h"
#include "text.h"
#include "wanted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>

#define STORE_NAME ".adlfs-get"

/* How often a store is opened that somebody else removes meanwhile. */
#define STORE_TRIES 16

struct command {
    const struct adl_options *options;
    struct adl_logger logger;
    struct adl_wanted wanted;
    struct adl_get get;
    char *directory;  /* owned: of the outputs; NULL: they go to a stream */
    char *name;       /* owned: of the only output; NULL: as URLs and manifests say */
    int root, stream; /* owned, the latter unless it is standard output */
    char *store;      /* owned: its path */
    int store_lock;   /* owned: the store, for as long as it must not be removed; -1 */
    char temporary[ADL_TEMPDIR_ROOM];
    bool *done; /* owned: the entries that need nothing of the store any more */
    size_t failed;
    bool kept; /* of one that failed something came */
};

/* --- what was asked for */

static bool is_standard_output(const char *path)
{
    return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0;
}

/* Devices and pipes are written to, not replaced. */
static int open_stream(struct command *command, const char *path)
{
    if (is_standard_output(path)) {
        command->stream = STDOUT_FILENO;
        return 0;
    }
    command->stream = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (command->stream >= 0)
        return 0;
    fprintf(stderr, "adlfs get: %s: %s\n", path, strerror(errno));
    return -errno;
}

static bool single_url(const struct adl_options *options)
{
    return options->n_operands == 1 && adl_source_is_url(options->operands[0]);
}

/* "DIR/NAME" */
static int split(struct command *command, const char *path)
{
    const char *slash = strrchr(path, '/');
    command->name = strdup(slash ? slash + 1 : path);
    command->directory = !slash          ? strdup(".")
                         : slash == path ? strdup("/")
                                         : strndup(path, (size_t)(slash - path));
    return command->name && command->directory ? 0 : -ENOMEM;
}

static int find_place(struct command *command)
{
    const char *output = command->options->output;
    struct stat st;
    bool there = output && stat(output, &st) == 0;
    if (output &&
        (is_standard_output(output) || (there && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))))
        return open_stream(command, output);
    bool directory = !output || (there && S_ISDIR(st.st_mode)) ||
                     output[strlen(output) - 1] == '/' || !single_url(command->options);
    if (!directory)
        return split(command, output);
    command->directory = strdup(output ? output : ".");
    return command->directory ? 0 : -ENOMEM;
}

static int check(const struct adl_options *options)
{
    const char *wrong = NULL;
    if (options->checksum && !single_url(options))
        wrong = "--checksum is for one URL; a manifest has checksum= for each";
    else if (options->json && options->output && is_standard_output(options->output))
        wrong = "--json and the file itself cannot both go to standard output";
    if (wrong)
        fprintf(stderr, "adlfs get: %s\n", wrong);
    return wrong ? -EINVAL : 0;
}

/* --- the store */

/* Opens the directory so that nobody removes it: who does must have it locked alone. */
static int hold_store(struct command *command)
{
    for (int tries = 0; tries < STORE_TRIES; tries++) {
        struct stat mine, named;
        if (mkdir(command->store, 0700) < 0 && errno != EEXIST)
            return -errno;
        cleanup_fd int fd = open(command->store, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0 || flock(fd, LOCK_SH) < 0 || fstat(fd, &mine) < 0)
            return -errno;
        if (lstat(command->store, &named) == 0 && mine.st_dev == named.st_dev &&
            mine.st_ino == named.st_ino) {
            command->store_lock = steal_fd(&fd);
            return 0;
        }
    }
    return -EBUSY;
}

static int open_store(struct command *command)
{
    const char *cache = command->options->settings.cache_dir;
    if (cache) {
        command->store = strdup(cache);
        return command->store ? 0 : -ENOMEM;
    }
    if (!command->directory) {
        int r = adl_tempdir_make("get", command->temporary);
        command->store = r < 0 ? NULL : strdup(command->temporary);
        return r < 0 ? r : command->store ? 0 : -ENOMEM;
    }
    size_t length = strlen(command->directory);
    const char *slash = length && command->directory[length - 1] == '/' ? "" : "/";
    if (asprintf(&command->store, "%s%s" STORE_NAME, command->directory, slash) < 0) {
        command->store = NULL;
        return -ENOMEM;
    }
    return hold_store(command);
}

/* What is not needed: all of what is done, and of what was only asked about. */
static void sweep_entry(struct command *command, const struct adl_store *store, size_t entry)
{
    struct adl_key key = adl_store_key(command->wanted.manifest.entries[entry].urls);
    char map[ADL_NAME_ROOM], data[ADL_NAME_ROOM];
    adl_store_name(&key, ".map", map);
    adl_store_name(&key, ".data", data);
    if (faccessat(store->dir, map, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    cleanup_fd int lock = -1;
    if (adl_store_lock(store, &key, &lock) < 0)
        return;
    if (command->done[entry] || faccessat(store->dir, data, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        adl_store_remove(store, &key);
}

/* The engine is gone. */
static void leave_store(struct command *command)
{
    if (command->temporary[0])
        adl_tempdir_remove(command->temporary);
    if (command->store_lock < 0)
        return;
    const struct adl_settings *settings = &command->options->settings;
    struct adl_store *store;
    if (adl_store_open(command->store, settings->block_size, ADL_ALLOCATE_SPARSE,
                       &command->logger.log, &store) == 0) {
        for (size_t i = 0; i < command->get.next; i++)
            sweep_entry(command, store, i);
        adl_store_free(store);
    }
    if (flock(command->store_lock, LOCK_EX | LOCK_NB) == 0)
        rmdir(command->store); /* if nothing is left */
    close(steal_fd(&command->store_lock));
}

/* --- what came of it */

static void print_json(const struct adl_download *one, int64_t ms)
{
    static const char *const states[] = {[ADL_DOWNLOAD_DONE] = "done",
                                         [ADL_DOWNLOAD_UNCHANGED] = "unchanged",
                                         [ADL_DOWNLOAD_FAILED] = "failed"};
    json_t *json =
        json_pack("{so ss so so sI sf so}", "path", adl_json_name(one->path), "state",
                  states[one->state], "url", adl_json_name(one->url), "size",
                  adl_json_number(one->size, one->size >= 0), "resumed", (json_int_t)one->resumed,
                  "seconds", (double)ms / 1000, "error", adl_json_name(one->error));
    if (json)
        json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    fflush(stdout);
    json_decref(json);
}

static void print_done(const char *shown, const struct adl_download *one, int64_t ms)
{
    char size[ADL_TEXT_ROOM], rate[ADL_TEXT_ROOM], resumed[ADL_TEXT_ROOM];
    int64_t came = one->size - one->resumed;
    fprintf(stderr, "%s: %s", shown, adl_text_size(one->size, size));
    if (one->resumed > 0)
        fprintf(stderr, ", %s of it from before", adl_text_size(one->resumed, resumed));
    fprintf(stderr, " in %lld.%lld s", (long long)ms / 1000, (long long)ms % 1000 / 100);
    if (ms > 0 && came > 0)
        fprintf(stderr, ", %s", adl_text_rate(came * 1000 / ms, rate));
    fputc('\n', stderr);
}

static void over(void *ctx, const struct adl_download *one, int64_t ms)
{
    struct command *command = ctx;
    char name[1024], error[4096];
    adl_log_escape(one->path, name, sizeof(name));
    if (one->state == ADL_DOWNLOAD_FAILED) {
        adl_log_escape(one->error ? one->error : strerror(ENOMEM), error, sizeof(error));
        fprintf(stderr, "adlfs get: %s: %s\n", name, error);
        command->failed++;
        command->kept = command->kept || one->cached > 0;
    } else {
        command->done[one->entry] = true;
        if (one->state == ADL_DOWNLOAD_UNCHANGED && !command->options->quiet)
            fprintf(stderr, "%s: unchanged\n", name);
        else if (!command->options->quiet)
            print_done(name, one, ms);
    }
    if (command->options->json)
        print_json(one, ms);
}

static void tell_kept(const struct command *command, int result)
{
    bool keeps = command->directory || command->options->settings.cache_dir;
    size_t count = command->wanted.manifest.count;
    if (command->failed && count > 1) /* their lines may have gone by long ago */
        fprintf(stderr, "adlfs get: %zu of %zu files did not come\n", command->failed, count);
    if (result == -EINTR)
        fprintf(stderr, "adlfs get: interrupted%s%s%s\n", keeps ? "; what came is kept in " : "",
                keeps ? command->store : "", keeps ? ": the same command goes on with it" : "");
    else if (command->kept && keeps)
        fprintf(stderr, "adlfs get: what came is kept in %s: the same command goes on with it\n",
                command->store);
}

/* --- from start to end */

static int start_engine(struct command *command, struct adl_settings *settings)
{
    *settings = command->options->settings;
    settings->cache_dir = command->store;
    int r = adl_engine_new(settings, &command->wanted.manifest, &command->logger.log,
                           &command->get.run.engine);
    if (r < 0)
        fprintf(stderr, "adlfs get: %s: %s\n", command->store, strerror(-r));
    return r;
}

static int fetch(struct command *command, const sigset_t *mask, int *caught)
{
    struct adl_settings settings;
    const struct adl_options *options = command->options;
    int r = start_engine(command, &settings);
    if (r < 0)
        return r;
    struct adl_get *get = &command->get;
    size_t count = command->wanted.manifest.count;
    get->manifest = &command->wanted.manifest;
    get->paths = command->wanted.paths;
    get->digests = command->wanted.digests;
    get->jobs = command->stream >= 0 ? 1 : options->jobs < count ? options->jobs : (unsigned)count;
    get->quiet = options->quiet;
    get->over = over;
    get->ctx = command;
    get->mask = mask;
    get->run.root = command->root;
    get->run.stream = command->stream;
    get->run.take = !options->settings.cache_dir;
    get->run.overwrite = options->overwrite;
    r = adl_get_run(get, caught);
    adl_engine_free(get->run.engine);
    adl_get_free(get);
    return r;
}

static int open_all(struct command *command)
{
    int r = 0;
    const char *shown = command->directory;
    if (command->directory)
        r = adl_output_directory(command->directory, &command->root);
    if (r == 0) {
        r = open_store(command);
        shown = command->store ? command->store : "the temporary directory";
    }
    if (r < 0)
        fprintf(stderr, "adlfs get: cannot keep what comes in %s: %s\n", shown, strerror(-r));
    command->done = calloc(command->wanted.manifest.count, sizeof(*command->done));
    return r == 0 && !command->done ? -ENOMEM : r;
}

static void free_command(struct command *command)
{
    adl_wanted_free(&command->wanted);
    adl_logger_close(&command->logger);
    if (command->root >= 0)
        close(command->root);
    if (command->stream > STDERR_FILENO)
        close(command->stream);
    free(command->directory);
    free(command->name);
    free(command->store);
    free(command->done);
}

/* Each file that is open costs descriptors, each connection one. */
static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int run(const struct adl_options *options)
{
    struct command command = {
        .options = options, .logger.file = -1, .root = -1, .stream = -1, .store_lock = -1};
    if (check(options) < 0)
        return ADL_EXIT_USAGE;
    sigset_t before;
    int caught = 0;
    raise_limits();
    int r = find_place(&command);
    if (r == 0)
        r = adl_wanted_read(options, command.name, command.stream >= 0, &command.wanted);
    if (r == 0)
        r = adl_logger_open(&command.logger, (enum adl_level)options->log_level, NULL);
    if (r == 0)
        r = adl_get_catch_signals(&before);
    if (r == 0) {
        r = open_all(&command);
        if (r == 0)
            r = fetch(&command, &before, &caught);
        tell_kept(&command, r);
        leave_store(&command);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (r == -ENOMEM)
        fprintf(stderr, "adlfs get: %s\n", strerror(ENOMEM));
    free_command(&command);
    if (caught) { /* ended by it, as its sender expects */
        signal(caught, SIG_DFL);
        raise(caught);
    }
    return r < 0 ? ADL_EXIT_FAILED : ADL_EXIT_DONE;
}

const struct adl_command adl_get_command = {
    .name = "get",
    .synopsis = "[OPTION]... URL|MANIFEST...",
    .summary = "fetch files, without a mount",
    .about = "Fetches each URL, and all URLs of each MANIFEST ('-': standard input), to files\n"
             "in DIR (here), or one URL to FILE. A file appears when it is whole and, where\n"
             "there is a checksum, right; what a run that was ended has fetched is not fetched\n"
             "again.",
    .notes = "A file that is there already is left: it is 'unchanged' when its checksum or\n"
             "its size and time say so, and an error when not, but for --overwrite. Until a\n"
             "file is whole its bytes are in DIR/.adlfs-get; with --cache-dir they are in that\n"
             "cache, and stay there. --output=- takes no more space in $TMPDIR than is on its\n"
             "way.\n"
             "\n"
             "  adlfs get https://example.org/big.iso\n"
             "  adlfs get --output=downloads/ --jobs=4 urls.txt\n"
             "  adlfs get -o - https://example.org/src.tar.gz | tar xz",
    .user = ADL_FOR_GET,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .run = run,
};
