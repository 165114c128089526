#include "chart.h"

#include <stdbool.h>
#include <string.h>

static int64_t edge(const struct adl_chart *chart, size_t index)
{
    if (index >= chart->n_cells)
        return chart->size;
    return (int64_t)((double)chart->size / (double)chart->n_cells * (double)index);
}

/* The first span that has something of [first, end). */
static bool touches(const struct adl_span *spans, size_t count, int64_t first, int64_t end,
                    size_t *which)
{
    for (size_t i = 0; i < count; i++)
        if (spans[i].first < end && spans[i].end > first) {
            *which = i;
            return true;
        }
    return false;
}

enum adl_cell adl_chart_cell(const struct adl_chart *chart, size_t index, size_t *flight)
{
    int64_t first = edge(chart, index), end = edge(chart, index + 1);
    unsigned char percent = chart->cells[index];
    size_t which;
    if (percent >= 100)
        return ADL_CELL_HERE;
    if (touches(chart->flights, chart->n_flights, first, end, flight))
        return ADL_CELL_FLIGHT;
    if (touches(chart->waited, chart->n_waited, first, end, &which))
        return ADL_CELL_WAITED;
    if (percent > 0)
        return ADL_CELL_PART;
    if (touches(chart->wanted, chart->n_wanted, first, end, &which))
        return ADL_CELL_WANTED;
    return ADL_CELL_MISSING;
}

static const char *const fine[] = {"█", "?", "", "▓", "░", "·"};
static const char *const plain[] = {"#", "?", "", "+", ":", "."};
static const char *const meanings[] = {"here",   "waited for", "coming",
                                       "partly", "wanted",     "missing"};
static const enum adl_colour colours[] = {ADL_GREEN, ADL_RED,    ADL_CYAN,
                                          ADL_GREEN, ADL_YELLOW, ADL_DIM};

static char digit_of(size_t flight)
{
    static const char digits[] = "123456789abcdefghijklmnopqrstuvwxyz";
    return flight < sizeof(digits) - 1 ? digits[flight] : '*';
}

static void draw_cell(const struct adl_screen *screen, enum adl_cell cell, size_t flight, FILE *out)
{
    if (cell == ADL_CELL_FLIGHT)
        fputc(digit_of(flight), out);
    else
        fputs(screen->utf8 ? fine[cell] : plain[cell], out);
}

unsigned adl_chart_draw(const struct adl_chart *chart, const struct adl_screen *screen,
                        unsigned columns, unsigned indent, FILE *out)
{
    unsigned rows = 0;
    for (size_t i = 0; i < chart->n_cells; rows++) {
        int last = -1;
        fprintf(out, "%*s", (int)indent, "");
        for (size_t end = i + columns; i < end && i < chart->n_cells; i++) {
            size_t flight = 0;
            enum adl_cell cell = adl_chart_cell(chart, i, &flight);
            if ((int)colours[cell] != last) {
                fputs(adl_screen_colour(screen, ADL_PLAIN), out);
                fputs(adl_screen_colour(screen, colours[cell]), out);
            }
            last = (int)colours[cell];
            draw_cell(screen, cell, flight, out);
        }
        fprintf(out, "%s\n", adl_screen_colour(screen, ADL_PLAIN));
    }
    return rows;
}

void adl_chart_legend(const struct adl_chart *chart, const struct adl_screen *screen, size_t used,
                      size_t indent, FILE *out)
{
    bool occurs[6] = {false};
    const char *between = "";
    for (size_t i = 0; i < chart->n_cells; i++) {
        size_t flight;
        occurs[adl_chart_cell(chart, i, &flight)] = true;
    }
    for (unsigned cell = 0; cell < 6; cell++) {
        if (!occurs[cell])
            continue;
        size_t width = strlen(meanings[cell]) + (cell == ADL_CELL_FLIGHT ? 4 : 2);
        if (used + strlen(between) + width >= screen->columns) {
            between = "";
            used = indent;
            fprintf(out, "\n%*s", (int)indent, "");
        }
        used += strlen(between) + width;
        fprintf(out, "%s%s", between, adl_screen_colour(screen, colours[cell]));
        if (cell == ADL_CELL_FLIGHT)
            fputs("1-9", out);
        else
            draw_cell(screen, (enum adl_cell)cell, 0, out);
        fprintf(out, "%s %s", adl_screen_colour(screen, ADL_PLAIN), meanings[cell]);
        between = "  ";
    }
}
