#include "interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

_Atomic bool adl_interrupted;

static void on_signal(int number)
{
    (void)number;
    adl_interrupted = true;
    alarm(1);
}

void adl_interrupt_catch(int number)
{
    const struct sigaction action = {.sa_handler = on_signal}; /* and no SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    sigaction(number, &action, NULL);
}
