/* option_table: the options that there are, a row for each. Only mount/option*.c include this.
 *
 * A row says an option's name, what kind of value it takes, and which field of struct adl_options
 * that value goes to. The command line, -o and the help text all read the same rows, so that an
 * option cannot exist in one of them only. Constant: any thread. */
#ifndef ADL_OPTION_TABLE_H
#define ADL_OPTION_TABLE_H

#include "options.h"

#include <stdint.h>

enum adl_option_kind {
    ADL_OPTION_FLAG,    /* bool; no value */
    ADL_OPTION_TEXT,    /* const char *; not empty */
    ADL_OPTION_PATH,    /* const char *; made absolute, since the daemon leaves its directory */
    ADL_OPTION_SIZE,    /* uint32_t bytes, a power of two; K, M, G are powers of 1024 */
    ADL_OPTION_BYTES,   /* int64_t bytes; likewise, and T */
    ADL_OPTION_SECONDS, /* int64_t; s, m, h, d are understood */
    ADL_OPTION_NUMBER,  /* unsigned */
    ADL_OPTION_CHOICE,  /* int: one of the row's words */
    ADL_OPTION_HEADER,  /* appended to options->headers; @FILE: each of its lines */
    ADL_OPTION_LIST,    /* a list of options: -o */
};

struct adl_option_word {
    const char *name;
    int64_t value;
};

struct adl_option {
    const char *name;  /* NULL: it has a letter only */
    const char *value; /* how help calls its value; NULL for a flag */
    const char *help;  /* at most 46 columns, with the default that help adds in brackets */
    const struct adl_option_word *words; /* named values, ended by a NULL name; NULL for none */
    size_t offset;                       /* of the field in struct adl_options */
    int64_t min, max;                    /* SIZE, BYTES, SECONDS, NUMBER */
    enum adl_option_kind kind;
    unsigned users; /* enum adl_option_user, or'ed */
    char letter;    /* 0: none */
};

/* In the order of the help text: the option of one of those commands after `before`; NULL begins.
 * NULL: that was the last one. */
const struct adl_option *adl_option_next(const struct adl_option *before, unsigned user);

/* The option of that name (`length` bytes; '_' is '-') or letter, of one of those commands, or
 * NULL. */
const struct adl_option *adl_option_named(unsigned user, const char *name, size_t length);
const struct adl_option *adl_option_lettered(unsigned user, char letter);

/* The name that `word` may be a slip of, or NULL. */
const char *adl_option_nearest(unsigned user, const char *word);

#endif
