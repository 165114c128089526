/* interrupt: a command that ends in its own time at a signal, whatever it waits for: a daemon, a
 * pipe that nobody reads. */
#ifndef ADL_INTERRUPT_H
#define ADL_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM end nothing by themselves: that one came is remembered, and calls
 * that wait fail with EINTR, also those that begin right after it (see insist.h). Those that wait
 * in the kernel for a mount do not: they are to be over. For the main thread. */
void adl_interrupt_catch(void);

/* Whether one has come. */
extern _Atomic bool adl_interrupted;

/* The exit status that says by which, as a shell's. */
int adl_interrupt_status(void);

#endif
