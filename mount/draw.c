#include "draw.h"

#include "chart.h"
#include "cleanup.h"
#include "json_name.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHOWN_MAX 4096

static int64_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static bool flag(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static const char *word(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* A text from outside, within so many columns. Returns those that it used. */
static size_t put(FILE *out, const json_t *object, const char *name, size_t columns)
{
    char shown[SHOWN_MAX];
    cleanup_free char *bytes = adl_json_bytes(json_object_get(object, name));
    size_t used = adl_text_show(bytes ? bytes : "", columns, shown, sizeof(shown));
    fputs(shown, out);
    return used;
}

/* Copies lines, each cut at the screen's edge. Returns how many. */
static unsigned draw_clipped(const char *picture, const struct adl_screen *screen, FILE *out)
{
    unsigned lines = 0;
    for (const char *at = picture; *at; lines++) {
        const char *end = strchrnul(at, '\n');
        adl_text_clip(at, (size_t)(end - at), screen->columns - 1, out);
        fputc('\n', out);
        at = end + (*end == '\n');
    }
    return lines;
}

/* Columns behind `used` ones; never so few that nothing can be told. */
static size_t rest_of(const struct adl_screen *screen, size_t used)
{
    return used + 5 > screen->columns ? 4 : screen->columns - 1 - used;
}

static enum adl_colour colour_of(const char *state)
{
    static const struct {
        const char *state;
        enum adl_colour colour;
    } all[] = {{"fetching", ADL_CYAN},
               {"complete", ADL_GREEN},
               {"failed", ADL_RED},
               {"stale", ADL_RED},
               {"paused", ADL_YELLOW}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i].state, state) == 0)
            return all[i].colour;
    return ADL_DIM;
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

/* --- a mount */

/* "12.3 MiB/s, 8 connections, 2 reads wait" */
static void draw_flow(const json_t *mount, FILE *out)
{
    char rate[ADL_TEXT_ROOM];
    int64_t transfers = number(mount, "transfers"), waiting = number(mount, "waiting");
    if (transfers > 0)
        fprintf(out, "%s, %" PRId64 " connection%s", adl_text_rate(number(mount, "rate"), rate),
                transfers, plural(transfers));
    else
        fputs("nothing is fetched", out);
    if (waiting > 0)
        fprintf(out, ", %" PRId64 " read%s", waiting, waiting == 1 ? " waits" : "s wait");
}

static void draw_settings(const json_t *mount, const struct adl_screen *screen, FILE *out)
{
    char rate[ADL_TEXT_ROOM];
    if (flag(mount, "paused"))
        fprintf(out, "%spaused%s: ", adl_screen_colour(screen, ADL_YELLOW),
                adl_screen_colour(screen, ADL_PLAIN));
    draw_flow(mount, out);
    if (number(mount, "limit_rate") > 0)
        fprintf(out, " (limit %s)", adl_text_rate(number(mount, "limit_rate"), rate));
    fputc('\n', out);
}

/* "fetched 9.1 MiB, served 3.0 MiB; 12% of 40 reads from the cache; 1 error", without the reads
 * where there is no room for them. */
static void draw_totals(const json_t *mount, const struct adl_screen *screen, FILE *out)
{
    char fetched[ADL_TEXT_ROOM], served[ADL_TEXT_ROOM], percent[ADL_TEXT_ROOM];
    char reads[96] = "", errors[64] = "";
    int64_t count = number(mount, "reads"), failed = number(mount, "errors");
    if (count > 0)
        snprintf(reads, sizeof(reads), "; %s of %" PRId64 " read%s from the cache",
                 adl_text_percent(number(mount, "hits"), count, percent), count, plural(count));
    if (failed > 0)
        snprintf(errors, sizeof(errors), "; %" PRId64 " error%s", failed, plural(failed));
    adl_text_size(number(mount, "fetched"), fetched);
    adl_text_size(number(mount, "served"), served);
    size_t used = strlen("  fetched , served ") + strlen(fetched) + strlen(served) + strlen(errors);
    fprintf(out, "  fetched %s, served %s%s%s\n", fetched, served,
            used + strlen(reads) < screen->columns ? reads : "", errors);
}

static void draw_heading(const json_t *mount, const struct adl_screen *screen, FILE *out)
{
    char count[64];
    int64_t entries = number(mount, "entries");
    int length = snprintf(count, sizeof(count), "  %" PRId64 " file%s", entries, plural(entries));
    size_t width = rest_of(screen, (size_t)length);
    fputs(adl_screen_colour(screen, ADL_BOLD), out);
    size_t used = put(out, mount, "mountpoint", width < 24 ? width : width * 2 / 3);
    fputs(adl_screen_colour(screen, ADL_PLAIN), out);
    if (used + 2 + 4 <= width) {
        fputs("  ", out);
        put(out, mount, "source", width - used - 2);
    }
    fprintf(out, "%s\n", count);
}

void adl_draw_mount(const json_t *mount, const struct adl_screen *screen, FILE *out)
{
    cleanup_free char *picture = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&picture, &length);
    if (!memory)
        return;
    draw_heading(mount, screen, memory);
    fputs("  ", memory);
    draw_settings(mount, screen, memory);
    draw_totals(mount, screen, memory);
    fclose(memory);
    if (picture)
        draw_clipped(picture, screen, out);
}

/* --- files */

static const char *cached_percent(const json_t *file, char out[ADL_TEXT_ROOM])
{
    int64_t size = number(file, "size"), cached = number(file, "cached");
    return adl_text_percent(cached, cached < 0 ? -1 : size, out);
}

#define STATE_COLUMNS 10
#define BAR_COLUMNS   20

/* A name gets so many columns before anything but its state is shown ... */
#define NAME_LEAST 18

/* ... and so many before there is a bar. */
#define NAME_MUCH 25

/* The columns of the table between state and name, with what they take. */
enum field { CACHED, BAR, SIZE, RATE, ETA, CONNECTIONS, ERRORS, FIELDS };
static const struct {
    const char *name;
    unsigned columns;
} fields[] = {{"CACHED", 7}, {"", BAR_COLUMNS + 1}, {"SIZE", 7}, {"RATE", 9},
              {"ETA", 8},    {"CONN", 5},           {"ERRS", 6}};

/* Which of them there is room for. Returns the columns that are left for names. */
static unsigned choose(const struct adl_screen *screen, bool shown[FIELDS])
{
    static const enum field order[] = {CACHED, SIZE, ERRORS, RATE, CONNECTIONS, ETA, BAR};
    unsigned left = (unsigned)rest_of(screen, STATE_COLUMNS + 2);
    for (unsigned i = 0; i < FIELDS; i++) {
        enum field field = order[i];
        unsigned least = field == BAR ? NAME_MUCH : NAME_LEAST;
        shown[field] = left >= fields[field].columns + least;
        left -= shown[field] ? fields[field].columns : 0;
    }
    return left;
}

static void draw_head(const bool shown[FIELDS], const struct adl_screen *screen, FILE *out)
{
    fprintf(out, "%s  %-8s", adl_screen_colour(screen, ADL_DIM), "STATE");
    for (unsigned i = 0; i < FIELDS; i++)
        if (shown[i])
            fprintf(out, "%*s", (int)fields[i].columns, fields[i].name);
    fprintf(out, "  FILE%s\n", adl_screen_colour(screen, ADL_PLAIN));
}

static void draw_bar(const json_t *file, const struct adl_screen *screen, FILE *out)
{
    bool empty = number(file, "size") == 0;
    fputc(' ', out);
    adl_screen_bar(screen, out, BAR_COLUMNS, empty ? 1 : number(file, "cached"),
                   empty ? 1 : number(file, "size"), ADL_GREEN);
}

static void draw_row(const json_t *file, const bool shown[FIELDS], unsigned room,
                     const struct adl_screen *screen, FILE *out)
{
    char cells[FIELDS][ADL_TEXT_ROOM] = {[RATE] = "-", [CONNECTIONS] = "-", [ERRORS] = "-"};
    const char *state = word(file, "state");
    cached_percent(file, cells[CACHED]);
    adl_text_short(number(file, "size"), cells[SIZE]);
    adl_text_time(number(file, "eta"), cells[ETA]);
    if (number(file, "rate") > 0)
        snprintf(cells[RATE], ADL_TEXT_ROOM, "%.10s/s",
                 adl_text_short(number(file, "rate"), (char[ADL_TEXT_ROOM]){0}));
    if (number(file, "transfers") > 0)
        adl_text_short(number(file, "transfers"), cells[CONNECTIONS]);
    if (number(file, "errors") > 0)
        adl_text_short(number(file, "errors"), cells[ERRORS]);
    fprintf(out, "  %s%-8.8s%s", adl_screen_colour(screen, colour_of(state)), state,
            adl_screen_colour(screen, ADL_PLAIN));
    for (unsigned i = 0; i < FIELDS; i++)
        if (shown[i] && i == BAR)
            draw_bar(file, screen, out);
        else if (shown[i])
            fprintf(out, "%*s", (int)fields[i].columns, cells[i]);
    fputs("  ", out);
    put(out, file, "path", room);
    fputc('\n', out);
}

/* What people look for first: what is coming, what waits, what failed. */
static int rank(const json_t *file)
{
    static const char *const order[] = {"fetching", "failed", "paused", "stale", "idle", "unknown"};
    for (int i = 0; i < 6; i++)
        if (strcmp(order[i], word(file, "state")) == 0)
            return i;
    return 6;
}

static int compare(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
    int by_rank = rank(one) - rank(other);
    if (by_rank)
        return by_rank;
    return number(one, "entry") < number(other, "entry") ? -1 : 1;
}

void adl_draw_files(const json_t *files, bool all, const struct adl_screen *screen, unsigned rows,
                    FILE *out)
{
    size_t count = json_array_size(files);
    bool chosen[FIELDS];
    cleanup_free const json_t **sorted = calloc(count + 1, sizeof(const json_t *));
    if (!sorted || count == 0 || rows < 2)
        return;
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(files, i);
    qsort(sorted, count, sizeof(const json_t *), compare);
    unsigned room = choose(screen, chosen);
    draw_head(chosen, screen, out);
    size_t shown = all && count < rows ? count : count < rows - 2 ? count : rows - 2;
    for (size_t i = 0; i < shown; i++)
        draw_row(sorted[i], chosen, room, screen, out);
    if (shown < count || !all)
        fprintf(out, "  and %s%zu more\n", all ? "" : "over ", count - shown);
}

/* --- connections */

static int by_place(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
    int by_path = strcmp(word(one, "path"), word(other, "path"));
    if (by_path)
        return by_path;
    return number(one, "at") < number(other, "at") ? -1 : number(one, "at") > number(other, "at");
}

static void sort_list(json_t *list)
{
    size_t count = json_array_size(list);
    cleanup_free json_t **all = calloc(count + 1, sizeof(json_t *));
    if (!all || count < 2)
        return;
    for (size_t i = 0; i < count; i++)
        all[i] = json_incref(json_array_get(list, i));
    qsort(all, count, sizeof(json_t *), by_place);
    json_array_clear(list);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, all[i]);
}

void adl_draw_sort(json_t *answer)
{
    const json_t *files = json_object_get(answer, "files");
    sort_list(json_object_get(answer, "connections"));
    for (size_t i = 0; i < json_array_size(files); i++)
        sort_list(json_object_get(json_array_get(files, i), "connections"));
}

void adl_draw_lines(const json_t *connections, bool named, struct adl_progress *progress)
{
    struct adl_progress_line *old = (struct adl_progress_line *)(uintptr_t)progress->lines;
    free(old);
    progress->lines = NULL;
    progress->n_lines = 0;
    size_t count = json_array_size(connections);
    struct adl_progress_line *lines = count ? calloc(count, sizeof(*lines)) : NULL;
    if (!lines)
        return;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(connections, i);
        lines[i] = (struct adl_progress_line){.name = named ? word(one, "path") : NULL,
                                              .first = number(one, "first"),
                                              .end = number(one, "end"),
                                              .at = number(one, "at"),
                                              .rate = number(one, "rate")};
    }
    progress->lines = lines;
    progress->n_lines = count;
}

static bool of_several_files(const json_t *connections)
{
    for (size_t i = 1; i < json_array_size(connections); i++)
        if (strcmp(word(json_array_get(connections, i), "path"),
                   word(json_array_get(connections, 0), "path")) != 0)
            return true;
    return false;
}

void adl_draw_connections(const json_t *connections, const struct adl_screen *screen, unsigned rows,
                          FILE *out)
{
    struct adl_progress progress = {0};
    adl_draw_lines(connections, of_several_files(connections), &progress);
    adl_progress_draw_lines(&progress, screen, rows, out);
    adl_draw_lines(NULL, false, &progress);
}

/* --- one file */

#define LABEL_COLUMNS 12

static void label(const struct adl_screen *screen, const char *text, FILE *out)
{
    fprintf(out, "  %s%-*s%s", adl_screen_colour(screen, ADL_DIM), LABEL_COLUMNS - 2, text,
            adl_screen_colour(screen, ADL_PLAIN));
}

static void draw_text(const json_t *file, const struct adl_screen *screen, const char *name,
                      const char *shown, FILE *out)
{
    if (!json_is_string(json_object_get(file, name)))
        return;
    label(screen, shown, out);
    put(out, file, name, rest_of(screen, LABEL_COLUMNS));
    fputc('\n', out);
}

/* How many, and the last one in full: every word of it counts. */
static void draw_errors(const json_t *file, const struct adl_screen *screen, FILE *out)
{
    char text[SHOWN_MAX], *end = text + sizeof(text), *at = text;
    size_t room = rest_of(screen, LABEL_COLUMNS), length;
    int64_t errors = number(file, "errors");
    cleanup_free char *last = adl_json_bytes(json_object_get(file, "error"));
    if (errors <= 0 && !last)
        return;
    if (errors > 0)
        at += snprintf(at, 64, "%" PRId64 "%s", errors, last ? ", the last: " : "");
    if (last)
        adl_text_show(last, SHOWN_MAX, at, (size_t)(end - at));
    label(screen, "errors", out);
    for (at = text; *at; at += length) {
        length = adl_text_line(at, room);
        int shown = (int)length - (at[length - 1] == ' ');
        fprintf(out, "%*s%.*s\n", at == text ? 0 : LABEL_COLUMNS, "", shown, at);
    }
}

static void draw_amount(const json_t *file, FILE *out)
{
    char percent[ADL_TEXT_ROOM], size[ADL_TEXT_ROOM];
    if (number(file, "size") < 0 && number(file, "cached") <= 0)
        fputs("size not known", out);
    else if (number(file, "size") < 0)
        fprintf(out, "%s cached, size not known", adl_text_size(number(file, "cached"), size));
    else
        fprintf(out, "%s of %s cached", cached_percent(file, percent),
                adl_text_size(number(file, "size"), size));
}

static void draw_state(const json_t *file, const struct adl_screen *screen, FILE *out)
{
    char rate[ADL_TEXT_ROOM], eta[ADL_TEXT_ROOM];
    const char *state = word(file, "state");
    int64_t transfers = number(file, "transfers"), waiting = number(file, "waiting");
    label(screen, "state", out);
    fprintf(out, "%s%s%s, ", adl_screen_colour(screen, colour_of(state)), state,
            adl_screen_colour(screen, ADL_PLAIN));
    draw_amount(file, out);
    fprintf(out, ", mode %s\n", word(file, "mode"));
    if (transfers <= 0 && waiting <= 0)
        return;
    label(screen, "transfer", out);
    if (transfers > 0)
        fprintf(out, "%s, %" PRId64 " connection%s", adl_text_rate(number(file, "rate"), rate),
                transfers, plural(transfers));
    else
        fputs("nothing is fetched", out);
    if (number(file, "eta") >= 0)
        fprintf(out, ", %s left", adl_text_time(number(file, "eta"), eta));
    if (waiting > 0)
        fprintf(out, ", %" PRId64 " read%s", waiting, waiting == 1 ? " waits" : "s wait");
    fputc('\n', out);
}

static void draw_validator(const json_t *file, const struct adl_screen *screen, FILE *out)
{
    const json_t *modified = json_object_get(file, "last_modified");
    time_t when = json_integer_value(modified);
    struct tm tm;
    char date[64];
    bool dated = json_is_integer(modified) && gmtime_r(&when, &tm);
    bool tagged = json_is_string(json_object_get(file, "etag"));
    if (!tagged && !dated && strcmp(word(file, "mode"), "unknown") == 0)
        return; /* nobody has asked yet */
    label(screen, "version", out);
    if (tagged) {
        fputs("ETag ", out);
        put(out, file, "etag", rest_of(screen, LABEL_COLUMNS + 5 + (dated ? 31 : 0)));
    }
    if (dated) {
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%SZ", &tm);
        fprintf(out, "%schanged %s", tagged ? ", " : "", date);
    }
    fputs(tagged || dated ? "\n" : "nothing pins it\n", out);
}

static void draw_mirror(const json_t *mirror, const struct adl_screen *screen, FILE *out)
{
    char health[160], delay[32] = "", rest[32] = "";
    const char *name = word(mirror, "health");
    bool bad = strcmp(name, "resting") == 0 || strcmp(name, "failing") == 0;
    int64_t failures = number(mirror, "failures");
    if (number(mirror, "rests_ms") > 0)
        snprintf(rest, sizeof(rest), " %.1f s", (double)number(mirror, "rests_ms") / 1000);
    if (number(mirror, "delay_ms") > 0)
        snprintf(delay, sizeof(delay), ", %" PRId64 " ms", number(mirror, "delay_ms"));
    snprintf(health, sizeof(health), "%.20s%s, %" PRId64 " of %" PRId64 " connections%s", name,
             rest, number(mirror, "transfers"), number(mirror, "limit"), delay);
    size_t length = strlen(health);
    if (failures > 0)
        snprintf(health + length, sizeof(health) - length, ", %" PRId64 " failure%s in a row",
                 failures, plural(failures));
    put(out, mirror, "url", rest_of(screen, LABEL_COLUMNS));
    fprintf(out, "\n%*s%s%s%s\n", LABEL_COLUMNS + 2, "",
            adl_screen_colour(screen, bad ? ADL_RED : ADL_DIM), health,
            adl_screen_colour(screen, ADL_PLAIN));
}

static void draw_mirrors(const json_t *mirrors, const struct adl_screen *screen, unsigned rows,
                         FILE *out)
{
    size_t count = json_array_size(mirrors), most = rows / 6 < 2 ? 2 : rows / 6, shown = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *mirror = json_array_get(mirrors, i);
        bool several = count > 1;
        if (count > most && i + 1 >= most && !flag(mirror, "current"))
            continue;
        label(screen, !several ? "from" : flag(mirror, "current") ? "mirror *" : "mirror", out);
        draw_mirror(mirror, screen, out);
        shown++;
    }
    if (shown < count)
        fprintf(out, "%*sand %zu more\n", LABEL_COLUMNS, "", count - shown);
}

/* [[first, end, ...], ...] or [{"at":, "end":}, ...]; the caller's to free. */
static struct adl_span *spans_of(const json_t *list, int64_t size, size_t *count)
{
    *count = json_array_size(list);
    struct adl_span *spans = calloc(*count + 1, sizeof(*spans));
    if (!spans)
        *count = 0;
    for (size_t i = 0; i < *count; i++) {
        const json_t *one = json_array_get(list, i);
        bool object = json_is_object(one);
        int64_t first = object ? number(one, "at") : json_integer_value(json_array_get(one, 0));
        int64_t end = object ? number(one, "end") : json_integer_value(json_array_get(one, 1));
        spans[i] = (struct adl_span){.first = first, .end = end < 0 ? size : end};
    }
    return spans;
}

static void draw_map(const json_t *file, const struct adl_screen *screen, FILE *out)
{
    const json_t *map = json_object_get(file, "map");
    struct adl_chart chart = {.size = number(file, "size"), .n_cells = json_array_size(map)};
    cleanup_free unsigned char *cells = calloc(chart.n_cells + 1, 1);
    if (!cells || !chart.n_cells || chart.size <= 0)
        return;
    for (size_t i = 0; i < chart.n_cells; i++) {
        json_int_t percent = json_integer_value(json_array_get(map, i));
        cells[i] = percent < 0 ? 0 : percent > 100 ? 100 : (unsigned char)percent;
    }
    cleanup_free struct adl_span *flights =
        spans_of(json_object_get(file, "connections"), chart.size, &chart.n_flights);
    cleanup_free struct adl_span *waited =
        spans_of(json_object_get(file, "waited_for"), chart.size, &chart.n_waited);
    cleanup_free struct adl_span *wanted =
        spans_of(json_object_get(file, "wanted"), chart.size, &chart.n_wanted);
    chart.cells = cells;
    chart.flights = flights;
    chart.waited = waited;
    chart.wanted = wanted;
    char size[ADL_TEXT_ROOM];
    label(screen, "map", out);
    int used = fprintf(out, "%s each: ", adl_text_size(chart.size / (int64_t)chart.n_cells, size));
    adl_chart_legend(&chart, screen, LABEL_COLUMNS + (size_t)used, LABEL_COLUMNS, out);
    fputc('\n', out);
    adl_chart_draw(&chart, screen, (unsigned)rest_of(screen, 4), 2, out);
}

unsigned adl_draw_cells(const struct adl_screen *screen)
{
    unsigned rows = screen->rows / 4;
    unsigned cells = (unsigned)rest_of(screen, 4) * (rows < 3 ? 3 : rows);
    return cells < 4096 ? cells : 4096;
}

static void draw_details(const json_t *file, const struct adl_screen *screen, unsigned rows,
                         FILE *out)
{
    fputs(adl_screen_colour(screen, ADL_BOLD), out);
    put(out, file, "path", screen->columns - 1);
    fprintf(out, "%s\n", adl_screen_colour(screen, ADL_PLAIN));
    draw_state(file, screen, out);
    draw_mirrors(json_object_get(file, "mirrors"), screen, rows, out);
    draw_text(file, screen, "final_url", "led to", out);
    draw_validator(file, screen, out);
    draw_errors(file, screen, out);
    draw_map(file, screen, out);
}

void adl_draw_file(const json_t *file, const struct adl_screen *screen, unsigned rows, FILE *out)
{
    const json_t *connections = json_object_get(file, "connections");
    cleanup_free char *head = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&head, &length);
    if (!memory)
        return;
    draw_details(file, screen, rows, memory);
    fclose(memory);
    unsigned drawn = head ? draw_clipped(head, screen, out) : 0;
    rows = rows > drawn + 3 ? rows - drawn : 3;
    if (json_array_size(connections))
        adl_draw_connections(connections, screen, rows, out);
}
