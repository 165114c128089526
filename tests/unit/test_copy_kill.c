/* kill -9 after any system call: a child works on a copy while this process counts its system calls
 * and kills it at the first, the second, the third ... until it gets through. Then the copy is
 * opened as the next mount would, and whatever it offers must be the bytes of the version asked
 * for. */
#include "copy.h"

#include "effort.h"
#include "scratch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cmocka.h>

#define BLOCK     4096
#define SIZE      (5 * BLOCK + 100)
#define KILLS_MAX 2000

static unsigned char versions[2][SIZE]; /* what the file was and what it is */

struct fixture {
    struct scratch scratch;
    struct adl_head heads[2];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    true_bytes(versions[0], 0, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        versions[1][i] = (unsigned char)~versions[0][i];
    for (int i = 0; i < 2; i++)
        f->heads[i] = (struct adl_head){.key = adl_store_key("http://example.org/a"),
                                        .validator = {.etag = {'"', (char)('0' + i), '"'}},
                                        .size = SIZE,
                                        .block_size = BLOCK};
    return scratch_open(&f->scratch, BLOCK);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    scratch_close(&f->scratch);
    free(f);
    return 0;
}

/* Opens a version, writes it in pieces that fit no block, with flushes in between, and closes. */
static void fetch(struct fixture *f, int version)
{
    struct adl_copy *copy;
    struct adl_run run = {0};
    if (adl_copy_open(f->scratch.store, &f->heads[version], true, &copy) < 0)
        _exit(1);
    for (int64_t at = 0, length; at < SIZE; at += length) {
        length = SIZE - at < 3000 ? SIZE - at : 3000;
        if (adl_copy_write(copy, &run, versions[version] + at, (size_t)length, at) < 0 ||
            adl_sidecar_flush(copy->sidecar) < 0)
            _exit(1);
    }
    adl_run_free(&run);
    adl_copy_close(copy);
}

static void resume(struct fixture *f)
{
    fetch(f, 0);
}

static void change(struct fixture *f)
{
    fetch(f, 1);
}

static void stream(struct fixture *f)
{
    struct adl_head head = f->heads[1];
    struct adl_copy *copy;
    head.size = -1;
    if (adl_copy_open(f->scratch.store, &head, true, &copy) < 0 ||
        adl_copy_write(copy, NULL, versions[1], SIZE, 0) < 0 ||
        adl_copy_finish(copy, &f->heads[1]) < 0)
        _exit(1);
    adl_copy_close(copy);
}

static void take_away(struct fixture *f)
{
    struct adl_copy *copy;
    if (adl_copy_open(f->scratch.store, &f->heads[0], true, &copy) < 0)
        _exit(1);
    adl_copy_unlink(copy);
    adl_copy_close(copy);
}

static void note(struct fixture *f)
{
    if (adl_sidecar_note(f->scratch.store, &f->heads[1]) < 0)
        _exit(1);
}

/* Runs `work` in a child that is killed at its kill_at-th stop for a system call: every second stop
 * comes before one, the others behind. -1: no tracing here; 0: killed; 1: it got through. */
static int run_until(struct fixture *f, void (*work)(struct fixture *), int kill_at)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(2);
        raise(SIGSTOP);
        work(f);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    for (int stops = 0; WIFSTOPPED(status); stops++) {
        if (stops == kill_at)
            kill(child, SIGKILL);
        else if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) < 0)
            return -1;
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    if (WIFSIGNALED(status))
        return 0;
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2);
    return WEXITSTATUS(status) == 2 ? -1 : 1;
}

static void check_version(struct fixture *f, int version)
{
    unsigned char buffer[BLOCK];
    struct adl_copy *copy;
    assert_int_equal(adl_copy_open(f->scratch.store, &f->heads[version], true, &copy), 0);
    assert_true(copy->named);
    for (uint64_t block = 0; block < copy->sidecar->blocks; block++) {
        int64_t first = (int64_t)block * BLOCK;
        int64_t end = first + BLOCK < SIZE ? first + BLOCK : SIZE;
        if (!adl_copy_has(copy, first, end) && adl_copy_verify(copy, block, buffer) != 1)
            continue;
        assert_int_equal(pread(copy->data, buffer, (size_t)(end - first), first), end - first);
        assert_memory_equal(buffer, versions[version] + first, (size_t)(end - first));
    }
    adl_copy_close(copy);
}

/* Kills `work` at each of its system calls, over a store that holds the old version whole. */
static void kill_everywhere(struct fixture *f, void (*work)(struct fixture *), int next_version)
{
    int step = effort(1, 5);
    for (int kill_at = 1; kill_at < KILLS_MAX; kill_at += step) {
        fetch(f, 0);
        if (work == resume) { /* half of it gone: there is something to do */
            struct adl_copy *copy;
            assert_int_equal(adl_copy_open(f->scratch.store, &f->heads[0], true, &copy), 0);
            adl_sidecar_drop(copy->sidecar, 1);
            adl_sidecar_drop(copy->sidecar, 3);
            adl_copy_close(copy);
        }
        int through = run_until(f, work, kill_at);
        if (through < 0)
            skip();
        check_version(f, next_version);
        check_version(f, next_version); /* what the first left in order is no worse */
        if (through)
            return;
    }
    fail();
}

static void resuming_may_be_killed_at_any_call(void **state)
{
    kill_everywhere(*state, resume, 0);
}

static void a_change_of_version_may_be_killed_at_any_call(void **state)
{
    kill_everywhere(*state, change, 1);
}

static void the_old_version_is_not_mixed_with_a_killed_new_one(void **state)
{
    kill_everywhere(*state, change, 0);
}

static void finishing_a_stream_may_be_killed_at_any_call(void **state)
{
    kill_everywhere(*state, stream, 1);
}

static void removal_may_be_killed_at_any_call(void **state)
{
    kill_everywhere(*state, take_away, 0);
}

static void a_note_may_be_killed_at_any_call(void **state)
{
    kill_everywhere(*state, note, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(resuming_may_be_killed_at_any_call),
        T(a_change_of_version_may_be_killed_at_any_call),
        T(the_old_version_is_not_mixed_with_a_killed_new_one),
        T(finishing_a_stream_may_be_killed_at_any_call),
        T(removal_may_be_killed_at_any_call),
        T(a_note_may_be_killed_at_any_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
