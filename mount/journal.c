#include "journal.h"

#include "cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>

int adl_journal_priority(enum adl_level level)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_DEBUG};
    return priorities[level];
}

bool adl_journal_stream(int fd)
{
    const char *text = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    int end = 0;
    struct stat st;
    if (!text || sscanf(text, "%ju:%ju%n", &device, &inode, &end) != 2 || text[end])
        return false;
    return fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static socklen_t address_of(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(out->sun_path, sizeof(out->sun_path), "%s", path);
    return sizeof(*out);
}

/* Tries it by a connection that is not kept: the journal may be started again meanwhile. */
int adl_journal_open(const char *path)
{
    struct sockaddr_un address;
    socklen_t length = address_of(path, &address);
    cleanup_fd int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0 || connect(probe, (const struct sockaddr *)&address, length) < 0)
        return -errno;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* "NAME=value\n"; nothing without a value or without room for all of it, or where a second line
 * would be another field. */
static void add(char *to, size_t room, size_t *used, const char *name, const char *value,
                size_t length)
{
    size_t needed = strlen(name) + 1 + length + 1;
    if (!value || room - *used <= needed || memchr(value, '\n', length))
        return;
    *used += (size_t)snprintf(to + *used, room - *used, "%s=%.*s\n", name, (int)length, value);
}

/* The length of the URL that a message begins with; 0: it is not about one. */
static size_t url_length(const char *message)
{
    if (strncmp(message, "http://", 7) != 0 && strncmp(message, "https://", 8) != 0)
        return 0;
    size_t length = strcspn(message, " ");
    return length > 0 && message[length] == ' ' && message[length - 1] == ':' ? length - 1 : 0;
}

int adl_journal_send(int fd, const char *path, const struct adl_journal_entry *entry)
{
    char text[16384];
    size_t used = 0;
    const char *message = entry->message;
    size_t url = url_length(message);
    char priority[2] = {(char)('0' + adl_journal_priority(entry->level)), '\0'};
    add(text, sizeof(text), &used, "PRIORITY", priority, 1);
    add(text, sizeof(text), &used, "SYSLOG_IDENTIFIER", "adlfs", 5);
    add(text, sizeof(text), &used, "MESSAGE", message, strlen(message));
    add(text, sizeof(text), &used, "ADLFS_URL", url ? message : NULL, url);
    if (entry->mount)
        add(text, sizeof(text), &used, "ADLFS_MOUNT", entry->mount, strlen(entry->mount));
    if (entry->source)
        add(text, sizeof(text), &used, "ADLFS_SOURCE", entry->source, strlen(entry->source));
    struct sockaddr_un address;
    socklen_t length = address_of(path, &address);
    ssize_t sent = sendto(fd, text, used, MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&address, length);
    return sent < 0 ? -errno : 0;
}
