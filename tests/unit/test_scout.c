/* The promises of mount/scout.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scout.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* ms; what comes back does so at once, but on a machine that stands still. */
#define LONG_MS 60000

struct finding {
    int number;
    int open; /* whether the descriptor that was asked for is */
};

static void look(const void *what, void *found)
{
    struct finding *finding = found;
    const int *fd = what;
    finding->number++;
    finding->open = fcntl(*fd, F_GETFD) >= 0;
}

static void never_return(const void *what, void *found)
{
    look(what, found);
    for (;;)
        poll(NULL, 0, -1);
}

static void die(const void *what, void *found)
{
    look(what, found);
    _exit(1);
}

static void it_tells_what_it_found_and_has_nothing_of_ours_open(void **state)
{
    (void)state;
    struct finding finding = {.number = 6, .open = -1};
    int fd = STDERR_FILENO;
    assert_int_equal(adl_scout_send(look, &fd, &finding, sizeof(finding), LONG_MS), 0);
    assert_int_equal(finding.number, 7);
    assert_int_equal(finding.open, 0);
}

static void who_does_not_come_back_is_left_behind_with_what_was_found(void **state)
{
    (void)state;
    struct finding finding = {0};
    int fd = STDERR_FILENO;
    assert_int_equal(adl_scout_send(never_return, &fd, &finding, sizeof(finding), 3000),
                     -ETIMEDOUT);
    assert_int_equal(finding.number, 1);
}

static void who_dies_out_there_is_missed(void **state)
{
    (void)state;
    struct finding finding = {0};
    int fd = STDERR_FILENO;
    assert_int_equal(adl_scout_send(die, &fd, &finding, sizeof(finding), LONG_MS), -EIO);
    assert_int_equal(finding.number, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tells_what_it_found_and_has_nothing_of_ours_open),
        cmocka_unit_test(who_does_not_come_back_is_left_behind_with_what_was_found),
        cmocka_unit_test(who_dies_out_there_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
