/* now: the time that only goes forward, for limits and pauses. */
#ifndef ADL_NOW_H
#define ADL_NOW_H

#include <stdint.h>
#include <time.h>

/* ms since some moment in the past. Any thread. */
static inline int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

#endif
