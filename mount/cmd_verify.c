/* adlfs verify: compares what is cached with the checksums that were recorded when it came, and
 * drops what has changed since, so that the next read fetches it again. */
#include "cleanup.h"
#include "commands.h"
#include "inventory.h"
#include "logger.h"
#include "rot.h"
#include "url.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct verify {
    const struct adl_options *options;
    struct adl_logger logger;
    struct adl_store *store;
    json_t *array;  /* owned: what --json prints */
    int64_t bytes;  /* compared */
    size_t entries; /* that are cached at all */
    size_t ranges;  /* dropped */
    bool rotten, failed;
};

/* Set by a signal: what was found so far is recorded, and that is all. */
static _Atomic bool stop;

static void on_signal(int number)
{
    (void)number;
    stop = true;
}

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
    json_t *name = json_string(url);
    json_array_append_new(verify->array,
                          json_pack("{so sI so so ss?}", "url", name ? name : json_string("?"),
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
    int r = adl_rot_check(verify->store, key, &stop, &found);
    if (r == -ECANCELED)
        return false;
    if (r == 0) {
        tell_found(verify, shown, &found);
        adl_rot_free(&found);
    } else if (r != -ENOENT || asked) {
        tell_unchecked(verify, shown, r, asked);
    }
    return !stop;
}

static void check_asked(struct verify *verify)
{
    for (size_t i = 0; i < verify->options->n_operands; i++) {
        const char *url = verify->options->operands[i];
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

static void summarize(const struct verify *verify)
{
    printf("%zu %s, %" PRId64 " bytes compared: ", verify->entries,
           verify->entries == 1 ? "file" : "files", verify->bytes);
    if (verify->ranges > 0)
        printf("%zu damaged %s dropped; the next read fetches what is missing\n", verify->ranges,
               verify->ranges == 1 ? "range is" : "ranges are");
    else
        puts(verify->rotten ? "the rest is as it came" : "all as it came");
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

static int verify_store(struct verify *verify)
{
    int r = 0;
    if (verify->options->n_operands > 0)
        check_asked(verify);
    else
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
    if (stop)
        fputs("adlfs verify: interrupted: not all was compared\n", stderr);
    return verify->rotten || verify->failed || stop ? ADL_EXIT_FAILED : ADL_EXIT_DONE;
}

static int check_operands(const struct adl_options *options)
{
    for (size_t i = 0; i < options->n_operands; i++)
        if (!adl_url_valid(options->operands[i])) {
            cleanup_free char *shown = adl_url_redact(options->operands[i]);
            fprintf(stderr, "adlfs verify: not an http or https URL: %s\n", shown ? shown : "");
            return -EINVAL;
        }
    return 0;
}

static int run(const struct adl_options *options)
{
    if (check_operands(options) < 0)
        return ADL_EXIT_USAGE;
    struct verify verify = {.options = options, .logger.file = -1};
    const struct sigaction end = {.sa_handler = on_signal};
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
    int status = ADL_EXIT_FAILED;
    verify.array = json_array();
    if (verify.array && adl_logger_open(&verify.logger, ADL_WARNING, NULL) == 0 &&
        open_store(&verify) == 0)
        status = verify_store(&verify);
    adl_store_free(verify.store);
    adl_logger_close(&verify.logger);
    json_decref(verify.array);
    return status;
}

const struct adl_command adl_verify_command = {
    .name = "verify",
    .synopsis = "[OPTION]... [URL]...",
    .summary = "compare what is cached with its checksums",
    .about = "Reads all that is cached, or what is cached of each URL (the first of its line\n"
             "in the list), and compares it with the checksums that were recorded when it\n"
             "came. Blocks that have changed since are told and dropped: the next read\n"
             "fetches them again.",
    .notes = "The exit status is 0 when all is as it came, 1 when something was damaged or\n"
             "could not be checked. What a mount has open is left out.",
    .user = ADL_FOR_VERIFY,
    .min_operands = 0,
    .max_operands = SIZE_MAX,
    .run = run,
};
