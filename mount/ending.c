#define FUSE_USE_VERSION 312

#include "ending.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* How soon a session that has not heard of its end is told again, s. */
#define AGAIN 1

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

/* A handler is told nothing else. NULL: nobody need be told. */
static struct fuse_session *volatile ended;

static void end(int number)
{
    (void)number;
    int kept = errno;
    struct fuse_session *session = ended;
    if (session) {
        fuse_session_exit(session);
        alarm(AGAIN);
    }
    errno = kept;
}

/* Where `before` is what handles it: who started us may have it ignored, and a reload may be what
 * SIGHUP means. */
static void replace(int number, void (*before)(int number), void (*handler)(int number))
{
    const struct sigaction action = {.sa_handler = handler}; /* and no SA_RESTART */
    struct sigaction now;
    if (sigaction(number, NULL, &now) == 0 && now.sa_handler == before)
        sigaction(number, &action, NULL);
}

void adl_ending_catch(struct fuse_session *session)
{
    const struct sigaction again = {.sa_handler = end};
    ended = session;
    sigaction(SIGALRM, &again, NULL);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        replace(signals[i], SIG_DFL, end);
}

void adl_ending_heard(void)
{
    ended = NULL;
    alarm(0);
}

void adl_ending_release(void)
{
    adl_ending_heard();
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        replace(signals[i], end, SIG_DFL);
}
