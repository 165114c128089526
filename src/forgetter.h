/* forgetter: has the kernel forget what it keeps of files, for orders that found it wrong
 * (verify), before they are answered. What was evicted was right: that is forgotten by the next
 * open, since no thread of a daemon that is killed in between may wait within the kernel for its
 * own answer.
 *
 * A thread of its own, since the kernel locks a page while it is read: who has it forget that page
 * waits for the read, and with it for an origin, or for a pause to end. Neither the loop nor the
 * control's thread may wait for those; only the order does. The thread begins with the first order
 * that needs it. */
#ifndef ADL_FORGETTER_H
#define ADL_FORGETTER_H

#include "desk.h"

/* The kernel is to forget that. May take as long as a read does. */
typedef void adl_forget_fn(void *ctx, const struct adl_stale *stale);

struct adl_forgetter;

/* `back` takes an errand whose stale parts were forgotten, on the thread; or, when it is ending, or
 * without memory for a thread, at once and without that. 0 or -ENOMEM. */
typedef void adl_forgotten_fn(struct adl_errand *errand);
int adl_forgetter_new(adl_forget_fn *forget, void *ctx, adl_forgotten_fn *back,
                      struct adl_forgetter **out);

/* Takes an errand, and does not wait. Any thread. */
void adl_forgetter_take(struct adl_forgetter *forgetter, struct adl_errand *errand);

/* Has nothing forgotten any more. Whether something is under way still. Any thread. */
bool adl_forgetter_ends(struct adl_forgetter *forgetter);

/* Waits for what is under way, and has nothing forgotten any more. No read may wait for ever
 * meanwhile. May be called again. NULL is nothing. */
void adl_forgetter_stop(struct adl_forgetter *forgetter);

/* Stops it. Nobody may use it any more. NULL is nothing. */
void adl_forgetter_free(struct adl_forgetter *forgetter);

#endif
