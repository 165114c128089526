/* interrupt: a command that ends in its own time at a signal, whatever it waits for: a daemon, a
 * pipe that nobody reads. A signal that comes right before such a wait does not end it: so from the
 * first one on there is another each second, for as long as the process lives. */
#ifndef ADL_INTERRUPT_H
#define ADL_INTERRUPT_H

#include <stdbool.h>

/* From now on this signal ends nothing by itself: it is remembered, and calls that wait fail with
 * EINTR. Those that wait in the kernel for a mount do not: they are to be over. For the main
 * thread. */
void adl_interrupt_catch(int number);

/* Whether one has come. */
extern _Atomic bool adl_interrupted;

#endif
