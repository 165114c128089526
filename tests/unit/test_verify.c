/* adl_file_verify(): what is cached is compared while the engine runs, also of a file that nobody
 * has open or that is being read; what is wrong is fetched again. The origin is a thread of the
 * test that answers ranges on loopback. */
#include "file.h"
#include "sidecar.h"

#include "copy_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <time.h>

#define PATIENCE 60 /* s; only a hang takes so long */

struct origin {
    int socket;
    pthread_t thread;
    _Atomic unsigned requests;
    _Atomic bool stop;
};

/* One request a connection. */
static void serve(struct origin *origin, int connection)
{
    char request[4096] = "", head[512];
    size_t used = 0;
    long first = 0, last = SIZE - 1;
    while (used + 1 < sizeof(request) && !strstr(request, "\r\n\r\n")) {
        ssize_t n = recv(connection, request + used, sizeof(request) - 1 - used, 0);
        if (n <= 0)
            return;
        used += (size_t)n;
        request[used] = '\0';
    }
    const char *range = strstr(request, "Range: bytes=");
    if (!range || sscanf(range, "Range: bytes=%ld-%ld", &first, &last) != 2 || last >= SIZE)
        last = SIZE - 1;
    origin->requests++;
    int length = snprintf(head, sizeof(head),
                          "HTTP/1.1 206 Partial Content\r\nETag: \"one\"\r\nConnection: close\r\n"
                          "Content-Length: %ld\r\nContent-Range: bytes %ld-%ld/%d\r\n\r\n",
                          last - first + 1, first, last, SIZE);
    send(connection, head, (size_t)length, MSG_NOSIGNAL);
    send(connection, truth + first, (size_t)(last - first + 1), MSG_NOSIGNAL);
}

static void *work(void *ctx)
{
    struct origin *origin = ctx;
    while (!origin->stop) {
        int connection = accept(origin->socket, NULL, NULL);
        if (connection < 0)
            continue;
        serve(origin, connection);
        shutdown(connection, SHUT_WR);
        close(connection);
    }
    return NULL;
}

static unsigned begin_origin(struct origin *origin)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    origin->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(origin->socket, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(origin->socket, 16), 0);
    assert_int_equal(getsockname(origin->socket, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(pthread_create(&origin->thread, NULL, work, origin), 0);
    return ntohs(address.sin_port);
}

static void end_origin(struct origin *origin)
{
    origin->stop = true;
    shutdown(origin->socket, SHUT_RDWR);
    pthread_join(origin->thread, NULL);
    close(origin->socket);
}

/* --- an engine whose one file is cached */

struct world {
    struct fixture *f;
    struct origin origin;
    struct adl_settings settings;
    struct adl_manifest manifest;
    struct adl_engine *engine;
    struct adl_handle *handle;
    sem_t answered;
    int error;
    int64_t checked, first, end; /* the one range that is wrong */
    size_t wrong;
    int fd;
    size_t length;
};

static void await(struct world *w)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    while (sem_timedwait(&w->answered, &until) < 0)
        assert_int_equal(errno, EINTR);
}

static void no_problems(void *ctx, enum adl_level level, uint64_t line, const char *text)
{
    (void)ctx, (void)level, (void)line;
    fail_msg("%s", text);
}

static struct world *begin(struct fixture *f)
{
    char text[128];
    struct world *w = calloc(1, sizeof(*w));
    const struct adl_problems problems = {.tell = no_problems};
    w->f = f;
    sem_init(&w->answered, 0, 0);
    int length = snprintf(text, sizeof(text), "http://127.0.0.1:%u/a", begin_origin(&w->origin));
    f->want.key = adl_store_key(text);
    f->want.validator.last_modified = ADL_TIME_UNKNOWN;
    f->want.flags = ADL_HEAD_SPLIT;
    assert_int_equal(adl_manifest_parse(text, (size_t)length, &problems, &w->manifest), 0);
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    adl_copy_close(copy);
    return w;
}

static void start(struct world *w)
{
    adl_settings_init(&w->settings);
    w->settings.cache_dir = w->f->scratch.path;
    w->settings.revalidate = ADL_REVALIDATE_NEVER;
    assert_int_equal(adl_engine_new(&w->settings, &w->manifest, &w->f->scratch.log, &w->engine), 0);
}

static void end(struct world *w)
{
    if (w->handle)
        adl_file_release(w->handle);
    adl_engine_free(w->engine);
    adl_manifest_free(&w->manifest);
    end_origin(&w->origin);
    sem_destroy(&w->answered);
    free(w);
}

/* A flipped bit, under an engine or while there is none. */
static void flip(struct world *w, int64_t at)
{
    unsigned char byte;
    int fd = scratch_file(&w->f->scratch, &w->f->want.key, ".data", O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void verified(void *ctx, int error, const struct adl_damage *damage)
{
    struct world *w = ctx;
    w->error = error;
    if (error == 0) {
        w->checked = damage->checked;
        w->wrong = damage->wrong->count;
        w->first = w->wrong ? damage->wrong->list[0].first : 0;
        w->end = w->wrong ? damage->wrong->list[0].end : 0;
    }
    sem_post(&w->answered);
}

static void verify(struct world *w)
{
    adl_file_verify(w->engine, 0, verified, w);
    await(w);
    assert_int_equal(w->error, 0);
}

static void opened(void *ctx, int error, struct adl_handle *handle, const struct adl_attr *attr)
{
    struct world *w = ctx;
    (void)attr;
    w->error = error;
    w->handle = handle;
    sem_post(&w->answered);
}

static void open_file(struct world *w)
{
    adl_file_open(w->engine, adl_engine_ticket(w->engine), 0, ADL_ANY_VERSION, opened, w);
    await(w);
    assert_int_equal(w->error, 0);
}

static int was_read(void *ctx, int error, int fd, int64_t offset, size_t length)
{
    struct world *w = ctx;
    (void)offset;
    w->error = error;
    w->fd = fd;
    w->length = length;
    sem_post(&w->answered);
    return 0;
}

static void check_read(struct world *w, int64_t first, int64_t end)
{
    unsigned char have[SIZE];
    adl_file_read(w->handle, adl_engine_ticket(w->engine), first, (size_t)(end - first), was_read,
                  w);
    await(w);
    assert_int_equal(w->error, 0);
    assert_int_equal(w->length, end - first);
    assert_int_equal(pread(w->fd, have, w->length, first), end - first);
    assert_memory_equal(have, truth + first, w->length);
}

/* --- the promises */

static void a_file_that_nobody_has_open_is_compared(void **state)
{
    struct world *w = begin(*state);
    flip(w, 2 * BLOCK + 5);
    start(w);
    verify(w);
    assert_int_equal(w->checked, SIZE);
    assert_int_equal(w->wrong, 1);
    assert_int_equal(w->first, 2 * BLOCK);
    assert_int_equal(w->end, 3 * BLOCK);
    verify(w);
    assert_int_equal(w->wrong, 0);
    assert_int_equal(w->checked, SIZE - BLOCK);
    assert_int_equal(w->origin.requests, 0); /* the next read fetches it, and nothing else does */
    open_file(w);
    check_read(w, 0, SIZE);
    assert_true(w->origin.requests > 0);
    end(w);
}

static void what_is_open_and_complete_is_whole_again_without_a_read(void **state)
{
    struct world *w = begin(*state);
    start(w);
    open_file(w);
    check_read(w, 0, SIZE);
    assert_true(adl_handle_complete(w->handle) >= 0);
    flip(w, 5 * BLOCK + 5); /* under trusted blocks, as the kernel reads them by itself */
    verify(w);
    assert_int_equal(w->first, 5 * BLOCK);
    for (int64_t waited = 0; adl_handle_complete(w->handle) < 0; waited++) {
        assert_true(waited < PATIENCE * 100);
        poll(NULL, 0, 10);
    }
    unsigned requests = w->origin.requests;
    check_read(w, 0, SIZE);
    assert_int_equal(w->origin.requests, requests);
    end(w);
}

static void what_was_never_cached_has_nothing_wrong(void **state)
{
    struct world *w = begin(*state);
    adl_store_remove(w->f->scratch.store, &w->f->want.key);
    start(w);
    verify(w);
    assert_int_equal(w->checked, 0);
    assert_int_equal(w->wrong, 0);
    end(w);
}

static void the_engines_end_does_not_wait_for_it(void **state)
{
    struct world *w = begin(*state);
    start(w);
    adl_file_verify(w->engine, 0, verified, w);
    adl_file_verify(w->engine, 0, verified, w);
    adl_engine_free(w->engine);
    w->engine = NULL;
    await(w);
    await(w);
    assert_true(w->error == 0 || w->error == -ECANCELED);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_file_that_nobody_has_open_is_compared),
        T(what_is_open_and_complete_is_whole_again_without_a_read),
        T(what_was_never_cached_has_nothing_wrong),
        T(the_engines_end_does_not_wait_for_it),
    };
    return cmocka_run_group_tests(tests, make_truth, NULL);
}
