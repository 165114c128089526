/* thread: threads in which no signal is handled. */
#ifndef ADL_THREAD_H
#define ADL_THREAD_H

#include <pthread.h>

/* As pthread_create(), without attributes. Signals that are sent to the process go to the threads
 * that its program made, which wait for them; threads that the new one makes are as it is. 0 or
 * -errno. */
int adl_thread_start(pthread_t *thread, void *(*run)(void *ctx), void *ctx);

#endif
