/* draw: what a daemon tells (src/control.md) as a person wants to see it. Pure: from JSON to lines
 * that are no longer than the screen, whatever its width. Fields that are missing or of another
 * kind count as unknown.
 */
#ifndef ADL_DRAW_H
#define ADL_DRAW_H

#include "progress.h"
#include "screen.h"

#include <jansson.h>

/* Puts the connections of an answer, and of its files, into the order of their places, in which
 * they are numbered. */
void adl_draw_sort(json_t *answer);

/* A mount: two or three lines. */
void adl_draw_mount(const json_t *mount, const struct adl_screen *screen, FILE *out);

/* Its files as a table, the busiest first, at most `rows` lines with the head; what is too much is
 * counted. `all`: there are no others. On a narrow screen columns make room for the names. */
void adl_draw_files(const json_t *files, bool all, const struct adl_screen *screen, unsigned rows,
                    FILE *out);

/* Connections as bars, at most `rows` lines. */
void adl_draw_connections(const json_t *connections, const struct adl_screen *screen, unsigned rows,
                          FILE *out);

/* One file: all that there is to tell, with its map; of its mirrors and connections as many as
 * `rows` lines have room for, but at least two and three. */
void adl_draw_file(const json_t *file, const struct adl_screen *screen, unsigned rows, FILE *out);

/* Cells that a file's map should have on that screen. */
unsigned adl_draw_cells(const struct adl_screen *screen);

/* Connections as lines of a progress view. Frees what an earlier call made; NULL connections only
 * frees. Names are borrowed from the JSON. */
void adl_draw_lines(const json_t *connections, bool named, struct adl_progress *progress);

#endif
