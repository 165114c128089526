/* The promises of src/socket.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define DEVICE makedev(0, 77)

struct place {
    char root[64], directory[80];
};

static int set_up(void **state)
{
    static struct place place;
    snprintf(place.root, sizeof(place.root), "/tmp/adlfs-test-XXXXXX");
    if (!mkdtemp(place.root))
        return -1;
    snprintf(place.directory, sizeof(place.directory), "%s/adlfs", place.root);
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    const struct place *place = *state;
    char name[96];
    snprintf(name, sizeof(name), "%s/0:77.sock", place->directory);
    unlink(name);
    rmdir(place->directory);
    unlink(place->directory); /* where a test made a link or a file of it */
    return rmdir(place->root);
}

static bool answers(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return connected;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode;
}

static void it_listens_for_the_user_alone_until_it_ends(void **state)
{
    const struct place *place = *state;
    struct adl_socket it;
    assert_int_equal(adl_socket_open(&it, place->directory, DEVICE, 4), 0);
    assert_string_equal(it.name, "0:77.sock");
    assert_int_equal(mode_of(place->directory), S_IFDIR | 0700);
    assert_int_equal(mode_of(it.path), S_IFSOCK | 0600);
    assert_true(answers(it.path));
    adl_socket_end(&it);
    assert_int_equal(access(it.path, F_OK), -1);
    adl_socket_end(&it);
    adl_socket_free(&it);
    assert_null(it.path);
}

static void a_directory_that_others_could_enter_becomes_the_user_s_alone(void **state)
{
    const struct place *place = *state;
    struct adl_socket it;
    assert_int_equal(mkdir(place->directory, 0700), 0);
    assert_int_equal(chmod(place->directory, 0755), 0);
    assert_int_equal(adl_socket_open(&it, place->directory, DEVICE, 4), 0);
    assert_int_equal(mode_of(place->directory), S_IFDIR | 0700);
    adl_socket_free(&it);
}

static void what_is_no_directory_is_refused(void **state)
{
    const struct place *place = *state;
    struct adl_socket it;
    assert_int_equal(symlink(place->root, place->directory), 0);
    int r = adl_socket_open(&it, place->directory, DEVICE, 4);
    assert_true(r == -ELOOP || r == -ENOTDIR);
    adl_socket_free(&it);
    assert_int_equal(unlink(place->directory), 0);
    int fd = open(place->directory, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(adl_socket_open(&it, place->directory, DEVICE, 4), -ENOTDIR);
    adl_socket_free(&it);
}

static void what_a_killed_daemon_left_is_replaced(void **state)
{
    const struct place *place = *state;
    struct adl_socket dead, it;
    assert_int_equal(adl_socket_open(&dead, place->directory, DEVICE, 4), 0);
    close(dead.listen); /* as a kill does: the name stays */
    dead.listen = -1;
    assert_false(answers(dead.path));
    assert_int_equal(adl_socket_open(&it, place->directory, DEVICE, 4), 0);
    assert_true(answers(it.path));
    adl_socket_free(&it);
    adl_socket_free(&dead);
}

static void nobody_takes_away_what_is_another_s(void **state)
{
    const struct place *place = *state;
    struct adl_socket first, second;
    assert_int_equal(adl_socket_open(&first, place->directory, DEVICE, 4), 0);
    assert_int_equal(adl_socket_open(&second, place->directory, DEVICE, 4), 0);
    adl_socket_free(&first);
    assert_true(answers(second.path));
    adl_socket_free(&second);
}

static void one_that_could_not_be_opened_can_be_freed(void **state)
{
    const struct place *place = *state;
    char nowhere[128];
    struct adl_socket it;
    snprintf(nowhere, sizeof(nowhere), "%s/no/such/directory", place->root);
    assert_int_equal(adl_socket_open(&it, nowhere, DEVICE, 4), -ENOENT);
    adl_socket_end(&it);
    adl_socket_free(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_listens_for_the_user_alone_until_it_ends, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_directory_that_others_could_enter_becomes_the_user_s_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_directory_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_killed_daemon_left_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_takes_away_what_is_another_s, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_could_not_be_opened_can_be_freed, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
