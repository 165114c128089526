#define FUSE_USE_VERSION 312

#include "ending.h"

#include "insist.h"

#include <fuse_lowlevel.h>
#include <signal.h>

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
#define COUNT (sizeof(signals) / sizeof(signals[0]))

/* As long as there is anything to tell. */
static struct fuse_session *ended;

static void end(int number)
{
    (void)number;
    fuse_session_exit(ended);
}

void adl_ending_catch(struct fuse_session *session)
{
    ended = session;
    adl_insist_catch(signals, COUNT, end);
}

void adl_ending_heard(void)
{
    adl_insist_stop();
}

void adl_ending_release(void)
{
    adl_insist_release(signals, COUNT);
}
