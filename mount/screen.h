/* screen: what a stream can show: is it a terminal, how wide and high, with colours, with more than
 * ASCII. Honours COLUMNS, LINES, NO_COLOR (https://no-color.org) and TERM=dumb. */
#ifndef ADL_SCREEN_H
#define ADL_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

struct adl_screen {
    unsigned columns, rows; /* 80 and 24 where nobody tells; never below 20 and 8 */
    bool terminal;
    bool colour;
    bool utf8; /* blocks and lines of Unicode may be drawn */
};

enum adl_colour {
    ADL_PLAIN,
    ADL_BOLD,
    ADL_DIM,
    ADL_RED,
    ADL_GREEN,
    ADL_YELLOW,
    ADL_BLUE,
    ADL_MAGENTA,
    ADL_CYAN,
};

/* Asks the terminal behind `out`, and the environment. */
void adl_screen_init(struct adl_screen *screen, FILE *out);

/* What begins a colour (ADL_PLAIN: ends it); "" on a screen without colours. */
const char *adl_screen_colour(const struct adl_screen *screen, enum adl_colour colour);

/* A bar of `columns` columns (with its frame), done of total: "████▌─────", or "[####---]". */
void adl_screen_bar(const struct adl_screen *screen, FILE *out, unsigned columns, long long done,
                    long long total, enum adl_colour colour);

#endif
