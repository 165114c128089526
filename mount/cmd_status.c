/* adlfs status: what mounts and files are doing, for people, programs and monitoring. */
#include "ask.h"
#include "cleanup.h"
#include "commands.h"
#include "draw.h"
#include "interrupt.h"
#include "metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two pictures of --watch are this far apart. */
#define WATCH_MS 500

struct status {
    const struct adl_options *options;
    struct adl_screen screen;
    json_t *all; /* owned: what was told, for programs */
    bool begun;  /* something was printed: an empty line comes between */
};

static json_t *request_of(const struct status *status, json_t *paths)
{
    json_t *request = json_pack("{s:s, s:O}", "do", "status", "paths", paths);
    if (json_array_size(paths))
        json_object_set_new(request, "cells", json_integer(adl_draw_cells(&status->screen)));
    return request;
}

/* Lists come in parts: the later ones are put to the first. */
static int ask_all(struct adl_ask *ask, json_t *request, json_t **answer)
{
    int r = adl_ask(ask, json_incref(request), answer);
    json_t *next = r < 0 || adl_ask_refused(*answer) ? NULL : json_object_get(*answer, "next");
    while (r == 0 && json_is_integer(next)) {
        json_t *more;
        json_object_set(request, "after", next);
        r = adl_ask(ask, json_incref(request), &more);
        if (r < 0)
            break;
        json_array_extend(json_object_get(*answer, "files"), json_object_get(more, "files"));
        json_object_set(*answer, "next", json_object_get(more, "next"));
        json_decref(more);
        next = json_object_get(*answer, "next");
    }
    if (r < 0 && *answer)
        json_decref(steal_pointer(*answer));
    json_decref(request);
    return r;
}

/* An answer with "connections" is of a mount or a directory; else each of its files has all. */
static void draw(const struct status *status, const json_t *answer, unsigned rows, FILE *out)
{
    const struct adl_screen *screen = &status->screen;
    const json_t *files = json_object_get(answer, "files");
    const json_t *connections = json_object_get(answer, "connections");
    if (!connections) {
        for (size_t i = 0; i < json_array_size(files); i++) {
            if (i)
                fputc('\n', out);
            adl_draw_file(json_array_get(files, i), screen,
                          screen->terminal ? screen->rows - 1 : UINT32_MAX, out);
        }
        return;
    }
    adl_draw_mount(json_object_get(answer, "mount"), screen, out);
    adl_draw_files(files, !json_is_integer(json_object_get(answer, "next")), screen, rows, out);
}

static int complain(const struct adl_target *target, int error, const json_t *answer)
{
    if (error < 0)
        adl_ask_complain("status", target, error);
    else
        fprintf(stderr, "adlfs status: %s: %s\n", target->mountpoint, adl_ask_refused(answer));
    return ADL_EXIT_FAILED;
}

static int show(void *ctx, const struct adl_target *target, struct adl_ask *ask, json_t *paths)
{
    struct status *status = ctx;
    json_t *answer = NULL;
    int r = ask_all(ask, request_of(status, paths), &answer), code = ADL_EXIT_DONE;
    if (r < 0 || adl_ask_refused(answer)) {
        code = complain(target, r, answer);
    } else if (status->all) {
        json_object_del(answer, "adlfs");
        json_object_del(answer, "ok");
        json_object_del(answer, "next");
        json_array_append(status->all, answer);
    } else {
        adl_draw_sort(answer);
        if (status->begun)
            putchar('\n');
        status->begun = true;
        draw(status, answer, UINT32_MAX, stdout);
    }
    json_decref(answer);
    return code;
}

/* --- the live view */

/* Lines of a mount's own, and one that is empty. */
#define HEAD_ROWS 4

/* Of `rows`, those for connections: what the files leave, but at least half. */
static unsigned rows_of_bars(const json_t *answer, unsigned rows)
{
    size_t bars = json_array_size(json_object_get(answer, "connections"));
    size_t files = json_array_size(json_object_get(answer, "files")) + 1;
    size_t most = files < rows / 2 ? rows - files : rows / 2;
    return (unsigned)(bars < most ? bars : most);
}

/* In one write; what the new picture does not cover is taken away. */
static void redraw(struct status *status, const json_t *answer)
{
    cleanup_free char *picture = NULL;
    size_t length = 0;
    adl_screen_init(&status->screen, stdout); /* it may have another size by now */
    FILE *memory = open_memstream(&picture, &length);
    if (!memory)
        return;
    unsigned rows = status->screen.rows - 1;
    const json_t *connections = json_object_get(answer, "connections");
    unsigned for_bars = rows_of_bars(answer, rows - HEAD_ROWS);
    draw(status, answer, rows - HEAD_ROWS - for_bars, memory);
    if (for_bars) {
        fputc('\n', memory);
        adl_draw_connections(connections, &status->screen, for_bars, memory);
    }
    fclose(memory);
    if (!picture)
        return;
    fputs("\033[H", stdout);
    unsigned line = 0;
    for (const char *at = picture; *at && line < rows; line++) {
        size_t end = strcspn(at, "\n");
        fwrite(at, 1, end, stdout);
        fputs("\033[K\r\n", stdout);
        at += end + (at[end] == '\n');
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

/* Until the daemon ends, or Ctrl-C. */
static int watch(void *ctx, const struct adl_target *target, struct adl_ask *ask, json_t *paths)
{
    struct status *status = ctx;
    json_t *request = request_of(status, paths), *answer;
    bool terminal = status->screen.terminal;
    adl_interrupt_catch();
    json_object_set_new(request, "every", json_integer(WATCH_MS));
    int r = adl_ask_send(ask, request);
    if (terminal)
        fputs("\033[?1049h\033[?25l", stdout);
    status->begun = true;
    while (r == 0 && !adl_interrupted && (r = adl_ask_next(ask, -1, &answer)) == 0) {
        const char *refused = adl_ask_refused(answer);
        adl_draw_sort(answer);
        if (refused)
            r = -EIO;
        else if (status->all) {
            json_dumpf(answer, stdout, JSON_COMPACT);
            putchar('\n');
            fflush(stdout);
        } else if (terminal) {
            redraw(status, answer);
        } else {
            draw(status, answer, UINT32_MAX, stdout);
            putchar('\n');
            fflush(stdout);
        }
        json_decref(answer);
        if (ferror(stdout))
            break;
    }
    if (terminal) {
        fputs("\033[?25h\033[?1049l", stdout);
        fflush(stdout);
    }
    if (adl_interrupted || r == -EINTR)
        return ADL_EXIT_DONE;
    adl_ask_complain("status", target, r);
    return ADL_EXIT_FAILED;
}

static int print_all(const struct status *status)
{
    if (status->options->format == ADL_FORMAT_PROMETHEUS) {
        adl_metrics_write(status->all, stdout);
        return ADL_EXIT_DONE;
    }
    json_dumpf(status->all, stdout, JSON_INDENT(2));
    putchar('\n');
    return ADL_EXIT_DONE;
}

/* A live view has room for one mount. */
static bool is_one(const struct adl_options *options)
{
    struct adl_target *all = NULL;
    size_t count = 0;
    if (options->n_operands == 1)
        return true;
    if (options->n_operands == 0 && adl_target_all(&all, &count) == 0)
        adl_targets_free(all, count);
    if (options->n_operands > 1 || count > 1)
        fputs("adlfs status: --watch shows one mount or one path: say which\n", stderr);
    return options->n_operands == 0 && count <= 1;
}

static int run(const struct adl_options *options)
{
    if (options->watch && !is_one(options))
        return ADL_EXIT_USAGE;
    bool for_people = options->format == ADL_FORMAT_TABLE && !options->json;
    struct status status = {.options = options, .all = for_people ? NULL : json_array()};
    adl_screen_init(&status.screen, stdout);
    int code = adl_ask_each("status", options->operands, options->n_operands,
                            options->watch ? watch : show, &status);
    if (!options->watch && status.all)
        print_all(&status);
    else if (for_people && !options->n_operands && !status.begun && code == ADL_EXIT_DONE)
        puts("There is no mount of adlfs.");
    json_decref(status.all);
    return code;
}

const struct adl_command adl_status_command = {
    .name = "status",
    .synopsis = "[OPTION]... [PATH...]",
    .summary = "show what mounts and files are doing",
    .about = "Shows all your mounts; of a mount, or a directory in it, its files; of a file\n"
             "all that there is to tell, with a map of what is here, coming and missing.",
    .notes = "  adlfs status                     all mounts\n"
             "  adlfs status /mnt/remote/a.iso   a file\n"
             "  adlfs status --watch /mnt/remote\n"
             "  adlfs status --format=prometheus > /var/lib/node_exporter/adlfs.prom\n"
             "\n"
             "Colours are for terminals only; NO_COLOR and COLUMNS are honoured.",
    .user = ADL_FOR_STATUS,
    .min_operands = 0,
    .max_operands = SIZE_MAX,
    .run = run,
};
