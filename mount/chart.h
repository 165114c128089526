/* chart: the map of a file's extents, drawn with a character for each cell. Pure.
 *
 *   ██████████████▓1111··2222░░░░░░····
 *
 * What a cell shows is, in this order: all of it is here; a connection is bringing a part of it
 * (its number: 1-9, then a-z); a reader waits for a part of it that nobody brings yet; some of it
 * is here; it is wanted ahead; nothing of it is here. */
#ifndef ADL_CHART_H
#define ADL_CHART_H

#include "screen.h"

#include <stddef.h>
#include <stdint.h>

struct adl_span {
    int64_t first, end; /* bytes */
};

struct adl_chart {
    int64_t size;               /* of the file, > 0 */
    const unsigned char *cells; /* percent of each that is here */
    size_t n_cells;
    const struct adl_span *flights; /* what each connection has yet to bring */
    size_t n_flights;
    const struct adl_span *waited; /* readers wait for these */
    size_t n_waited;
    const struct adl_span *wanted;
    size_t n_wanted;
};

enum adl_cell {
    ADL_CELL_HERE,
    ADL_CELL_WAITED,
    ADL_CELL_FLIGHT,
    ADL_CELL_PART,
    ADL_CELL_WANTED,
    ADL_CELL_MISSING
};

/* What cell `index` shows; *flight: the connection, where it is one. */
enum adl_cell adl_chart_cell(const struct adl_chart *chart, size_t index, size_t *flight);

/* Draws it in rows of at most `columns` cells, each row behind `indent` blanks. Returns the rows.
 */
unsigned adl_chart_draw(const struct adl_chart *chart, const struct adl_screen *screen,
                        unsigned columns, unsigned indent, FILE *out);

/* What the characters mean, of those that occur, without the end of a line. `used` columns of the
 * line are taken; what does not fit goes on in the next, behind `indent` blanks. */
void adl_chart_legend(const struct adl_chart *chart, const struct adl_screen *screen, size_t used,
                      size_t indent, FILE *out);

#endif
