#include "interrupt.h"

#include "insist.h"

#include <signal.h>

_Atomic bool adl_interrupted;
static volatile sig_atomic_t came = SIGINT;

static void remember(int number)
{
    if (number != SIGALRM)
        came = number;
    adl_interrupted = true;
}

int adl_interrupt_status(void)
{
    return 128 + came;
}

void adl_interrupt_catch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    adl_insist_catch(numbers, sizeof(numbers) / sizeof(numbers[0]), remember);
}
