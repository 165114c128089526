/* log: where the engine's messages go. The engine keeps no global state: whoever starts it passes a
 * `struct adl_log` in, and every room that has something to say got a pointer to it.
 *
 * A message about a URL begins with it, without its secrets, and ": ": logs with fields know by
 * that what a message is about. */
#ifndef ADL_LOG_H
#define ADL_LOG_H

enum adl_level { ADL_ERROR, ADL_WARNING, ADL_NOTICE, ADL_DEBUG };

struct adl_log {
    enum adl_level level; /* messages above this level are not made */
    /* Called from any thread with one line without its newline; must be thread-safe. */
    void (*write)(void *ctx, enum adl_level level, const char *message);
    void *ctx;
};

/* Formats and hands on one message. `log` may be NULL (nobody listens). Any thread. */
__attribute__((format(printf, 3, 4))) void adl_log(const struct adl_log *log, enum adl_level level,
                                                   const char *format, ...);

#endif
