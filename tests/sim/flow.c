#include "flow.h"

#include <math.h>

#define SEGMENT      1448.0
#define WINDOW_FIRST (10 * SEGMENT)

/* A pause after which a connection begins anew, us: the least retransmission time-out of Linux. */
#define IDLE_US 200000

/* RFC 9438: what a loss leaves of the window, and how fast it grows back, segments/s^3. */
#define CUBIC_BETA 0.7
#define CUBIC_C    0.4

uint64_t sim_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Losses come at random: the distances between them are distributed exponentially. */
static int64_t next_loss(struct sim_link *link)
{
    double u = ((double)(sim_random(&link->random) >> 11) + 1) * 0x1p-53;
    return link->loss ? (int64_t)(-log(u) * (double)link->loss) : INT64_MAX;
}

void sim_flow_open(struct sim_flow *flow, struct sim_link *link, int64_t now)
{
    *flow = (struct sim_flow){.window = WINDOW_FIRST,
                              .begun = now,
                              .used = now,
                              .clean = next_loss(link)};
}

void sim_flow_begin(struct sim_flow *flow, const struct sim_link *link, int64_t now)
{
    int64_t idle = IDLE_US > 2 * link->trip ? IDLE_US : 2 * link->trip;
    if (now - flow->used > idle && flow->window > WINDOW_FIRST)
        flow->window = WINDOW_FIRST;
    flow->begun = flow->used = now;
    flow->budget = flow->window;
}

/* RFC 9438 4.2 */
static double cubic(const struct sim_flow *flow, int64_t now)
{
    double most = flow->highest / SEGMENT, t = (double)(now - flow->lost) / 1e6;
    double k = cbrt(most * (1 - CUBIC_BETA) / CUBIC_C);
    return (CUBIC_C * (t - k) * (t - k) * (t - k) + most) * SEGMENT;
}

static void next_trip(struct sim_flow *flow, const struct sim_link *link, int64_t now)
{
    if (now - flow->begun < link->trip)
        return;
    if (flow->budget < 1 && flow->highest == 0)
        flow->window *= 2;
    else if (flow->highest > 0)
        flow->window = fmax(flow->window, fmin(cubic(flow, now), flow->window * 1.5));
    flow->begun = now - flow->begun < 2 * link->trip ? flow->begun + link->trip : now;
    flow->budget = flow->window;
}

/* The most that it can take in this step. */
static double demand(const struct sim_flow *flow, const struct sim_link *link, int64_t step)
{
    double most = fmin(flow->budget, (double)flow->wanted - flow->part);
    if (link->each)
        most = fmin(most, (double)link->each * (double)step / 1e6);
    return fmax(most, 0);
}

static void bring(struct sim_flow *flow, struct sim_link *link, double bytes, int64_t now)
{
    flow->budget -= bytes;
    flow->part += bytes;
    flow->came = (int64_t)(flow->part + 1e-6);
    if (flow->came > flow->wanted)
        flow->came = flow->wanted;
    flow->part -= (double)flow->came;
    if (bytes > 0)
        flow->used = now;
    if (!link->loss || (flow->clean -= flow->came) > 0)
        return;
    flow->highest = flow->window;
    flow->window = fmax(flow->window * CUBIC_BETA, 2 * SEGMENT);
    flow->budget = fmin(flow->budget, flow->window);
    flow->lost = now;
    flow->clean = next_loss(link);
}

void sim_flows_step(struct sim_flow *const *flows, size_t count, struct sim_link *link, int64_t now,
                    int64_t step)
{
    double room = (double)link->rate * (double)step / 1e6, share = 0;
    for (size_t i = 0; i < count; i++)
        next_trip(flows[i], link, now);
    /* Max-min: the share grows until all of the room is used, or nobody wants more. */
    size_t hungry = count;
    while (hungry > 0 && room > 1e-6) {
        double more = room / (double)hungry, before = share;
        share += more;
        hungry = 0;
        for (size_t i = 0; i < count; i++) {
            double most = demand(flows[i], link, step);
            room -= fmin(most, share) - fmin(most, before);
            hungry += most > share;
        }
    }
    for (size_t i = 0; i < count; i++)
        bring(flows[i], link, fmin(demand(flows[i], link, step), share), now);
}

int64_t sim_flow_under_way(const struct sim_flow *flow, const struct sim_link *link)
{
    double most = fmin(flow->window, (double)link->rate * (double)link->trip / 1e6);
    if (link->each)
        most = fmin(most, (double)link->each * (double)link->trip / 1e6);
    return (int64_t)fmin(most, (double)flow->wanted);
}
