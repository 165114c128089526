#define FUSE_USE_VERSION 312

#include "ending.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static const int signals[] = {SIGTERM, SIGINT};

/* A handler is told nothing else. Set before the handlers are, and left alone while they are. */
static struct fuse_session *ended;
static pthread_t waiting;

static void end(int number)
{
    int kept = errno;
    fuse_session_exit(ended);
    if (!pthread_equal(pthread_self(), waiting))
        pthread_kill(waiting, number);
    errno = kept;
}

/* Whether it ends the mount: who started us may have it ignored. */
static bool ends(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_IGN;
}

static void set(void (*handler)(int number))
{
    const struct sigaction action = {.sa_handler = handler}; /* and no SA_RESTART */
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (ends(signals[i]))
            sigaction(signals[i], &action, NULL);
}

void adl_ending_catch(struct fuse_session *session)
{
    ended = session;
    waiting = pthread_self();
    set(end);
}

void adl_ending_release(void)
{
    set(SIG_DFL);
    ended = NULL;
}
