#include "insist.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static const int numbers[] = {SIGUSR1, SIGUSR2};
#define COUNT (sizeof(numbers) / sizeof(numbers[0]))

static volatile sig_atomic_t calls;

static void count(int number)
{
    (void)number;
    calls = calls + 1;
}

static void (*handler_of(int number))(int number)
{
    struct sigaction now;
    assert_int_equal(sigaction(number, NULL, &now), 0);
    return now.sa_handler;
}

/* The signal comes before the wait: what would end it was there too early. */
static void a_wait_that_begins_after_the_signal_ends(void **state)
{
    char byte;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(adl_insist_catch(numbers, COUNT, count), 0);
    calls = 0;
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(poll(NULL, 0, -1), -1);
    assert_int_equal(errno, EINTR);
    assert_int_equal(read(ends[0], &byte, 1), -1); /* and the next */
    assert_int_equal(errno, EINTR);
    assert_true(calls >= 3);
    adl_insist_release(numbers, COUNT);
    close(ends[0]);
    close(ends[1]);
}

static void what_was_heard_is_told_no_more(void **state)
{
    (void)state;
    assert_int_equal(adl_insist_catch(numbers, COUNT, count), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    adl_insist_stop();
    assert_int_equal(alarm(0), 0); /* none was to come */
    calls = 0;
    assert_int_equal(raise(SIGUSR2), 0); /* it does not end us, either */
    assert_int_equal(calls, 0);
    assert_int_equal(alarm(0), 0);
    adl_insist_release(numbers, COUNT);
    assert_true(handler_of(SIGUSR1) == SIG_DFL && handler_of(SIGUSR2) == SIG_DFL);
}

static void what_is_ignored_or_means_something_else_stays_so(void **state)
{
    (void)state;
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, count);
    assert_int_equal(adl_insist_catch(numbers, COUNT, count), 0);
    assert_true(handler_of(SIGUSR1) == SIG_IGN && handler_of(SIGUSR2) == count);
    adl_insist_release(numbers, COUNT);
    assert_true(handler_of(SIGUSR1) == SIG_IGN && handler_of(SIGUSR2) == count);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_that_begins_after_the_signal_ends),
        cmocka_unit_test(what_was_heard_is_told_no_more),
        cmocka_unit_test(what_is_ignored_or_means_something_else_stays_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
