/* journal: messages to systemd's journal, with fields to search by, in its native protocol
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL). */
#ifndef ADL_JOURNAL_H
#define ADL_JOURNAL_H

#include "log.h"

#include <stdbool.h>

#define ADL_JOURNAL_SOCKET "/run/systemd/journal/socket"

/* What a message carries beside itself. */
struct adl_journal_entry {
    enum adl_level level;
    const char *message; /* no control characters */
    const char *mount;   /* ADLFS_MOUNT: the mount point; NULL: none */
    const char *source;  /* ADLFS_SOURCE: what is mounted; NULL: none */
};

/* syslog(3)'s number for it: 3 for an error ... 7 for debugging. */
int adl_journal_priority(enum adl_level level);

/* Whether the file `fd` is the journal's, as $JOURNAL_STREAM says ("DEVICE:INODE"). */
bool adl_journal_stream(int fd);

/* The journal at `path`. A socket, which the caller closes; or -errno: nobody listens there. */
int adl_journal_open(const char *path);

/* Sends a message: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, ADLFS_MOUNT, ADLFS_SOURCE and, where the
 * message is about a URL (log.h), ADLFS_URL. Never waits: without room the message is lost. 0 or
 * -errno. Any thread. */
int adl_journal_send(int fd, const char *path, const struct adl_journal_entry *entry);

#endif
