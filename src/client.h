/* client: one connection of the control socket: lines that come in, answers that go out, what it
 * has subscribed to. Everything that it may make us keep is bounded. The control's thread. */
#ifndef ADL_CLIENT_H
#define ADL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* A subscription. */
struct adl_watch {
    LIST_ENTRY(adl_watch) link;
    uint64_t number;
    int64_t every, due; /* ms */
    bool asked;         /* an answer is under way */
    bool told;          /* the first answer was given */
    size_t length;
    char line[]; /* the order */
};

struct adl_client {
    LIST_ENTRY(adl_client) link; /* the control's */
    uint64_t number;
    int fd;                           /* owned */
    char *in, *out;                   /* owned */
    size_t in_used, in_room, in_seen; /* seen: without a newline */
    size_t out_used, out_room;
    unsigned under_way;             /* questions that are with the loop */
    LIST_HEAD(, adl_watch) watches; /* owned */
    unsigned n_watches;
    uint64_t numbers; /* of watches so far */
    bool ended;       /* it says nothing more, or is not to be listened to */
    bool over;        /* to be hung up on */
};
LIST_HEAD(adl_clients, adl_client);

/* Takes the descriptor. NULL without memory. */
struct adl_client *adl_client_new(int fd, uint64_t number);
void adl_client_free(struct adl_client *client);

/* Something happened (epoll's events): reads what is there. */
void adl_client_read(struct adl_client *client, uint32_t events);

/* Hands on whole lines, while not too many questions are under way. */
typedef void adl_client_line_fn(void *ctx, struct adl_client *client, const char *line,
                                size_t length);
void adl_client_lines(struct adl_client *client, adl_client_line_fn *take, void *ctx);

/* Queues an answer. `pushed`: nobody asked for it just now, so that a client which does not listen
 * is hung up on. */
void adl_client_send(struct adl_client *client, const json_t *answer, bool pushed);

/* Writes what the socket takes. */
void adl_client_write(struct adl_client *client);

/* What to wait for. */
uint32_t adl_client_events(const struct adl_client *client);

/* What was sent is still written, then it is hung up. */
void adl_client_end(struct adl_client *client);

/* Subscribes. Its number; 0: there are too many, or no memory. */
uint64_t adl_client_watch(struct adl_client *client, const char *line, size_t length,
                          unsigned every);

/* An answer for that subscription has come. Whether it was one that nobody asked for just now. */
bool adl_client_told(struct adl_client *client, uint64_t number, bool last);

/* Calls `ask` for subscriptions that are due. ms of the clock when the next one is; INT64_MAX. */
typedef void adl_client_ask_fn(void *ctx, struct adl_client *client, struct adl_watch *watch);
int64_t adl_client_due(struct adl_client *client, int64_t now, adl_client_ask_fn *ask, void *ctx);

#endif
