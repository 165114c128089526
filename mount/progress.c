#include "progress.h"

#include "cleanup.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 1024

/* A shorter bar tells nothing. */
#define BAR_LEAST 8

/* Without a terminal something is told after this long at the latest. */
#define QUIET_MS 30000

static int digits(uint64_t number)
{
    int count = 1;
    for (; number > 9; number /= 10)
        count++;
    return count;
}

enum part { AMOUNT, FILES, RATE, LEFT, PARTS };

/* What there is to tell; "" for what there is not. In columns of their own (`steady`) figures do
 * not move those beside them when they change. */
static void fill_parts(const struct adl_progress *progress, bool steady, char parts[PARTS][64])
{
    char done[ADL_TEXT_ROOM], total[ADL_TEXT_ROOM], rate[ADL_TEXT_ROOM], left[ADL_TEXT_ROOM];
    bool finished = progress->total >= 0 && progress->done >= progress->total;
    adl_text_size(progress->done, done);
    if (progress->total >= 0 && !finished)
        snprintf(parts[AMOUNT], 64, "%*s of %s", steady ? 8 : 0, done,
                 adl_text_size(progress->total, total));
    else
        snprintf(parts[AMOUNT], 64, "%*s", steady && !finished ? 8 : 0, done);
    if (progress->files > 1)
        snprintf(parts[FILES], 64, "%*" PRIu64 "/%" PRIu64 " files",
                 steady ? digits(progress->files) : 0, progress->files_done, progress->files);
    if (finished)
        return;
    snprintf(parts[RATE], 64, "%*s", steady ? 10 : 0, adl_text_rate(progress->rate, rate));
    if (progress->eta >= 0)
        snprintf(parts[LEFT], 64, "%*s left", steady ? 7 : 0, adl_text_time(progress->eta, left));
    else if (steady)
        snprintf(parts[LEFT], 64, "%12s", "");
}

static void append(char out[256], const char *text)
{
    size_t length = strlen(out);
    snprintf(out + length, 256 - length, "%s", text);
}

/* "1.2 GiB of 2.9 GiB  3/9 files  12.3 MiB/s  2:05 left": what `columns` have no room for is left
 * out as a whole. Returns the columns. */
static size_t describe(const struct adl_progress *progress, bool steady, size_t columns,
                       const char *between, char out[256])
{
    static const enum part dispensable[] = {FILES, LEFT, RATE};
    char parts[PARTS][64] = {""};
    size_t length = 0;
    fill_parts(progress, steady, parts);
    for (unsigned i = 0; i < PARTS; i++)
        length += parts[i][0] ? strlen(parts[i]) + (i ? strlen(between) : 0) : 0;
    for (unsigned i = 0; i < 3 && length > columns; i++) {
        char *part = parts[dispensable[i]];
        length -= *part ? strlen(part) + strlen(between) : 0;
        *part = '\0';
    }
    out[0] = '\0';
    for (unsigned i = 0; i < PARTS; i++)
        if (parts[i][0]) {
            append(out, i ? between : "");
            append(out, parts[i]);
        }
    return length;
}

void adl_progress_tell(const struct adl_progress *progress, FILE *out)
{
    char title[NAME_MAX_BYTES], note[NAME_MAX_BYTES], percent[ADL_TEXT_ROOM], rest[256];
    adl_text_show(progress->title, 200, title, sizeof(title));
    describe(progress, false, sizeof(rest), ", ", rest);
    fprintf(out, "%s: ", title);
    if (progress->total >= 0)
        fprintf(out, "%s, ", adl_text_percent(progress->done, progress->total, percent));
    fputs(rest, out);
    if (progress->note) {
        adl_text_show(progress->note, 200, note, sizeof(note));
        fprintf(out, " (%s)", note);
    }
    fputc('\n', out);
}

/* Name and note. */
static void draw_title(const struct adl_progress *progress, const struct adl_screen *screen,
                       FILE *out)
{
    char title[NAME_MAX_BYTES], note[NAME_MAX_BYTES] = "";
    size_t room = screen->columns - 1;
    size_t for_note = progress->note ? adl_text_width(progress->note) : 0;
    size_t for_title = adl_text_width(progress->title);
    if (for_title > room / 3)
        for_title = room / 3;
    if (for_note > room - for_title - 2)
        for_note = room - for_title - 2;
    adl_text_show(progress->title, room - (for_note ? for_note + 2 : 0), title, sizeof(title));
    if (for_note)
        adl_text_show(progress->note, for_note, note, sizeof(note));
    fprintf(out, "%s%s%s", adl_screen_colour(screen, ADL_BOLD), title,
            adl_screen_colour(screen, ADL_PLAIN));
    if (for_note)
        fprintf(out, "  %s%s%s", adl_screen_colour(screen, ADL_YELLOW), note,
                adl_screen_colour(screen, ADL_PLAIN));
    fputc('\n', out);
}

static void draw_total(const struct adl_progress *progress, const struct adl_screen *screen,
                       FILE *out)
{
    char percent[ADL_TEXT_ROOM], rest[256];
    size_t room = screen->columns - 1 - 6;
    size_t used = describe(progress, true, room, "  ", rest);
    if (used + 2 + BAR_LEAST > room)
        used = describe(progress, false, room, "  ", rest);
    adl_text_percent(progress->done, progress->total, percent);
    fprintf(out, "%5s ", percent);
    if (used + 2 + BAR_LEAST <= room) {
        adl_screen_bar(screen, out, (unsigned)(room - used - 2), progress->done, progress->total,
                       ADL_GREEN);
        fputs("  ", out);
    }
    fprintf(out, "%.*s\n", (int)room, rest);
}

/* Number, name, range, bar, percent, rate; name and bar only where there is room. */
static void draw_line(const struct adl_progress_line *line, size_t number,
                      const struct adl_screen *screen, FILE *out)
{
    char from[ADL_TEXT_ROOM], to[ADL_TEXT_ROOM], rate[ADL_TEXT_ROOM], percent[ADL_TEXT_ROOM];
    char range[64], name[NAME_MAX_BYTES];
    int64_t total = line->end < 0 ? -1 : line->end - line->first, done = line->at - line->first;
    unsigned columns = screen->columns - 1, used = 4 + 1 + 13 + 6 + 13;
    if (total == 0) /* it is asked how large the file is */
        snprintf(range, sizeof(range), "asking");
    else
        snprintf(range, sizeof(range), "%s-%s", adl_text_short(line->first, from),
                 line->end < 0 ? "" : adl_text_short(line->end, to));
    fprintf(out, "%4zu ", number);
    if (line->name && columns >= used + 16) {
        unsigned room = (columns - used) / 2;
        room = room < 14 ? 14 : room > 24 ? 24 : room;
        size_t width = adl_text_show(line->name, room, name, sizeof(name));
        fprintf(out, "%s%*s  ", name, (int)(room - width), "");
        used += room + 2;
    }
    fprintf(out, "%-13s", range);
    if (columns >= used + 6) {
        fputc(' ', out);
        adl_screen_bar(screen, out, columns - used - 1, done, total, ADL_CYAN);
    }
    if (columns >= 38)
        fprintf(out, "%6s  %11s", adl_text_percent(done, total ? total : -1, percent),
                adl_text_rate(line->rate, rate));
    fputc('\n', out);
}

unsigned adl_progress_draw_lines(const struct adl_progress *progress,
                                 const struct adl_screen *screen, unsigned rows, FILE *out)
{
    unsigned drawn = 0;
    for (size_t i = 0; i < progress->n_lines && drawn < rows; i++, drawn++) {
        if (drawn + 1 == rows && i + 1 < progress->n_lines) {
            fprintf(out, "     and %zu more\n", progress->n_lines - i);
            return drawn + 1;
        }
        draw_line(&progress->lines[i], i + 1, screen, out);
    }
    return drawn;
}

unsigned adl_progress_draw(const struct adl_progress *progress, const struct adl_screen *screen,
                           unsigned rows, FILE *out)
{
    unsigned drawn = 0;
    if (rows > 1) {
        draw_title(progress, screen, out);
        drawn++;
    }
    draw_total(progress, screen, out);
    drawn++;
    return drawn + adl_progress_draw_lines(progress, screen, rows - drawn, out);
}

/* The cursor goes up over the last picture, and everything from there on is taken away. */
void adl_progress_clear(struct adl_progress_view *view)
{
    if (view->drawn)
        fprintf(view->out, "\033[%uA\r\033[J", view->drawn);
    view->drawn = 0;
    fflush(view->out);
}

/* One write, so that no half picture is seen. */
static void redraw(struct adl_progress_view *view, const struct adl_progress *progress)
{
    cleanup_free char *picture = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&picture, &length);
    if (!memory)
        return;
    if (fileno(view->out) >= 0)
        adl_screen_init(&view->screen, view->out); /* it may have another size by now */
    if (view->drawn)
        fprintf(memory, "\033[%uA\r\033[J", view->drawn);
    view->drawn = adl_progress_draw(progress, &view->screen, view->screen.rows - 1, memory);
    fclose(memory);
    fwrite(picture, 1, length, view->out);
    fflush(view->out);
}

void adl_progress_update(struct adl_progress_view *view, const struct adl_progress *progress,
                         int64_t now)
{
    if (view->screen.terminal) {
        redraw(view, progress);
        return;
    }
    int64_t tenths = adl_text_part(progress->done, progress->total, 10);
    if (view->told_at && tenths <= view->told && now - view->told_at < QUIET_MS)
        return;
    view->told_at = now ? now : 1;
    view->told = tenths;
    adl_progress_tell(progress, view->out);
    fflush(view->out);
}

void adl_progress_end(struct adl_progress_view *view, const struct adl_progress *progress)
{
    if (view->screen.terminal) {
        struct adl_progress last = *progress;
        last.n_lines = 0;
        redraw(view, &last);
        view->drawn = 0;
    } else {
        adl_progress_tell(progress, view->out);
        fflush(view->out);
    }
}
