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

void adl_draw_mount(const json_t *mount, const struct adl_screen *screen, FILE *out)
{
    char fetched[ADL_TEXT_ROOM], served[ADL_TEXT_ROOM], percent[ADL_TEXT_ROOM], count[64];
    int64_t entries = number(mount, "entries"), reads = number(mount, "reads");
    size_t width = screen->columns - 1;
    snprintf(count, sizeof(count), "  %" PRId64 " file%s", entries, plural(entries));
    width -= strlen(count);
    fputs(adl_screen_colour(screen, ADL_BOLD), out);
    size_t used = put(out, mount, "mountpoint", width * 2 / 3);
    fputs(adl_screen_colour(screen, ADL_PLAIN), out);
    fputs("  ", out);
    put(out, mount, "source", width - used - 2);
    fprintf(out, "%s\n  ", count);
    draw_settings(mount, screen, out);
    fprintf(out, "  fetched %s, served %s", adl_text_size(number(mount, "fetched"), fetched),
            adl_text_size(number(mount, "served"), served));
    if (reads > 0)
        fprintf(out, "; %s of %" PRId64 " read%s from the cache",
                adl_text_percent(number(mount, "hits"), reads, percent), reads, plural(reads));
    int64_t errors = number(mount, "errors");
    if (errors > 0)
        fprintf(out, "; %" PRId64 " error%s", errors, plural(errors));
    fputc('\n', out);
}

/* --- files */

static const char *cached_percent(const json_t *file, char out[ADL_TEXT_ROOM])
{
    int64_t size = number(file, "size"), cached = number(file, "cached");
    return adl_text_percent(cached, cached < 0 ? -1 : size, out);
}

#define NAME_COLUMN 54
#define BAR_COLUMNS 20
#define WIDE        100

static void draw_row(const json_t *file, const struct adl_screen *screen, FILE *out)
{
    char percent[ADL_TEXT_ROOM], size[ADL_TEXT_ROOM], rate[ADL_TEXT_ROOM] = "-";
    char eta[ADL_TEXT_ROOM], transfers[ADL_TEXT_ROOM] = "-", errors[ADL_TEXT_ROOM] = "-";
    const char *state = word(file, "state");
    bool wide = screen->columns >= WIDE;
    if (number(file, "rate") > 0)
        snprintf(rate, sizeof(rate), "%.10s/s",
                 adl_text_short(number(file, "rate"), (char[ADL_TEXT_ROOM]){0}));
    if (number(file, "transfers") > 0)
        adl_text_short(number(file, "transfers"), transfers);
    if (number(file, "errors") > 0)
        adl_text_short(number(file, "errors"), errors);
    fprintf(out, "  %s%-8.8s%s %6s ", adl_screen_colour(screen, colour_of(state)), state,
            adl_screen_colour(screen, ADL_PLAIN), cached_percent(file, percent));
    if (wide) {
        adl_screen_bar(screen, out, BAR_COLUMNS, number(file, "cached"), number(file, "size"),
                       ADL_GREEN);
        fputc(' ', out);
    }
    fprintf(out, "%6s %8s %7s %4s %5s  ", adl_text_short(number(file, "size"), size), rate,
            adl_text_time(number(file, "eta"), eta), transfers, errors);
    put(out, file, "path", screen->columns - 1 - NAME_COLUMN - (wide ? BAR_COLUMNS + 1 : 0));
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

void adl_draw_files(const json_t *files, const struct adl_screen *screen, unsigned rows, FILE *out)
{
    size_t count = json_array_size(files);
    cleanup_free const json_t **sorted = calloc(count + 1, sizeof(const json_t *));
    if (!sorted || count == 0 || rows < 2)
        return;
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(files, i);
    qsort(sorted, count, sizeof(const json_t *), compare);
    fprintf(out, "%s  %-8s %6s %*s%6s %8s %7s %4s %5s  %s%s\n", adl_screen_colour(screen, ADL_DIM),
            "STATE", "CACHED", screen->columns >= WIDE ? BAR_COLUMNS + 1 : 0, "", "SIZE", "RATE",
            "ETA", "CONN", "ERRS", "FILE", adl_screen_colour(screen, ADL_PLAIN));
    size_t shown = count < rows ? count : rows - 2;
    for (size_t i = 0; i < shown; i++)
        draw_row(sorted[i], screen, out);
    if (shown < count)
        fprintf(out, "  and %zu more\n", count - shown);
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
    put(out, file, name, screen->columns - 1 - LABEL_COLUMNS);
    fputc('\n', out);
}

static void draw_state(const json_t *file, const struct adl_screen *screen, FILE *out)
{
    char percent[ADL_TEXT_ROOM], size[ADL_TEXT_ROOM], rate[ADL_TEXT_ROOM], eta[ADL_TEXT_ROOM];
    const char *state = word(file, "state");
    int64_t transfers = number(file, "transfers"), waiting = number(file, "waiting");
    label(screen, "state", out);
    fprintf(out, "%s%s%s, %s", adl_screen_colour(screen, colour_of(state)), state,
            adl_screen_colour(screen, ADL_PLAIN), cached_percent(file, percent));
    fprintf(out, " of %s cached", adl_text_size(number(file, "size"), size));
    fprintf(out, ", mode %s\n", word(file, "mode"));
    if (transfers <= 0 && waiting <= 0)
        return;
    label(screen, "transfer", out);
    fprintf(out, "%s, %" PRId64 " connection%s", adl_text_rate(number(file, "rate"), rate),
            transfers, plural(transfers));
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
    label(screen, "version", out);
    if (tagged) {
        fputs("ETag ", out);
        put(out, file, "etag", screen->columns - LABEL_COLUMNS - 6 - (dated ? 32 : 0));
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
        length += (size_t)snprintf(health + length, sizeof(health) - length,
                                   ", %" PRId64 " failure%s in a row", failures, plural(failures));
    size_t room = screen->columns - 1 - LABEL_COLUMNS;
    put(out, mirror, "url", room);
    fprintf(out, "\n%*s%s%s%s\n", LABEL_COLUMNS + 2, "",
            adl_screen_colour(screen, bad ? ADL_RED : ADL_DIM), health,
            adl_screen_colour(screen, ADL_PLAIN));
}

static void draw_mirrors(const json_t *mirrors, const struct adl_screen *screen, FILE *out)
{
    for (size_t i = 0; i < json_array_size(mirrors); i++) {
        const json_t *mirror = json_array_get(mirrors, i);
        bool several = json_array_size(mirrors) > 1;
        label(screen, !several ? "from" : flag(mirror, "current") ? "mirror *" : "mirror", out);
        draw_mirror(mirror, screen, out);
    }
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
    fprintf(out, "%s each: ", adl_text_size(chart.size / (int64_t)chart.n_cells, size));
    adl_chart_legend(&chart, screen, out);
    fputc('\n', out);
    adl_chart_draw(&chart, screen, screen->columns - 5, 2, out);
}

unsigned adl_draw_cells(const struct adl_screen *screen)
{
    unsigned rows = screen->rows / 4;
    unsigned cells = (screen->columns - 5) * (rows < 3 ? 3 : rows);
    return cells < 4096 ? cells : 4096;
}

void adl_draw_file(const json_t *file, const struct adl_screen *screen, FILE *out)
{
    fputs(adl_screen_colour(screen, ADL_BOLD), out);
    put(out, file, "path", screen->columns - 1);
    fprintf(out, "%s\n", adl_screen_colour(screen, ADL_PLAIN));
    draw_state(file, screen, out);
    draw_mirrors(json_object_get(file, "mirrors"), screen, out);
    draw_text(file, screen, "final_url", "led to", out);
    draw_validator(file, screen, out);
    if (number(file, "errors") > 0) {
        label(screen, "errors", out);
        fprintf(out, "%" PRId64 "\n", number(file, "errors"));
    }
    draw_text(file, screen, "error", "the last", out);
    draw_map(file, screen, out);
    const json_t *connections = json_object_get(file, "connections");
    if (json_array_size(connections))
        adl_draw_connections(connections, screen, 36, out);
}

/* --- metrics */

static const struct {
    const char *name, *field, *kind, *help;
} metrics[] = {
    {"adlfs_fetched_bytes_total", "fetched", "counter", "Bytes fetched from origins."},
    {"adlfs_served_bytes_total", "served", "counter", "Bytes that reads were answered with."},
    {"adlfs_reads_total", "reads", "counter", "Reads that reached the daemon."},
    {"adlfs_cached_reads_total", "hits", "counter", "Reads answered from the cache at once."},
    {"adlfs_errors_total", "errors", "counter", "Things that failed and were told."},
    {"adlfs_fetch_rate_bytes", "rate", "gauge", "Bytes a second, lately."},
    {"adlfs_transfers", "transfers", "gauge", "Transfers under way."},
    {"adlfs_waiting_reads", "waiting", "gauge", "Reads that wait for bytes."},
    {"adlfs_limit_rate_bytes", "limit_rate", "gauge", "Limit in bytes a second, 0 for none."},
    {"adlfs_entries", "entries", "gauge", "Files of the mount."},
    {"adlfs_paused", "paused", "gauge", "1 while the mount is paused."},
};

/* A label's value: \, " and newlines escaped. */
static void put_label(FILE *out, const char *text)
{
    for (; *text; text++)
        if (*text == '\\' || *text == '"')
            fprintf(out, "\\%c", *text);
        else if (*text == '\n')
            fputs("\\n", out);
        else
            fputc(*text, out);
}

/* A metric's lines must stand together, so all mounts are written a metric at a time. */
void adl_draw_metrics(const json_t *answers, FILE *out)
{
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name, metrics[i].help,
                metrics[i].name, metrics[i].kind);
        for (size_t k = 0; k < json_array_size(answers); k++) {
            const json_t *mount = json_object_get(json_array_get(answers, k), "mount");
            const json_t *value = json_object_get(mount, metrics[i].field);
            fprintf(out, "%s{mountpoint=\"", metrics[i].name);
            put_label(out, word(mount, "mountpoint"));
            fprintf(out, "\"} %" PRId64 "\n",
                    json_is_boolean(value) ? (int64_t)json_is_true(value)
                                           : (int64_t)json_integer_value(value));
        }
    }
}
