#include "meter.h"

#include <math.h>

/* ms after which bytes count 1/e. */
#define MEMORY_MS 1000.0

/* After this long without a byte a new spell begins. */
#define SPELL_MS 5000

/* Right after its beginning a spell is taken to be this old: one piece is no rate. */
#define YOUNG_MS 50.0

static double faded(const struct adl_meter *meter, int64_t now)
{
    return now > meter->at ? meter->weight * exp(-(double)(now - meter->at) / MEMORY_MS)
                           : meter->weight;
}

void adl_meter_add(struct adl_meter *meter, int64_t now, int64_t bytes)
{
    if (!meter->at || now - meter->at > SPELL_MS)
        *meter = (struct adl_meter){.since = now};
    meter->weight = faded(meter, now) + (double)bytes;
    meter->at = now;
}

int64_t adl_meter_rate(const struct adl_meter *meter, int64_t now)
{
    if (!meter->at || now - meter->at > SPELL_MS)
        return 0;
    double age = (double)(now - meter->since);
    double seen = MEMORY_MS * (1 - exp(-(age > YOUNG_MS ? age : YOUNG_MS) / MEMORY_MS));
    return (int64_t)(faded(meter, now) * 1000 / seen);
}
