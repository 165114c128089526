/* progress: how far something has come: drawn in place in a terminal, told in plain lines
 * elsewhere.
 *
 *   big.iso
 *    42% ██████████░░░░░░░░░░░░░░  1.2 GiB of 2.9 GiB  12.3 MiB/s  2:05 left
 *     1    64.0M-96.0M  ███████░░░░░░░░░   45%   1.2 MiB/s
 *     2    96.0M-128M   ███░░░░░░░░░░░░░   18%   1.1 MiB/s
 *
 * adl_progress_draw() is pure: it knows a screen and no terminal, so that it can be tested. */
#ifndef ADL_PROGRESS_H
#define ADL_PROGRESS_H

#include "screen.h"

#include <stddef.h>
#include <stdint.h>

/* One connection. */
struct adl_progress_line {
    const char *name;       /* of its file, where there are several; NULL: none. Shown safely */
    int64_t first, end, at; /* bytes of the file: its range, and how far it is. end -1: not known */
    int64_t rate;           /* bytes/s */
};

struct adl_progress {
    const char *title;   /* what is fetched: a file's name, "3 files". Shown safely */
    const char *note;    /* "paused", "no connection; again in 2 s"; NULL: none. Shown safely */
    int64_t done, total; /* bytes; total -1: not known */
    int64_t rate;        /* bytes/s, lately */
    int64_t eta;         /* s; -1: not known */
    uint64_t files, files_done; /* shown where there are several */
    const struct adl_progress_line *lines;
    size_t n_lines;
};

/* Draws it as lines, none longer than the screen, at most `rows` of them (what is too much is
 * counted in the last one: "and 3 more"). Returns how many. */
unsigned adl_progress_draw(const struct adl_progress *progress, const struct adl_screen *screen,
                           unsigned rows, FILE *out);

/* The connections alone. */
unsigned adl_progress_draw_lines(const struct adl_progress *progress,
                                 const struct adl_screen *screen, unsigned rows, FILE *out);

/* One plain line: "big.iso: 42%, 1.2 GiB of 2.9 GiB, 12.3 MiB/s, 2:05 left". */
void adl_progress_tell(const struct adl_progress *progress, FILE *out);

/* A view that stays up to date. In a terminal it is redrawn in place; elsewhere adl_progress_tell()
 * now and then: at first, each tenth, or after half a minute without one. All zero but for `out`
 * and `screen` is a fresh one. */
struct adl_progress_view {
    FILE *out;
    struct adl_screen screen;
    unsigned drawn;  /* lines on the screen that are replaced next time */
    int64_t told_at; /* ms; 0: never */
    int64_t told;    /* tenths */
};

/* `now`: ms of any clock that does not jump. */
void adl_progress_update(struct adl_progress_view *view, const struct adl_progress *progress,
                         int64_t now);

/* The last picture stays: without connections in a terminal; told once more elsewhere. */
void adl_progress_end(struct adl_progress_view *view, const struct adl_progress *progress);

/* Takes the picture away, so that something else can be written; the next update draws it anew. */
void adl_progress_clear(struct adl_progress_view *view);

#endif
