/* adlfs verify: compares what is cached with the checksums that were recorded when it came, and
 * drops what has changed since, so that the next read fetches it again. What is named by its URL is
 * compared in the cache directory, what is named by its path in a mount by that mount's daemon. */
#include "ask.h"
#include "cleanup.h"
#include "commands.h"
#include "interrupt.h"
#include "inventory.h"
#include "json_name.h"
#include "logger.h"
#include "rot.h"
#include "text.h"
#include "url.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct verify {
    const struct adl_options *options;
    const char *named;  /* what names of --json are: "url", "path" */
    const char **paths; /* owned: operands that are not URLs */
    size_t n_paths;
    struct adl_logger logger;
    struct adl_store *store;
    json_t *array;   /* owned: what --json prints */
    int64_t bytes;   /* compared */
    size_t entries;  /* that are cached at all */
    size_t ranges;   /* dropped */
    size_t in_use;   /* left out */
    size_t failures; /* of files that could not be checked, and of mounts that could not be asked */
    bool rotten, failed;
};

static json_t *json_ranges(const struct adl_extents *set)
{
    json_t *array = json_array();
    for (size_t i = 0; i < set->count; i++)
        json_array_append_new(array, json_pack("{sI sI}", "first", (json_int_t)set->list[i].first,
                                               "last", (json_int_t)set->list[i].end - 1));
    return array;
}

static void add_json(struct verify *verify, const char *url, const struct adl_rot *found,
                     const char *error)
{
    json_array_append_new(verify->array,
                          json_pack("{so sI so so ss?}", verify->named, adl_json_name(url),
                                    "checked", (json_int_t)found->checked, "dropped",
                                    json_ranges(&found->wrong), "lost", json_ranges(&found->lost),
                                    "error", error));
}

static void print_ranges(const char *url, const struct adl_extents *set, const char *what)
{
    for (size_t i = 0; i < set->count; i++)
        printf("%s: bytes %" PRId64 "-%" PRId64 " %s\n", url, set->list[i].first,
               set->list[i].end - 1, what);
}

static void tell_found(struct verify *verify, const char *url, const struct adl_rot *found)
{
    verify->entries++;
    verify->bytes += found->checked;
    verify->ranges += found->wrong.count + found->lost.count;
    verify->rotten |= found->wrong.count + found->lost.count > 0;
    if (verify->options->json) {
        add_json(verify, url, found, NULL);
        return;
    }
    print_ranges(url, &found->wrong, "were damaged, and are dropped");
    print_ranges(url, &found->lost, "may have been here: what told of them was damaged");
}

/* `asked`: the entry was named, so that it is a failure when it cannot be checked. */
static void tell_unchecked(struct verify *verify, const char *url, int error, bool asked)
{
    const struct adl_rot none = {0};
    const char *why = error == -EWOULDBLOCK ? "in use by a mount: not checked"
                      : error == -ENOENT    ? "not cached"
                      : error == -EBADMSG   ? "what told of it was damaged: all of it is dropped"
                                            : strerror(-error);
    verify->rotten |= error == -EBADMSG;
    verify->in_use += error == -EWOULDBLOCK;
    verify->failures += error != -EBADMSG && error != -EWOULDBLOCK;
    verify->failed |= error != -EBADMSG && (asked || error != -EWOULDBLOCK);
    if (verify->options->json)
        add_json(verify, url, &none, why);
    else
        fprintf(error == -EBADMSG ? stdout : stderr, "%s: %s\n", url, why);
}

/* False: enough. */
static bool check(struct verify *verify, const struct adl_key *key, const char *url, bool asked)
{
    struct adl_rot found;
    char shown[4096];
    adl_log_escape(url, shown, sizeof(shown));
    int r = adl_rot_check(verify->store, key, &adl_interrupted, &found);
    if (r == -ECANCELED)
        return false;
    if (r == 0) {
        tell_found(verify, shown, &found);
        adl_rot_free(&found);
    } else if (r != -ENOENT || asked) {
        tell_unchecked(verify, shown, r, asked);
    }
    return !adl_interrupted;
}

static void check_asked(struct verify *verify)
{
    for (size_t i = 0; i < verify->options->n_operands; i++) {
        const char *url = verify->options->operands[i];
        if (!adl_url_valid(url))
            continue;
        cleanup_free char *shown = adl_url_redact(url);
        struct adl_key key = adl_store_key(url);
        if (!check(verify, &key, shown ? shown : "?", true))
            return;
    }
}

static int check_all(struct verify *verify)
{
    struct adl_inventory inventory;
    int r = adl_inventory_take(verify->store, true, &inventory);
    if (r < 0)
        return r;
    for (size_t i = 0; i < inventory.count; i++) {
        const struct adl_item *item = &inventory.items[i];
        char name[ADL_NAME_ROOM];
        adl_store_name(&item->key, "", name);
        if (item->data && !check(verify, &item->key, item->url ? item->url : name, false))
            break;
    }
    adl_inventory_free(&inventory);
    return 0;
}

/* --- in a mount */

/* [[first, end], ...] of an answer. False without memory. */
static bool read_ranges(const json_t *array, struct adl_extents *out)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *range = json_array_get(array, i);
        int64_t first = json_integer_value(json_array_get(range, 0));
        int64_t end = json_integer_value(json_array_get(range, 1));
        if (first >= 0 && first < end && adl_extents_add(out, first, end) < 0)
            return false;
    }
    return true;
}

static void take_file(struct verify *verify, const struct adl_target *target, const json_t *file)
{
    struct adl_rot found = {.checked = json_integer_value(json_object_get(file, "checked"))};
    cleanup_free char *below = adl_json_bytes(json_object_get(file, "path"));
    cleanup_free char *path = NULL;
    char shown[4096];
    const json_t *error = json_object_get(file, "error");
    const char *text = json_string_value(json_object_get(error, "text"));
    if (asprintf(&path, "%s/%s", target->mountpoint, below ? below : "?") < 0)
        path = NULL;
    adl_log_escape(path ? path : "?", shown, sizeof(shown));
    if (text) {
        verify->failed = true;
        verify->failures++;
        if (verify->options->json)
            add_json(verify, shown, &found, text);
        else
            fprintf(stderr, "%s: %s\n", shown, text);
    } else if (read_ranges(json_object_get(file, "dropped"), &found.wrong) &&
               read_ranges(json_object_get(file, "lost"), &found.lost)) {
        tell_found(verify, shown, &found);
    } else {
        verify->failed = true;
        verify->failures++;
    }
    adl_rot_free(&found);
}

/* One question. *at: where to go on; -1: that was all. 0 or -errno; what was refused is told. */
static int ask_mount(struct verify *verify, const struct adl_target *target, struct adl_ask *ask,
                     json_t *paths, json_int_t *at)
{
    json_t *answer = NULL;
    int r = adl_ask_long(ask,
                         json_pack("{s:s, s:O, s:I}", "do", "verify", "paths", paths, "after", *at),
                         &answer);
    if (r < 0)
        return r;
    const json_t *files = json_object_get(answer, "files");
    const json_t *next = json_object_get(answer, "next");
    const char *refused = adl_ask_refused(answer);
    if (refused) {
        fprintf(stderr, "adlfs verify: %s: %s\n", target->mountpoint, refused);
        verify->failed = true;
        verify->failures++;
    }
    for (size_t i = 0; i < json_array_size(files); i++)
        take_file(verify, target, json_array_get(files, i));
    *at = json_is_integer(next) ? json_integer_value(next) : -1;
    json_decref(answer);
    return 0;
}

static int check_mounted(void *ctx, const struct adl_target *target, struct adl_ask *ask,
                         json_t *paths)
{
    struct verify *verify = ctx;
    int r = 0;
    for (json_int_t at = 0; at >= 0 && r == 0 && !adl_interrupted;)
        r = ask_mount(verify, target, ask, paths, &at);
    if (r < 0 && !adl_interrupted) {
        adl_ask_complain("verify", target, r);
        verify->failures++;
    }
    return r < 0 ? ADL_EXIT_FAILED : ADL_EXIT_DONE;
}

/* --- all of it */

/* What is said to be right is what was compared, and no more. */
static void summarize(const struct verify *verify)
{
    char size[ADL_TEXT_ROOM];
    bool all = !verify->in_use && !verify->failed && !adl_interrupted;
    if (verify->entries)
        printf("%zu %s, %s compared: ", verify->entries, verify->entries == 1 ? "file" : "files",
               adl_text_size(verify->bytes, size));
    else if (!verify->rotten)
        puts(all ? "nothing is cached" : "nothing was compared");
    if (verify->ranges > 0)
        printf("%zu damaged %s dropped; the next read fetches what is missing\n", verify->ranges,
               verify->ranges == 1 ? "range is" : "ranges are");
    else if (verify->entries)
        puts(verify->rotten ? "the rest is as it came" : all ? "all as it came" : "as they came");
    if (verify->in_use)
        printf("%zu %s in use by a mount, and not checked: 'adlfs verify PATH' has it do that\n",
               verify->in_use, verify->in_use == 1 ? "file is" : "files are");
    if (verify->failures && verify->entries)
        puts("not all could be checked");
}

static int open_store(struct verify *verify)
{
    const struct adl_settings *settings = &verify->options->settings;
    cleanup_free char *path = NULL;
    int r = settings->cache_dir ? 0 : adl_store_default(&path);
    if (r < 0)
        return r;
    const char *place = settings->cache_dir ? settings->cache_dir : path;
    if (access(place, F_OK) < 0) { /* to open it would make it */
        fprintf(stderr, "adlfs verify: %s: %s\n", place, strerror(errno));
        return -errno;
    }
    r = adl_store_open(place, settings->block_size, ADL_ALLOCATE_SPARSE, &verify->logger.log,
                       &verify->store);
    if (r < 0)
        fprintf(stderr, "adlfs verify: %s: %s\n", place, strerror(-r));
    return r;
}

static int verify_all(struct verify *verify)
{
    int r = 0;
    if (verify->n_paths > 0)
        r = adl_ask_each("verify", verify->paths, verify->n_paths, check_mounted, verify);
    verify->failed |= r > 0;
    verify->failures += r > 0 && !verify->failures;
    verify->named = "url";
    if (verify->options->n_operands > verify->n_paths)
        check_asked(verify);
    else if (verify->n_paths == 0)
        r = check_all(verify);
    if (r < 0) {
        fprintf(stderr, "adlfs verify: %s\n", strerror(-r));
        return ADL_EXIT_FAILED;
    }
    if (verify->options->json) {
        json_dumpf(verify->array, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        summarize(verify);
    }
    if (adl_interrupted)
        fputs("adlfs verify: interrupted: not all was compared\n", stderr);
    return verify->rotten || verify->failed || adl_interrupted ? ADL_EXIT_FAILED : ADL_EXIT_DONE;
}

static int check_path(const char *path)
{
    struct adl_target target;
    int r = adl_target_find(path, &target);
    if (r == 0) {
        adl_target_free(&target);
        return 0;
    }
    cleanup_free char *shown = adl_url_redact(path);
    fprintf(stderr, "adlfs verify: %s: no http or https URL, and %s\n", shown ? shown : "",
            r == -ENODEV ? "not in a mount of adlfs" : "no such path in a mount of adlfs");
    return -EINVAL;
}

/* Finds the operands that are paths. Returns an exit status. */
static int sort_operands(const struct adl_options *options, struct verify *verify)
{
    verify->paths = calloc(options->n_operands + 1, sizeof(*verify->paths));
    if (!verify->paths)
        return ADL_EXIT_FAILED;
    for (size_t i = 0; i < options->n_operands; i++)
        if (!adl_url_valid(options->operands[i]))
            verify->paths[verify->n_paths++] = options->operands[i];
    if (verify->n_paths > 0 && !adl_ask_reach("verify", verify->paths, verify->n_paths))
        return ADL_EXIT_FAILED;
    for (size_t i = 0; i < verify->n_paths; i++)
        if (check_path(verify->paths[i]) < 0)
            return ADL_EXIT_USAGE;
    return ADL_EXIT_DONE;
}

static int run(const struct adl_options *options)
{
    struct verify verify = {.options = options, .named = "path", .logger.file = -1};
    int status = sort_operands(options, &verify);
    if (status != ADL_EXIT_DONE) {
        free(verify.paths);
        return status;
    }
    bool mounts_only = options->n_operands > 0 && options->n_operands == verify.n_paths;
    adl_interrupt_catch(); /* what was found so far is recorded, and that is all */
    status = ADL_EXIT_FAILED;
    verify.array = json_array();
    if (verify.array && adl_logger_open(&verify.logger, ADL_WARNING, NULL) == 0 &&
        (mounts_only || open_store(&verify) == 0))
        status = verify_all(&verify);
    adl_store_free(verify.store);
    adl_logger_close(&verify.logger);
    json_decref(verify.array);
    free(verify.paths);
    return status;
}

const struct adl_command adl_verify_command = {
    .name = "verify",
    .synopsis = "[OPTION]... [URL|PATH]...",
    .summary = "compare what is cached with its checksums",
    .about = "Reads all that is cached, or what is cached of each URL (the first of its line\n"
             "in the list), and compares it with the checksums that were recorded when it\n"
             "came. Blocks that have changed since are told and dropped: the next read\n"
             "fetches them again. A PATH is a file or directory in a mount, whose daemon\n"
             "compares what is cached of it, open or not.",
    .notes = "The exit status is 0 when all is as it came, 1 when something was damaged or\n"
             "could not be checked. Without a PATH, what a mount has open is left out.\n"
             "\n"
             "  adlfs verify\n"
             "  adlfs verify /mnt/remote/films",
    .user = ADL_FOR_VERIFY,
    .min_operands = 0,
    .max_operands = SIZE_MAX,
    .run = run,
};
