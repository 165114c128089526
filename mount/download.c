#include "download.h"

#include "cleanup.h"
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What is copied at a time: others are waiting for their turn. */
#define COPY_SIZE (16 << 20)

/* The origin may have a new version while the old one comes; not for ever. */
#define RESTARTS_MAX 3

static void reading_over(struct adl_reading *reading);

void adl_download_init(struct adl_download *download, const struct adl_downloads *run,
                       uint32_t entry, char *path, const struct adl_digest *digest)
{
    *download = (struct adl_download){.run = run,
                                      .digest = digest,
                                      .entry = entry,
                                      .size = -1,
                                      .mtime = ADL_TIME_UNKNOWN,
                                      .output = ADL_OUTPUT_NONE,
                                      .existing = -1};
    download->path = path;
    download->reading = (struct adl_reading){.engine = run->engine,
                                             .inbox = run->inbox,
                                             .stop = run->stop,
                                             .stream = run->stream,
                                             .passing = run->take,
                                             .over = reading_over};
}

static struct adl_download *of_step(struct adl_message *message)
{
    return (struct adl_download *)((char *)message - offsetof(struct adl_download, step));
}

static struct adl_download *of_reading(struct adl_reading *reading)
{
    return (struct adl_download *)((char *)reading - offsetof(struct adl_download, reading));
}

static void post_step(struct adl_download *download, int error)
{
    download->step_error = error;
    adl_inbox_post(download->run->inbox, &download->step);
}

/* --- what is known of it */

static void on_report(void *ctx, const struct adl_report *report)
{
    struct adl_download *download = ctx;
    if (report) {
        download->look_size = report->size;
        download->look_cached = report->cached;
        download->look_transfers = report->transfers;
        size_t size = report->n_connections * sizeof(*report->connections);
        download->look_connections = size ? malloc(size) : NULL;
        download->look_n_connections = download->look_connections ? report->n_connections : 0;
        if (download->look_connections)
            memcpy(download->look_connections, report->connections, size);
        download->look_url = strdup(report->url);
        download->look_error = report->error ? strdup(report->error) : NULL;
    }
    adl_inbox_post(download->run->inbox, &download->look);
}

static void take_report(struct adl_download *download)
{
    download->looking = false;
    free(download->connections);
    download->connections = steal_pointer(download->look_connections);
    download->n_connections = download->look_n_connections;
    if (!download->look_url) /* no memory: as it was */
        return;
    if (download->look_size >= 0)
        download->size = download->look_size;
    download->cached = download->look_cached;
    download->transfers = download->look_transfers;
    if (!download->looked)
        download->resumed = download->cached;
    download->looked = true;
    free(download->url);
    free(download->trouble);
    download->url = steal_pointer(download->look_url);
    download->trouble = steal_pointer(download->look_error);
}

static void finish_reported(struct adl_download *download);

static void looked(struct adl_message *message)
{
    struct adl_download *download =
        (struct adl_download *)((char *)message - offsetof(struct adl_download, look));
    take_report(download);
    if (!download->ending)
        return;
    if (download->looks_last)
        finish_reported(download);
    else
        adl_download_look(download);
}

void adl_download_look(struct adl_download *download)
{
    if (download->state != ADL_DOWNLOAD_ACTIVE || download->looking)
        return;
    download->looking = true;
    download->looks_last = download->ending;
    download->look.act = looked;
    adl_file_report(download->run->engine, download->entry, on_report, download);
}

/* --- the end */

static void finish(struct adl_download *download, enum adl_download_state state)
{
    if (download->handle)
        adl_file_release(steal_pointer(download->handle));
    adl_output_close(&download->output);
    download->transfers = 0;
    download->n_connections = 0;
    download->state = state;
}

__attribute__((format(printf, 2, 3))) static void fail(struct adl_download *download,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    free(download->error);
    if (vasprintf(&download->error, format, args) < 0)
        download->error = NULL;
    va_end(args);
    finish(download, ADL_DOWNLOAD_FAILED);
}

static void fail_unkept(struct adl_download *download)
{
    fail(download, "what came was not all kept: is the disk full?");
}

/* It ends, well or with an errno, once the engine has told what there is to tell. */
static void end(struct adl_download *download, int error)
{
    download->ending = true;
    download->failure = error;
    adl_download_look(download);
}

static void finish_reported(struct adl_download *download)
{
    int error = download->failure;
    if (error == 0)
        finish(download, ADL_DOWNLOAD_DONE);
    else if (download->trouble) /* tells more than the errno */
        fail(download, "%s", download->trouble);
    else
        fail(download, "%s%s%s", download->url ? download->url : "", download->url ? ": " : "",
             strerror(-error));
}

/* --- in its place */

static void exists(struct adl_download *download)
{
    fail(download, "is there already, and is not shown to be the same: --overwrite replaces it");
}

static int dress(const struct adl_download *download, int fd)
{
    struct timespec mtime = {.tv_sec = download->mtime};
    if (download->mtime == ADL_TIME_UNKNOWN)
        mtime = (struct timespec){.tv_nsec = UTIME_NOW};
    return adl_output_dress(fd, mtime);
}

static void copy(struct adl_message *message)
{
    struct adl_download *download = of_step(message);
    int64_t size;
    int fd = adl_handle_whole(download->handle, &size);
    int r = fd < 0 ? -EIO : adl_output_copy(&download->output, fd, size, COPY_SIZE);
    if (r == 0) {
        post_step(download, 0);
        return;
    }
    if (r > 0 && (r = dress(download, download->output.lock)) == 0)
        r = adl_output_place(&download->output, download->run->overwrite);
    if (r == 0)
        end(download, 0);
    else if (r == -EEXIST)
        exists(download);
    else
        fail(download, "cannot be written: %s", strerror(-r));
}

static void start_copy(struct adl_download *download)
{
    download->step.act = copy;
    post_step(download, 0);
}

static void on_step(void *ctx, int error)
{
    post_step(ctx, error);
}

static void taken(struct adl_message *message)
{
    struct adl_download *download = of_step(message);
    int error = download->step_error;
    if (error == 0)
        end(download, 0);
    else if (error == -EEXIST)
        exists(download);
    else if (error == -EXDEV || error == -ENOENT || error == -EPERM)
        start_copy(download);
    else
        fail(download, "cannot be written: %s", strerror(-error));
}

static void place(struct adl_download *download)
{
    int64_t size;
    int fd = adl_handle_whole(download->handle, &size);
    if (fd < 0) {
        end(download, -EIO);
        return;
    }
    download->size = size;
    if (!download->run->take) {
        start_copy(download);
        return;
    }
    int r = dress(download, fd);
    if (r < 0) {
        fail(download, "cannot be written: %s", strerror(-r));
        return;
    }
    download->step.act = taken;
    adl_file_take(download->handle, download->output.dir, download->output.name,
                  download->run->overwrite, on_step, download);
}

static void open_file(struct adl_download *download);

/* The origin has a new version: from the start, unless some of the old one went out already. */
static void start_again(struct adl_download *download, int error)
{
    if (download->restarts++ == RESTARTS_MAX ||
        (download->run->stream >= 0 && download->reading.done > 0)) {
        end(download, error);
        return;
    }
    adl_file_release(steal_pointer(download->handle));
    open_file(download);
}

static void digested(struct adl_message *message)
{
    struct adl_download *download = of_step(message);
    if (download->step_error == 0)
        place(download);
    else if (download->step_error == -ESTALE)
        start_again(download, -ESTALE);
    else if (download->step_error == -EINVAL) /* some of it never got there */
        fail_unkept(download);
    else if (download->step_error == -EBADMSG)
        fail(download, "its checksum is not that of the manifest: what came was dropped");
    else
        fail(download, "its checksum could not be compared: %s", strerror(-download->step_error));
}

static void all_streamed(struct adl_download *download)
{
    int r = download->reading.digester ? adl_digester_check(download->reading.digester) : 1;
    if (r == 1)
        end(download, 0);
    else if (r == 0)
        fail(download, "its checksum is not that of the manifest: what was written is wrong");
    else
        fail(download, "its checksum could not be compared: %s", strerror(-r));
}

/* All was read. */
static void check_whole(struct adl_download *download)
{
    if (download->run->stream >= 0) {
        all_streamed(download);
        return;
    }
    download->step.act = digested;
    adl_file_digest(download->handle, on_step, download);
}

/* --- reading */

static void reading_over(struct adl_reading *reading)
{
    struct adl_download *download = of_reading(reading);
    switch (reading->outcome) {
    case ADL_READING_ALL:
        check_whole(download);
        break;
    case ADL_READING_UNPUT:
        fail(download, "cannot be written to standard output: %s", strerror(-reading->error));
        break;
    case ADL_READING_UNKEPT:
        fail_unkept(download);
        break;
    default:
        if (reading->error == -ESTALE)
            start_again(download, -ESTALE);
        else
            end(download, reading->error);
    }
}

static void opened(struct adl_message *message)
{
    struct adl_download *download = of_step(message);
    if (download->step_error < 0) {
        end(download, download->step_error);
        return;
    }
    download->handle = steal_pointer(download->step_handle);
    download->size = download->step_attr.size;
    download->mtime = download->step_attr.mtime;
    adl_reading_start(&download->reading, download->handle, download->size);
}

static void on_open(void *ctx, int error, struct adl_handle *handle, const struct adl_attr *attr)
{
    struct adl_download *download = ctx;
    if (error == 0) {
        download->step_handle = handle;
        download->step_attr = *attr;
    }
    post_step(download, error);
}

static void open_file(struct adl_download *download)
{
    adl_download_look(download); /* first: how much of it is here */
    download->step.act = opened;
    adl_file_open(download->run->engine, adl_engine_ticket(download->run->engine), download->entry,
                  ADL_ANY_VERSION, on_open, download);
}

/* --- what is there already */

/* Another file is there. */
static void differs(struct adl_download *download)
{
    if (download->run->overwrite)
        open_file(download);
    else
        exists(download);
}

static void compared(struct adl_message *message)
{
    struct adl_download *download = of_step(message);
    pthread_join(download->comparer, NULL);
    close(steal_fd(&download->existing));
    if (download->step_error == 1) {
        finish(download, ADL_DOWNLOAD_UNCHANGED);
    } else if (!*download->run->stop) {
        download->size = -1;
        differs(download);
    }
}

static void *compare(void *ctx)
{
    struct adl_download *download = ctx;
    post_step(download, adl_digest_check(download->digest, download->existing, download->size,
                                         download->run->stop));
    return NULL;
}

/* Its checksum tells, and nobody need be asked. In a thread of its own: it takes seconds. */
static void start_compare(struct adl_download *download, int64_t size)
{
    download->size = download->cached = download->resumed = size;
    download->step.act = compared;
    if (adl_output_open_existing(&download->output, &download->existing) < 0) {
        differs(download);
    } else if (adl_thread_start(&download->comparer, compare, download) < 0) {
        close(steal_fd(&download->existing));
        fail(download, "%s", strerror(ENOMEM));
    }
}

/* As wget -N and rsync have it: the same size and time are the same file. */
static void stated(struct adl_message *message)
{
    struct adl_download *download = of_step(message);
    const struct adl_attr *attr = &download->step_attr;
    struct stat st;
    if (download->step_error < 0)
        end(download, download->step_error);
    else if (adl_output_look(&download->output, &st) == 0 && S_ISREG(st.st_mode) &&
             attr->size == st.st_size && attr->mtime == st.st_mtim.tv_sec) {
        download->size = download->cached = download->resumed = attr->size;
        finish(download, ADL_DOWNLOAD_UNCHANGED);
    } else
        differs(download);
}

static void on_stat(void *ctx, int error, const struct adl_attr *attr)
{
    struct adl_download *download = ctx;
    if (error == 0)
        download->step_attr = *attr;
    post_step(download, error);
}

static void look_at_existing(struct adl_download *download, const struct stat *st)
{
    if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode)) {
        fail(download, "is there already, and is not a file");
    } else if (S_ISLNK(st->st_mode)) {
        differs(download);
    } else if (download->digest->kind != ADL_DIGEST_NONE) {
        start_compare(download, st->st_size);
    } else {
        download->step.act = stated;
        adl_file_stat(download->run->engine, adl_engine_ticket(download->run->engine),
                      download->entry, ADL_ANY_VERSION, on_stat, download);
    }
}

/* --- the beginning */

static int start_stream(struct adl_download *download)
{
    int error = 0;
    if (download->digest->kind != ADL_DIGEST_NONE)
        download->reading.digester = adl_digester_new(download->digest, &error);
    return error;
}

static void start_output(struct adl_download *download)
{
    struct stat st;
    int r = adl_output_open(download->run->root, download->path, &download->output);
    if (r == 0)
        r = adl_output_lock(&download->output);
    if (r == -EWOULDBLOCK)
        fail(download, "another 'adlfs get' is fetching it");
    else if (r == -ELOOP)
        fail(download, "a symbolic link stands in its path, and may lead anywhere");
    else if (r < 0)
        fail(download, "cannot be written: %s", strerror(-r));
    else if (adl_output_look(&download->output, &st) == 0)
        look_at_existing(download, &st);
    else
        open_file(download);
}

void adl_download_start(struct adl_download *download)
{
    download->state = ADL_DOWNLOAD_ACTIVE;
    if (download->run->stream < 0) {
        start_output(download);
        return;
    }
    int r = start_stream(download);
    if (r < 0)
        fail(download, "its checksum cannot be compared: %s", strerror(-r));
    else
        open_file(download);
}

bool adl_download_over(const struct adl_download *download)
{
    return download->state > ADL_DOWNLOAD_ACTIVE && !download->looking;
}

void adl_download_free(struct adl_download *download)
{
    if (download->existing >= 0) {
        pthread_join(download->comparer, NULL);
        close(download->existing);
    }
    adl_digester_free(download->reading.digester);
    adl_reading_free(&download->reading);
    adl_output_close(&download->output);
    free(download->path);
    free(download->url);
    free(download->trouble);
    free(download->error);
    free(download->look_url);
    free(download->look_error);
    free(download->connections);
    free(download->look_connections);
}
