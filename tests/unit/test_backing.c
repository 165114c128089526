/* The kernel is played by the other end of a socket: it can offer what it likes. */
#define FUSE_USE_VERSION 312

#include "backing.h"
#include "kernel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HANDLE 0x1234567890abcdef
#define NUMBER 77

struct fixture {
    struct adl_backing backing; /* first, as it wants to be */
    struct fuse_session *session;
    int kernel;
    uint64_t unique; /* of the last request */
    bool stacked;
    bool offered; /* what adl_backing_ask() said */
};

static void on_init(void *userdata, struct fuse_conn_info *conn)
{
    struct fixture *f = userdata;
    f->offered = adl_backing_ask(&f->backing, conn, f->stacked);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)ino;
    info->fh = HANDLE;
    info->keep_cache = 1;
    info->direct_io = 1;
    assert_int_equal(adl_backing_reply_open(req, info, NUMBER), 0);
}

static int setup(void **state)
{
    static const struct fuse_lowlevel_ops operations = {.init = on_init, .open = on_open};
    char *argv[] = {(char[]){"test"}, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    struct fixture *f = calloc(1, sizeof(*f));
    int ends[2];
    char device[32];
    assert_non_null(f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    f->kernel = ends[0];
    f->unique = 2;
    f->session = fuse_session_new(&args, &operations, sizeof(operations), f);
    fuse_opt_free_args(&args);
    assert_non_null(f->session);
    snprintf(device, sizeof(device), "/dev/fd/%d", ends[1]);
    assert_int_equal(fuse_session_mount(f->session, device), 0);
    assert_int_equal(adl_backing_attach(&f->backing, f->session), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fuse_session_destroy(f->session); /* closes its end */
    close(f->kernel);
    free(f);
    return 0;
}

/* Sends a request, has the session answer it, and puts the answer's payload into `out`. */
static void ask(struct fixture *f, uint32_t opcode, const void *in, size_t in_size, void *out,
                size_t out_size)
{
    char message[256];
    struct fuse_in_header head = {.len = (uint32_t)(sizeof(head) + in_size),
                                  .opcode = opcode,
                                  .unique = f->unique += 2,
                                  .nodeid = opcode == FUSE_INIT ? 0 : 5};
    memcpy(message, &head, sizeof(head));
    memcpy(message + sizeof(head), in, in_size);
    assert_int_equal(send(f->kernel, message, head.len, 0), head.len);

    struct fuse_buf request = {.mem = NULL};
    assert_int_equal(fuse_session_receive_buf(f->session, &request), head.len);
    fuse_session_process_buf(f->session, &request);
    free(request.mem);

    struct fuse_out_header answer;
    ssize_t got = recv(f->kernel, message, sizeof(message), MSG_DONTWAIT);
    assert_int_equal(got, sizeof(answer) + out_size);
    memcpy(&answer, message, sizeof(answer));
    assert_int_equal(answer.unique, head.unique);
    assert_int_equal(answer.len, got);
    assert_int_equal(answer.error, 0);
    memcpy(out, message + sizeof(answer), out_size);
}

static struct adl_kernel_init_out greet(struct fixture *f, uint32_t minor, uint32_t flags,
                                        uint32_t flags2, size_t size)
{
    struct adl_kernel_init_out out;
    struct fuse_init_in in = {.major = 7,
                              .minor = minor,
                              .max_readahead = 128 << 10,
                              .flags = flags | FUSE_ASYNC_READ | FUSE_MAX_PAGES,
                              .flags2 = flags2};
    ask(f, FUSE_INIT, &in, size, &out, sizeof(out));
    return out;
}

static void what_is_offered_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct adl_kernel_init_out out =
        greet(f, 41, FUSE_INIT_EXT, ADL_KERNEL_PASSTHROUGH, sizeof(struct fuse_init_in));
    assert_true(f->offered);
    assert_true(out.flags & FUSE_INIT_EXT);
    assert_true(out.flags2 & ADL_KERNEL_PASSTHROUGH);
    assert_int_equal(out.max_stack_depth, 1);
    assert_true(out.flags & FUSE_ASYNC_READ);
}

static void below_a_stacked_cache_there_is_room_for_it(void **state)
{
    struct fixture *f = *state;
    f->stacked = true;
    struct adl_kernel_init_out out =
        greet(f, 41, FUSE_INIT_EXT, ADL_KERNEL_PASSTHROUGH, sizeof(struct fuse_init_in));
    assert_true(f->offered);
    assert_int_equal(out.max_stack_depth, 2);
}

static void a_kernel_without_it_is_not_asked(void **state)
{
    struct fixture *f = *state;
    struct adl_kernel_init_out out =
        greet(f, 41, FUSE_INIT_EXT, ~ADL_KERNEL_PASSTHROUGH & 0xff, sizeof(struct fuse_init_in));
    assert_false(f->offered);
    assert_false(out.flags2 & ADL_KERNEL_PASSTHROUGH);
    assert_int_equal(out.max_stack_depth, 0);
}

static void a_kernel_that_knows_no_second_flags_is_not_asked(void **state)
{
    struct fixture *f = *state;
    struct adl_kernel_init_out out =
        greet(f, 35, 0, ADL_KERNEL_PASSTHROUGH, sizeof(struct fuse_init_in));
    assert_false(f->offered);
    assert_false(out.flags & FUSE_INIT_EXT);
    assert_int_equal(out.flags2, 0);
}

static void an_old_kernel_s_short_request_is_not_read_past(void **state)
{
    struct fixture *f = *state;
    struct adl_kernel_init_out out = greet(f, 31, 0, 0, offsetof(struct fuse_init_in, flags2));
    assert_false(f->offered);
    assert_int_equal(out.flags2, 0);
    assert_int_equal(out.max_stack_depth, 0);
}

static void only_what_asks_for_it_is_added(void **state)
{
    struct fixture *f = *state;
    struct adl_kernel_init_out without =
        greet(f, 41, FUSE_INIT_EXT, 0, sizeof(struct fuse_init_in));
    teardown(state);
    setup(state);
    f = *state;
    struct adl_kernel_init_out with =
        greet(f, 41, FUSE_INIT_EXT, ADL_KERNEL_PASSTHROUGH, sizeof(struct fuse_init_in));
    with.flags2 &= ~ADL_KERNEL_PASSTHROUGH;
    with.max_stack_depth = 0;
    assert_memory_equal(&with, &without, sizeof(with));
}

static void an_open_is_answered_with_the_backing_file_and_no_word_of_caching(void **state)
{
    struct fixture *f = *state;
    struct fuse_open_in in = {.flags = 0};
    struct adl_kernel_open_out out;
    greet(f, 41, FUSE_INIT_EXT, ADL_KERNEL_PASSTHROUGH, sizeof(struct fuse_init_in));
    ask(f, FUSE_OPEN, &in, sizeof(in), &out, sizeof(out));
    assert_true(out.fh == HANDLE);
    assert_int_equal(out.backing_id, NUMBER);
    assert_int_equal(out.open_flags, ADL_KERNEL_OPEN_PASSTHROUGH);
}

static void what_the_device_refuses_is_an_error(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(adl_backing_open(&f->backing, f->kernel), -ENOTTY);
    adl_backing_close(&f->backing, NUMBER);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_offered_is_asked_for),
        TEST(below_a_stacked_cache_there_is_room_for_it),
        TEST(a_kernel_without_it_is_not_asked),
        TEST(a_kernel_that_knows_no_second_flags_is_not_asked),
        TEST(an_old_kernel_s_short_request_is_not_read_past),
        TEST(only_what_asks_for_it_is_added),
        TEST(an_open_is_answered_with_the_backing_file_and_no_word_of_caching),
        TEST(what_the_device_refuses_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
