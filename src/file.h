/* file: one remote file, as the face sees it: stat, open, read, report.
 *
 * The face calls from any thread and never waits: a call takes a number, and its answer comes
 * through a function, once, either before the call returns or later on the engine's thread. The
 * function must not block. What it is passed belongs to the engine and is good until it returns,
 * save a handle from adl_file_open(), which is the caller's to release.
 *
 * An entry's version counts how often its bytes were replaced at the origin (or dropped for a wrong
 * checksum=) since the engine started; it begins at 0. A caller that knows a version passes it, so
 * that two versions are never mixed: -ESTALE says that there is a newer one. */
#ifndef ADL_FILE_H
#define ADL_FILE_H

#include "extents.h"
#include "manifest.h"
#include "settings.h"

struct adl_engine;
struct adl_handle;

#define ADL_ANY_VERSION UINT32_MAX

struct adl_attr {
    int64_t size;  /* bytes; -1 while the origin does not tell */
    int64_t mtime; /* Unix time, s; ADL_TIME_UNKNOWN */
    uint32_t version;
    bool executable; /* begins with an ELF magic number or "#!", as far as has been seen */
    bool renewed;    /* pages that are kept of an earlier open of this version need not be right */
    bool sizeless;   /* an open: since the last one, callers may have been told -1 */
};

/* Starts an engine for the manifest's entries, which must outlive it. 0 or -errno (of the cache
 * directory: see adl_store_open()). */
int adl_engine_new(const struct adl_settings *settings, const struct adl_manifest *manifest,
                   const struct adl_log *log, struct adl_engine **out);

/* Gives it another manifest in the place of the one that it has, which is not needed any more when
 * this returns; the new one must outlive the engine. Entries have numbers that go on: entries[i],
 * for the manifest's i-th, is the number of the entry that it is the same as (its URLs and options
 * may be others; then what is under way for it begins anew), or ADL_NO_ENTRY, and then becomes the
 * number that it got. Numbers are below *limit. Those that are not named are gone: they cannot be
 * opened any more (-ESTALE), what is open stays; a number of theirs is given again by a later call
 * only. Waits for the loop: not from an answer. One caller at a time. 0; -ENOMEM, -ENOTCONN: then
 * all is as it was. */
int adl_engine_reload(struct adl_engine *engine, const struct adl_manifest *manifest,
                      uint32_t *entries, uint32_t *limit);

/* The entry of that number, NULL where there is none: good until the next adl_engine_reload(). For
 * its caller. */
const struct adl_entry *adl_engine_entry(struct adl_engine *engine, uint32_t entry);

/* Stops it: transfers end at once, calls that wait are answered with -ENOTCONN, handles that are
 * still open are released. No call may be made any more. May be called again. Not from an answer.
 */
void adl_engine_stop(struct adl_engine *engine);

/* Stops it, records what arrived, and frees it. */
void adl_engine_free(struct adl_engine *engine);

/* The cache directory, open as long as the engine is. Any thread. */
int adl_engine_directory(const struct adl_engine *engine);

/* A number for a call that is about to be made: unique, never 0. Any thread. */
uint64_t adl_engine_ticket(struct adl_engine *engine);

/* Answers that call with -EINTR, now, if it still waits. Any thread, also before the call. */
void adl_engine_cancel(struct adl_engine *engine, uint64_t ticket);

/* Size, time and version, and whether it is a program: where the origin had to be asked and
 * promises a first byte, the answer waits until that came, or until the transfer that was to bring
 * it ended. Asks the origin where neither the sidecar nor the manifest tells. Errors: -ENOENT,
 * -EACCES, -ETIMEDOUT, -EIO, -ESTALE, -EINTR, -ENOTCONN. Any thread. */
typedef void adl_stat_fn(void *ctx, int error, const struct adl_attr *attr);
void adl_file_stat(struct adl_engine *engine, uint64_t ticket, uint32_t entry, uint32_t version,
                   adl_stat_fn *done, void *ctx);

/* What is known without asking anybody. False: only the version for sure; ask adl_file_stat(). Any
 * thread. */
bool adl_file_known(struct adl_engine *engine, uint32_t entry, struct adl_attr *attr);

/* Opens for reading, asking the origin where there is something to ask: whether the version is
 * still the same, or everything. Errors as above, -ENOSPC (allocate=full). Any thread. */
typedef void adl_open_fn(void *ctx, int error, struct adl_handle *handle,
                         const struct adl_attr *attr);
void adl_file_open(struct adl_engine *engine, uint64_t ticket, uint32_t entry, uint32_t version,
                   adl_open_fn *done, void *ctx);

/* These entries will be wanted soon: learns their attributes, or fetches those that are small, when
 * the origin has connections to spare. Nobody waits for it, and failures are nobody's. Any thread.
 */
void adl_file_foresee(struct adl_engine *engine, const uint32_t *entries, size_t count,
                      bool content);

/* No read of the handle may be under way. Any thread. */
void adl_file_release(struct adl_handle *handle);

/* Size, time and version of what the handle reads. Any thread. */
void adl_handle_attr(const struct adl_handle *handle, struct adl_attr *attr);

/* Whether reads of this handle must not go through the page cache (size not known at open). */
bool adl_handle_direct(const struct adl_handle *handle);

/* The data file of a handle's copy, where every byte of it is here and trusted: it may be read as
 * it is, to its end, until the handle is released. -1 where not, or not yet. Any thread. */
int adl_handle_complete(const struct adl_handle *handle);

/* Reads: answered with the place of the bytes in a file descriptor, to be passed on from there
 * (splice) without a copy, before the function returns. `length` is shorter than asked at the end
 * of the file only, 0 behind it (then there need be no descriptor: -1). The function returns 0, or
 * -errno when the bytes could not be read from there: a disk may not give back what it was given.
 * Then they are fetched again, and it is called once more, with the bytes or an error; after an
 * error what it returns means nothing. Errors: as above, -ESTALE for what is not cached of an old
 * version. Any thread. */
typedef int adl_read_fn(void *ctx, int error, int fd, int64_t offset, size_t length);
void adl_file_read(struct adl_handle *handle, uint64_t ticket, int64_t offset, size_t length,
                   adl_read_fn *done, void *ctx);

/* What adl_file_verify() found. */
struct adl_damage {
    int64_t checked;                 /* bytes that were compared */
    const struct adl_extents *wrong; /* dropped: whole blocks that were not as recorded */
    const struct adl_extents *lost;  /* what damaged pages of the sidecar spoke for */
    uint32_t version;                /* of the file that was compared */
};
typedef void adl_verify_fn(void *ctx, int error, const struct adl_damage *damage);

/* Compares what is cached of a file, open or not, with its checksums, in a thread that may take as
 * long as the disk does, and drops what is wrong: the next read fetches it again. What was complete
 * and is open is fetched again at once, since the kernel may read it without asking (passthrough).
 *
 * Whoever keeps pages of that version has to drop those of the ranges that it is told, after the
 * answer, and on a thread that may wait for reads: the kernel locks a page while it is read.
 * -ENOMEM; -ECANCELED, from adl_engine_free(), when the engine ended meanwhile. Any thread. */
void adl_file_verify(struct adl_engine *engine, uint32_t entry, adl_verify_fn *done, void *ctx);

/* The data file of a handle whose bytes have all come, as they were read, whatever was known when
 * it was opened; and how long it is. -1: not yet. Any thread. */
int adl_handle_whole(const struct adl_handle *handle, int64_t *size);

/* The data file of a handle that nobody else may have: where what is not needed any more may be
 * punched out of it. -1: none. Not while a read is under way. */
int adl_handle_data(const struct adl_handle *handle);

/* Waits until the checksum= of the manifest was compared with such a file. 0: it is right, or there
 * is none; -EBADMSG: it is not, and the file was dropped; -ESTALE; -EINVAL: not all is here;
 * -errno: it could not be compared. No read of the handle may be under way. Any thread. */
typedef void adl_done_fn(void *ctx, int error);
void adl_file_digest(struct adl_handle *handle, adl_done_fn *done, void *ctx);

/* Takes such a file out of the cache, without a copy: it gets the name `name` in `directory`, both
 * of which must stay until the answer. Another file is replaced only if `replace`, else -EEXIST.
 * -EXDEV, -ENOENT: it cannot be moved there; -EINVAL: not all is here; -errno. Any thread. */
void adl_file_take(struct adl_handle *handle, int directory, const char *name, bool replace,
                   adl_done_fn *done, void *ctx);
/* Takes what is cached of a file out of the cache, whole, unless somebody has it open. error: 0;
 * -EBUSY, it is open, here or in another process; -ENOENT, nothing was cached; -errno. Any thread.
 */
typedef void adl_evict_fn(void *ctx, int error, int64_t freed); /* bytes of disk */
void adl_file_evict(struct adl_engine *engine, uint32_t entry, adl_evict_fn *done, void *ctx);

/* A transfer that is under way, in bytes of the file. */
struct adl_connection {
    int64_t first, end; /* what it is to bring; end -1: not known */
    int64_t at;         /* how far it is */
    int64_t rate;       /* bytes/s */
};

/* Everything that can be told of a file; see the fields. */
struct adl_report {
    const char *url;       /* redacted */
    const char *final_url; /* after redirects, redacted; NULL: not asked yet, or the same */
    const char *mode;      /* "split", "single", "empty", "unknown" */
    const char *state;  /* "unknown", "idle", "fetching", "complete", "stale", "failed", "paused" */
    const char *error;  /* the last one, with redacted URL and status; NULL for none */
    const char *etag;   /* NULL for none */
    int64_t size;       /* -1 unknown */
    int64_t mtime;      /* ADL_TIME_UNKNOWN */
    int64_t cached;     /* bytes here */
    int http_status;    /* of the last answer; 0 for none */
    int http_version;   /* 10, 11, 20, 30; 0 for none */
    double seconds;     /* the last probe took; 0 for none */
    uint32_t mirrors;   /* URLs of the entry */
    uint32_t transfers; /* under way */
    /* ... in the order of their places; they are gone when `done` returns. */
    const struct adl_connection *connections;
    size_t n_connections;
};
typedef void adl_report_fn(void *ctx, const struct adl_report *report);

/* Reports what is known, without asking the origin. Any thread. */
void adl_file_report(struct adl_engine *engine, uint32_t entry, adl_report_fn *done, void *ctx);

#endif
