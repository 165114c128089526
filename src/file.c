/* file: what is known of a remote file, and who asks for it. */
#include "arena.h"
#include "cleanup.h"
#include "engine.h"
#include "url.h"
#include "warm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* An error of the origin's is remembered for this long: who asks again at once gets it again. */
#define REMEMBER_MS 10000

/* A copy whose checksum= was wrong is not fetched again for this long: it costs the whole file. */
#define REMEMBER_BAD_MS 60000

static const struct adl_validator no_validator = {.last_modified = ADL_TIME_UNKNOWN};

/* What an earlier run left in the cache, without asking anybody. */
static void recall(struct adl_file *file)
{
    struct adl_engine *engine = file->engine;
    struct adl_key key = adl_store_key(file->entry->urls);
    struct adl_head head;
    if (adl_sidecar_peek(engine->store, &key, &head) < 0)
        return;
    if (file->entry->size >= 0 && file->entry->size != head.size)
        return;
    file->known = true;
    file->size = head.size;
    file->mode = head.flags & ADL_HEAD_SPLIT ? ADL_MODE_SPLIT : ADL_MODE_SINGLE;
    file->executable = head.flags & ADL_HEAD_EXECUTABLE;
    file->validators[0] = head.validator;
    if (file->entry->mtime == ADL_TIME_UNKNOWN)
        file->mtime = head.validator.last_modified;
    int64_t age = (time(NULL) - head.checked_at) * 1000;
    if (age >= 0)
        file->checked = engine->now - age - 1; /* before whatever is asked now */
}

struct adl_file *adl_file_at(struct adl_engine *engine, uint32_t entry)
{
    if (entry >= engine->n_entries || !engine->entries[entry])
        return NULL;
    struct adl_file *file = engine->files[entry];
    if (file)
        return file;
    file = calloc(1, sizeof(*file));
    if (!file)
        return NULL;
    *file = (struct adl_file){.engine = engine,
                              .entry = engine->entries[entry],
                              .index = entry,
                              .cached = -1,
                              .sizeless = true, /* whoever asked before was told so */
                              .checked = INT64_MIN,
                              .progress_at = engine->now};
    file->window_most = adl_pace_window(&file->pace, engine->settings->readahead);
    file->validators = calloc(file->entry->n_urls, sizeof(*file->validators));
    if (!file->validators) {
        free(file);
        return NULL;
    }
    for (uint32_t i = 0; i < file->entry->n_urls; i++)
        file->validators[i] = no_validator;
    file->size = file->entry->size;
    file->mtime = file->entry->mtime;
    LIST_INIT(&file->editions);
    LIST_INIT(&file->handles);
    LIST_INIT(&file->transfers);
    TAILQ_INIT(&file->asks);
    TAILQ_INIT(&file->reads);
    recall(file);
    adl_file_publish(file);
    pthread_mutex_lock(&engine->known_lock);
    engine->files[entry] = file;
    pthread_mutex_unlock(&engine->known_lock);
    return file;
}

bool adl_file_streams(const struct adl_file *file)
{
    return file->mode == ADL_MODE_SINGLE || file->size < 0;
}

void adl_file_free(struct adl_file *file)
{
    if (!file)
        return;
    if (file->edition)
        adl_edition_unref(steal_pointer(file->edition));
    adl_arena_free(file->own);
    free(file->validators);
    free(file->final_url);
    free(file->error_text);
    free(file);
}

const char *adl_file_url(const struct adl_file *file)
{
    return adl_entry_url(file->entry, file->mirror);
}

static struct adl_attr attr_of(const struct adl_file *file)
{
    return (struct adl_attr){.size = file->size,
                             .mtime = file->mtime,
                             .version = file->version,
                             .executable = file->executable,
                             .renewed = file->renewed};
}

/* Whether attributes wait for what the file begins with. */
static bool awaits_first_byte(const struct adl_file *file)
{
    return file->sniffing && !file->engine->settings->modeless;
}

void adl_file_publish(struct adl_file *file)
{
    pthread_mutex_lock(&file->engine->known_lock);
    file->is_published =
        (file->known && !awaits_first_byte(file)) || (file->entry->size >= 0 && !file->version);
    file->published = attr_of(file);
    if (file->edition)
        file->edition->attr = file->published;
    pthread_mutex_unlock(&file->engine->known_lock);
}

void adl_file_error(struct adl_file *file, int error, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    cleanup_free char *url = adl_url_redact(adl_file_url(file));
    char *line = NULL;
    if (length >= 0 && asprintf(&line, "%s: %s", url ? url : "?", text) < 0)
        line = NULL;
    if (length >= 0)
        free(text);
    free(file->error_text);
    file->error_text = line;
    file->error = error;
    file->errors++;
    file->engine->errors++;
    adl_log(file->engine->log, ADL_WARNING, "%s", line ? line : "out of memory");
}

/* --- what was learned */

static int64_t wall(const struct adl_file *file)
{
    return file->checked == INT64_MIN ? 0 : time(NULL) - (file->engine->now - file->checked) / 1000;
}

/* What pins the bytes: that of the first mirror, or of the first that has one. */
static const struct adl_validator *pinning(const struct adl_file *file)
{
    for (uint32_t i = 0; i < file->entry->n_urls; i++)
        if (adl_validator_pins(&file->validators[i]))
            return &file->validators[i];
    return &file->validators[0];
}

bool adl_file_pinned(const struct adl_file *file)
{
    return adl_validator_pins(pinning(file));
}

bool adl_file_newer(const struct adl_file *file, const struct adl_validator *said)
{
    return said->last_modified != ADL_TIME_UNKNOWN && file->checked != INT64_MIN &&
           said->last_modified > wall(file) && said->last_modified != pinning(file)->last_modified;
}

void adl_file_head(const struct adl_file *file, struct adl_head *head)
{
    *head = (struct adl_head){.key = adl_store_key(file->entry->urls),
                              .validator = *pinning(file),
                              .size = file->size,
                              .block_size = file->engine->store->block_size,
                              .flags = (file->mode == ADL_MODE_SPLIT ? ADL_HEAD_SPLIT : 0) |
                                       (file->executable ? ADL_HEAD_EXECUTABLE : 0),
                              .checked_at = wall(file)};
    cleanup_free char *url = adl_url_redact(file->entry->urls);
    if (url)
        snprintf(head->url, sizeof(head->url), "%s", url);
}

/* Keeps what was learned of a file that nobody has open, for the next run. */
static void note(const struct adl_file *file)
{
    struct adl_head head;
    if (file->size < 0 || file->edition || !adl_file_pinned(file))
        return;
    adl_file_head(file, &head);
    adl_sidecar_note(file->engine->store, &head);
}

void adl_file_confirm(struct adl_file *file)
{
    file->checked = file->engine->now;
    file->error_until = 0;
    file->failed_mirrors = 0;
    if (!file->edition)
        return;
    struct adl_sidecar *sidecar = file->edition->copy->sidecar;
    if (sidecar && file->edition->copy->size >= 0) {
        sidecar->head.checked_at = wall(file);
        adl_sidecar_touch(sidecar);
        adl_flush_soon(file->engine);
    }
}

void adl_file_learn(struct adl_transfer *transfer, const struct adl_answer *answer)
{
    struct adl_file *file = transfer->file;
    const struct adl_verdict *verdict = &transfer->verdict;
    file->validators[transfer->mirror] = answer->validator;
    if (!file->known) {
        file->known = true;
        file->size = verdict->outcome == ADL_EMPTY ? 0 : verdict->size;
        file->mode = verdict->outcome == ADL_SPLIT ? ADL_MODE_SPLIT : ADL_MODE_SINGLE;
        if (file->entry->mtime == ADL_TIME_UNKNOWN)
            file->mtime = answer->validator.last_modified;
    }
    adl_file_confirm(file);
    adl_file_publish(file);
    if (!file->sniffing &&
        (TAILQ_EMPTY(&file->asks) || TAILQ_FIRST(&file->asks)->kind == ADL_CALL_STAT))
        note(file);
}

void adl_file_sniffed(struct adl_file *file, bool came)
{
    if (!file->sniffing)
        return;
    file->sniffing = NULL;
    if (came) /* else a program would be noted as none */
        note(file);
    adl_file_publish(file);
    adl_file_answer(file);
}

void adl_file_change(struct adl_file *file, const char *why)
{
    adl_file_error(file, -ESTALE, "%s", why);
    adl_retry_changed(file);
    struct adl_transfer *transfer;
    LIST_FOREACH (transfer, &file->transfers, link)
        if (transfer != file->probing)
            adl_transfer_doom(transfer);
    struct adl_call *call;
    while ((call = TAILQ_FIRST(&file->reads))) {
        TAILQ_REMOVE(&file->reads, call, link);
        adl_call_fail(call, -ESTALE);
    }
    if (file->edition) {
        adl_copy_unlink(file->edition->copy);
        adl_edition_unref(steal_pointer(file->edition));
    }
    if (file->sniffing) /* who waits for the byte is told in the next round */
        adl_engine_wake_at(file->engine, file->engine->now);
    file->sniffing = NULL;
    for (uint32_t i = 0; i < file->entry->n_urls; i++)
        file->validators[i] = no_validator;
    file->known = file->executable = file->renewed = false;
    file->mode = ADL_MODE_UNKNOWN;
    file->version++;
    file->cached = 0;
    file->size = -1;
    file->mtime = file->entry->mtime;
    file->checked = INT64_MIN;
    adl_file_publish(file);
}

int adl_file_seen(int error)
{
    return error == -EBADMSG ? -EIO : error;
}

bool adl_file_lasting(int error)
{
    return error == -ENOENT || error == -EACCES || error == -EBADMSG;
}

bool adl_file_stale(const struct adl_file *file)
{
    int64_t good_for = file->engine->settings->revalidate;
    if (!file->known)
        return true;
    if (good_for == ADL_REVALIDATE_NEVER || file->engine->now < file->unchecked_until)
        return false;
    const struct adl_transfer *transfer; /* who opens beside a running stream joins it */
    LIST_FOREACH (transfer, &file->transfers, link)
        if (transfer->kept && !transfer->doomed && transfer->verdict.outcome == ADL_SINGLE &&
            transfer->edition == file->edition)
            return false;
    return file->checked == INT64_MIN || file->engine->now - file->checked >= good_for * 1000;
}

bool adl_file_unchecked(struct adl_file *file)
{
    if (!file->known || file->size < 0)
        return false;
    cleanup_free char *url = adl_url_redact(adl_file_url(file));
    adl_log(file->engine->log, ADL_WARNING,
            "%s: the origin cannot be reached: what is cached is served unchecked",
            url ? url : "?");
    file->unchecked_until = file->engine->now + REMEMBER_MS;
    adl_file_answer(file);
    return true;
}

/* --- who asks */

/* Under `known_lock`: adl_file_known() may just be telling it. */
static bool set_sizeless(struct adl_file *file, bool sizeless)
{
    pthread_mutex_lock(&file->engine->known_lock);
    bool before = file->sizeless;
    file->sizeless = sizeless;
    pthread_mutex_unlock(&file->engine->known_lock);
    return before;
}

static void answer_stat(struct adl_file *file, struct adl_call *call)
{
    struct adl_attr attr = attr_of(file);
    if (attr.size < 0)
        set_sizeless(file, true);
    call->done.stat(call->ctx, 0, &attr);
    free(call);
}

static void answer_open(struct adl_file *file, struct adl_call *call)
{
    int error = file->edition ? 0 : adl_edition_open(file);
    struct adl_handle *handle = error < 0 ? NULL : calloc(1, sizeof(*handle));
    if (!handle) {
        adl_call_fail(call, error < 0 ? error : -ENOMEM);
        return;
    }
    *handle = (struct adl_handle){.engine = file->engine,
                                  .file = file,
                                  .edition = adl_edition_ref(file->edition),
                                  .size = file->size};
    pthread_mutex_init(&handle->lock, NULL);
    LIST_INSERT_HEAD(&file->handles, handle, link);
    adl_warm_opened(file, call);
    struct adl_attr attr = attr_of(file);
    attr.renewed = attr.renewed || file->evicted;
    if (call->version != ADL_ANY_VERSION) { /* no caller of the engine's own */
        file->evicted = false;
        attr.sizeless = set_sizeless(file, false);
    }
    call->done.open(call->ctx, 0, handle, &attr);
    free(call);
}

static bool another_version(const struct adl_file *file, const struct adl_call *call)
{
    return call->version != ADL_ANY_VERSION && call->version != file->version;
}

/* An old version has attributes as long as somebody has it open. */
static bool answer_old_stat(struct adl_file *file, struct adl_call *call)
{
    struct adl_edition *edition;
    LIST_FOREACH (edition, &file->editions, link)
        if (call->kind == ADL_CALL_STAT && edition->attr.version == call->version) {
            call->done.stat(call->ctx, 0, &edition->attr);
            free(call);
            return true;
        }
    return false;
}

void adl_file_answer(struct adl_file *file)
{
    struct adl_call *call, *next;
    bool stale = adl_file_stale(file);
    for (call = TAILQ_FIRST(&file->asks); call; call = next) {
        next = TAILQ_NEXT(call, link);
        if (another_version(file, call)) {
            TAILQ_REMOVE(&file->asks, call, link);
            if (!answer_old_stat(file, call))
                adl_call_fail(call, -ESTALE);
        } else if (call->kind == ADL_CALL_STAT && file->known && !awaits_first_byte(file)) {
            TAILQ_REMOVE(&file->asks, call, link);
            answer_stat(file, call);
        } else if (call->kind == ADL_CALL_OPEN && file->known &&
                   (!stale || file->checked >= call->since)) {
            TAILQ_REMOVE(&file->asks, call, link);
            answer_open(file, call);
        }
    }
    adl_engine_busy(file);
}

void adl_file_fail(struct adl_file *file, int error)
{
    struct adl_call *call;
    int seen = adl_file_seen(error);
    adl_file_sniffed(file, false); /* those attributes are known */
    while ((call = TAILQ_FIRST(&file->asks))) {
        TAILQ_REMOVE(&file->asks, call, link);
        adl_call_fail(call, seen);
    }
    while ((call = TAILQ_FIRST(&file->reads))) {
        TAILQ_REMOVE(&file->reads, call, link);
        adl_call_fail(call, seen);
    }
    file->error_until = file->engine->now + (error == -EBADMSG ? REMEMBER_BAD_MS : REMEMBER_MS);
    file->not_before = file->error_until;
}

void adl_call_fail(struct adl_call *call, int error)
{
    switch (call->kind) {
    case ADL_CALL_STAT:
        call->done.stat(call->ctx, error, NULL);
        break;
    case ADL_CALL_OPEN:
        call->done.open(call->ctx, error, NULL, NULL);
        break;
    case ADL_CALL_READ:
        call->done.read(call->ctx, error, -1, 0, 0);
        break;
    case ADL_CALL_REPORT:
        call->done.report(call->ctx, NULL);
        break;
    case ADL_CALL_VERIFY:
        call->done.verify(call->ctx, error, NULL);
        break;
    case ADL_CALL_DIGEST:
    case ADL_CALL_TAKE:
        call->done.whole(call->ctx, error);
        break;
    case ADL_CALL_EVICT:
        call->done.evict(call->ctx, error, 0);
        break;
    default:
        break;
    }
    free(call);
}

const char *adl_file_mode(const struct adl_file *file)
{
    if (!file->known)
        return "unknown";
    if (file->size == 0)
        return "empty";
    return file->mode == ADL_MODE_SPLIT ? "split" : "single";
}

const char *adl_file_state(const struct adl_file *file, int64_t cached)
{
    bool complete = file->size > 0 ? cached == file->size : file->known && file->size == 0;
    if (adl_pause_holds(file) && !complete)
        return "paused";
    if (file->n_transfers)
        return "fetching";
    if (file->error_until > file->engine->now)
        return "failed";
    if (!file->known)
        return file->version ? "stale" : "unknown";
    return complete ? "complete" : "idle";
}

struct adl_edition *adl_file_kept(struct adl_file *file)
{
    char name[ADL_NAME_ROOM];
    struct adl_key key = adl_store_key(file->entry->urls);
    adl_store_name(&key, ".data", name);
    if (!file->edition && file->known && file->size > 0 &&
        faccessat(file->engine->store->dir, name, F_OK, 0) == 0)
        adl_edition_open(file);
    adl_engine_busy(file); /* closes it again */
    return file->edition;
}

static int by_place(const void *a, const void *b)
{
    const struct adl_connection *one = a, *other = b;
    return (one->at > other->at) - (one->at < other->at);
}

/* The caller's to free; NULL without memory. Those that were given up are not told of. */
static struct adl_connection *connections_of(const struct adl_file *file, size_t *count)
{
    const struct adl_transfer *transfer;
    struct adl_connection *connections = calloc(file->n_transfers + 1, sizeof(*connections));
    *count = 0;
    LIST_FOREACH (transfer, &file->transfers, link) {
        if (!connections || transfer->doomed)
            continue;
        connections[(*count)++] =
            (struct adl_connection){.first = transfer->question.first,
                                    .end = transfer->end == INT64_MAX ? -1 : transfer->end,
                                    .at = transfer->at,
                                    .rate = adl_meter_rate(&transfer->meter, file->engine->now)};
    }
    if (connections)
        qsort(connections, *count, sizeof(*connections), by_place);
    return connections;
}

static void report(struct adl_file *file, struct adl_call *call)
{
    cleanup_free char *url = adl_url_redact(adl_file_url(file));
    cleanup_free char *final = file->final_url ? adl_url_redact(file->final_url) : NULL;
    const struct adl_validator *validator = &file->validators[file->mirror];
    int64_t cached = adl_edition_cached(file);
    struct adl_report report = {.url = url ? url : "",
                                .final_url = final,
                                .mode = adl_file_mode(file),
                                .error = file->error_text,
                                .etag = validator->etag[0] ? validator->etag : NULL,
                                .size = file->size,
                                .mtime = file->mtime,
                                .cached = cached,
                                .http_status = file->http_status,
                                .http_version = file->http_version,
                                .seconds = file->seconds,
                                .mirrors = file->entry->n_urls,
                                .transfers = file->n_transfers};
    report.state = adl_file_state(file, cached);
    cleanup_free struct adl_connection *connections = connections_of(file, &report.n_connections);
    report.connections = connections;
    call->done.report(call->ctx, &report);
    free(call);
}

void adl_file_call(struct adl_file *file, struct adl_call *call)
{
    if (call->kind == ADL_CALL_REPORT) {
        report(file, call);
        return;
    }
    if (call->kind == ADL_CALL_VERIFY) {
        adl_verify_begin(file, call);
        return;
    }
    if (file->error_until > file->engine->now && !another_version(file, call) &&
        (!file->known || (call->kind == ADL_CALL_OPEN && adl_file_lasting(file->error)))) {
        adl_call_fail(call, adl_file_seen(file->error));
        return;
    }
    TAILQ_INSERT_TAIL(&file->asks, call, link);
    adl_file_answer(file);
}
