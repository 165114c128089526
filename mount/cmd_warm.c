/* adlfs warm: has files fetched into the cache, and shows how far it is. */
#include "ask.h"
#include "commands.h"
#include "draw.h"
#include "interrupt.h"
#include "now.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Two pictures of the progress are this far apart. */
#define EVERY_MS 200

struct warm {
    const struct adl_options *options;
    int64_t first, end; /* bytes; end -1: to the end of each file */
};

/* "A-B", "A-", each a size. False: told. */
static bool parse_range(const char *text, struct warm *out)
{
    const char *dash = text ? strchr(text, '-') : NULL;
    out->first = 0;
    out->end = -1;
    if (!text)
        return true;
    if (dash && adl_text_parse_size(text, (size_t)(dash - text), &out->first) &&
        (!dash[1] ||
         (adl_text_parse_size(dash + 1, strlen(dash + 1), &out->end) && out->end > out->first)))
        return true;
    fprintf(stderr, "adlfs warm: --range: '%s' is not of the form A-B or A-, like 0-64M\n", text);
    return false;
}

static int64_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static void fill(json_t *job, const char *title, struct adl_progress *progress)
{
    const char *state = json_string_value(json_object_get(job, "state"));
    const char *trouble = json_string_value(json_object_get(job, "trouble"));
    int64_t files = number(job, "files");
    adl_draw_sort(job);
    progress->title = title;
    progress->note = state && strcmp(state, "paused") == 0 ? state : trouble;
    progress->done = number(job, "here");
    progress->total = number(job, "size");
    progress->rate = number(job, "rate");
    progress->eta = number(job, "eta");
    progress->files = files > 0 ? (uint64_t)files : 0;
    progress->files_done = (uint64_t)number(job, "files_done");
    adl_draw_lines(json_object_get(job, "connections"), files > 1, progress);
}

/* What did not come. */
static int tell_failures(const json_t *job)
{
    const json_t *failures = json_object_get(job, "failures");
    for (size_t i = 0; i < json_array_size(failures); i++) {
        const json_t *failure = json_array_get(failures, i);
        char path[4096], why[4096];
        const char *text = json_string_value(json_object_get(failure, "text"));
        const char *name = json_string_value(json_object_get(failure, "errno"));
        adl_text_show(json_string_value(json_object_get(failure, "path")), 1000, path,
                      sizeof(path));
        if (name && strcmp(name, "ECANCELED") == 0)
            text = "given up ('adlfs warm --stop')";
        adl_text_show(text ? text : name ? name : "?", 1000, why, sizeof(why));
        fprintf(stderr, "adlfs warm: %s: %s\n", path, why);
    }
    int64_t failed = number(job, "files_failed");
    if ((size_t)failed > json_array_size(failures))
        fprintf(stderr, "adlfs warm: and %" PRId64 " more\n",
                failed - (int64_t)json_array_size(failures));
    if (failed > 0 && number(job, "files") > 1)
        fprintf(stderr, "adlfs warm: %" PRId64 " of %" PRId64 " files did not come\n", failed,
                number(job, "files"));
    return failed > 0 ? ADL_EXIT_FAILED : ADL_EXIT_DONE;
}

/* What did not come, and what could not: a range that no file reaches is a mistake. */
static int tell_end(const json_t *job, const char *title, const char *range)
{
    if (range && number(job, "size") == 0 && number(job, "files_failed") == 0) {
        fprintf(stderr, "adlfs warm: %s: nothing of it lies in --range=%s\n", title, range);
        return ADL_EXIT_FAILED;
    }
    return tell_failures(job);
}

static int leave(const struct adl_target *target)
{
    fprintf(stderr,
            "It goes on without you: 'adlfs status %s' shows it,\n"
            "  'adlfs warm --stop %s' gives it up.\n",
            target->mountpoint, target->mountpoint);
    return adl_interrupt_status();
}

/* Shows what the daemon tells of the job, until that is done. */
static int follow(const struct adl_target *target, struct adl_ask *ask, json_int_t job,
                  const char *title, const char *range)
{
    struct adl_progress_view view = {.out = stdout};
    struct adl_progress progress = {0};
    json_t *answer = NULL;
    bool more = true;
    int code = ADL_EXIT_FAILED;
    adl_screen_init(&view.screen, stdout);
    int r =
        adl_ask_send(ask, json_pack("{s:s, s:I, s:i}", "do", "job", "job", job, "every", EVERY_MS));
    while (r == 0 && more && !adl_interrupted && (r = adl_ask_next(ask, -1, &answer)) == 0) {
        json_t *told = json_object_get(answer, "job");
        more = json_is_true(json_object_get(answer, "more"));
        if (!told) {
            more = false;
            fprintf(stderr, "adlfs warm: %s: %s\n", target->mountpoint, adl_ask_refused(answer));
        } else {
            fill(told, title, &progress);
            if (more)
                adl_progress_update(&view, &progress, now_ms());
            else if (number(told, "files_failed") > 0)
                adl_progress_clear(&view); /* its 100% would be that of the others */
            else
                adl_progress_end(&view, &progress);
            code = more ? code : tell_end(told, title, range);
        }
        adl_draw_lines(NULL, false, &progress);
        json_decref(answer);
    }
    if (adl_interrupted || r == -EINTR) {
        adl_progress_clear(&view);
        return leave(target);
    }
    if (r < 0)
        adl_ask_complain("warm", target, r);
    return code;
}

static json_t *request_of(const struct warm *warm, json_t *paths)
{
    json_t *request = json_pack("{s:s, s:O}", "do", "warm", "paths", paths);
    json_object_set_new(request, "jobs", json_integer(warm->options->connections));
    json_object_set_new(request, "range",
                        warm->end < 0
                            ? json_pack("[I, n]", (json_int_t)warm->first)
                            : json_pack("[I, I]", (json_int_t)warm->first, (json_int_t)warm->end));
    return request;
}

static int stop(void *ctx, const struct adl_target *target, struct adl_ask *ask, json_t *paths)
{
    (void)ctx, (void)paths;
    return adl_ask_do("warm", target, ask, json_pack("{s:s}", "do", "stop"));
}

static int start(void *ctx, const struct adl_target *target, struct adl_ask *ask, json_t *paths)
{
    const struct warm *warm = ctx;
    json_t *answer;
    if (adl_interrupted)
        return adl_interrupt_status();
    adl_interrupt_catch();
    char title[4096];
    int r = adl_ask(ask, request_of(warm, paths), &answer);
    if (r == -EINTR && adl_interrupted) /* what was ordered is */
        return leave(target);
    if (r < 0) {
        adl_ask_complain("warm", target, r);
        return ADL_EXIT_FAILED;
    }
    const char *refused = adl_ask_refused(answer);
    json_int_t job = number(answer, "job");
    int code = ADL_EXIT_FAILED;
    if (refused)
        fprintf(stderr, "adlfs warm: %s: %s\n", target->mountpoint, refused);
    json_decref(answer);
    if (refused)
        return code;
    if (warm->options->detach)
        return ADL_EXIT_DONE;
    const char *first = json_string_value(json_array_get(paths, 0));
    if (json_array_size(paths) == 1 && first)
        snprintf(title, sizeof(title), "%s", first);
    else
        snprintf(title, sizeof(title), "%s", target->mountpoint);
    return follow(target, ask, job, title, warm->first > 0 ? warm->options->range : NULL);
}

static int run(const struct adl_options *options)
{
    struct warm warm = {.options = options};
    if (!parse_range(options->range, &warm))
        return ADL_EXIT_USAGE;
    return adl_ask_each("warm", options->operands, options->n_operands,
                        options->stop ? stop : start, &warm);
}

const struct adl_command adl_warm_command = {
    .name = "warm",
    .synopsis = "[OPTION]... PATH...",
    .summary = "fetch files into the cache, and show how far it is",
    .about = "Has files, or all files below directories, fetched into the cache, and returns\n"
             "when they are there. Who reads anything meanwhile is served first.",
    .notes = "Ctrl-C ends the waiting, not the fetching: that goes on until it is done,\n"
             "paused, given up (--stop) or unmounted.\n"
             "\n"
             "  adlfs warm /mnt/remote/films/bunny.mp4\n"
             "  adlfs warm --range=0-64M --jobs=4 /mnt/remote/big.iso\n"
             "  adlfs warm --detach /mnt/remote",
    .user = ADL_FOR_WARM,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .run = run,
};
