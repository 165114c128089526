/* warm: files that someone asked for as a whole (or a range of each), fetched into the cache when
 * no reader wants the connections: demand comes first, then what is ahead of readers, then this.
 *
 * A warm opens its files as a reader would, a few at a time, in order, and gives each a window that
 * is served last. It ends with each file when all is here, when the file has failed for good or has
 * brought nothing for retry_for seconds (pauses do not count), or when the disk does not keep it.
 *
 * In the background (fill) it does so only while nobody reads anything at all. */
#ifndef ADL_WARM_H
#define ADL_WARM_H

#include "engine.h"

struct adl_warm_failure {
    uint32_t entry;
    int error;  /* negative errno */
    char *text; /* owned; NULL: nothing more is known */
};

/* A file that is just being fetched. */
struct adl_warming {
    LIST_ENTRY(adl_warming) link;
    struct adl_warm *warm;
    struct adl_file *file;
    struct adl_handle *handle; /* NULL: being opened */
    int64_t since;             /* ms: patience counts from here */
    uint64_t errors;           /* the file's, when it was opened */
    int64_t unkept_since;      /* ms: the disk takes nothing; 0: it does */
    unsigned changes;          /* how often it had another version in between */
};

struct adl_warm {
    LIST_ENTRY(adl_warm) link;
    struct adl_engine *engine;
    uint64_t number;
    uint32_t *entries; /* owned; NULL: those of the manifest */
    size_t count, room, next;
    int64_t first, end; /* bytes of each; end -1: to its end */
    unsigned jobs;      /* connections at most; 0: as many as are good */
    bool background;
    bool ended;
    bool stopped; /* nothing more is begun, and what is being opened is let go */
    LIST_HEAD(, adl_warming) now;
    unsigned n_now;
    uint64_t done, failed; /* files; done: also those that failed */
    int64_t here;          /* bytes of files that are done */
    uint64_t fetched;      /* bytes that came for its files meanwhile */
    struct adl_meter meter;
    struct adl_warm_failure *failures; /* owned: the first ones */
    size_t n_failures;
};

struct adl_warm_order {
    uint32_t *entries; /* becomes the warm's; NULL: the first n_entries of the manifest */
    size_t n_entries;
    int64_t first, end;
    unsigned jobs;
};

struct adl_warm_sum {
    int64_t size, here; /* bytes of the ranges of all its files whose size is known */
    uint64_t unknown;   /* files whose size is not */
};

/* All of it is the loop's. */

/* 0 and its number, which is not 0; -ENOMEM. The order's entries are taken in any case. */
int adl_warm_start(struct adl_engine *engine, const struct adl_warm_order *order, uint64_t *number);

/* NULL: there is none, or it ended long ago. */
struct adl_warm *adl_warm_find(struct adl_engine *engine, uint64_t number);

/* Gives it up; what came stays. 0 or -ESRCH. */
int adl_warm_stop(struct adl_engine *engine, uint64_t number);

/* All that were ordered; not what goes on in the background. */
void adl_warm_stop_all(struct adl_engine *engine);

void adl_warm_sum(const struct adl_warm *warm, struct adl_warm_sum *out);

/* --- for the engine */

struct adl_warms *adl_warms_new(struct adl_engine *engine);
void adl_warms_free(struct adl_warms *warms);

/* In each round: opens what is next, ends what is done. */
void adl_warm_round(struct adl_engine *engine);

/* Whether a window of the file that nobody waits for may be served: it has one, and its warm may
 * have one more connection. */
bool adl_warm_may_start(const struct adl_file *file);

/* Whether one of the file's handles is a warm's that is not done. */
bool adl_warm_wants(const struct adl_file *file);

/* Bytes of the file came. */
void adl_warm_progress(struct adl_file *file, int64_t bytes);

/* Somebody opened the file. */
void adl_warm_opened(struct adl_file *file, const struct adl_call *call);

/* The engine is about to release a handle of a warm's. */
void adl_warm_lost(struct adl_handle *handle);

#endif
