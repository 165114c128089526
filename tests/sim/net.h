/* net: what stands in for src/http.c: the engine's GETs, answered in virtual time by origins behind
 * links. The engine itself is the real one, all of it but curl.
 *
 * The clock stands still but in adl_http_turn(), which the engine's loop calls: it goes on to
 * whatever is next, lets the flows bring what they bring until then, and tells the engine and the
 * reader. Everything happens in the loop's thread, so a run is the same each time. There is one net
 * at a time in a process. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "flow.h"

#define SIM_ORIGINS_MAX 2

/* An origin and the link to it. */
struct sim_origin {
    struct sim_link link;
    unsigned limit;      /* more requests at a time are answered 429; 0: none are */
    int64_t think;       /* us from a request to its answer */
    int64_t breaks;      /* a connection is reset after so many bytes; 0: never */
    int64_t dies, lives; /* us: in between it refuses connections and resets those it has */
};

struct sim_net {
    struct sim_origin origins[SIM_ORIGINS_MAX]; /* http://0.sim/ and http://1.sim/ */
    int64_t size;                               /* of the file that all of them have, bytes */
    /* The reader: called in the loop's thread at `due`, us, which it sets anew; INT64_MAX: not at
     * all. */
    void (*wake)(void *ctx);
    void *ctx;
    int64_t due;
    /* What came of it. */
    int64_t now;  /* us */
    int64_t sent; /* bytes, with those that were on the wire when a GET was given up */
    unsigned requests;
    unsigned refused; /* with 429 */
    unsigned most;    /* connections at a time */
    bool over;        /* the loop's */
};

/* From here on the engine's clock and its GETs are those of `net`, which outlives the engine. */
void sim_net_use(struct sim_net *net);

/* Called in the loop's thread: the run is over; from now on the clock stands. */
void sim_net_over(struct sim_net *net);

/* Waits for that. Any other thread. */
void sim_net_wait(struct sim_net *net);

#endif
