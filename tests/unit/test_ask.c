/* What ask promises of orders that take long: a thread plays the daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ask.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ms; long: what comes does so earlier, also where the machine stands still. */
#define SHORT 20
#define LONG  60000

struct daemon {
    int fd;
    int greetings; /* that it answers before the order; -1: it says nothing at all */
    bool ends;     /* it hangs up in place of an answer */
    bool late;     /* the order is answered first, and the last greeting after that */
};

struct scene {
    struct daemon daemon;
    pthread_t thread;
    struct adl_ask ask;
};

static bool next_line(FILE *in, char *line, size_t room, const char *word)
{
    return fgets(line, (int)room, in) && strstr(line, word);
}

/* A greeting's answer carries the id that it came with. */
static void greet(int fd)
{
    dprintf(fd, "{\"ok\":true,\"adlfs\":1,\"id\":\"greeting\",\"mount\":{}}\n");
}

/* Answers nothing before it was greeted so often: no clock decides how long the order takes. */
static void *serve(void *ctx)
{
    const struct daemon *daemon = ctx;
    char line[1000];
    FILE *in = fdopen(dup(daemon->fd), "r");
    bool well = in && next_line(in, line, sizeof(line), "\"work\"");
    for (int i = 0; well && i < daemon->greetings; i++) {
        well = next_line(in, line, sizeof(line), "\"hello\"");
        if (well && !(daemon->late && i == daemon->greetings - 1))
            greet(daemon->fd);
    }
    if (well && daemon->greetings >= 0 && !daemon->ends)
        dprintf(daemon->fd, "{\"ok\":true,\"adlfs\":1,\"done\":1}\n");
    if (well && daemon->late) {
        greet(daemon->fd);
        if (next_line(in, line, sizeof(line), "\"work\""))
            dprintf(daemon->fd, "{\"ok\":true,\"adlfs\":1,\"done\":2}\n");
    }
    if (daemon->ends)
        shutdown(daemon->fd, SHUT_RDWR);
    if (in)
        fclose(in);
    return NULL;
}

static void begin(struct scene *scene, struct daemon daemon, int patience)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    *scene = (struct scene){.daemon = daemon,
                            .ask = {.fd = ends[0], .patience = patience, .lull = SHORT}};
    scene->daemon.fd = ends[1];
    assert_int_equal(pthread_create(&scene->thread, NULL, serve, &scene->daemon), 0);
}

static void end(struct scene *scene)
{
    shutdown(scene->ask.fd, SHUT_RDWR);
    pthread_join(scene->thread, NULL);
    close(scene->daemon.fd);
    adl_ask_close(&scene->ask);
}

static int work(struct scene *scene, int *done)
{
    json_t *answer;
    int r = adl_ask_long(&scene->ask, json_pack("{s:s}", "do", "work"), &answer);
    if (r < 0)
        return r;
    *done = (int)json_integer_value(json_object_get(answer, "done"));
    json_decref(answer);
    return 0;
}

/* What becomes of one order to such a daemon. */
static void expect(struct daemon daemon, int patience, int error, int result)
{
    struct scene scene;
    int done = 0;
    begin(&scene, daemon, patience);
    assert_int_equal(work(&scene, &done), error);
    assert_int_equal(done, result);
    end(&scene);
}

static void what_is_answered_is_told(void **state)
{
    (void)state;
    expect((struct daemon){0}, LONG, 0, 1);
}

static void who_answers_greetings_is_waited_for(void **state)
{
    (void)state;
    expect((struct daemon){.greetings = 4}, LONG, 0, 1);
}

static void a_greeting_that_is_answered_late_is_not_taken_for_an_answer(void **state)
{
    (void)state;
    struct scene scene;
    int done = 0;
    begin(&scene, (struct daemon){.greetings = 1, .late = true}, LONG);
    assert_int_equal(work(&scene, &done), 0);
    assert_int_equal(done, 1);
    assert_int_equal(work(&scene, &done), 0);
    assert_int_equal(done, 2);
    end(&scene);
}

static void who_says_nothing_is_given_up(void **state)
{
    (void)state;
    expect((struct daemon){.greetings = -1}, 10 * SHORT, -ETIMEDOUT, 0);
}

static void who_hangs_up_is_given_up_at_once(void **state)
{
    (void)state;
    expect((struct daemon){.ends = true}, LONG, -ECONNRESET, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_answered_is_told),
        cmocka_unit_test(who_answers_greetings_is_waited_for),
        cmocka_unit_test(a_greeting_that_is_answered_late_is_not_taken_for_an_answer),
        cmocka_unit_test(who_says_nothing_is_given_up),
        cmocka_unit_test(who_hangs_up_is_given_up_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
