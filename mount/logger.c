#include "logger.h"

#include "cleanup.h"

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
static const int syslog_levels[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_DEBUG};

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

static void write_line(int fd, enum adl_level level, const char *message)
{
    char line[LINE_ROOM];
    size_t used = stamp(line, 64);
    used += (size_t)snprintf(line + used, 16, "%s: ", level_names[level]);
    used += adl_log_escape(message, line + used, sizeof(line) - used);
    /* The newline takes the place of the NUL. A log that cannot be written has no one to tell. */
    line[used++] = '\n';
    ssize_t written;
    do
        written = write(fd, line, used);
    while (written < 0 && errno == EINTR);
}

static void write_syslog(enum adl_level level, const char *message)
{
    char line[LINE_ROOM];
    adl_log_escape(message, line, sizeof(line));
    syslog(syslog_levels[level], "%s", line);
}

static void write_message(void *ctx, enum adl_level level, const char *message)
{
    const struct adl_logger *logger = ctx;
    bool file = logger->file >= 0;
    bool detached = atomic_load_explicit(&logger->detached, memory_order_acquire);
    if (file)
        write_line(logger->file, level, message);
    if (!detached && (!file || level == ADL_ERROR))
        write_line(STDERR_FILENO, level, message);
    if (detached && !file)
        write_syslog(level, message);
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
    if (logger->file >= 0)
        close(logger->file);
    else if (atomic_load(&logger->detached))
        closelog();
}
