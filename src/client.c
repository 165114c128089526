#include "client.h"

#include "order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Questions of one client that are with the loop, and bytes of answers that it has not taken: with
 * more its lines wait. One answer may be larger. */
#define UNDER_WAY_MAX 16
#define OUT_MAX       (1 << 20)

/* With so much not taken a subscriber is hung up on. */
#define PUSH_MAX (256 << 10)

#define WATCHES_MAX 8
#define READ_STEP   (16 << 10)

struct adl_client *adl_client_new(int fd, uint64_t number)
{
    struct adl_client *client = calloc(1, sizeof(*client));
    if (!client)
        return NULL;
    client->fd = fd;
    client->number = number;
    LIST_INIT(&client->watches);
    return client;
}

static void unwatch(struct adl_client *client, struct adl_watch *watch)
{
    LIST_REMOVE(watch, link);
    client->n_watches--;
    free(watch);
}

void adl_client_free(struct adl_client *client)
{
    struct adl_watch *watch;
    while ((watch = LIST_FIRST(&client->watches)))
        unwatch(client, watch);
    close(client->fd);
    free(client->in);
    free(client->out);
    free(client);
}

void adl_client_end(struct adl_client *client)
{
    client->ended = true;
}

/* --- in */

static bool busy(const struct adl_client *client)
{
    return client->under_way >= UNDER_WAY_MAX || client->out_used > OUT_MAX;
}

static bool make_room(struct adl_client *client)
{
    if (client->in_room - client->in_used >= READ_STEP)
        return true;
    size_t room = client->in_room * 2 + READ_STEP;
    char *larger = realloc(client->in, room);
    if (!larger)
        return false;
    client->in = larger;
    client->in_room = room;
    return true;
}

void adl_client_read(struct adl_client *client, uint32_t events)
{
    /* It has closed both ways: nothing more will be heard of it, or by it. */
    if ((events & EPOLLERR) || ((events & EPOLLHUP) && client->ended))
        client->over = true;
    if (client->over || client->ended || !(events & (EPOLLIN | EPOLLHUP)))
        return;
    if (!make_room(client)) {
        client->over = true;
        return;
    }
    ssize_t got = recv(client->fd, client->in + client->in_used, READ_STEP, 0);
    if (got > 0)
        client->in_used += (size_t)got;
    else if (got == 0)
        client->ended = true; /* it may still listen */
    else if (errno != EAGAIN && errno != EINTR)
        client->over = true;
}

void adl_client_lines(struct adl_client *client, adl_client_line_fn *take, void *ctx)
{
    size_t at = 0;
    while (client->in_used > at && !client->over && !busy(client)) {
        const char *begin = client->in + at;
        size_t from = client->in_seen > at ? client->in_seen : at;
        char *end =
            from < client->in_used ? memchr(client->in + from, '\n', client->in_used - from) : NULL;
        if (!end) {
            client->in_seen = client->in_used;
            break;
        }
        size_t length = (size_t)(end - begin);
        at += length + 1;
        if (length && !(length == 1 && *begin == '\r'))
            take(ctx, client, begin, length);
    }
    if (at) {
        memmove(client->in, client->in + at, client->in_used - at);
        client->in_used -= at;
        client->in_seen = client->in_seen > at ? client->in_seen - at : 0;
    }
    if (client->in_seen == client->in_used && client->in_used > ADL_ORDER_MAX) {
        take(ctx, client, client->in, client->in_used); /* is told that it is too long */
        client->in_used = client->in_seen = 0;
        adl_client_end(client);
    }
}

/* --- out */

void adl_client_send(struct adl_client *client, const json_t *answer, bool pushed)
{
    if (pushed && client->out_used > PUSH_MAX) {
        client->over = true;
        return;
    }
    size_t length = json_dumpb(answer, NULL, 0, JSON_COMPACT);
    size_t need = client->out_used + length + 1;
    if (!length || need > client->out_room) {
        char *larger = length ? realloc(client->out, need + need / 2) : NULL;
        if (!larger) {
            client->over = true;
            return;
        }
        client->out = larger;
        client->out_room = need + need / 2;
    }
    json_dumpb(answer, client->out + client->out_used, length, JSON_COMPACT);
    client->out[client->out_used + length] = '\n';
    client->out_used = need;
}

void adl_client_write(struct adl_client *client)
{
    size_t at = 0;
    while (at < client->out_used && !client->over) {
        ssize_t sent = send(client->fd, client->out + at, client->out_used - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0)
            client->over = true;
        else
            at += (size_t)sent;
    }
    if (at) {
        memmove(client->out, client->out + at, client->out_used - at);
        client->out_used -= at;
    }
    bool unread = client->in_used > client->in_seen; /* lines that wait for their turn */
    if (client->ended && !client->out_used && !client->under_way && !unread && !client->n_watches)
        client->over = true;
}

uint32_t adl_client_events(const struct adl_client *client)
{
    uint32_t events = 0;
    if (!client->ended && !busy(client))
        events |= EPOLLIN;
    if (client->out_used)
        events |= EPOLLOUT;
    return events;
}

/* --- subscriptions */

uint64_t adl_client_watch(struct adl_client *client, const char *line, size_t length,
                          unsigned every)
{
    if (client->n_watches >= WATCHES_MAX)
        return 0;
    struct adl_watch *watch = malloc(sizeof(*watch) + length);
    if (!watch)
        return 0;
    *watch = (struct adl_watch){.number = ++client->numbers,
                                .every = every,
                                .due = INT64_MAX,
                                .asked = true,
                                .length = length};
    memcpy(watch->line, line, length);
    LIST_INSERT_HEAD(&client->watches, watch, link);
    client->n_watches++;
    return watch->number;
}

bool adl_client_told(struct adl_client *client, uint64_t number, bool last)
{
    struct adl_watch *watch;
    LIST_FOREACH (watch, &client->watches, link)
        if (watch->number == number)
            break;
    if (!watch)
        return false;
    bool pushed = watch->told;
    watch->told = true;
    watch->asked = false;
    if (last)
        unwatch(client, watch);
    return pushed;
}

int64_t adl_client_due(struct adl_client *client, int64_t now, adl_client_ask_fn *ask, void *ctx)
{
    int64_t due = INT64_MAX;
    struct adl_watch *watch, *next;
    for (watch = LIST_FIRST(&client->watches); watch; watch = next) {
        next = LIST_NEXT(watch, link);
        if (watch->asked)
            continue;
        if (watch->due == INT64_MAX)
            watch->due = now + watch->every;
        if (watch->due <= now) {
            watch->due = now + watch->every;
            watch->asked = true;
            ask(ctx, client, watch);
        } else if (watch->due < due) {
            due = watch->due;
        }
    }
    return due;
}
