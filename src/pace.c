#include "pace.h"

#include "minmax.h"

/* The rate is taken over this long; the first one already over a short burst of so many bytes. */
#define RATE_MS    100
#define BURST_MS   8
#define BURST_SIZE (INT64_C(4) << 20)

/* Links of 1 to 300 ms and 1 Mbit/s to 1 Gbit/s are filled by this many connections, but for those
 * with a limit for each connection. Fewer to begin with lost a second of slow start. */
#define WIDTH_FIRST 16

/* Where bytes come this fast, more connections bring nothing but more that is on the wire when a
 * reader leaves: some are enough, and as many more as the round trips need that pieces wait for.
 * Measured on loopback, 2 to 16 connections: the same rate. */
#define FAST       (INT64_C(200) << 20)
#define FAST_WIDTH 4
#define FAST_PIECE (INT64_C(8) << 20)

/* What is asked for and not here: what comes in two round trips, so that no connection waits for
 * the reader, and a second more, to make pieces worth their round trip, but no more of that than
 * CUSHION: it is what a leaving reader, or a kill, may have made an origin send in vain. Of a fast
 * link's, sockets hold all. */
#define CUSHION       (INT64_C(48) << 20)
#define CUSHION_FAST  (INT64_C(24) << 20)
#define IN_FLIGHT_MAX (INT64_C(128) << 20)

/* A window is what comes in this time, and within these bounds; the first is for a file whose rate
 * is not known yet: at 50 ms and 1 GB/s less than that leaves the link idle for a part of the
 * second round trip. The least is two ranges for each connection to begin with: with one, all but
 * one of them waited for the range that the reader waits for. */
#define WINDOW_S       2
#define WINDOW_UNKNOWN (INT64_C(32) << 20)
#define WINDOW_MIN     (INT64_C(32) << 20)

/* Fewer connections than FEW get ranges that take so many round trips to come, also right before
 * the reader. Measured at 50 ms and 20 MB/s a connection, 96 MiB: one took 5.5 s in place of 9.0,
 * two 3.0 and 4.6, four 1.6 and 2.3; eight were as fast either way. Not where bytes come FAST: curl
 * reads such a range in one go, and another reader's request had to wait for 40 ms instead of 4. */
#define FEW         5
#define FRONT_TRIPS 8

/* A width is looked at for so long, and for so many round trips. */
#define EPOCH_MS    300
#define EPOCH_TRIPS 8

/* A trial's epoch begins when new connections are up and past the worst of their slow start. */
#define SETTLE_TRIPS 6

/* A range that takes longer is late: fewer connections are tried, at once so few that one takes no
 * longer than SOON_S, but no fewer than half and an eighth of what there are. Half: a limit of each
 * connection shows clearly then. In a simulation of 1 to 20 Mbit/s, steps of a half and ranges that
 * may take 4 s made the first MiB take up to seven times as long as alone. */
#define LATE_S        4
#define SOON_S        1
#define NARROWER_MOST 8

/* A wider one is kept where it brings at least this part of what its connections would bring if
 * each were as fast as the others; a narrower one where it brings at least that part of what there
 * was before. Both in percent. */
#define WIDER_GAIN    50
#define NARROWER_KEEP 80

/* After a trial that failed there is no other of its kind for so long, doubled for each in a row. A
 * narrower one costs half of what comes meanwhile. */
#define REST_WIDER_MS    1000
#define REST_NARROWER_MS 8000
#define REST_MAX_MS      32000

static void begin_epoch(struct adl_pace *pace, int64_t now)
{
    pace->since = now;
    pace->came = 0;
}

static void tick(struct adl_pace *pace, int64_t now)
{
    if (pace->answering)
        pace->busy += now - pace->last;
    pace->last = now;
}

void adl_pace_begins(struct adl_pace *pace, int64_t now)
{
    tick(pace, now);
    pace->answering++;
}

void adl_pace_ends(struct adl_pace *pace, int64_t now)
{
    tick(pace, now);
    pace->answering--;
}

void adl_pace_came(struct adl_pace *pace, int64_t now, int64_t bytes)
{
    tick(pace, now);
    pace->bytes += bytes;
    pace->came += bytes;
    bool burst = !pace->rate && pace->busy >= BURST_MS && pace->bytes >= BURST_SIZE;
    if (pace->busy < RATE_MS && !burst)
        return;
    /* Quick to believe a higher rate, slow to believe a lower one: a reader that stops for a moment
     * is no slower link. */
    int64_t rate = pace->bytes * 1000 / pace->busy;
    pace->rate = rate > pace->rate ? rate : (pace->rate * 7 + rate) / 8;
    pace->busy = pace->bytes = 0;
}

static unsigned width_of(const struct adl_pace *pace)
{
    return pace->width ? pace->width : WIDTH_FIRST;
}

unsigned adl_pace_width(const struct adl_pace *pace, const struct adl_link *link)
{
    int64_t width = width_of(pace);
    if (pace->rate >= FAST)
        width = min64(width, FAST_WIDTH + pace->rate * link->delay / 1000 / FAST_PIECE);
    return (unsigned)min64(width, link->share);
}

/* What comes in one round trip. */
static int64_t trip(const struct adl_pace *pace, const struct adl_link *link)
{
    return pace->rate * link->delay / 1000;
}

int64_t adl_pace_in_flight(const struct adl_pace *pace, const struct adl_link *link)
{
    int64_t most = pace->rate >= FAST ? CUSHION_FAST : CUSHION;
    int64_t cushion = pace->rate ? min64(pace->rate, most) : most;
    int64_t least = ADL_PIECE_MIN * adl_pace_width(pace, link);
    return max64(min64(2 * trip(pace, link) + cushion, IN_FLIGHT_MAX), least);
}

int64_t adl_pace_piece(const struct adl_pace *pace, const struct adl_link *link, int64_t left)
{
    unsigned width = adl_pace_width(pace, link);
    int64_t piece = adl_pace_in_flight(pace, link) / width;
    /* Not so small that the connections wait for answers most of the time. */
    int64_t least = max64(ADL_PIECE_MIN, trip(pace, link) / width);
    return max64(min64(piece, left / width), least);
}

int64_t adl_pace_front(const struct adl_pace *pace, const struct adl_link *link, int64_t left)
{
    unsigned width = adl_pace_width(pace, link);
    if (width >= FEW || pace->rate >= FAST)
        return ADL_PIECE_MIN;
    return max64(min64(adl_pace_piece(pace, link, left), FRONT_TRIPS * trip(pace, link) / width),
                 ADL_PIECE_MIN);
}

int64_t adl_pace_window(const struct adl_pace *pace, int64_t most)
{
    int64_t window = pace->rate ? max64(pace->rate * WINDOW_S, WINDOW_MIN) : WINDOW_UNKNOWN;
    return min64(window, most);
}

static void try_width(struct adl_pace *pace, const struct adl_link *link, enum adl_trial trial,
                      unsigned width)
{
    pace->settled_at = link->now + SETTLE_TRIPS * link->delay;
    pace->trial = trial;
    pace->tried_from = width_of(pace);
    pace->width = width;
}

/* How many ranges of the least size come in the time that one may take. */
static int64_t in_time(int64_t rate, int64_t seconds)
{
    return rate * seconds / ADL_PIECE_MIN;
}

/* An epoch has passed in which `rate` bytes/s came by `running` transfers. Where fewer connections
 * brought less, more may bring more, however late their ranges are. */
static bool begin_trial(struct adl_pace *pace, const struct adl_link *link, unsigned running,
                        int64_t rate)
{
    unsigned width = (unsigned)min64(width_of(pace), link->share);
    unsigned wider = (unsigned)min64(width + width / 2 + 1, link->share);
    int64_t most = in_time(rate, LATE_S);
    pace->base = rate;
    if (running >= width && wider > width && rate < FAST && link->now >= pace->wider_at &&
        (wider <= most || pace->narrow_rest)) {
        try_width(pace, link, ADL_TRIAL_WIDER, wider);
        return false;
    }
    if (running == 1 || running <= most || link->now < pace->narrow_at)
        return false;
    int64_t narrower = min64(max64(in_time(rate, SOON_S), running / NARROWER_MOST), running / 2);
    try_width(pace, link, ADL_TRIAL_NARROWER, (unsigned)max64(narrower, 1));
    return true;
}

static void end_trial(struct adl_pace *pace, const struct adl_link *link, int64_t rate)
{
    int64_t base = pace->base, from = pace->tried_from;
    bool wider = pace->trial == ADL_TRIAL_WIDER;
    int64_t wanted = wider ? base + base * (pace->width - from) / from * WIDER_GAIN / 100
                           : base * NARROWER_KEEP / 100;
    int64_t *at = wider ? &pace->wider_at : &pace->narrow_at;
    int64_t *rest = wider ? &pace->wider_rest : &pace->narrow_rest;
    pace->trial = ADL_TRIAL_NONE;
    if (rate >= wanted) {
        *rest = 0;
        return;
    }
    pace->width = pace->tried_from;
    *rest = min64(max64(2 * *rest, wider ? REST_WIDER_MS : REST_NARROWER_MS), REST_MAX_MS);
    *at = link->now + *rest;
}

bool adl_pace_turn(struct adl_pace *pace, const struct adl_link *link, unsigned running)
{
    int64_t took = link->now - pace->since;
    unsigned width = adl_pace_width(pace, link);
    /* Fewer than all of the width are enough to be too many. */
    bool counts = running >= width || running > in_time(pace->rate, LATE_S);
    if (!counts || !pace->since || link->now < pace->settled_at) {
        begin_epoch(pace, link->now);
        return false;
    }
    if (took < max64(EPOCH_MS, EPOCH_TRIPS * link->delay))
        return false;
    int64_t rate = pace->came * 1000 / took;
    begin_epoch(pace, link->now);
    if (rate == 0)
        return false; /* the origin is away: that tells nothing of the width */
    if (pace->trial == ADL_TRIAL_NONE)
        return begin_trial(pace, link, (unsigned)min64(running, width), rate);
    end_trial(pace, link, rate);
    return false;
}
