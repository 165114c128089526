/* overflow: what the disk does not take.
 *
 * A cache whose disk is full or broken must not cost a reader its bytes. What a copy cannot write
 * goes into cells of memory, one store of them for all copies of an engine, and counts as being
 * here until it is dropped: when the bound is reached, what a reader was shown already first, then
 * the oldest. While the disk rests, nothing is tried on it; when the pause is over, what is still
 * here is written, and caching goes on. A block that did not get to the disk is never claimed.
 *
 * So that a reader is not overtaken by what is fetched ahead of it, adl_overflow_ahead() says how
 * much more may be.
 *
 * One thread, the fetch loop. No clock: `now` is set by the owner. */
#ifndef ADL_OVERFLOW_H
#define ADL_OVERFLOW_H

#include "log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define ADL_CELL_SIZE (64 << 10)

/* Bytes [first, end) of one copy, at most ADL_CELL_SIZE of them. */
struct adl_cell {
    TAILQ_ENTRY(adl_cell) age;   /* among those that were shown, or those that were not */
    TAILQ_ENTRY(adl_cell) place; /* in its copy's list, by offset */
    struct adl_spill *spill;
    int64_t first, end;
    int64_t since; /* ms: when it was made */
    bool shown;    /* a reader had some of it */
    unsigned char bytes[ADL_CELL_SIZE];
};
TAILQ_HEAD(adl_cells, adl_cell);

/* A copy's cells: disjoint, in order. */
struct adl_spill {
    struct adl_cells cells;
    size_t n_fresh; /* of them, how many nobody has read */
    bool lost;      /* some were dropped, or the disk did not take some: not all is here for ever */
};

struct adl_overflow {
    const struct adl_log *log; /* not owned */
    size_t most;               /* cells */
    int64_t now; /* ms: set by the owner before anything is asked that depends on it */
    bool shut;   /* by the quota: nothing is to be written to the disk */
    /* private */
    struct adl_cells fresh, shown; /* all cells, the oldest first */
    size_t count, n_fresh;
    int tray;         /* owned: a file in memory that answers are laid on; -1: not made yet */
    int64_t retry_at; /* ms: before that the disk rests; INT64_MIN: it is well */
    int64_t pause;    /* ms: the last one */
    int error;        /* -errno of the disk's last failure; 0: it had none */
    int64_t said_at;  /* ms: when its trouble was told last */
};

void adl_overflow_init(struct adl_overflow *overflow, size_t most, const struct adl_log *log);
/* All copies are closed. */
void adl_overflow_free(struct adl_overflow *overflow);

/* Whether the disk is not to be tried now: it failed a moment ago, or is shut. */
bool adl_overflow_resting(const struct adl_overflow *overflow);
/* Whether it is in trouble, resting or about to be tried again. */
bool adl_overflow_failing(const struct adl_overflow *overflow);
/* When it is tried again, ms; INT64_MAX: it is well, or nobody knows. */
int64_t adl_overflow_retry_at(const struct adl_overflow *overflow);
/* A write to it failed with -errno: it rests, longer each time in a row. */
void adl_overflow_failed(struct adl_overflow *overflow, int error);
/* A write succeeded. */
void adl_overflow_well(struct adl_overflow *overflow);

/* How many bytes that nobody waits for may be on the wire for that copy; INT64_MAX while the disk
 * is well. One copy may have a quarter of all cells unread, and all together three quarters, but
 * for those that nobody has come for in a while. */
int64_t adl_overflow_ahead(const struct adl_overflow *overflow, const struct adl_spill *spill);

/* Keeps [first, end), none of which the copy has; others may be dropped for it. 0 or -ENOMEM (then
 * a part of it may be kept). */
int adl_overflow_put(struct adl_overflow *overflow, struct adl_spill *spill, const void *bytes,
                     int64_t first, int64_t end);

/* A file in memory of at least `length` bytes, to lay an answer on: good until the next call. Its
 * descriptor or -errno. */
int adl_overflow_tray(struct adl_overflow *overflow, size_t length);

/* All zero but for its list. */
void adl_spill_init(struct adl_spill *spill);

/* The cell that holds byte `at`, else the first one behind it, else NULL. Good until the next put.
 */
struct adl_cell *adl_spill_at(const struct adl_spill *spill, int64_t at);

int64_t adl_spill_bytes(const struct adl_spill *spill);

/* A reader has had some of it. */
void adl_overflow_show(struct adl_overflow *overflow, struct adl_cell *cell);

/* Takes a cell out; the caller frees it. */
void adl_overflow_take(struct adl_overflow *overflow, struct adl_cell *cell);

/* Drops all of a copy's. */
void adl_overflow_drop(struct adl_overflow *overflow, struct adl_spill *spill);

#endif
