#include "journal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A journal that keeps nothing: the socket where it would listen. */
struct stand_in {
    char path[64];
    int fd;
};

static int listen_there(void **state)
{
    struct stand_in *one = calloc(1, sizeof(*one));
    if (!one)
        return -1;
    *state = one;
    snprintf(one->path, sizeof(one->path), "/tmp/adlfs-test-journal-%d", (int)getpid());
    unlink(one->path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", one->path);
    one->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return one->fd < 0 ? -1 : bind(one->fd, (const struct sockaddr *)&address, sizeof(address));
}

static int close_it(void **state)
{
    struct stand_in *one = *state;
    close(one->fd);
    unlink(one->path);
    free(one);
    return 0;
}

static void assert_sent(const struct stand_in *one, const struct adl_journal_entry *entry,
                        const char *expected)
{
    int fd = adl_journal_open(one->path);
    assert_true(fd >= 0);
    assert_int_equal(adl_journal_send(fd, one->path, entry), 0);
    close(fd);
    char text[8192];
    ssize_t got = recv(one->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    assert_true(got >= 0);
    text[got] = '\0';
    assert_string_equal(text, expected);
}

static void a_message_has_fields(void **state)
{
    const struct adl_journal_entry entry = {.level = ADL_NOTICE,
                                            .message = "mounted",
                                            .mount = "/mnt/a b",
                                            .source = "urls.txt"};
    assert_sent(*state, &entry,
                "PRIORITY=5\nSYSLOG_IDENTIFIER=adlfs\nMESSAGE=mounted\n"
                "ADLFS_MOUNT=/mnt/a b\nADLFS_SOURCE=urls.txt\n");
}

static void a_message_about_a_url_says_which(void **state)
{
    const struct adl_journal_entry about = {.level = ADL_WARNING,
                                            .message = "https://a.org/x?...: 404: not there"};
    assert_sent(*state, &about,
                "PRIORITY=4\nSYSLOG_IDENTIFIER=adlfs\n"
                "MESSAGE=https://a.org/x?...: 404: not there\nADLFS_URL=https://a.org/x?...\n");
    static const char *const others[] = {"http is a protocol", "http://a.org/x", "http://a.org/x y",
                                         "x: http://a.org/: y"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct adl_journal_entry other = {.level = ADL_ERROR, .message = others[i]};
        char expected[256];
        snprintf(expected, sizeof(expected), "PRIORITY=3\nSYSLOG_IDENTIFIER=adlfs\nMESSAGE=%s\n",
                 others[i]);
        assert_sent(*state, &other, expected);
    }
}

static void a_field_without_room_is_left_out(void **state)
{
    char *mount = malloc(20000);
    assert_non_null(mount);
    memset(mount, 'x', 19999);
    mount[19999] = '\0';
    const struct adl_journal_entry entry = {.level = ADL_DEBUG, .message = "m", .mount = mount};
    assert_sent(*state, &entry, "PRIORITY=7\nSYSLOG_IDENTIFIER=adlfs\nMESSAGE=m\n");
    free(mount);
}

static void a_value_cannot_forge_a_field(void **state)
{
    const struct adl_journal_entry entry = {.level = ADL_NOTICE,
                                            .message = "m",
                                            .mount = "/mnt/x\nPRIORITY=0"};
    assert_sent(*state, &entry, "PRIORITY=5\nSYSLOG_IDENTIFIER=adlfs\nMESSAGE=m\n");
}

static void a_full_journal_keeps_nobody_waiting(void **state)
{
    struct stand_in *one = *state;
    const struct adl_journal_entry entry = {.level = ADL_NOTICE, .message = "again"};
    int fd = adl_journal_open(one->path);
    assert_true(fd >= 0);
    int r = 0;
    for (int i = 0; r == 0 && i < 1000000; i++)
        r = adl_journal_send(fd, one->path, &entry);
    assert_int_equal(r, -EAGAIN);
    close(fd);
}

static void without_a_journal_nothing_opens(void **state)
{
    struct stand_in *one = *state;
    close(one->fd);
    one->fd = -1;
    assert_int_equal(adl_journal_open(one->path), -ECONNREFUSED);
    unlink(one->path);
    assert_int_equal(adl_journal_open(one->path), -ENOENT);
}

static void the_stream_is_known_by_device_and_inode(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct stat st;
    assert_int_equal(fstat(ends[1], &st), 0);
    char text[64];
    snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", text, 1);
    assert_true(adl_journal_stream(ends[1]));
    assert_false(adl_journal_stream(STDERR_FILENO));
    strcat(text, "x");
    setenv("JOURNAL_STREAM", text, 1);
    assert_false(adl_journal_stream(ends[1]));
    setenv("JOURNAL_STREAM", "1", 1);
    assert_false(adl_journal_stream(ends[1]));
    unsetenv("JOURNAL_STREAM");
    assert_false(adl_journal_stream(ends[1]));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_has_fields, listen_there, close_it),
        cmocka_unit_test_setup_teardown(a_message_about_a_url_says_which, listen_there, close_it),
        cmocka_unit_test_setup_teardown(a_field_without_room_is_left_out, listen_there, close_it),
        cmocka_unit_test_setup_teardown(a_value_cannot_forge_a_field, listen_there, close_it),
        cmocka_unit_test_setup_teardown(a_full_journal_keeps_nobody_waiting, listen_there,
                                        close_it),
        cmocka_unit_test_setup_teardown(without_a_journal_nothing_opens, listen_there, close_it),
        cmocka_unit_test(the_stream_is_known_by_device_and_inode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
