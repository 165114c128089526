/* meter: how fast bytes come, lately. Pure; one thread.
 *
 * An average that forgets: what came a second ago counts a third of what comes now. It is right
 * from the first bytes on, since it knows how long it has been looking, and goes to 0 by itself
 * when nothing comes any more. */
#ifndef ADL_METER_H
#define ADL_METER_H

#include <stdint.h>

struct adl_meter {
    double weight; /* bytes, older ones counting less */
    int64_t at;    /* ms: when that was */
    int64_t since; /* ms: when the first bytes of this spell came */
};

/* All zero is a fresh one. `now`: ms of a clock that does not jump, never 0. */
void adl_meter_add(struct adl_meter *meter, int64_t now, int64_t bytes);

/* bytes/s */
int64_t adl_meter_rate(const struct adl_meter *meter, int64_t now);

#endif
