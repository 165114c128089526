#include "thread.h"

#include <signal.h>
#include <stddef.h>

int adl_thread_start(pthread_t *thread, void *(*run)(void *ctx), void *ctx)
{
    /* A thread's own faults are nobody else's: blocked, they could not be reported. */
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
    sigset_t others, before;
    sigfillset(&others);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&others, faults[i]);
    int error = -pthread_sigmask(SIG_SETMASK, &others, &before);
    if (error < 0)
        return error;
    error = -pthread_create(thread, NULL, run, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}
