/* adlfs evict: takes what is cached of files in a mount out of the cache. What is open stays. */
#include "ask.h"
#include "commands.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct evict {
    const struct adl_options *options;
    uint64_t evicted, in_use, failed;
    int64_t freed;
};

/* What was fetched is lost: that is asked for, as `adlfs cache clear` does. */
static bool confirm(const struct evict *evict, const struct adl_target *target, json_t *paths)
{
    char answer[16], shown[4096] = "all files";
    size_t count = json_array_size(paths);
    if (evict->options->yes)
        return true;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        fputs("adlfs evict: nobody can be asked here: --yes evicts it\n", stderr);
        return false;
    }
    if (count == 1)
        adl_text_show(json_string_value(json_array_get(paths, 0)), 200, shown, sizeof(shown));
    else if (count > 1)
        snprintf(shown, sizeof(shown), "%zu files or directories", count);
    fprintf(stderr, "Remove what is cached of %s in %s? [y/N] ", shown, target->mountpoint);
    if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    fputs("Nothing was removed.\n", stderr);
    return false;
}

static void take_file(struct evict *evict, const json_t *file)
{
    char path[4096], why[1024];
    const json_t *error = json_object_get(file, "error");
    const char *name = json_string_value(json_object_get(error, "errno"));
    const char *text = json_string_value(json_object_get(error, "text"));
    if (!name) {
        evict->evicted++;
        evict->freed += json_integer_value(json_object_get(file, "freed"));
        return;
    }
    if (strcmp(name, "EBUSY") == 0)
        evict->in_use++;
    else
        evict->failed++;
    const char *told = json_string_value(json_object_get(file, "path"));
    adl_text_show(told ? told : "?", 2000, path, sizeof(path));
    adl_text_show(text ? text : name, 500, why, sizeof(why));
    fprintf(stderr, "adlfs evict: %s: %s\n", path, why);
}

/* Where to go on; -1: that was all. */
static json_int_t take_answer(struct evict *evict, const json_t *answer)
{
    const json_t *files = json_object_get(answer, "files");
    const json_t *next = json_object_get(answer, "next");
    for (size_t i = 0; i < json_array_size(files); i++)
        take_file(evict, json_array_get(files, i));
    return json_is_integer(next) ? json_integer_value(next) : -1;
}

static int evict_in(void *ctx, const struct adl_target *target, struct adl_ask *ask, json_t *paths)
{
    struct evict *evict = ctx;
    if (!confirm(evict, target, paths))
        return ADL_EXIT_FAILED;
    for (json_int_t at = 0; at >= 0;) {
        json_t *answer = NULL;
        int r =
            adl_ask_long(ask,
                         json_pack("{s:s, s:O, s:I}", "do", "evict", "paths", paths, "after", at),
                         &answer);
        if (r < 0) {
            adl_ask_complain("evict", target, r);
            return ADL_EXIT_FAILED;
        }
        const char *refused = adl_ask_refused(answer);
        if (refused)
            fprintf(stderr, "adlfs evict: %s: %s\n", target->mountpoint, refused);
        else
            at = take_answer(evict, answer);
        json_decref(answer);
        if (refused)
            return ADL_EXIT_FAILED;
    }
    return ADL_EXIT_DONE;
}

static int run(const struct adl_options *options)
{
    struct evict evict = {.options = options};
    char freed[ADL_TEXT_ROOM];
    int status = adl_ask_each("evict", options->operands, options->n_operands, evict_in, &evict);
    if (options->json)
        printf("{\"removed\": %" PRIu64 ", \"in_use\": %" PRIu64 ", \"failed\": %" PRIu64
               ", \"freed\": %" PRId64 "}\n",
               evict.evicted, evict.in_use, evict.failed, evict.freed);
    else if (status == ADL_EXIT_DONE || evict.evicted > 0)
        printf("%" PRIu64 " file%s removed, %s freed\n", evict.evicted,
               evict.evicted == 1 ? "" : "s", adl_text_size(evict.freed, freed));
    return evict.in_use || evict.failed ? ADL_EXIT_FAILED : status;
}

const struct adl_command adl_evict_command = {
    .name = "evict",
    .synopsis = "[OPTION]... PATH...",
    .summary = "take files of a mount out of the cache",
    .about = "Removes what is cached of files, or of all files below directories, after a\n"
             "question: the next read fetches it again. What is open stays, and is named.",
    .notes = "The exit status is 1 when something stayed. 'adlfs cache clear' removes what is\n"
             "in a cache, mounted or not.\n"
             "\n"
             "  adlfs evict /mnt/remote/films/bunny.mp4\n"
             "  adlfs evict --yes /mnt/remote",
    .user = ADL_FOR_EVICT,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .run = run,
};
