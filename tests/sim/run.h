/* run: one reader, one file, one engine, in virtual time. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "fixed.h"
#include "net.h"
#include "reader.h"

struct sim_outcome {
    int error;      /* what the reader was told; 0 */
    double seconds; /* until it was done */
    double mib;     /* ... and had its first MiB, from when it asked to open; CAT */
    double waited;  /* for its first bytes after a step, on the average */
    double stalled; /* in the middle of playing */
    double wasted;  /* bytes sent beyond the file's, a part of it; CAT */
    double each;    /* bytes sent for a step */
    unsigned requests, refused, most;
};

/* Runs `fixed` (all zero: the engine's own policy) against a copy of `net`, of which origins and
 * size are set; `mirrors` of them are in the manifest. */
void sim_run(const struct sim_net *net, unsigned mirrors, enum sim_kind kind, int64_t rate,
             const struct sim_fixed *fixed, struct sim_outcome *out);

#endif
