#include "insist.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* s */
#define AGAIN 1

/* A handler is told nothing else. NULL: nobody need be told. */
static adl_insist_fn *volatile tell;

static void on_signal(int number)
{
    int kept = errno;
    adl_insist_fn *heard = tell;
    if (heard) {
        heard(number);
        alarm(AGAIN);
    }
    errno = kept;
}

/* Where `before` is what handles it. */
static int replace(int number, void (*before)(int number), void (*handler)(int number))
{
    const struct sigaction action = {.sa_handler = handler}; /* and no SA_RESTART */
    struct sigaction now;
    int r = sigaction(number, NULL, &now);
    if (r == 0 && now.sa_handler == before)
        r = sigaction(number, &action, NULL);
    return r < 0 ? -errno : 0;
}

int adl_insist_catch(const int *numbers, size_t count, adl_insist_fn *heard)
{
    const struct sigaction again = {.sa_handler = on_signal};
    tell = heard;
    int r = sigaction(SIGALRM, &again, NULL) < 0 ? -errno : 0;
    for (size_t i = 0; i < count && r == 0; i++)
        r = replace(numbers[i], SIG_DFL, on_signal);
    return r;
}

void adl_insist_stop(void)
{
    tell = NULL;
    alarm(0);
}

void adl_insist_release(const int *numbers, size_t count)
{
    adl_insist_stop();
    for (size_t i = 0; i < count; i++)
        replace(numbers[i], on_signal, SIG_DFL);
}
