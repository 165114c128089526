#include "logger.h"

#include "cleanup.h"
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

/* More than the engine's longest message, fully escaped lines excepted: those are cut. Below
 * PIPE_BUF, so that lines of two threads do not mix in a pipe either. */
#define LINE_ROOM 4096

static const char *const level_names[] = {"error", "warning", "notice", "debug"};

/* How many bytes at `at` make one control character; 0 for none. */
static size_t control_length(const unsigned char *at)
{
    if (at[0] < 0x20 || at[0] == 0x7f)
        return 1;
    return at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f ? 2 : 0;
}

size_t adl_log_escape(const char *text, char *out, size_t room)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t control = control_length(at);
        size_t needed = control ? 4 * control : 1;
        if (used + needed >= room)
            break;
        if (!control)
            out[used++] = (char)*at++;
        for (; control > 0; control--, at++) {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = digits[*at >> 4];
            out[used++] = digits[*at & 15];
        }
    }
    out[used] = '\0';
    return used;
}

/* "2026-01-31 12:00:00.123 ", local time. */
static size_t stamp(char *out, size_t room)
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!localtime_r(&now.tv_sec, &parts))
        return 0;
    size_t used = strftime(out, room, "%Y-%m-%d %H:%M:%S", &parts);
    int more = snprintf(out + used, room - used, ".%03ld ", now.tv_nsec / 1000000);
    return used + (size_t)more;
}

/* `used` bytes of `line`, of LINE_ROOM, are the line's beginning. */
static void finish_line(int fd, char *line, size_t used, const char *message)
{
    used += adl_log_escape(message, line + used, LINE_ROOM - used);
    /* The newline takes the place of the NUL. A log that cannot be written has no one to tell. */
    line[used++] = '\n';
    ssize_t written;
    do
        written = write(fd, line, used);
    while (written < 0 && errno == EINTR);
}

static void write_line(int fd, enum adl_level level, const char *message)
{
    char line[LINE_ROOM];
    size_t used = stamp(line, 64);
    used += (size_t)snprintf(line + used, 16, "%s: ", level_names[level]);
    finish_line(fd, line, used, message);
}

/* As sd-daemon(3) has it: the journal takes the number for a priority, and has a clock itself. */
static void write_stream(enum adl_level level, const char *message)
{
    char line[LINE_ROOM];
    size_t used = (size_t)snprintf(line, 16, "<%d>", adl_journal_priority(level));
    finish_line(STDERR_FILENO, line, used, message);
}

static bool write_journal(const struct adl_logger *logger, enum adl_level level,
                          const char *message)
{
    char line[LINE_ROOM];
    adl_log_escape(message, line, sizeof(line));
    const struct adl_journal_entry entry = {.level = level,
                                            .message = line,
                                            .mount = logger->mount,
                                            .source = logger->source};
    int r = logger->journal < 0 ? -EBADF
                                : adl_journal_send(logger->journal, logger->journal_path, &entry);
    return r == 0 || r == -EAGAIN; /* a journal without room has none in any other way either */
}

static void write_syslog(enum adl_level level, const char *message)
{
    char line[LINE_ROOM];
    adl_log_escape(message, line, sizeof(line));
    syslog(adl_journal_priority(level), "%s", line);
}

static void write_message(void *ctx, enum adl_level level, const char *message)
{
    const struct adl_logger *logger = ctx;
    bool file = logger->file >= 0;
    bool detached = atomic_load_explicit(&logger->detached, memory_order_acquire);
    if (file)
        write_line(logger->file, level, message);
    if (file && (detached || level != ADL_ERROR))
        return;
    if (!detached && !logger->stream)
        write_line(STDERR_FILENO, level, message);
    else if (write_journal(logger, level, message))
        return;
    else if (detached)
        write_syslog(level, message);
    else
        write_stream(level, message);
}

int adl_logger_open(struct adl_logger *logger, enum adl_level level, const char *file)
{
    int fd = -1;
    if (file) {
        fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0)
            return -errno;
    }
    logger->file = fd;
    logger->mount = logger->source = NULL;
    logger->journal_path = ADL_JOURNAL_SOCKET;
    logger->stream = adl_journal_stream(STDERR_FILENO);
    logger->journal = file ? -1 : adl_journal_open(logger->journal_path);
    atomic_init(&logger->detached, false);
    logger->log = (struct adl_log){.level = level, .write = write_message, .ctx = logger};
    return 0;
}

void adl_logger_detach(struct adl_logger *logger)
{
    if (logger->file < 0)
        openlog("adlfs", LOG_PID, LOG_DAEMON);
    atomic_store_explicit(&logger->detached, true, memory_order_release);
}

void adl_logger_close(struct adl_logger *logger)
{
    if (logger->journal >= 0)
        close(logger->journal);
    if (logger->file >= 0)
        close(logger->file);
    else if (atomic_load(&logger->detached))
        closelog();
}
