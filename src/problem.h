/* problem: telling what is wrong with a manifest, so that it can be told: a bounded number of
 * times, and in text that a terminal, a log and JSON can take. */
#ifndef ADL_PROBLEM_H
#define ADL_PROBLEM_H

#include "manifest.h"

#include <stdbool.h>

/* Counts what it passes on. All zero but `problems` is a fresh one. */
struct adl_complaints {
    const struct adl_problems *problems; /* not owned; NULL: they are counted and not told */
    unsigned errors, warnings;           /* told; at most ADL_PROBLEMS_MAX + 1 of each */
};

/* Tells one problem of `line`. The first one after ADL_PROBLEMS_MAX of its level is replaced by a
 * last one that says so; further ones are dropped. */
__attribute__((format(printf, 4, 5))) void adl_complain(struct adl_complaints *complaints,
                                                        enum adl_level level, uint64_t line,
                                                        const char *format, ...);

/* Whether the last error was told: there is no use in going on. */
bool adl_complaints_full(const struct adl_complaints *complaints);

/* Room for about 80 bytes of text, "..." and a NUL. */
#define ADL_QUOTE_ROOM 88

struct adl_quote {
    char text[ADL_QUOTE_ROOM];
};

/* Bytes from outside as they may be shown: printable ASCII and well-formed UTF-8 as they are, all
 * else (control characters, C1 and broken UTF-8 among it) as \xHH, cut where it is long. By value,
 * so that adl_quote(text, length).text can be an argument; it lives until that call returns. */
struct adl_quote adl_quote(const char *text, size_t length);

/* The same of a URL without its secrets: see adl_url_redact(). The bytes must not hold a NUL. */
struct adl_quote adl_quote_url(const char *url, size_t length);

#endif
