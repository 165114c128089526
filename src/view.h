/* view: a file's state as the planner wants it: what is under way, which windows are wanted, what
 * the link to its origin can do. Made anew for each decision; the loop's. */
#ifndef ADL_VIEW_H
#define ADL_VIEW_H

#include "engine.h"

/* What a look takes in at the most. */
#define ADL_VIEW_FLIGHTS 64
#define ADL_VIEW_WINDOWS 256

/* A waiter waits for a transfer that is this close to what it wants; farther ones are no help, and
 * are cut short. The kernel's readahead asks for up to 2 MiB ahead of a sequential reader: that
 * must not cut what is on its way in order. */
#define ADL_VIEW_NEAR (4 << 20)

struct adl_view {
    struct adl_plan plan; /* of the arrays below */
    struct adl_flight flights[ADL_VIEW_FLIGHTS];
    struct adl_transfer *transfers[ADL_VIEW_FLIGHTS]; /* whose flights they are */
    struct adl_window windows[ADL_VIEW_WINDOWS];
    struct adl_link link;
    unsigned width; /* connections that are good for it */
    int64_t asked;  /* bytes that were asked for and are not here */
    bool warm;      /* set by the caller: windows of warms, and no others */
};

/* Of a file that is open, and of known size. All but `warm` is set. */
void adl_view_of(struct adl_file *file, struct adl_view *view);

/* What is known of the link to the mirror that is asked next, and the file's share of it. */
struct adl_link adl_view_link(struct adl_file *file);

#endif
