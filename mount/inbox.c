#include "inbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int adl_inbox_init(struct adl_inbox *inbox)
{
    STAILQ_INIT(&inbox->messages);
    inbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (inbox->fd < 0)
        return -errno;
    pthread_mutex_init(&inbox->lock, NULL);
    return 0;
}

void adl_inbox_free(struct adl_inbox *inbox)
{
    if (inbox->fd < 0)
        return;
    close(inbox->fd);
    pthread_mutex_destroy(&inbox->lock);
    inbox->fd = -1;
}

void adl_inbox_post(struct adl_inbox *inbox, struct adl_message *message)
{
    pthread_mutex_lock(&inbox->lock);
    STAILQ_INSERT_TAIL(&inbox->messages, message, link);
    eventfd_write(inbox->fd, 1); /* under the lock: the receiver may free the inbox after it */
    pthread_mutex_unlock(&inbox->lock);
}

void adl_inbox_act(struct adl_inbox *inbox)
{
    struct adl_messages messages = STAILQ_HEAD_INITIALIZER(messages);
    eventfd_t count;
    eventfd_read(inbox->fd, &count);
    pthread_mutex_lock(&inbox->lock);
    STAILQ_CONCAT(&messages, &inbox->messages);
    pthread_mutex_unlock(&inbox->lock);
    struct adl_message *message;
    while ((message = STAILQ_FIRST(&messages))) {
        STAILQ_REMOVE_HEAD(&messages, link);
        message->act(message);
    }
}
