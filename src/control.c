#include "control.h"

#include "chore.h"
#include "cleanup.h"
#include "client.h"
#include "desk.h"
#include "engine.h"
#include "json_name.h"
#include "socket.h"
#include "thread.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* More are hung up on at once. */
#define CLIENTS_MAX 64

#define EVENTS 32

/* Without a descriptor for whoever knocks, this long nothing is done: he goes on knocking. */
#define FULL_MS 20

struct adl_control {
    struct adl_engine *engine;
    pthread_rwlock_t names;      /* held to read by whoever looks at the tree, for a moment */
    const struct adl_tree *tree; /* under names */
    const struct adl_log *log;
    struct adl_control_facts facts;
    struct adl_socket socket;        /* owned. The thread's, from its beginning to its end */
    int epoll, wake;                 /* owned */
    struct adl_forgetter *forgetter; /* owned */
    struct adl_clients clients;      /* owned. The thread's */
    unsigned n_clients;
    uint64_t numbers; /* of clients so far */
    pthread_t thread;
    bool running;
    _Atomic bool stop;
    pthread_mutex_t lock;
    struct adl_errands done; /* under lock: what the loop has carried out */
};

/* --- what is asked */

static void add_facts(const struct adl_control *control, json_t *mount)
{
    json_object_set_new(mount, "version", json_string(ADL_VERSION));
    json_object_set_new(mount, "pid", json_integer(getpid()));
    json_object_set_new(mount, "mountpoint", adl_json_name(control->facts.mountpoint));
    json_object_set_new(mount, "source", adl_json_name(control->facts.source));
}

/* The answer goes out, with what every answer has. */
static void reply(struct adl_control *control, struct adl_client *client,
                  const struct adl_errand *errand, bool pushed)
{
    json_t *answer = errand->answer;
    if (!answer) {
        adl_client_end(client);
        return;
    }
    json_object_set_new(answer, "adlfs", json_integer(ADL_PROTOCOL));
    if (errand->order.id)
        json_object_set(answer, "id", errand->order.id);
    if (errand->order.every)
        json_object_set_new(answer, "more", json_boolean(!errand->last));
    json_t *mount = json_object_get(answer, "mount");
    if (!mount && errand->order.kind == ADL_ORDER_HELLO &&
        json_is_true(json_object_get(answer, "ok")))
        json_object_set_new(answer, "mount", mount = json_object());
    if (mount)
        add_facts(control, mount);
    adl_client_send(client, answer, pushed);
}

/* It has been carried out. Any thread. */
static void finished(struct adl_errand *errand)
{
    struct adl_control *control = errand->control;
    pthread_mutex_lock(&control->lock);
    TAILQ_INSERT_TAIL(&control->done, errand, link);
    pthread_mutex_unlock(&control->lock);
    uint64_t once = 1;
    if (write(control->wake, &once, sizeof(once)) < 0 && errno != EAGAIN)
        adl_log(control->log, ADL_ERROR, "eventfd: %s", strerror(errno));
}

/* Called by the loop, or at its end. */
static void finish(struct adl_errand *errand)
{
    const struct adl_control *control = errand->control;
    if (errand->n_stale > 0)
        adl_forgetter_take(control->forgetter, errand);
    else
        finished(errand);
}

/* Called by the loop. */
static void carry_out(struct adl_engine *engine, void *ctx)
{
    struct adl_errand *errand = ctx;
    struct adl_control *control = errand->control;
    pthread_rwlock_rdlock(&control->names);
    errand->tree = control->tree; /* it may be another than the one that its paths were found in */
    adl_desk_carry_out(engine, errand);
    pthread_rwlock_unlock(&control->names);
}

static void refuse(struct adl_control *control, struct adl_client *client,
                   struct adl_errand *errand, int error, const char *text)
{
    errand->answer = adl_desk_refusal(error, text);
    errand->last = true;
    if (errand->watch)
        adl_client_told(client, errand->watch, true);
    reply(control, client, errand, false);
    adl_errand_free(errand);
}

/* Finds what it is about, and posts it before that can mean something else. */
static int post(struct adl_control *control, struct adl_errand *errand, const char **at)
{
    bool pauses = errand->order.kind == ADL_ORDER_PAUSE;
    pthread_rwlock_rdlock(&control->names);
    errand->tree = control->tree;
    int r = adl_desk_resolve(errand, at);
    if (r == 0 && pauses)
        control->engine->brake = true; /* the loop lets it go when it carries this out */
    if (r == 0)
        r = adl_engine_run(control->engine, carry_out, errand);
    pthread_rwlock_unlock(&control->names);
    if (r < 0 && pauses)
        control->engine->brake = false;
    return r;
}

/* Hands it to the loop. */
static void send_out(struct adl_control *control, struct adl_client *client,
                     struct adl_errand *errand)
{
    const char *at = "";
    int r = post(control, errand, &at);
    if (r == -ENOENT) {
        cleanup_free char *text = NULL;
        if (asprintf(&text, "%s: no such file in this mount", at) < 0)
            text = NULL;
        refuse(control, client, errand, r, text ? text : "no such file");
        return;
    }
    if (r < 0)
        refuse(control, client, errand, r, strerror(-r));
    else
        client->under_way++;
}

static struct adl_errand *new_errand(struct adl_control *control, const struct adl_client *client)
{
    struct adl_errand *errand = calloc(1, sizeof(*errand));
    if (!errand)
        return NULL;
    errand->control = control;
    errand->finish = finish;
    errand->client = client->number;
    return errand;
}

/* One line of a client. */
static void take_line(void *ctx, struct adl_client *client, const char *line, size_t length)
{
    struct adl_control *control = ctx;
    struct adl_errand *errand = new_errand(control, client);
    const char *why;
    if (!errand) {
        adl_client_end(client);
        return;
    }
    int r = adl_order_parse(line, length, &errand->order, &why);
    if (r < 0) {
        errand->order.every = 0;
        refuse(control, client, errand, r, why);
        return;
    }
    if (errand->order.every) {
        errand->watch = adl_client_watch(client, line, length, errand->order.every);
        if (!errand->watch) {
            refuse(control, client, errand, -EMFILE, "too many subscriptions");
            return;
        }
    }
    send_out(control, client, errand);
}

/* A subscription is due: its order is read anew. */
static void ask_again(void *ctx, struct adl_client *client, struct adl_watch *watch)
{
    struct adl_control *control = ctx;
    struct adl_errand *errand = new_errand(control, client);
    const char *why;
    if (!errand)
        return;
    if (adl_order_parse(watch->line, watch->length, &errand->order, &why) < 0) {
        adl_errand_free(errand);
        return;
    }
    errand->watch = watch->number;
    send_out(control, client, errand);
}

static struct adl_client *client_of(struct adl_control *control, uint64_t number)
{
    struct adl_client *client;
    LIST_FOREACH (client, &control->clients, link)
        if (client->number == number)
            return client;
    return NULL;
}

static void name_files(struct adl_control *control, struct adl_errand *errand)
{
    pthread_rwlock_rdlock(&control->names);
    errand->tree = control->tree;
    adl_chore_name(errand);
    pthread_rwlock_unlock(&control->names);
}

/* What the loop is done with goes back to whoever asked, if he is still there. */
static void hand_back(struct adl_control *control)
{
    struct adl_errands done = TAILQ_HEAD_INITIALIZER(done);
    struct adl_errand *errand;
    pthread_mutex_lock(&control->lock);
    TAILQ_CONCAT(&done, &control->done, link);
    pthread_mutex_unlock(&control->lock);
    while ((errand = TAILQ_FIRST(&done))) {
        TAILQ_REMOVE(&done, errand, link);
        struct adl_client *client = client_of(control, errand->client);
        if (client) {
            client->under_way--;
            name_files(control, errand);
            bool pushed = errand->watch && adl_client_told(client, errand->watch, errand->last);
            reply(control, client, errand, pushed);
        }
        adl_errand_free(errand);
    }
}

/* --- clients */

static bool is_welcome(const struct adl_control *control, int fd)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return false;
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    adl_log(control->log, ADL_WARNING, "control: user %u was turned away", peer.uid);
    return false;
}

static void welcome(struct adl_control *control)
{
    cleanup_fd int fd = accept4(control->socket.listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && errno != EAGAIN)
        poll(NULL, 0, FULL_MS);
    if (fd < 0 || control->n_clients >= CLIENTS_MAX || !is_welcome(control, fd))
        return;
    struct adl_client *client = adl_client_new(fd, ++control->numbers);
    if (!client)
        return;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        adl_client_free(client); /* closes it */
        (void)steal_fd(&fd);
        return;
    }
    (void)steal_fd(&fd);
    LIST_INSERT_HEAD(&control->clients, client, link);
    control->n_clients++;
}

static void hang_up(struct adl_control *control, struct adl_client *client)
{
    LIST_REMOVE(client, link);
    control->n_clients--;
    adl_client_free(client);
}

/* Everybody's turn: lines that wait, subscriptions that are due, output that fits now. Returns ms
 * until something is due again; -1: nothing is. */
static int serve_all(struct adl_control *control, int64_t now)
{
    int64_t due = INT64_MAX;
    struct adl_client *client, *next;
    for (client = LIST_FIRST(&control->clients); client; client = next) {
        next = LIST_NEXT(client, link);
        adl_client_lines(client, take_line, control);
        int64_t its = adl_client_due(client, now, ask_again, control);
        due = its < due ? its : due;
        adl_client_write(client);
        if (client->over) {
            hang_up(control, client);
            continue;
        }
        struct epoll_event event = {.events = adl_client_events(client), .data.ptr = client};
        epoll_ctl(control->epoll, EPOLL_CTL_MOD, client->fd, &event);
    }
    if (due == INT64_MAX)
        return -1;
    return due <= now ? 0 : due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

static void take_event(struct adl_control *control, const struct epoll_event *event)
{
    uint64_t times;
    if (event->data.ptr == &control->wake) {
        if (read(control->wake, &times, sizeof(times)) < 0 && errno != EAGAIN)
            adl_log(control->log, ADL_ERROR, "eventfd: %s", strerror(errno));
    } else if (event->data.ptr == &control->socket.listen) {
        welcome(control);
    } else {
        adl_client_read(event->data.ptr, event->events);
    }
}

static void *serve(void *ctx)
{
    struct adl_control *control = ctx;
    struct epoll_event events[EVENTS];
    while (!control->stop) {
        int wait = serve_all(control, adl_engine_clock());
        int count = epoll_wait(control->epoll, events, EVENTS, wait);
        for (int i = 0; i < count; i++)
            take_event(control, &events[i]);
        hand_back(control);
    }
    struct adl_client *client;
    while ((client = LIST_FIRST(&control->clients)))
        hang_up(control, client);
    return NULL;
}

/* --- birth and end */

static int open_socket(struct adl_control *control)
{
    cleanup_free char *directory = adl_socket_directory(geteuid());
    if (!directory)
        return -ENOMEM;
    int r = adl_socket_open(&control->socket, directory, control->facts.device, CLIENTS_MAX);
    if (r < 0)
        adl_log(control->log, ADL_WARNING,
                "%s: %s: 'adlfs status' and its sisters will not reach this mount", directory,
                r == -EPERM ? "it belongs to somebody else" : strerror(-r));
    return r;
}

/* `which` is one of its two members: its place tells them apart. */
static int watch_fd(struct adl_control *control, int fd, void *which)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = which};
    return epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int start(struct adl_control *control)
{
    control->epoll = epoll_create1(EPOLL_CLOEXEC);
    control->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (control->epoll < 0 || control->wake < 0)
        return -errno;
    int r = open_socket(control);
    r = r < 0 ? r : watch_fd(control, control->wake, &control->wake);
    r = r < 0 ? r : watch_fd(control, control->socket.listen, &control->socket.listen);
    return r < 0 ? r : adl_thread_start(&control->thread, serve, control);
}

int adl_control_new(struct adl_engine *engine, const struct adl_tree *tree,
                    const struct adl_log *log, const struct adl_control_facts *facts,
                    struct adl_control **out)
{
    struct adl_control *control = calloc(1, sizeof(*control));
    if (!control)
        return -ENOMEM;
    *control = (struct adl_control){.engine = engine,
                                    .tree = tree,
                                    .log = log,
                                    .facts = *facts,
                                    .socket = {.dir = -1, .listen = -1},
                                    .epoll = -1,
                                    .wake = -1};
    LIST_INIT(&control->clients);
    TAILQ_INIT(&control->done);
    pthread_mutex_init(&control->lock, NULL);
    pthread_rwlock_init(&control->names, NULL);
    int r = adl_forgetter_new(facts->forget, facts->ctx, finished, &control->forgetter);
    r = r < 0 ? r : start(control);
    if (r < 0) {
        adl_control_free(control);
        return r;
    }
    control->running = true;
    *out = control;
    return 0;
}

void adl_control_replace(struct adl_control *control, const struct adl_tree *tree)
{
    pthread_rwlock_wrlock(&control->names);
    control->tree = tree;
    pthread_rwlock_unlock(&control->names);
}

const char *adl_control_path(const struct adl_control *control)
{
    return control->socket.path;
}

bool adl_control_forgets(struct adl_control *control)
{
    return control && adl_forgetter_ends(control->forgetter);
}

void adl_control_remember(struct adl_control *control)
{
    if (control)
        adl_forgetter_stop(control->forgetter);
}

void adl_control_stop(struct adl_control *control)
{
    uint64_t once = 1;
    if (!control || !control->running)
        return;
    control->running = false;
    control->stop = true;
    if (write(control->wake, &once, sizeof(once)) < 0 && errno != EAGAIN)
        adl_log(control->log, ADL_ERROR, "eventfd: %s", strerror(errno));
    pthread_join(control->thread, NULL);
    adl_socket_end(&control->socket);
}

void adl_control_free(struct adl_control *control)
{
    struct adl_errand *errand;
    if (!control)
        return;
    adl_control_stop(control);
    adl_socket_free(&control->socket);
    adl_forgetter_free(control->forgetter); /* gives back what it has */
    while ((errand = TAILQ_FIRST(&control->done))) {
        TAILQ_REMOVE(&control->done, errand, link);
        adl_errand_free(errand);
    }
    if (control->epoll >= 0)
        close(control->epoll);
    if (control->wake >= 0)
        close(control->wake);
    pthread_mutex_destroy(&control->lock);
    pthread_rwlock_destroy(&control->names);
    free(control);
}
