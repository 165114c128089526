/* limit: at most so many bytes a second: a bucket of tokens. Pure; one thread.
 *
 * What is taken may be more than is there: then nobody may take anything until the debt is paid, so
 * that the average is right whatever the pieces' size. What was not used is kept for a tenth of a
 * second only: no burst follows a rest. */
#ifndef ADL_LIMIT_H
#define ADL_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* More than this, bytes/s, counts as this. */
#define ADL_LIMIT_MAX (INT64_C(1) << 40)

struct adl_limit {
    int64_t rate;  /* bytes/s; 0: no limit */
    int64_t level; /* thousandths of a byte; negative: debt */
    int64_t at;    /* ms: when the level was that */
};

/* Changes the rate; 0 or less: no limit. */
void adl_limit_set(struct adl_limit *limit, int64_t rate, int64_t now);

/* Whether something may be taken now, by one who may go `ahead` bytes into debt. */
bool adl_limit_open(struct adl_limit *limit, int64_t now, int64_t ahead);

void adl_limit_take(struct adl_limit *limit, int64_t now, int64_t bytes);

/* ms until adl_limit_open() for one who may not go into debt; 0: now. */
int64_t adl_limit_wait(struct adl_limit *limit, int64_t now);

#endif
