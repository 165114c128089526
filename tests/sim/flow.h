/* flow: TCP connections in virtual time, as far as a fetch policy can tell them from real ones.
 * Pure.
 *
 * A round trip begins with a window: ten segments on a fresh connection (RFC 6928), doubled after
 * each round trip that used all of it (slow start), CUBIC (RFC 9438) after a loss, ten segments
 * again after a pause (RFC 2861). What a link brings in one step is shared max-min fairly by those
 * of its flows that have something left of their windows. Queues are not modelled, nor the losses
 * that an overshoot of slow start makes. */
#ifndef SIM_FLOW_H
#define SIM_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A path to an origin. */
struct sim_link {
    int64_t trip;    /* us: round trip */
    int64_t rate;    /* bytes/s in all */
    int64_t each;    /* bytes/s for a connection; 0: no limit */
    int64_t loss;    /* bytes between two losses of a connection, on the average; 0: none */
    uint64_t random; /* where the next ones are; not 0 */
};

struct sim_flow {
    double window;  /* bytes in a round trip */
    double budget;  /* what is left of them */
    double highest; /* the window at the last loss; 0: slow start */
    int64_t lost;   /* us: when that was */
    int64_t begun;  /* us: this round trip */
    int64_t used;   /* us: when bytes last came */
    int64_t clean;  /* bytes until the next loss */
    double part;    /* of a byte, from the last step */
    /* For one step: */
    int64_t wanted; /* bytes that are left to be sent */
    int64_t came;   /* the step's outcome, bytes */
};

/* A fresh connection at `now`. */
void sim_flow_open(struct sim_flow *flow, struct sim_link *link, int64_t now);

/* An answer begins to come on it. */
void sim_flow_begin(struct sim_flow *flow, const struct sim_link *link, int64_t now);

/* What the flows of a link bring in the `step` us before `now`. Sets `came` of each. */
void sim_flows_step(struct sim_flow *const *flows, size_t count, struct sim_link *link, int64_t now,
                    int64_t step);

/* What is on the wire when a flow is cut short, bytes: sent in vain. */
int64_t sim_flow_under_way(const struct sim_flow *flow, const struct sim_link *link);

/* xorshift64*: the same on every machine. */
uint64_t sim_random(uint64_t *state);

#endif
