/* The engine's inside: what the fetch loop owns. Only the engine's own files include this.
 *
 * One thread, the loop, owns everything here but what is marked otherwise. Other threads post calls
 * to it (adl_engine_post) and find in a handle what they need to serve a cached read themselves.
 *
 *   engine.c    birth and end, the queue, the loop's rounds
 *   handle.c    the callers' side: reads that need no loop
 *   file.c      what is known of a file, and who asks
 *   disk.c      when the disk is tried again
 *   evict.c     keeping the cache within its limits
 *   edition.c   one version of a file as it is open: its copy, its readers
 *   reload.c    other entries
 *   whole.c     what is done with a file that is all here
 *   fetch.c     which transfer comes next
 *   view.c      a file's state as the planner wants it (view.h)
 *   early.c     the first block of a far origin in two parts
 *   retry.c     failures, giving up
 *   rest.c      a file for which nothing is to be done any more
 *   flush.c     when what came is recorded
 *   transfer.c  one GET from start to end (transfer_head.c, transfer_body.c)
 *   verify.c    what is cached is compared with its checksums */
#ifndef ADL_ENGINE_H
#define ADL_ENGINE_H

#include "body.h"
#include "copy.h"
#include "evict.h"
#include "file.h"
#include "http.h"
#include "limit.h"
#include "meter.h"
#include "origin.h"
#include "pace.h"
#include "plan.h"
#include "readahead.h"
#include "rot.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

struct adl_arena;
struct adl_file;
struct adl_reload;
struct adl_warming;
struct adl_warms;

/* Something that the loop does for another thread. When the engine has stopped (engine->stop) it is
 * still called, once, to give back what `ctx` holds. */
typedef void adl_run_fn(struct adl_engine *engine, void *ctx);

enum adl_call_kind {
    ADL_CALL_STAT,
    ADL_CALL_OPEN,
    ADL_CALL_READ,
    ADL_CALL_AHEAD,    /* a window, and nothing to wait for */
    ADL_CALL_VERIFIED, /* what adl_copy_verify() said of a block */
    ADL_CALL_RELEASE,
    ADL_CALL_CANCEL,
    ADL_CALL_REPORT,
    ADL_CALL_DIGEST, /* waits until it was */
    ADL_CALL_TAKE,
    ADL_CALL_RELOAD,
    ADL_CALL_DIGESTED, /* from the worker: a whole-file checksum was compared */
    ADL_CALL_RUN,      /* a function that the loop is to run */
    ADL_CALL_VERIFY,
    ADL_CALL_COMPARED, /* from the worker: the same call, and what it found */
    ADL_CALL_EVICT,    /* one entry, for who asks; and from the keeper, when that was done */
    ADL_CALL_LOOKED,   /* from the keeper: it has looked over the cache */
};

/* Something asked of the loop. Owned by whoever holds it: the queue, then the loop. */
struct adl_call {
    TAILQ_ENTRY(adl_call) link;
    enum adl_call_kind kind;
    uint64_t ticket;
    uint32_t entry, version;
    struct adl_handle *handle;
    int64_t offset, length;      /* READ; offset alone: the block of VERIFIED */
    struct adl_ahead ahead;      /* READ, AHEAD */
    bool right;                  /* VERIFIED */
    bool foreseen;               /* STAT, OPEN: nobody waits for it */
    const char *name;            /* TAKE: in that directory; the caller's */
    int directory;               /* TAKE */
    bool replace;                /* TAKE */
    unsigned unreadable;         /* READ: how often the disk did not give the bytes back */
    int result;                  /* DIGESTED, COMPARED, EVICT: what the worker says */
    int64_t freed;               /* EVICT: bytes of disk */
    struct adl_look look;        /* LOOKED */
    struct adl_key key;          /* EVICT */
    bool carried_out;            /* EVICT: the keeper is done with it */
    struct adl_edition *edition; /* DIGESTED, COMPARED: with the reference that the worker held */
    struct adl_rot rot;          /* COMPARED: owned */
    union {
        adl_stat_fn *stat;
        adl_open_fn *open;
        adl_read_fn *read;
        adl_report_fn *report;
        adl_run_fn *run;
        adl_verify_fn *verify;
        adl_done_fn *whole;
        struct adl_reload *reload;
        adl_evict_fn *evict;
    } done;
    void *ctx;
    /* the loop's */
    int64_t since; /* ms: when it began to wait */
    bool planned;  /* all that it waits for is in flight */
};
TAILQ_HEAD(adl_calls, adl_call);

/* One version of a file, opened. */
struct adl_edition {
    LIST_ENTRY(adl_edition) link; /* in the file's list */
    LIST_ENTRY(adl_edition) all;  /* in the engine's */
    struct adl_file *file;
    struct adl_copy *copy;    /* owned; other threads use it as copy.h lets them */
    struct adl_attr attr;     /* under the engine's `known_lock` */
    unsigned refs;            /* handles, transfers, the worker, and the file for its current one */
    int64_t reached;          /* a stream's furthest byte so far */
    bool digesting;           /* the worker compares its checksum */
    struct adl_digest digest; /* ... this one */
    struct adl_calls settling; /* wait for that */
    bool failed;               /* its sidecar cannot be written: told once */
};

/* Open for reading. Made and freed by the loop; between the two, the caller's threads use it. */
struct adl_handle {
    LIST_ENTRY(adl_handle) link; /* in the file's list. Loop */
    struct adl_engine *engine;
    struct adl_file *file;
    struct adl_edition *edition;            /* one reference. Its copy: see copy.h */
    int64_t size;                           /* -1: direct. Any thread */
    struct adl_window windows[ADL_STREAMS]; /* wanted ahead. Loop */
    bool foreseen;                          /* nobody's: it goes when its window has come. Loop */
    struct adl_warming *warm;               /* a warm's: its window comes last. Loop */
    pthread_mutex_t lock;                   /* for `readahead`, never held across I/O */
    struct adl_readahead readahead;
    _Atomic uint64_t served; /* reads answered by the caller's own thread: see adl_file_release() */
};

enum adl_mode { ADL_MODE_UNKNOWN, ADL_MODE_SPLIT, ADL_MODE_SINGLE };

struct adl_transfer {
    LIST_ENTRY(adl_transfer) link;  /* in the file's list */
    TAILQ_ENTRY(adl_transfer) doom; /* in the engine's */
    struct adl_file *file;
    struct adl_edition *edition; /* one reference; NULL: its body is not kept */
    struct adl_origin *origin;   /* the engine's */
    struct adl_get *get;         /* http's, which ends it with `done`; NULL from then on */
    struct adl_question question;
    struct adl_verdict verdict; /* what the answer means, once it is there */
    struct adl_run run;         /* of its bytes, for their blocks' checksums */
    bool kept;                  /* its body belongs into the copy */
    bool probe;                 /* answers whoever asks */
    bool early;                 /* one of the first block's two parts: see early.c */
    bool answered;              /* the verdict is there */
    bool doomed;                /* to be cancelled when the round is over */
    bool direct;                /* asked where an earlier redirect led */
    bool paused;            /* a stream that nobody keeps up with, while the disk takes nothing */
    bool compare;           /* nothing pins the version: what is here already must come again */
    bool peek;              /* nobody wants more of its body than the first byte */
    bool held;              /* by the limit: curl has bytes for it that it does not take yet */
    uint32_t mirror;        /* which of the entry's URLs it asks */
    int64_t at, end;        /* it writes [at, end) next; end INT64_MAX: to where the stream ends */
    struct adl_body body;   /* from `at` on: what came and is not written yet */
    int64_t got;            /* bytes of its body that were new */
    int64_t rate;           /* bytes/s lately: as of ... */
    int64_t rated_at;       /* ... then, ms ... */
    int64_t rated_got;      /* ... when it had got so much */
    int status;             /* HTTP; 0: no answer yet */
    int64_t since;          /* ms: when it was asked for */
    int64_t retry_after;    /* s, -1 */
    enum adl_reason reason; /* why it was started */
    struct adl_meter meter; /* of its bytes, for who watches */
};
TAILQ_HEAD(adl_transfers, adl_transfer);

struct adl_file {
    struct adl_engine *engine;
    const struct adl_entry *entry; /* the manifest's, or in `own` */
    struct adl_arena *own; /* owned: where its entry is, since it is in no manifest any more */
    bool gone;             /* ... it lives for those who have it open */
    uint32_t index;        /* the entry's number outside */
    TAILQ_ENTRY(adl_file)
    busy; /* in the engine's list of files that have something to do, or of
             those that rest */
    bool is_busy, is_resting;

    /* What is known. */
    bool known; /* size (or that there is none), mode and validators are */
    bool plain; /* Range makes no sense to the origin: do not send it */
    bool executable;
    bool paused;
    bool filling; /* waits to be completed in the background, or is just being */
    enum adl_mode mode;
    uint32_t version;
    bool evicted; /* by order; the next open has its caller forget the pages that it keeps */
    bool renewed; /* nothing pins it, and of this version an earlier copy was given up: callers that
                     keep pages are told */
    int64_t size; /* -1: the origin does not tell */
    int64_t mtime;
    int64_t checked;                  /* ms: when the origin last confirmed it; INT64_MIN: never */
    int64_t unchecked_until;          /* ms: the origin cannot be reached, what is cached will do */
    struct adl_validator *validators; /* owned, one for each mirror */
    struct adl_attr published;        /* under the engine's `known_lock`, as are the next two */
    bool is_published;
    bool sizeless; /* attributes without a size were given out since the last open */

    struct adl_edition *edition;       /* the current one: one reference, or NULL */
    LIST_HEAD(, adl_edition) editions; /* all that are open */
    LIST_HEAD(, adl_handle) handles;
    LIST_HEAD(, adl_transfer) transfers;
    unsigned n_transfers;
    unsigned warms; /* handles of warms */
    struct adl_transfer *probing;
    struct adl_transfer *sniffing; /* told what is known, and is still to bring the first byte,
                                      which tells a program; NULL: none */
    struct adl_calls asks;         /* stat and open that wait */
    struct adl_calls reads;        /* of the current edition */

    /* How it goes. */
    struct adl_origin *origin; /* of that mirror; NULL: not looked up yet */
    uint32_t mirror;           /* asked next */
    uint32_t failed_mirrors;   /* in a row, for good */
    uint32_t bad_copies;       /* in a row whose checksum was wrong, each from another mirror */
    char *final_url;           /* owned: where redirects led; NULL: nowhere */
    unsigned failures;         /* in a row */
    unsigned odd;              /* answers to ranges that made no sense, in a row */
    unsigned changes;          /* of its version, in a row and too fast ... */
    int64_t unsteady_until;    /* ms: ... since the next came before */
    int64_t not_before;        /* ms: no transfer before */
    int64_t failed_at;         /* ms: the last failure */
    int64_t progress_at;       /* ms: when bytes last came */
    struct adl_pace pace;
    _Atomic int64_t
        window_most;     /* bytes: the largest window ahead of a reader. Any thread reads it */
    int error;           /* of the last failure; 0 */
    char *error_text;    /* owned */
    int64_t error_until; /* ms: asks are answered with it until then */
    int http_status, http_version;
    double seconds;

    /* What is told of it. */
    struct adl_meter meter;
    uint64_t fetched;  /* bytes that were new */
    uint64_t errors;   /* since the start */
    int64_t cached;    /* bytes, when they were last counted; -1: not known ... */
    int64_t counted;   /* ... ms: when that was */
    int64_t paused_at; /* ms */
};

struct adl_worker;

/* 64 MiB: about what is on the wire when a disk fails under a fast reader. What comes on top of it
 * pushes out what came before, and is asked for again. */
#define ADL_OVERFLOW_CELLS ((64 << 20) / ADL_CELL_SIZE)

struct adl_engine {
    const struct adl_settings *settings;
    const struct adl_log *log;
    struct adl_store *store;      /* owned */
    struct adl_overflow overflow; /* what the disk does not take */
    struct adl_http *http;        /* owned */
    struct adl_origins *origins;  /* owned */
    struct adl_worker *worker;    /* owned: sums files */
    struct adl_worker *keeper;    /* owned: looks after the cache directory */
    struct adl_evictor evictor;   /* when it does */
    /* By entry, as its number is known outside: see adl_engine_reload(). Set by the loop under
     * `known_lock`, read by others under it. */
    const struct adl_entry **entries; /* owned; an entry is the manifest's. NULL: there is none */
    struct adl_file **files;          /* owned; NULL until touched */
    uint32_t n_entries;
    TAILQ_HEAD(, adl_file) busy;
    TAILQ_HEAD(, adl_file) resting; /* private copies that are kept though nobody reads them */
    unsigned n_resting;
    LIST_HEAD(, adl_edition) editions; /* all that are open */
    struct adl_transfers doomed;
    unsigned active;    /* transfers under way */
    int64_t now;        /* ms, of this round */
    int64_t flush_at;   /* ms: when dirty sidecars are written; INT64_MAX: none are */
    int64_t unrecorded; /* bytes written since then */
    int64_t stored_at;  /* ms: when all that was gathered was last written */
    int64_t wake_at;    /* ms: when something else is due */
    uint64_t random;
    bool paused;            /* all of it */
    int64_t paused_at;      /* ms */
    struct adl_limit limit; /* bytes/s */
    struct adl_meter meter;
    uint64_t fetched, errors;
    struct adl_warms *warms; /* owned */
    uint64_t cancelled[64];  /* tickets cancelled before their call arrived */
    unsigned n_cancelled;

    pthread_t thread;
    bool running;
    _Atomic bool stop;
    /* A pause is on its way to the loop: what the network brings until then is held, so that the
     * round which is under way is soon over. Set by any thread, cleared by the loop. */
    _Atomic bool brake;
    _Atomic uint64_t tickets;
    pthread_mutex_t queue_lock;
    struct adl_calls queue; /* under queue_lock */
    pthread_mutex_t known_lock;

    /* Reads and their bytes, for statistics. Any thread. */
    _Atomic uint64_t reads, hits; /* hits: answered without the loop */
    _Atomic uint64_t served;
};

/* --- engine.c */
void adl_engine_post(struct adl_engine *engine, struct adl_call *call); /* any thread */
/* Has the loop run a function soon. 0 or -ENOMEM. Any thread. */
int adl_engine_run(struct adl_engine *engine, adl_run_fn *run, void *ctx);
int64_t adl_engine_clock(void); /* ms, CLOCK_MONOTONIC */
uint64_t adl_engine_random(struct adl_engine *engine);
/* The loop has something to do for the file in this round. */
void adl_engine_busy(struct adl_file *file);
/* The loop is to look again at `when`, ms. */
void adl_engine_wake_at(struct adl_engine *engine, int64_t when);
/* Ends a handle. */
void adl_engine_release(struct adl_handle *handle);

/* --- file.c: the loop's */
const char *adl_file_mode(const struct adl_file *file); /* as adl_report tells it */
/* The same; `cached`: adl_edition_cached(). */
const char *adl_file_state(const struct adl_file *file, int64_t cached);
struct adl_file *adl_file_at(struct adl_engine *engine, uint32_t entry); /* NULL without memory */
/* Whether it comes as one stream, and not in ranges. */
bool adl_file_streams(const struct adl_file *file);
void adl_file_free(struct adl_file *file);
void adl_file_call(struct adl_file *file, struct adl_call *call);
/* A call that waits no more: -errno, and it is freed. */
void adl_call_fail(struct adl_call *call, int error);
const char *adl_file_url(const struct adl_file *file); /* of the mirror to ask next */
/* Something was learned from an answer: size, mode, validator. */
void adl_file_learn(struct adl_transfer *transfer, const struct adl_answer *answer);
/* Whether something pins its bytes over time. */
bool adl_file_pinned(const struct adl_file *file);
/* Whether what another mirror says of its file dates from after ours was last seen to be current:
 * the mirrors were the same then, and may not be now. */
bool adl_file_newer(const struct adl_file *file, const struct adl_validator *said);
/* The current edition, also of a file that nobody has open, if anything of it is cached; else NULL.
 * The file is busy from then on, and closes it again. */
struct adl_edition *adl_file_kept(struct adl_file *file);
/* What a sidecar is to say of it. */
void adl_file_head(const struct adl_file *file, struct adl_head *head);
/* The origin confirmed what is known. */
void adl_file_confirm(struct adl_file *file);
/* It has another version now, or the copy was bad: nothing is known any more. */
void adl_file_change(struct adl_file *file, const char *why);
void adl_file_publish(struct adl_file *file);
/* Answers asks that can be answered. */
void adl_file_answer(struct adl_file *file);
/* The first byte was looked at, or (`came` false) the transfer that was to bring it has ended:
 * whoever waits for that is answered. May be called within an event. */
void adl_file_sniffed(struct adl_file *file, bool came);
/* Answers all that wait with an error, and remembers it. -EBADMSG: the copy was bad. */
void adl_file_fail(struct adl_file *file, int error);
/* Remembers an error for the log and the attribute. */
__attribute__((format(printf, 3, 4))) void adl_file_error(struct adl_file *file, int error,
                                                          const char *format, ...);
/* Whether an answer of the origin is to be had before it is opened. */
bool adl_file_stale(const struct adl_file *file);
/* Whether an error is the origin's word, and not the lack of one. */
bool adl_file_lasting(int error);
/* The errno that callers see: -EBADMSG, a wrong checksum, is EIO to them. */
int adl_file_seen(int error);
/* Serves the asks from what is cached although the origin did not answer; false: nothing is. */
bool adl_file_unchecked(struct adl_file *file);

/* --- edition.c: the loop's */
int adl_edition_open(struct adl_file *file); /* makes file->edition; 0 or -errno */
/* Bytes of the file that are here; of one that nobody has open, what an earlier reader left that
 * can be taken up. To ask is not to use it. */
int64_t adl_edition_cached(const struct adl_file *file);
struct adl_edition *adl_edition_ref(struct adl_edition *edition);
void adl_edition_unref(struct adl_edition *edition);
/* Nobody has the file open: its copy is closed. Where nothing pins it, what comes in its place need
 * not be the same bytes; the version stays, since whoever opens it now would find it gone. */
void adl_edition_leave(struct adl_file *file);
/* The same, and none of what is here or on its way, but for the probe, is used again. */
void adl_edition_renew(struct adl_file *file);
/* [first, end) has come: answers reads that have all their bytes now. */
void adl_edition_arrived(struct adl_edition *edition, int64_t first, int64_t end);
/* Some of [first, end) could not be read from its data file. */
void adl_edition_unreadable(struct adl_edition *edition, int64_t first, int64_t end, int error);
/* Takes a read: answers it, or lets it wait. */
void adl_edition_read(struct adl_call *call);
/* Compares the checksum= of the manifest, if all of it is here and that was not done. */
void adl_edition_complete(struct adl_edition *edition);
/* Whether it was compared, and right. */
bool adl_edition_digest_right(const struct adl_edition *edition);
void adl_edition_digested(struct adl_edition *edition, int result);
/* Looks at what the file begins with: at least one byte. */
void adl_edition_sniff(struct adl_file *file, const unsigned char *bytes, size_t length);

/* --- whole.c: the loop's */
/* Takes a call of DIGEST, TAKE. */
void adl_whole_call(struct adl_call *call);
/* The checksum was compared: 0 right, -EBADMSG, or -errno. Answers those who wait for it. */
void adl_whole_digested(struct adl_edition *edition, int error);

/* --- reload.c: the loop's */
void adl_reload_adopt(struct adl_engine *engine, struct adl_reload *reload);
/* --- disk.c: the loop's */
/* Before a round: tells the overflow what time it is. After it: what the disk did not take is
 * written, if it is to be tried again. */
void adl_disk_time(struct adl_engine *engine);
void adl_disk_round(struct adl_engine *engine);
/* How many bytes that nobody waits for may be on the wire, at most `most`. */
int64_t adl_disk_ahead(const struct adl_edition *edition, int64_t most);
/* What keeps an edition's bytes from the disk: -errno and what to say of it; -EAGAIN: room is being
 * made; 0: nothing. */
int adl_disk_trouble(const struct adl_edition *edition, const char **why);
/* Whether a stream may begin (again): while the disk takes nothing, only for who waits for it. */
bool adl_disk_stream(struct adl_edition *edition);
/* A stream that was held back goes on when somebody waits, or there is room. */
void adl_disk_let_go(struct adl_transfer *transfer);

/* --- evict.c: the loop's */
/* After a round: has the cache looked over when it is due. */
void adl_evict_round(struct adl_engine *engine);
/* So many bytes more may be on the disk than when it was looked over. */
void adl_evict_wrote(struct adl_engine *engine, int64_t bytes);
/* How many of `most` bytes there is room for, as far as can be told; may be below 0. */
int64_t adl_evict_room(const struct adl_engine *engine, int64_t most);
void adl_evict_looked(struct adl_engine *engine, const struct adl_look *look);
/* An entry is to go: asks the keeper, or answers. Takes the call. */
void adl_evict_call(struct adl_engine *engine, struct adl_call *call);

/* --- fetch.c: the loop's */
void adl_fetch_round(struct adl_engine *engine);
/* Of the mirror to ask next; NULL only without memory. */
struct adl_origin *adl_fetch_origin(struct adl_file *file);

/* --- rest.c: the loop's */
/* Takes files that have nothing to do any more off the list of those that do. */
void adl_rest_round(struct adl_engine *engine);
/* Closes copies that are kept open though nobody reads them. */
void adl_rest_end(struct adl_engine *engine);

/* --- flush.c: the loop's */
/* Something is to be recorded: within a second. */
void adl_flush_soon(struct adl_engine *engine);
/* So many bytes were written to data files. */
void adl_flush_wrote(struct adl_engine *engine, int64_t bytes);
/* Records what is due; adl_flush_now(): all of it. */
void adl_flush_round(struct adl_engine *engine);
void adl_flush_now(struct adl_engine *engine);

/* --- throttle.c: the loop's */
/* Whether bytes that came for the transfer are to wait, because of the limit. */
bool adl_throttle_holds(struct adl_transfer *transfer);
void adl_throttle_take(struct adl_transfer *transfer, int64_t bytes);
/* Lets those go on whose bytes may be taken now. */
void adl_throttle_round(struct adl_engine *engine);
void adl_throttle_set(struct adl_engine *engine, int64_t rate);
/* So many connections of `width` are enough under the limit. */
unsigned adl_throttle_width(const struct adl_engine *engine, unsigned width);

/* --- pause.c: the loop's */
/* Stops or goes on with a file, or with all of them (NULL). When a pause returns, no transfer is
 * left, what came is recorded, and reads that wait have been told, if they are to fail. */
void adl_pause_set(struct adl_engine *engine, struct adl_file *file, bool paused);
/* Whether nothing may be fetched of the file. */
bool adl_pause_holds(const struct adl_file *file);
/* Whether a read that would have to wait because of that fails instead. */
bool adl_pause_refuses(const struct adl_file *file);
/* Answers what can be answered without the origin. */
void adl_pause_serve(struct adl_file *file);

/* --- early.c: the loop's */
/* How much a probe for somebody who opens a file asks for, bytes: the first block, or less of it
 * where adl_early_start() is to ask for the rest at the same time. */
int64_t adl_early_length(struct adl_file *file);
void adl_early_start(struct adl_file *file);
/* One of the parts was answered: the other becomes one of the file's ranges, or goes. */
void adl_early_adopt(struct adl_file *file);

/* --- retry.c: the loop's */
/* What the transfer's end means for its file and its origin. */
void adl_retry_failed(struct adl_transfer *transfer, int error, bool transient, const char *reason);
/* It has another version again: how long it rests before it is asked for. */
void adl_retry_changed(struct adl_file *file);
/* A whole copy of it was wrong: whether another of its mirrors is asked for the next one. */
bool adl_retry_elsewhere(struct adl_file *file);
void adl_retry_progress(struct adl_file *file, int64_t bytes);
/* Tells those of the calls that have waited long enough for an origin that does not answer. */
void adl_retry_give_up(struct adl_file *file, struct adl_calls *calls);

/* --- transfer.c: the loop's */
int adl_transfer_start(struct adl_file *file, const struct adl_question *question,
                       const struct adl_range *range, struct adl_transfer **out);
/* Writes what was gathered and answers who waited for it. False where that failed, or it turned out
 * to be another version: then its file knows. */
bool adl_transfer_store(struct adl_transfer *transfer);
/* The same where that is all that a read waits for. */
void adl_transfer_store_awaited(struct adl_file *file);
/* A stream that was held back goes on. Not within an event. */
void adl_transfer_resume(struct adl_transfer *transfer);
/* It is cancelled when the round is over: may be called within an event. */
void adl_transfer_doom(struct adl_transfer *transfer);
/* Ends those. Not within an event. */
void adl_transfer_reap(struct adl_engine *engine);

/* Whether it asks for the second part of a first block: see early.c. */
static inline bool adl_transfer_is_second_part(const struct adl_transfer *transfer)
{
    return transfer->early && !transfer->probe;
}

/* transfer_head.c, transfer_body.c: events of struct adl_get_events, whose `ctx` is the transfer.
 */
bool adl_transfer_head(void *ctx, const struct adl_answer *answer, const char *url, double seconds);
bool adl_transfer_body(void *ctx, const void *bytes, size_t length);
bool adl_transfer_hold(void *ctx);

/* --- verify.c: the loop's */
void adl_verify_begin(struct adl_file *file, struct adl_call *call);
void adl_verify_end(struct adl_call *call);

/* --- worker.c */
struct adl_worker *adl_worker_new(struct adl_engine *engine);
void adl_worker_free(struct adl_worker *worker); /* stops what it does */
/* Carries out an EVICT or a LOOKED call, and posts it. 0 or -ENOMEM. */
int adl_worker_keep(struct adl_worker *worker, struct adl_call *call);
/* Compares edition->digest. Takes one reference of the edition. 0 or -ENOMEM. */
int adl_worker_digest(struct adl_worker *worker, struct adl_edition *edition);
/* Compares call->edition's copy, whose reference goes with the call, and posts it as COMPARED. 0 or
 * -ENOMEM, then the call is still the caller's. */
int adl_worker_verify(struct adl_worker *worker, struct adl_call *call);

#endif
