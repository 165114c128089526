/* inbox: what one thread is told by others: messages that their receiver owns and waits for with
 * poll(2). */
#ifndef ADL_INBOX_H
#define ADL_INBOX_H

#include <pthread.h>
#include <sys/queue.h>

/* Belongs to the receiver, but from adl_inbox_post() until it is taken out. */
struct adl_message {
    STAILQ_ENTRY(adl_message) link;
    void (*act)(struct adl_message *message); /* for the receiver to call */
};

struct adl_inbox {
    int fd; /* readable while there is a message, perhaps longer */
    pthread_mutex_t lock;
    STAILQ_HEAD(adl_messages, adl_message) messages; /* under lock */
};

/* 0 or -errno. */
int adl_inbox_init(struct adl_inbox *inbox);
void adl_inbox_free(struct adl_inbox *inbox);

/* Any thread. The message must not be in there. */
void adl_inbox_post(struct adl_inbox *inbox, struct adl_message *message);

/* Takes out all that are there and calls what they say, in order. The receiver. */
void adl_inbox_act(struct adl_inbox *inbox);

#endif
