/* fixed: takes the place of what pace.c finds out, with a setting that stays what it is. The
 * program is linked so that what the engine asks of `pace` and `plan` passes here. */
#ifndef SIM_FIXED_H
#define SIM_FIXED_H

#include <stdint.h>

struct sim_fixed {
    unsigned connections; /* 0: what pace.c says */
    int64_t piece;        /* bytes */
};

/* For the engines that are started from now on. */
void sim_fix(const struct sim_fixed *fixed);

#endif
