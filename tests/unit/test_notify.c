#include "notify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A service manager's end. `name` begins with "@" for the abstract name space. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void assert_told(int fd, const char *expected)
{
    char text[4096];
    ssize_t got = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    assert_true(got >= 0);
    text[got] = '\0';
    assert_string_equal(text, expected);
}

static void a_state_is_one_datagram(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof(name), "/tmp/adlfs-test-notify-%d", (int)getpid());
    unlink(name);
    int fd = listen_at(name);
    assert_int_equal(adl_notify("READY=1\nSTATUS=%d files", 3), 0);
    assert_told(fd, "READY=1\nSTATUS=3 files");
    close(fd);
    assert_int_equal(adl_notify("STOPPING=1"), -ECONNREFUSED);
    unlink(name);
    assert_int_equal(adl_notify("STOPPING=1"), -ENOENT);
}

static void the_socket_may_be_abstract(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof(name), "@adlfs-test-notify-%d", (int)getpid());
    int fd = listen_at(name);
    assert_int_equal(adl_notify("READY=1"), 0);
    assert_told(fd, "READY=1");
    close(fd);
}

static void without_a_socket_nothing_is_told(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(adl_notify("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(adl_notify("READY=1"), 0);
}

static void names_that_are_no_socket_are_errors(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'x', sizeof(name) - 1);
    name[0] = '/';
    name[sizeof(name) - 1] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(adl_notify("READY=1"), -ENAMETOOLONG);
    setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
    assert_int_equal(adl_notify("READY=1"), -EAFNOSUPPORT);
    setenv("NOTIFY_SOCKET", "@", 1);
    assert_int_equal(adl_notify("READY=1"), -EAFNOSUPPORT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_one_datagram),
        cmocka_unit_test(the_socket_may_be_abstract),
        cmocka_unit_test(without_a_socket_nothing_is_told),
        cmocka_unit_test(names_that_are_no_socket_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
