#include "ask.h"

#include "cleanup.h"
#include "commands.h"
#include "interrupt.h"
#include "json_name.h"
#include "mountpoint.h"
#include "mounts.h"
#include "now.h"
#include "order.h"
#include "socket.h"
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>

/* A mount that is just beginning has its socket within this time. */
#define BEGIN_MS 2000
#define LOOK_MS  20

/* An answer takes as long as the daemon's loop takes to come round. */
#define ANSWER_MS 30000

/* Most orders are answered before it is worth asking whether the daemon is there still. */
#define LULL_MS 5000

/* s; a mount that was not named is not waited for longer, nor what one says of its socket. */
#define HEAR_S 2

/* A daemon's line is never longer. */
#define LINE_MAX_BYTES (64 << 20)

void adl_target_free(struct adl_target *target)
{
    free(target->mountpoint);
    free(target->inside);
    *target = (struct adl_target){0};
}

void adl_targets_free(struct adl_target *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        adl_target_free(&list[i]);
    free(list);
}

/* --- which mount */

static int to_target(const struct adl_mount *mount, const char *inside, struct adl_target *out)
{
    struct adl_target target = {.mountpoint = strdup(mount->point),
                                .device = mount->device,
                                .owner = mount->owner};
    /* A bind mount shows a part of it. */
    const char *root = strcmp(mount->root, "/") == 0 ? "" : mount->root + 1;
    if (asprintf(&target.inside, "%s%s%s", root, *root && *inside ? "/" : "", inside) < 0)
        target.inside = NULL;
    if (!target.mountpoint || !target.inside) {
        adl_target_free(&target);
        return -ENOMEM;
    }
    *out = target;
    return 0;
}

int adl_target_find(const char *path, struct adl_target *out)
{
    cleanup_free char *whole = NULL;
    struct adl_mount mount = {0};
    int r = adl_mountpoint_resolve(path, &whole);
    if (r < 0)
        return r;
    FILE *table = adl_mounts_open();
    if (!table)
        return -errno;
    r = adl_mounts_over(table, whole, &mount);
    fclose(table);
    if (r < 0)
        return r;
    const char *inside = whole + strlen(mount.point);
    while (*inside == '/')
        inside++;
    r = strcmp(mount.type, ADL_MOUNT_TYPE) == 0 ? to_target(&mount, inside, out) : -ENODEV;
    adl_mount_free(&mount);
    return r;
}

struct collection {
    struct adl_target *list;
    size_t count;
};

static int collect(void *ctx, const struct adl_mount *mount)
{
    struct collection *all = ctx;
    if (strcmp(mount->type, ADL_MOUNT_TYPE) != 0 || strcmp(mount->root, "/") != 0 ||
        (geteuid() != 0 && mount->owner != geteuid()))
        return 0;
    struct adl_target *longer = reallocarray(all->list, all->count + 1, sizeof(*longer));
    if (!longer)
        return -ENOMEM;
    all->list = longer;
    int r = to_target(mount, "", &longer[all->count]);
    all->count += r == 0;
    return r;
}

int adl_target_all(struct adl_target **list, size_t *count)
{
    struct collection all = {0};
    FILE *table = adl_mounts_open();
    int r = table ? adl_mounts_each(table, collect, &all) : -errno;
    if (table)
        fclose(table);
    if (r < 0) {
        adl_targets_free(all.list, all.count);
        return r;
    }
    *list = all.list;
    *count = all.count;
    return 0;
}

/* --- the connection */

/* Whoever listens must be the mount's owner (or root, who may be anybody). */
static int check_peer(int fd, const struct adl_target *target)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return -errno;
    return peer.uid == 0 || peer.uid == target->owner ? 0 : -EPERM;
}

/* -ETIMEDOUT: those that want to be heard already are more than the daemon has taken for `ms`; nor
 * does an order that it does not take wait for longer. */
static int connect_at(const char *directory, const char *name, const struct adl_target *target,
                      int ms)
{
    const struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cleanup_fd int dir = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (dir < 0 || fd < 0)
        return -errno;
    int length =
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir, name);
    if (length >= (int)sizeof(address.sun_path))
        return -ENAMETOOLONG;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    int r = check_peer(fd, target);
    return r < 0 ? r : steal_fd(&fd);
}

/* What the mount's root tells of its socket. Asked by a thread of its own, since a daemon that is
 * stopped never answers; whoever waited for it may be gone when it does. */
struct hearsay {
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool done, left;  /* the answer is there; nobody waits for it any more */
    char *mountpoint; /* owned */
    char path[4096];
    int error;
};

static void free_hearsay(struct hearsay *hearsay)
{
    pthread_mutex_destroy(&hearsay->lock);
    pthread_cond_destroy(&hearsay->told);
    free(hearsay->mountpoint);
    free(hearsay);
}

static void *hear(void *ctx)
{
    struct hearsay *hearsay = ctx;
    ssize_t length = getxattr(hearsay->mountpoint, "user.adlfs.control", hearsay->path,
                              sizeof(hearsay->path) - 1);
    pthread_mutex_lock(&hearsay->lock);
    hearsay->error = length < 0 ? -errno : 0;
    hearsay->path[length < 0 ? 0 : length] = '\0';
    hearsay->done = true;
    bool left = hearsay->left;
    pthread_cond_signal(&hearsay->told);
    pthread_mutex_unlock(&hearsay->lock);
    if (left)
        free_hearsay(hearsay);
    return NULL;
}

/* Waits for it. True: it is the caller's to free; else it is left to its thread. */
static bool wait_for(struct hearsay *hearsay)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HEAR_S;
    pthread_mutex_lock(&hearsay->lock);
    while (!hearsay->done)
        if (pthread_cond_timedwait(&hearsay->told, &hearsay->lock, &until) == ETIMEDOUT)
            break;
    bool done = hearsay->done;
    hearsay->left = !done;
    pthread_mutex_unlock(&hearsay->lock);
    return done;
}

static int start_hearing(const char *mountpoint, struct hearsay **out)
{
    pthread_t thread;
    struct hearsay *hearsay = calloc(1, sizeof(*hearsay));
    if (!hearsay)
        return -ENOMEM;
    pthread_mutex_init(&hearsay->lock, NULL);
    pthread_cond_init(&hearsay->told, NULL);
    hearsay->mountpoint = strdup(mountpoint);
    int r = hearsay->mountpoint ? adl_thread_start(&thread, hear, hearsay) : -ENOMEM;
    if (r < 0) {
        free_hearsay(hearsay);
        return r;
    }
    pthread_detach(thread);
    *out = hearsay;
    return 0;
}

/* Where the daemon says that its socket is: its environment may have been another. -ENOTCONN: it is
 * dead; -ETIMEDOUT: it does not say anything. */
static int connect_told(const struct adl_target *target, int ms)
{
    struct hearsay *hearsay;
    int r = start_hearing(target->mountpoint, &hearsay);
    if (r < 0)
        return r;
    if (!wait_for(hearsay))
        return -ETIMEDOUT;
    char *slash = strrchr(hearsay->path, '/');
    r = hearsay->error == -ECONNABORTED ? -ENOTCONN : hearsay->error;
    if (r == 0 && (hearsay->path[0] != '/' || !slash[1]))
        r = -EINVAL;
    if (r == 0) {
        *slash = '\0';
        r = connect_at(hearsay->path, slash + 1, target, ms);
    }
    free_hearsay(hearsay);
    return r;
}

static int try_connect(const struct adl_target *target, int ms)
{
    char name[64];
    cleanup_free char *directory = adl_socket_directory(target->owner);
    if (!directory)
        return -ENOMEM;
    adl_socket_name(target->device, name, sizeof(name));
    int r = connect_at(directory, name, target, ms);
    if (r != -ENOENT && r != -ECONNREFUSED)
        return r;
    int told = connect_told(target, ms);
    return told >= 0 || told == -ENOTCONN || told == -ETIMEDOUT ? told : r;
}

int adl_ask_open(const struct adl_target *target, bool patient, struct adl_ask *out)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    int64_t end = now_ms() + (patient ? BEGIN_MS : 0);
    int patience = patient ? ANSWER_MS : HEAR_S * 1000;
    int r;
    while (((r = try_connect(target, patience)) == -ENOENT || r == -ECONNREFUSED) && now_ms() < end)
        nanosleep(&pause, NULL);
    if (r < 0)
        return r;
    *out = (struct adl_ask){.fd = r, .patience = patience, .lull = LULL_MS};
    return 0;
}

void adl_ask_close(struct adl_ask *ask)
{
    close(ask->fd);
    free(ask->buffer);
}

int adl_ask_send(struct adl_ask *ask, json_t *request)
{
    if (!request)
        return -ENOMEM;
    json_object_set_new(request, "adlfs", json_integer(ADL_PROTOCOL));
    cleanup_free char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (!line)
        return -ENOMEM;
    size_t length = strlen(line);
    line[length++] = '\n'; /* in its NUL's place */
    for (const char *at = line; length > 0;) {
        ssize_t sent = send(ask->fd, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR && !adl_interrupted)
            continue;
        if (sent < 0)
            return errno == EPIPE ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
        at += sent;
        length -= (size_t)sent;
    }
    return 0;
}

/* Waits for more bytes and takes them. */
static int take_more(struct adl_ask *ask, int timeout)
{
    struct pollfd fd = {.fd = ask->fd, .events = POLLIN};
    int r = poll(&fd, 1, timeout);
    if (r <= 0)
        return r < 0 ? -errno : -ETIMEDOUT;
    if (ask->room - ask->used < 65536) {
        size_t room = ask->room * 2 + 65536;
        char *larger = room > LINE_MAX_BYTES ? NULL : realloc(ask->buffer, room);
        if (!larger)
            return -ENOMEM;
        ask->buffer = larger;
        ask->room = room;
    }
    ssize_t got = recv(ask->fd, ask->buffer + ask->used, ask->room - ask->used, 0);
    if (got < 0)
        return -errno;
    if (got == 0)
        return -ECONNRESET;
    ask->used += (size_t)got;
    return 0;
}

int adl_ask_next(struct adl_ask *ask, int timeout, json_t **answer)
{
    int64_t end = now_ms() + timeout;
    char *newline;
    while (!(newline = ask->used ? memchr(ask->buffer, '\n', ask->used) : NULL)) {
        int64_t left = timeout < 0 ? -1 : end - now_ms();
        int r = take_more(ask, timeout >= 0 && left < 0 ? 0 : (int)left);
        if (r < 0)
            return r;
    }
    size_t length = (size_t)(newline - ask->buffer);
    json_error_t error;
    *answer = json_loadb(ask->buffer, length, 0, &error);
    memmove(ask->buffer, newline + 1, ask->used - length - 1);
    ask->used -= length + 1;
    if (json_is_object(*answer))
        return 0;
    json_decref(*answer);
    return -EPROTO;
}

int adl_ask(struct adl_ask *ask, json_t *request, json_t **answer)
{
    int r = adl_ask_send(ask, request);
    return r < 0 ? r : adl_ask_next(ask, ask->patience, answer);
}

/* The greetings' answers are told from the order's by it. */
#define GREETING "greeting"

static bool is_greeting(const json_t *answer)
{
    const char *id = json_string_value(json_object_get(answer, "id"));
    return id && strcmp(id, GREETING) == 0;
}

/* The next answer that is not a greeting's; *answer is NULL for one of those. */
static int next_but_greeting(struct adl_ask *ask, int timeout, json_t **answer)
{
    json_t *any;
    int r = adl_ask_next(ask, timeout, &any);
    if (r < 0)
        return r;
    bool greeting = is_greeting(any);
    if (greeting) {
        ask->greeted = false;
        json_decref(any);
    }
    *answer = greeting ? NULL : any;
    return 0;
}

static int greet(struct adl_ask *ask)
{
    if (ask->greeted)
        return 0;
    int r = adl_ask_send(ask, json_pack("{s:s, s:s}", "do", "hello", "id", GREETING));
    ask->greeted = r == 0;
    return r;
}

int adl_ask_long(struct adl_ask *ask, json_t *request, json_t **answer)
{
    int r = adl_ask_send(ask, request);
    bool lull = true; /* it may be silent for a while; false: it was greeted */
    json_t *next = NULL;
    while (r == 0 && !next) {
        r = next_but_greeting(ask, lull ? ask->lull : ask->patience, &next);
        bool silent = r == -ETIMEDOUT && lull;
        r = silent ? greet(ask) : r;
        lull = !silent;
    }
    if (r == 0)
        *answer = next;
    return r;
}

const char *adl_ask_refused(const json_t *answer)
{
    if (json_is_true(json_object_get(answer, "ok")))
        return NULL;
    const json_t *error = json_object_get(answer, "error");
    const char *text = json_string_value(json_object_get(error, "text"));
    return text ? text : "refused";
}

void adl_ask_complain(const char *command, const struct adl_target *target, int error)
{
    const char *what = strerror(-error);
    if (error == -ENOTCONN)
        what = "its daemon is dead: 'adlfs umount' clears it";
    else if ((error == -ENOENT || error == -ECONNREFUSED) && target->owner != geteuid())
        what = "its control socket was not found: it is another user's mount";
    else if (error == -ENOENT || error == -ECONNREFUSED)
        what = "its daemon has no control socket (its log tells why)";
    else if (error == -ETIMEDOUT)
        what = "its daemon does not answer";
    else if (error == -EPERM)
        what = "its control socket belongs to somebody else";
    else if (error == -EACCES)
        what = "it is another user's mount";
    else if (error == -ECONNRESET)
        what = "its daemon hung up: it has ended, or has as many clients as it takes";
    fprintf(stderr, "adlfs %s: %s: %s\n", command, target->mountpoint, what);
}

int adl_ask_do(const char *command, const struct adl_target *target, struct adl_ask *ask,
               json_t *order)
{
    json_t *answer;
    int r = adl_ask(ask, order, &answer);
    if (r < 0) {
        adl_ask_complain(command, target, r);
        return ADL_EXIT_FAILED;
    }
    const char *refused = adl_ask_refused(answer);
    if (refused)
        fprintf(stderr, "adlfs %s: %s: %s\n", command, target->mountpoint, refused);
    int status = refused ? ADL_EXIT_FAILED : ADL_EXIT_DONE;
    json_decref(answer);
    return status;
}

/* --- operands */

static void complain_path(const char *command, const char *path, int error)
{
    fprintf(stderr, "adlfs %s: %s: %s\n", command, path,
            error == -ENODEV ? "not in a mount of adlfs" : strerror(-error));
}

static int act_on(const char *command, const struct adl_target *target, bool named, json_t *paths,
                  adl_ask_act_fn *act, void *ctx)
{
    struct adl_ask ask;
    int r = adl_ask_open(target, named, &ask);
    if (r < 0) {
        adl_ask_complain(command, target, r);
        return ADL_EXIT_FAILED;
    }
    int status = act(ctx, target, &ask, paths);
    adl_ask_close(&ask);
    return status;
}

static int worse(int one, int other)
{
    return one > other ? one : other;
}

static int act_on_all(const char *command, adl_ask_act_fn *act, void *ctx)
{
    struct adl_target *list = NULL;
    size_t count = 0;
    int status = ADL_EXIT_DONE, r = adl_target_all(&list, &count);
    if (r < 0) {
        fprintf(stderr, "adlfs %s: %s\n", command, strerror(-r));
        return ADL_EXIT_FAILED;
    }
    json_t *none = json_array();
    for (size_t i = 0; i < count; i++)
        status = worse(status, act_on(command, &list[i], false, none, act, ctx));
    json_decref(none);
    adl_targets_free(list, count);
    return status;
}

/* Those of targets[from ..] that lie in the mount of targets[from], taken together. */
static json_t *paths_of(struct adl_target *targets, bool *taken, size_t from, size_t count)
{
    json_t *paths = json_array();
    for (size_t i = from; i < count; i++) {
        if (taken[i] || targets[i].device != targets[from].device)
            continue;
        taken[i] = true;
        json_array_append_new(paths, adl_json_name(targets[i].inside));
    }
    /* The mount itself is all of it. */
    if (json_array_size(paths) == 1 && !*json_string_value(json_array_get(paths, 0)))
        json_array_clear(paths);
    return paths;
}

bool adl_ask_reach(const char *command, const char *const *operands, size_t count)
{
    size_t stuck;
    if (adl_mountpoint_reach(operands, count, &stuck) != -ETIMEDOUT)
        return true; /* also where nobody can be sent ahead: it is a precaution */
    fprintf(stderr, "adlfs %s: %s: the file system there does not answer\n", command,
            operands[stuck]);
    return false;
}

int adl_ask_each(const char *command, const char *const *operands, size_t count,
                 adl_ask_act_fn *act, void *ctx)
{
    if (count == 0)
        return act_on_all(command, act, ctx);
    if (!adl_ask_reach(command, operands, count))
        return ADL_EXIT_FAILED;
    int status = ADL_EXIT_DONE;
    size_t found = 0;
    struct adl_target *targets = calloc(count, sizeof(*targets));
    cleanup_free bool *taken = calloc(count, sizeof(*taken));
    for (size_t i = 0; targets && taken && i < count; i++) {
        int r = adl_target_find(operands[i], &targets[found]);
        found += r == 0;
        if (r < 0) {
            complain_path(command, operands[i], r);
            status = ADL_EXIT_FAILED;
        }
    }
    for (size_t i = 0; i < found; i++) {
        if (taken[i])
            continue;
        json_t *paths = paths_of(targets, taken, i, found);
        status = worse(status, act_on(command, &targets[i], true, paths, act, ctx));
        json_decref(paths);
    }
    adl_targets_free(targets, found);
    return status;
}
