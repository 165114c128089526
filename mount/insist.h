/* insist: signals that are heard, however near they come to a wait.
 *
 * A handler that only notes its signal counts on interrupting what its process waits in; where the
 * signal comes a moment before, the wait begins nevertheless, and nothing ends it. So from the
 * first signal on the handler is called again each second, by alarm(2), until somebody says that it
 * was heard. One use in a process. */
#ifndef ADL_INSIST_H
#define ADL_INSIST_H

#include <stddef.h>

/* Called in a signal's handler, and again with SIGALRM: may do what signal-safety(7) allows. */
typedef void adl_insist_fn(int number);

/* `heard` is called for these signals from now on, where they would end the process: not those that
 * are ignored (nohup(1)) or that mean something else. Calls that wait fail with EINTR in the thread
 * that gets the signal. 0 or -errno. */
int adl_insist_catch(const int *numbers, size_t count, adl_insist_fn *heard);

/* It was heard: the signals do nothing any more. */
void adl_insist_stop(void);

/* And now they end the process again. */
void adl_insist_release(const int *numbers, size_t count);

#endif
