/* chore: an order that takes its time with each of its files: evict, verify. One file after the
 * other, on the loop, until all of them or the time of one answer is used up; then the answer says
 * where to go on, so that nothing goes on for somebody who has left, and no answer is endless.
 *
 * Files of which nothing is cached are passed over and cost no memory. */
#ifndef ADL_CHORE_H
#define ADL_CHORE_H

#include "desk.h"

/* Begins; errand->finish() is called once, now or later, with the answer set. The loop. */
void adl_chore_begin(struct adl_engine *engine, struct adl_errand *errand);

/* Puts the paths of the answer's files beside their entries, as errand->tree has them; those that a
 * reload has taken out of it meanwhile are left out. Any thread, once it has finished. */
void adl_chore_name(struct adl_errand *errand);

#endif
