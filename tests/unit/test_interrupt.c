#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

/* The signal comes before the wait: what would end it was there too early. */
static void a_wait_that_begins_after_the_signal_ends(void **state)
{
    char byte;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    adl_interrupt_catch(SIGUSR1);
    assert_false(adl_interrupted);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_true(adl_interrupted);
    assert_int_equal(poll(NULL, 0, -1), -1);
    assert_int_equal(errno, EINTR);
    assert_int_equal(read(ends[0], &byte, 1), -1); /* and the next */
    assert_int_equal(errno, EINTR);
    alarm(0);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_that_begins_after_the_signal_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
