/* logger: where messages go: the terminal or a file; where systemd is, its journal; or syslog(3)
 * once the daemon has no terminal.
 *
 * Any number of threads may log; a line is one write(2). Control characters are escaped, so that a
 * name or a server's answer can neither forge a line nor talk to the terminal. */
#ifndef ADL_LOGGER_H
#define ADL_LOGGER_H

#include "log.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct adl_logger {
    struct adl_log log; /* what the engine is given; points back here: the logger must not move */
    int file;           /* owned; -1: none */
    int journal;        /* owned; -1: none */
    const char *journal_path;
    const char *mount, *source; /* not owned: what messages in the journal are about; may be NULL */
    bool stream;                /* standard error is the journal's: lines begin with a priority */
    _Atomic bool detached;      /* standard error is not ours any more */
};

/* Logs to standard error, or to the journal where standard error leads there; with a `file`, which
 * is appended to and made with mode 0600, to that and only errors to standard error too. 0 or
 * -errno. */
int adl_logger_open(struct adl_logger *logger, enum adl_level level, const char *file);

/* Standard error is about to go: from now on to the file alone, or else to the journal or to
 * syslog. Any thread. */
void adl_logger_detach(struct adl_logger *logger);

/* Nobody may log any more. */
void adl_logger_close(struct adl_logger *logger);

/* Writes `text` into `out`, control characters (ASCII's, and UTF-8's U+0080 .. U+009F) as \xNN, cut
 * to `room` >= 1 bytes with the NUL. Returns the length. */
size_t adl_log_escape(const char *text, char *out, size_t room);

#endif
