/* reload: other entries in the place of those that there are.
 *
 * DESIGN: an entry's number is its identity for callers, so that whatever they hold stays right
 * while entries come and go. Numbers of gone entries are given again, or tables would grow with
 * each reload; but only by a later reload, when every call that was made with the old meaning has
 * been taken off the queue. A gone file that somebody has open keeps a copy of its entry and lives
 * on until then: its manifest can be freed at once. All of that happens in the loop, between two
 * rounds. */
#include "arena.h"
#include "cleanup.h"
#include "engine.h"

#include <errno.h>
#include <semaphore.h>
#include <string.h>

struct adl_reload {
    const struct adl_manifest *manifest;
    uint32_t *numbers; /* the caller's entries */
    uint32_t limit;
    int result;
    sem_t done;
};

const struct adl_entry *adl_engine_entry(struct adl_engine *engine, uint32_t entry)
{
    return entry < engine->n_entries ? engine->entries[entry] : NULL;
}

/* --- what a gone file keeps */

static const char *keep_text(struct adl_arena *arena, const char *text, bool *failed)
{
    const char *copy = text ? adl_arena_copy(arena, text, strlen(text)) : NULL;
    *failed = *failed || (text && !copy);
    return copy;
}

static const struct adl_entry_options *
keep_options(struct adl_arena *arena, const struct adl_entry_options *options, bool *failed)
{
    struct adl_entry_options *copy = adl_arena_alloc(arena, sizeof(*copy));
    size_t count = 0;
    while (options->headers && options->headers[count])
        count++;
    const char **headers = adl_arena_alloc(arena, (count + 1) * sizeof(*headers));
    if (!copy || !headers) {
        *failed = true;
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        headers[i] = keep_text(arena, options->headers[i], failed);
    headers[count] = NULL;
    *copy = *options;
    copy->headers = options->headers ? headers : NULL;
    copy->referer = keep_text(arena, options->referer, failed);
    copy->user_agent = keep_text(arena, options->user_agent, failed);
    copy->user = keep_text(arena, options->user, failed);
    copy->password = keep_text(arena, options->password, failed);
    return copy;
}

static size_t urls_length(const struct adl_entry *entry)
{
    const char *last = adl_entry_url(entry, entry->n_urls - 1);
    return (size_t)(last - entry->urls) + strlen(last) + 1;
}

static struct adl_entry *keep_entry(struct adl_arena *arena, const struct adl_entry *entry)
{
    bool failed = false;
    struct adl_entry *copy = adl_arena_alloc(arena, sizeof(*copy));
    if (!copy)
        return NULL;
    *copy = *entry;
    copy->path = keep_text(arena, entry->path, &failed);
    copy->urls = adl_arena_copy(arena, entry->urls, urls_length(entry) - 1);
    if (entry->options)
        copy->options = keep_options(arena, entry->options, &failed);
    return failed || !copy->urls ? NULL : copy;
}

/* --- one file */

static void set_entry(struct adl_file *file, const struct adl_entry *entry)
{
    struct adl_transfer *transfer;
    file->entry = entry;
    LIST_FOREACH (transfer, &file->transfers, link)
        if (transfer->get)
            adl_http_set_options(transfer->get, entry->options);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_options(const struct adl_entry_options *a, const struct adl_entry_options *b)
{
    if (!a || !b)
        return a == b;
    size_t i = 0;
    if (!a->headers != !b->headers)
        return false;
    for (; a->headers && a->headers[i] && b->headers[i]; i++)
        if (strcmp(a->headers[i], b->headers[i]) != 0)
            return false;
    return (!a->headers || a->headers[i] == b->headers[i]) && same_text(a->referer, b->referer) &&
           same_text(a->user_agent, b->user_agent) && same_text(a->user, b->user) &&
           same_text(a->password, b->password) && a->max_connections == b->max_connections &&
           a->checksum.kind == b->checksum.kind &&
           memcmp(a->checksum.bytes, b->checksum.bytes, sizeof(a->checksum.bytes)) == 0;
}

static bool same_entry(const struct adl_entry *a, const struct adl_entry *b)
{
    size_t length = urls_length(a);
    return a->n_urls == b->n_urls && length == urls_length(b) &&
           memcmp(a->urls, b->urls, length) == 0 && a->size == b->size && a->mtime == b->mtime &&
           same_options(a->options, b->options);
}

/* What was learned of each mirror goes with its URL. */
static void move_validators(const struct adl_file *file, const struct adl_entry *entry,
                            struct adl_validator *validators)
{
    for (uint32_t i = 0; i < entry->n_urls; i++) {
        validators[i] = (struct adl_validator){.last_modified = ADL_TIME_UNKNOWN};
        for (uint32_t k = 0; k < file->entry->n_urls; k++)
            if (strcmp(adl_entry_url(entry, i), adl_entry_url(file->entry, k)) == 0)
                validators[i] = file->validators[k];
    }
}

/* Asked anew, in another way: what went wrong before says nothing. */
static void change_entry(struct adl_file *file, const struct adl_entry *entry,
                         struct adl_validator *validators)
{
    struct adl_transfer *transfer;
    LIST_FOREACH (transfer, &file->transfers, link)
        adl_transfer_doom(transfer);
    adl_transfer_reap(file->engine);
    move_validators(file, entry, validators);
    free(file->validators);
    file->validators = validators;
    free(steal_pointer(file->final_url));
    file->origin = NULL;
    file->mirror = file->failed_mirrors = 0;
    file->failures = file->odd = 0;
    file->not_before = file->error_until = 0;
    file->plain = false;
    file->entry = entry;
    if (!file->known)
        file->size = entry->size;
    if (entry->mtime != ADL_TIME_UNKNOWN)
        file->mtime = entry->mtime;
    adl_file_publish(file);
    if (file->edition)
        adl_edition_complete(file->edition);
    adl_engine_busy(file);
}

/* --- all of them */

/* Nobody has it, and nothing is under way. */
static bool idle(const struct adl_file *file)
{
    const struct adl_edition *edition = LIST_FIRST(&file->editions);
    return !file->is_busy && LIST_EMPTY(&file->handles) && LIST_EMPTY(&file->transfers) &&
           (!edition ||
            (edition == file->edition && edition->refs == 1 && !LIST_NEXT(edition, link)));
}

static void drop(struct adl_engine *engine, uint32_t number)
{
    struct adl_file *file = engine->files[number];
    if (file && file->is_resting) {
        TAILQ_REMOVE(&engine->resting, file, busy);
        engine->n_resting--;
    }
    pthread_mutex_lock(&engine->known_lock);
    engine->files[number] = NULL;
    engine->entries[number] = NULL;
    pthread_mutex_unlock(&engine->known_lock);
    adl_file_free(file);
}

/* Everything that can fail, before anything is changed. */
struct preparation {
    bool *kept;                        /* owned, by number */
    struct adl_validator **validators; /* owned, each too: for entries whose URLs may change */
    struct adl_entry **copies;         /* owned, by number: of what goes; in ... */
    struct adl_arena **arenas;         /* ... owned, each too */
    uint32_t count;                    /* of numbers before */
};

static void free_preparation(struct preparation *preparation, size_t n_entries)
{
    for (size_t i = 0; preparation->validators && i < n_entries; i++)
        free(preparation->validators[i]);
    for (uint32_t i = 0; preparation->arenas && i < preparation->count; i++)
        adl_arena_free(preparation->arenas[i]);
    free(preparation->kept);
    free(preparation->validators);
    free(preparation->copies);
    free(preparation->arenas);
}

static int prepare(struct adl_engine *engine, const struct adl_reload *reload,
                   struct preparation *to)
{
    const struct adl_manifest *manifest = reload->manifest;
    to->count = engine->n_entries;
    to->kept = calloc(to->count + 1, sizeof(*to->kept));
    to->copies = calloc(to->count + 1, sizeof(*to->copies));
    to->arenas = calloc(to->count + 1, sizeof(*to->arenas));
    to->validators = calloc(manifest->count + 1, sizeof(*to->validators));
    if (!to->kept || !to->copies || !to->arenas || !to->validators)
        return -ENOMEM;
    for (size_t i = 0; i < manifest->count; i++) {
        uint32_t number = reload->numbers[i];
        if (number == UINT32_MAX)
            continue;
        to->kept[number] = true;
        if (engine->files[number] && !same_entry(engine->entries[number], &manifest->entries[i]) &&
            !(to->validators[i] = calloc(manifest->entries[i].n_urls, sizeof(*to->validators[i]))))
            return -ENOMEM;
    }
    for (uint32_t number = 0; number < to->count; number++) {
        const struct adl_file *file = engine->files[number];
        if (!file || to->kept[number] || file->gone)
            continue;
        to->arenas[number] = adl_arena_new();
        if (!to->arenas[number] ||
            !(to->copies[number] = keep_entry(to->arenas[number], file->entry)))
            return -ENOMEM;
    }
    return 0;
}

/* Room for `count` numbers. */
static int grow(struct adl_engine *engine, uint32_t count)
{
    if (count <= engine->n_entries)
        return 0;
    const struct adl_entry **entries = calloc(count, sizeof(*entries));
    struct adl_file **files = calloc(count, sizeof(*files));
    if (!entries || !files) {
        free(entries);
        free(files);
        return -ENOMEM;
    }
    memcpy(entries, engine->entries, engine->n_entries * sizeof(*entries));
    memcpy(files, engine->files, engine->n_entries * sizeof(*files));
    const struct adl_entry **old_entries = engine->entries;
    struct adl_file **old_files = engine->files;
    pthread_mutex_lock(&engine->known_lock);
    engine->entries = entries;
    engine->files = files;
    engine->n_entries = count;
    pthread_mutex_unlock(&engine->known_lock);
    free(old_entries);
    free(old_files);
    return 0;
}

/* Numbers that an earlier reload left, and are free by now. */
static uint32_t sweep(struct adl_engine *engine)
{
    uint32_t free_numbers = 0;
    for (uint32_t number = 0; number < engine->n_entries; number++) {
        const struct adl_file *file = engine->files[number];
        if (file && file->gone && idle(file))
            drop(engine, number);
        free_numbers += !engine->entries[number];
    }
    return free_numbers;
}

static uint32_t count_new(const struct adl_reload *reload)
{
    uint32_t count = 0;
    for (size_t i = 0; i < reload->manifest->count; i++)
        count += reload->numbers[i] == UINT32_MAX;
    return count;
}

/* New entries get free numbers. Whoever looks meanwhile finds the old or the new. */
static void number_new(struct adl_engine *engine, const struct adl_reload *reload)
{
    uint32_t number = 0;
    pthread_mutex_lock(&engine->known_lock);
    for (size_t i = 0; i < reload->manifest->count; i++) {
        if (reload->numbers[i] != UINT32_MAX)
            continue;
        while (engine->entries[number])
            number++;
        reload->numbers[i] = number;
        engine->entries[number] = &reload->manifest->entries[i];
    }
    pthread_mutex_unlock(&engine->known_lock);
}

static void keep(struct adl_engine *engine, uint32_t number, const struct adl_entry *entry,
                 struct adl_validator **validators)
{
    struct adl_file *file = engine->files[number];
    pthread_mutex_lock(&engine->known_lock);
    engine->entries[number] = entry;
    pthread_mutex_unlock(&engine->known_lock);
    if (file && *validators)
        change_entry(file, entry, steal_pointer(*validators));
    else if (file)
        set_entry(file, entry);
}

/* It is gone: who has it open reads on. */
static void leave(struct adl_engine *engine, uint32_t number, struct preparation *preparation)
{
    struct adl_file *file = engine->files[number];
    const struct adl_entry *entry = preparation->copies[number];
    if (file && file->gone)
        return;
    pthread_mutex_lock(&engine->known_lock);
    engine->entries[number] = entry; /* NULL where nobody has touched it */
    pthread_mutex_unlock(&engine->known_lock);
    if (!file)
        return;
    file->gone = true;
    file->own = steal_pointer(preparation->arenas[number]);
    set_entry(file, entry);
}

static int adopt(struct adl_engine *engine, struct adl_reload *reload)
{
    struct preparation preparation = {0};
    uint32_t free_numbers = sweep(engine), wanted = count_new(reload);
    int r = prepare(engine, reload, &preparation);
    if (r == 0 && wanted > free_numbers)
        r = wanted - free_numbers > UINT32_MAX - 1 - engine->n_entries
                ? -EOVERFLOW
                : grow(engine, engine->n_entries + wanted - free_numbers);
    if (r == 0) {
        bool *fresh = preparation.kept;
        for (size_t i = 0; i < reload->manifest->count; i++)
            if (reload->numbers[i] != UINT32_MAX)
                keep(engine, reload->numbers[i], &reload->manifest->entries[i],
                     &preparation.validators[i]);
        number_new(engine, reload); /* before others become free */
        for (size_t i = 0; i < reload->manifest->count; i++)
            if (reload->numbers[i] < preparation.count)
                fresh[reload->numbers[i]] = true;
        for (uint32_t number = 0; number < preparation.count; number++)
            if (!fresh[number])
                leave(engine, number, &preparation);
        reload->limit = engine->n_entries;
    }
    free_preparation(&preparation, reload->manifest->count);
    return r;
}

void adl_reload_adopt(struct adl_engine *engine, struct adl_reload *reload)
{
    reload->result = adopt(engine, reload);
    sem_post(&reload->done);
}

int adl_engine_reload(struct adl_engine *engine, const struct adl_manifest *manifest,
                      uint32_t *entries, uint32_t *limit)
{
    struct adl_reload reload = {.manifest = manifest};
    reload.numbers = entries;
    struct adl_call *call = calloc(1, sizeof(*call));
    if (!call || sem_init(&reload.done, 0, 0) < 0) {
        free(call);
        return -ENOMEM;
    }
    call->kind = ADL_CALL_RELOAD;
    call->done.reload = &reload;
    adl_engine_post(engine, call);
    while (sem_wait(&reload.done) < 0)
        ;
    sem_destroy(&reload.done);
    if (reload.result == 0)
        *limit = reload.limit;
    return reload.result;
}
