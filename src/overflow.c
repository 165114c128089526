#include "overflow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The disk rests so long after a failure, twice as long after the next: a full disk is tried soon
 * enough when somebody has made room, a broken one is not hammered. */
#define PAUSE_MS     1000
#define PAUSE_MAX_MS 15000

/* Trouble that comes and goes is told once in so long. */
#define SAY_MS 60000

/* What nobody has read for so long does not keep others from being fetched. */
#define STALE_MS 3000

void adl_overflow_init(struct adl_overflow *overflow, size_t most, const struct adl_log *log)
{
    *overflow = (struct adl_overflow){
        .log = log, .most = most, .tray = -1, .retry_at = INT64_MIN, .said_at = INT64_MIN};
    TAILQ_INIT(&overflow->fresh);
    TAILQ_INIT(&overflow->shown);
}

void adl_overflow_free(struct adl_overflow *overflow)
{
    if (overflow->tray >= 0)
        close(overflow->tray);
    overflow->tray = -1;
}

bool adl_overflow_failing(const struct adl_overflow *overflow)
{
    return overflow->shut || overflow->retry_at != INT64_MIN;
}

bool adl_overflow_resting(const struct adl_overflow *overflow)
{
    return overflow->shut || overflow->now < overflow->retry_at;
}

int64_t adl_overflow_retry_at(const struct adl_overflow *overflow)
{
    return overflow->shut || overflow->retry_at == INT64_MIN ? INT64_MAX : overflow->retry_at;
}

void adl_overflow_failed(struct adl_overflow *overflow, int error)
{
    if (adl_overflow_resting(overflow))
        return;
    overflow->error = error;
    if (overflow->said_at == INT64_MIN || overflow->now - overflow->said_at >= SAY_MS) {
        adl_log(overflow->log, ADL_WARNING,
                "the cache cannot be written to: %s; files are read past it until it can",
                strerror(-error));
        overflow->said_at = overflow->now;
    }
    overflow->pause = overflow->pause ? overflow->pause * 2 : PAUSE_MS;
    if (overflow->pause > PAUSE_MAX_MS)
        overflow->pause = PAUSE_MAX_MS;
    overflow->retry_at = overflow->now + overflow->pause;
}

void adl_overflow_well(struct adl_overflow *overflow)
{
    if (overflow->retry_at == INT64_MIN)
        return;
    overflow->retry_at = INT64_MIN;
    overflow->pause = 0;
    adl_log(overflow->log, ADL_NOTICE, "the cache can be written to again");
}

int64_t adl_overflow_ahead(const struct adl_overflow *overflow, const struct adl_spill *spill)
{
    if (!adl_overflow_failing(overflow))
        return INT64_MAX;
    const struct adl_cell *oldest = TAILQ_FIRST(&overflow->fresh);
    bool full = overflow->n_fresh >= overflow->most / 4 * 3;
    if (spill->n_fresh >= overflow->most / 4 || (full && overflow->now - oldest->since < STALE_MS))
        return 0;
    return (int64_t)(overflow->most / 8) * ADL_CELL_SIZE;
}

static struct adl_cells *list_of(struct adl_overflow *overflow, const struct adl_cell *cell)
{
    return cell->shown ? &overflow->shown : &overflow->fresh;
}

void adl_overflow_take(struct adl_overflow *overflow, struct adl_cell *cell)
{
    TAILQ_REMOVE(list_of(overflow, cell), cell, age);
    TAILQ_REMOVE(&cell->spill->cells, cell, place);
    overflow->count--;
    overflow->n_fresh -= !cell->shown;
    cell->spill->n_fresh -= !cell->shown;
}

static struct adl_cell *oldest(const struct adl_overflow *overflow)
{
    return TAILQ_EMPTY(&overflow->shown) ? TAILQ_FIRST(&overflow->fresh)
                                         : TAILQ_FIRST(&overflow->shown);
}

/* A new, empty cell at `first`, in the place of the oldest where there are too many. */
static struct adl_cell *make_cell(struct adl_overflow *overflow, struct adl_spill *spill,
                                  struct adl_cell *before, int64_t first)
{
    struct adl_cell *cell = NULL;
    while (overflow->count >= overflow->most) {
        free(cell);
        cell = oldest(overflow);
        if (cell == before)
            before = TAILQ_PREV(before, adl_cells, place);
        adl_overflow_take(overflow, cell);
    }
    if (!cell)
        cell = malloc(sizeof(*cell));
    if (!cell)
        return NULL;
    cell->spill = spill;
    cell->first = cell->end = first;
    cell->since = overflow->now;
    cell->shown = false;
    if (before)
        TAILQ_INSERT_AFTER(&spill->cells, before, cell, place);
    else
        TAILQ_INSERT_HEAD(&spill->cells, cell, place);
    TAILQ_INSERT_TAIL(&overflow->fresh, cell, age);
    overflow->count++;
    overflow->n_fresh++;
    spill->n_fresh++;
    return cell;
}

/* The last cell that begins before `at`. */
static struct adl_cell *cell_before(const struct adl_spill *spill, int64_t at)
{
    struct adl_cell *cell;
    TAILQ_FOREACH_REVERSE(cell, &spill->cells, adl_cells, place)
    if (cell->first < at)
        return cell;
    return NULL;
}

int adl_overflow_put(struct adl_overflow *overflow, struct adl_spill *spill, const void *bytes,
                     int64_t first, int64_t end)
{
    const unsigned char *from = bytes;
    struct adl_cell *cell = cell_before(spill, first);
    spill->lost = true;
    while (first < end) {
        if (!cell || cell->shown || cell->end != first || cell->end - cell->first == ADL_CELL_SIZE)
            cell = make_cell(overflow, spill, cell, first);
        if (!cell)
            return -ENOMEM;
        int64_t used = cell->end - cell->first, n = end - first;
        if (n > ADL_CELL_SIZE - used)
            n = ADL_CELL_SIZE - used;
        memcpy(cell->bytes + used, from, (size_t)n);
        cell->end += n;
        from += n;
        first += n;
    }
    return 0;
}

int adl_overflow_tray(struct adl_overflow *overflow, size_t length)
{
    if (overflow->tray < 0)
        overflow->tray = memfd_create("adlfs-answer", MFD_CLOEXEC);
    if (overflow->tray < 0 || ftruncate(overflow->tray, (off_t)length) < 0)
        return -errno;
    return overflow->tray;
}

void adl_spill_init(struct adl_spill *spill)
{
    TAILQ_INIT(&spill->cells);
    spill->n_fresh = 0;
    spill->lost = false;
}

struct adl_cell *adl_spill_at(const struct adl_spill *spill, int64_t at)
{
    struct adl_cell *cell;
    TAILQ_FOREACH (cell, &spill->cells, place)
        if (cell->end > at)
            return cell;
    return NULL;
}

int64_t adl_spill_bytes(const struct adl_spill *spill)
{
    int64_t bytes = 0;
    const struct adl_cell *cell;
    TAILQ_FOREACH (cell, &spill->cells, place)
        bytes += cell->end - cell->first;
    return bytes;
}

void adl_overflow_show(struct adl_overflow *overflow, struct adl_cell *cell)
{
    if (cell->shown)
        return;
    TAILQ_REMOVE(&overflow->fresh, cell, age);
    TAILQ_INSERT_TAIL(&overflow->shown, cell, age);
    cell->shown = true;
    overflow->n_fresh--;
    cell->spill->n_fresh--;
}

void adl_overflow_drop(struct adl_overflow *overflow, struct adl_spill *spill)
{
    struct adl_cell *cell;
    while ((cell = TAILQ_FIRST(&spill->cells))) {
        adl_overflow_take(overflow, cell);
        free(cell);
    }
}
