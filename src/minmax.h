/* minmax: the lesser and the greater of two numbers of bytes or moments. */
#ifndef ADL_MINMAX_H
#define ADL_MINMAX_H

#include <stdint.h>

static inline int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
