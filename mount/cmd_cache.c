/* adlfs cache: what is in the cache directory, and how it is taken out again. Entries that a daemon
 * has open are locked: they are left, and named. */
#include "cleanup.h"
#include "commands.h"
#include "inventory.h"
#include "json.h"
#include "json_name.h"
#include "logger.h"
#include "screen.h"
#include "spell.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct cache {
    const struct adl_options *options;
    char *path; /* owned */
    struct adl_logger logger;
    struct adl_store *store; /* owned; NULL: there is no such directory */
    struct adl_inventory inventory;
};

/* What became of the entries. */
struct tally {
    size_t removed, locked, failed;
    int64_t freed;
};

static const char *name_of(const struct adl_item *item, char key[ADL_NAME_ROOM])
{
    if (item->url && item->url[0])
        return item->url;
    adl_store_name(&item->key, "", key);
    return key;
}

/* --- what is there */

static int by_use(const void *a, const void *b)
{
    const struct adl_item *one = a, *other = b;
    return (one->used < other->used) - (one->used > other->used);
}

static json_t *json_of(const struct adl_item *item)
{
    char key[ADL_NAME_ROOM];
    adl_store_name(&item->key, "", key);
    return json_pack("{ss so so so sI so sb}", "key", key, "url", adl_json_name(item->url), "size",
                     adl_json_number(item->size, item->size >= 0), "cached",
                     adl_json_number(item->cached, item->size >= 0), "allocated",
                     (json_int_t)item->allocated, "used", adl_json_time(item->used / 1000000000),
                     "garbage", item->garbage);
}

static int print_json(const struct cache *cache)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < cache->inventory.count; i++)
        json_array_append_new(array, json_of(&cache->inventory.items[i]));
    json_t *all = json_pack("{ss so sI}", "directory", cache->path, "files", array, "allocated",
                            (json_int_t)cache->inventory.allocated);
    int r = all ? json_dumpf(all, stdout, JSON_INDENT(2)) : -1;
    putchar('\n');
    json_decref(all);
    return r < 0 ? -ENOMEM : 0;
}

/* "3 d", "2 h", "5 min". */
static void print_age(int64_t seconds)
{
    char age[ADL_TEXT_ROOM];
    if (seconds < 60)
        snprintf(age, sizeof(age), "now");
    else if (seconds < 3600)
        snprintf(age, sizeof(age), "%lld min", (long long)seconds / 60);
    else if (seconds < 86400)
        snprintf(age, sizeof(age), "%lld h", (long long)seconds / 3600);
    else
        snprintf(age, sizeof(age), "%lld d", (long long)seconds / 86400);
    printf("  %8s", age);
}

/* Narrower screens do not show these columns. */
#define DISK_LEAST 50
#define USED_LEAST 60

static void print_item(const struct adl_item *item, const struct adl_screen *screen, time_t now)
{
    char size[ADL_TEXT_ROOM], disk[ADL_TEXT_ROOM], percent[ADL_TEXT_ROOM], key[ADL_NAME_ROOM];
    char shown[4096];
    const char *more = item->garbage ? " (garbage)" : "";
    size_t used = 1 + 19 + (screen->columns < DISK_LEAST ? 0 : 11) +
                  (screen->columns < USED_LEAST ? 0 : 10) + strlen(more);
    size_t columns = screen->columns > used + 4 ? screen->columns - used : 4;
    adl_text_show(name_of(item, key), screen->terminal ? columns : 2048, shown, sizeof(shown));
    printf("%9s  %6s", item->size < 0 ? "-" : adl_text_size(item->size, size),
           item->size < 0 ? "-" : adl_text_percent(item->cached, item->size, percent));
    if (screen->columns >= DISK_LEAST)
        printf("  %9s", adl_text_size(item->allocated, disk));
    if (screen->columns >= USED_LEAST)
        print_age(now - item->used / 1000000000);
    printf("  %s%s\n", shown, more);
}

static int list(struct cache *cache)
{
    if (cache->inventory.count > 0)
        qsort(cache->inventory.items, cache->inventory.count, sizeof(*cache->inventory.items),
              by_use);
    if (cache->options->json)
        return print_json(cache);
    struct adl_screen screen;
    char disk[ADL_TEXT_ROOM];
    adl_screen_init(&screen, stdout);
    if (cache->inventory.count)
        printf("%9s  %6s%s%s  URL\n", "SIZE", "CACHED",
               screen.columns < DISK_LEAST ? "" : "    ON DISK",
               screen.columns < USED_LEAST ? "" : "      USED");
    for (size_t i = 0; i < cache->inventory.count; i++)
        print_item(&cache->inventory.items[i], &screen, time(NULL));
    printf("%zu file%s, %s in %s\n", cache->inventory.count, cache->inventory.count == 1 ? "" : "s",
           adl_text_size(cache->inventory.allocated, disk), cache->path);
    return 0;
}

/* --- taking it out */

static void take_out(const struct cache *cache, const struct adl_item *item, struct tally *tally)
{
    char key[ADL_NAME_ROOM], shown[2048];
    int64_t freed = 0;
    int r = adl_inventory_remove(cache->store, &item->key, &freed);
    tally->freed += freed;
    if (r == 0)
        tally->removed++;
    if (r == 0 || r == -ENOENT)
        return;
    adl_log_escape(name_of(item, key), shown, sizeof(shown));
    if (r == -EWOULDBLOCK)
        tally->locked++;
    else
        tally->failed++;
    fprintf(stderr, "adlfs cache: %s: %s\n", shown,
            r == -EWOULDBLOCK ? "is in use, and stays" : strerror(-r));
}

static int report(const struct cache *cache, const struct tally *tally)
{
    char freed[ADL_TEXT_ROOM];
    if (cache->options->json)
        printf("{\"removed\": %zu, \"in_use\": %zu, \"failed\": %zu, \"freed\": %lld}\n",
               tally->removed, tally->locked, tally->failed, (long long)tally->freed);
    else
        printf("%zu file%s removed, %s freed\n", tally->removed, tally->removed == 1 ? "" : "s",
               adl_text_size(tally->freed, freed));
    return tally->failed ? -EIO : 0;
}

/* What nobody can use: left by kills, and data without a sidecar. */
static int collect(struct cache *cache)
{
    struct tally tally = {0};
    for (size_t i = 0; i < cache->inventory.count; i++)
        tally.removed += cache->inventory.items[i].garbage;
    int r = adl_inventory_sweep(cache->store, &cache->inventory, &tally.freed);
    if (r < 0) {
        fprintf(stderr, "adlfs cache: %s: %s\n", cache->path, strerror(-r));
        tally.failed++;
    }
    return report(cache, &tally);
}

/* What was fetched is lost: that is asked for. 0; -ECANCELED. */
static int confirm(const struct cache *cache)
{
    char size[ADL_TEXT_ROOM], answer[16];
    if (cache->options->yes)
        return 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        fputs("adlfs cache: nobody can be asked here: --yes removes it all\n", stderr);
        return -ECANCELED;
    }
    fprintf(stderr, "Remove %zu file%s, %s, from %s? [y/N] ", cache->inventory.count,
            cache->inventory.count == 1 ? "" : "s", adl_text_size(cache->inventory.allocated, size),
            cache->path);
    if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y')) {
        fputs("Nothing was removed.\n", stderr);
        return -ECANCELED;
    }
    return 0;
}

static int clear(struct cache *cache)
{
    struct tally tally = {0};
    int r = cache->inventory.count ? confirm(cache) : 0;
    if (r < 0)
        return r;
    for (size_t i = 0; i < cache->inventory.count; i++)
        take_out(cache, &cache->inventory.items[i], &tally);
    int64_t swept = 0;
    if (cache->store && adl_inventory_sweep(cache->store, &cache->inventory, &swept) == 0)
        tally.freed += swept;
    return report(cache, &tally);
}

/* --- which of them */

struct action {
    const char *name;
    int (*run)(struct cache *cache);
};

static const struct action actions[] = {{"ls", list}, {"gc", collect}, {"clear", clear}};

static const struct action *find_action(const char *name)
{
    const char *names[] = {"ls", "gc", "clear", NULL};
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    const char *nearest = adl_spell_nearest(name, names);
    fprintf(stderr, "adlfs cache: there is no '%s'%s%s%s\nTry 'adlfs cache --help'.\n", name,
            nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return NULL;
}

/* A directory that is not there is not made, and is as good as an empty one. */
static int open_cache(struct cache *cache)
{
    const struct adl_settings *settings = &cache->options->settings;
    int r = 0;
    if (settings->cache_dir)
        cache->path = strdup(settings->cache_dir);
    else
        r = adl_store_default(&cache->path);
    if (r == 0 && !cache->path)
        r = -ENOMEM;
    struct stat st;
    if (r < 0 || (stat(cache->path, &st) < 0 && errno == ENOENT))
        return r;
    r = adl_store_open(cache->path, settings->block_size, ADL_ALLOCATE_SPARSE, &cache->logger.log,
                       &cache->store);
    return r < 0 ? r : adl_inventory_take(cache->store, true, &cache->inventory);
}

static int run(const struct adl_options *options)
{
    const struct action *action = find_action(options->operands[0]);
    if (!action)
        return ADL_EXIT_USAGE;
    struct cache cache = {.options = options, .logger.file = -1};
    int r = adl_logger_open(&cache.logger, ADL_ERROR, NULL);
    if (r == 0)
        r = open_cache(&cache);
    if (r < 0)
        fprintf(stderr, "adlfs cache: %s: %s\n", cache.path ? cache.path : "the cache directory",
                strerror(-r));
    else if (cache.store || action->run != collect)
        r = action->run(&cache);
    adl_inventory_free(&cache.inventory);
    adl_store_free(cache.store);
    adl_logger_close(&cache.logger);
    free(cache.path);
    return r < 0 ? ADL_EXIT_FAILED : ADL_EXIT_DONE;
}

const struct adl_command adl_cache_command = {
    .name = "cache",
    .synopsis = "[OPTION]... ls|gc|clear",
    .summary = "list, tidy or empty the cache",
    .about = "ls lists what is in the cache, what was used last first; gc removes what nobody\n"
             "can use (leftovers of daemons that were killed); clear removes everything, after\n"
             "a question. Files that a mount has open stay, and are named.",
    .notes = "  adlfs cache ls\n"
             "  adlfs cache clear --yes --cache-dir=/var/cache/adlfs",
    .user = ADL_FOR_CACHE,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
