#include "desk.h"

#include "chore.h"
#include "json_name.h"
#include "survey.h"
#include "warm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Files that may be paused one by one in one order: each may have to be looked up in the cache. */
#define PAUSE_MAX 4096

/* Cells of maps in one answer, all files together. */
#define CELLS_MAX 65536

void adl_errand_free(struct adl_errand *errand)
{
    if (!errand)
        return;
    adl_order_free(&errand->order);
    free(errand->entries);
    json_decref(errand->answer);
    json_decref(errand->files);
    free(errand->stale);
    free(errand);
}

/* --- which files */

static int add_entry(struct adl_errand *errand, uint32_t entry, size_t *room)
{
    if (errand->n_entries == *room) {
        *room = *room ? *room * 2 : 16;
        uint32_t *longer = reallocarray(errand->entries, *room, sizeof(*longer));
        if (!longer)
            return -ENOMEM;
        errand->entries = longer;
    }
    errand->entries[errand->n_entries++] = entry;
    return 0;
}

/* All files below a directory, in its order. */
static int add_below(struct adl_errand *errand, uint32_t number, size_t *room)
{
    const struct adl_node *node = adl_tree_node(errand->tree, number);
    if (node->entry != ADL_NO_ENTRY)
        return add_entry(errand, node->entry, room);
    errand->directory = true;
    int r = 0;
    for (uint32_t k = 0; k < node->count && r == 0; k++)
        r = add_below(errand, adl_tree_child(errand->tree, number, k), room);
    return r;
}

int adl_desk_resolve(struct adl_errand *errand, const char **at)
{
    size_t room = 0;
    errand->all = errand->order.n_paths == 0;
    for (size_t i = 0; i < errand->order.n_paths; i++) {
        uint32_t number = adl_tree_find(errand->tree, errand->order.paths[i]);
        *at = errand->order.paths[i];
        if (number == ADL_NO_NODE)
            return -ENOENT;
        if (number == ADL_ROOT) {
            errand->all = true;
            continue;
        }
        int r = add_below(errand, number, &room);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- answers */

static const char *name_of(int error)
{
    const char *name = strerrorname_np(-error);
    return name ? name : "EIO";
}

json_t *adl_desk_error(int error, const char *text)
{
    return json_pack("{s:s, s:o}", "errno", name_of(error), "text", adl_json_name(text));
}

json_t *adl_desk_refusal(int error, const char *text)
{
    return json_pack("{s:b, s:o}", "ok", 0, "error", adl_desk_error(error, text));
}

static json_t *done(void)
{
    return json_pack("{s:b}", "ok", 1);
}

static void status(struct adl_engine *engine, struct adl_errand *errand)
{
    const struct adl_order *order = &errand->order;
    errand->answer = done();
    json_object_set_new(errand->answer, "mount", adl_survey_engine(engine));
    if (errand->all || errand->directory) {
        int64_t next;
        json_t *files = adl_survey_files(engine, errand->tree, errand->all ? NULL : errand->entries,
                                         errand->all ? engine->n_entries : errand->n_entries,
                                         order->after, order->limit, order->every > 0, &next);
        json_object_set_new(errand->answer, "files", files);
        json_object_set_new(errand->answer, "connections",
                            adl_survey_connections(engine, errand->tree));
        json_object_set_new(errand->answer, "next", next < 0 ? json_null() : json_integer(next));
        return;
    }
    json_t *files = json_array();
    size_t end = (size_t)order->after + order->limit, i = order->after;
    unsigned cells = order->cells;
    if (errand->n_entries * cells > CELLS_MAX)
        cells = (unsigned)(CELLS_MAX / errand->n_entries);
    for (; i < errand->n_entries && i < end; i++) {
        struct adl_file *file = adl_file_at(engine, errand->entries[i]);
        if (file)
            json_array_append_new(files, adl_survey_details(file, errand->tree, cells));
    }
    json_object_set_new(errand->answer, "files", files);
    json_object_set_new(errand->answer, "next",
                        i < errand->n_entries ? json_integer((json_int_t)i) : json_null());
}

static void set_pause(struct adl_engine *engine, struct adl_errand *errand, bool paused)
{
    engine->brake = false;
    if (errand->all) {
        adl_pause_set(engine, NULL, paused);
    } else if (errand->n_entries > PAUSE_MAX) {
        errand->answer = adl_desk_refusal(-E2BIG, "more than 4096 files: pause the mount");
        return;
    }
    for (size_t i = 0; i < errand->n_entries && !errand->all; i++) {
        struct adl_file *file = adl_file_at(engine, errand->entries[i]);
        if (file)
            adl_pause_set(engine, file, paused);
    }
    errand->answer = json_pack("{s:b, s:b}", "ok", 1, "paused", engine->paused);
}

static void warm(struct adl_engine *engine, struct adl_errand *errand)
{
    const struct adl_order *order = &errand->order;
    struct adl_warm_order what = {.first = order->first, .end = order->end, .jobs = order->jobs};
    if (errand->all) {
        what.n_entries = engine->n_entries;
    } else {
        what.entries = errand->entries;
        what.n_entries = errand->n_entries;
        errand->entries = NULL; /* it is the warm's now */
    }
    uint64_t job;
    int error = adl_warm_start(engine, &what, &job);
    errand->answer = error < 0
                         ? adl_desk_refusal(error, strerror(-error))
                         : json_pack("{s:b, s:o}", "ok", 1, "job", json_integer((json_int_t)job));
}

static void job(struct adl_engine *engine, struct adl_errand *errand)
{
    const struct adl_warm *warm = adl_warm_find(engine, errand->order.job);
    if (!warm) {
        errand->answer = adl_desk_refusal(-ESRCH, "there is no such job");
        errand->last = true;
        return;
    }
    errand->answer = done();
    json_object_set_new(errand->answer, "mount", adl_survey_engine(engine));
    json_object_set_new(errand->answer, "job", adl_survey_warm(warm, errand->tree));
    errand->last = warm->ended;
}

static void stop(struct adl_engine *engine, struct adl_errand *errand)
{
    if (errand->order.job == 0) {
        adl_warm_stop_all(engine);
        errand->answer = done();
        return;
    }
    errand->answer = adl_warm_stop(engine, errand->order.job) < 0
                         ? adl_desk_refusal(-ESRCH, "there is no such job")
                         : done();
}

static void set(struct adl_engine *engine, struct adl_errand *errand)
{
    adl_throttle_set(engine, errand->order.limit_rate);
    errand->answer = done();
    json_object_set_new(errand->answer, "mount", adl_survey_engine(engine));
}

/* What can be done at once. */
static void carry_out(struct adl_engine *engine, struct adl_errand *errand)
{
    if (engine->stop) {
        errand->answer = adl_desk_refusal(-ENOTCONN, "the mount is ending");
        return;
    }
    engine->now = adl_engine_clock();
    switch (errand->order.kind) {
    case ADL_ORDER_HELLO: /* facts alone, which the control adds */
        errand->answer = done();
        return;
    case ADL_ORDER_STATUS:
        status(engine, errand);
        return;
    case ADL_ORDER_PAUSE:
    case ADL_ORDER_RESUME:
        set_pause(engine, errand, errand->order.kind == ADL_ORDER_PAUSE);
        return;
    case ADL_ORDER_WARM:
        warm(engine, errand);
        return;
    case ADL_ORDER_JOB:
        job(engine, errand);
        return;
    case ADL_ORDER_STOP:
        stop(engine, errand);
        return;
    case ADL_ORDER_SET:
        set(engine, errand);
        return;
    case ADL_ORDER_EVICT:
    case ADL_ORDER_VERIFY:
        return;
    }
}

void adl_desk_carry_out(struct adl_engine *engine, struct adl_errand *errand)
{
    bool chore = errand->order.kind == ADL_ORDER_EVICT || errand->order.kind == ADL_ORDER_VERIFY;
    if (chore && !engine->stop) {
        adl_chore_begin(engine, errand);
        return;
    }
    carry_out(engine, errand);
    errand->finish(errand);
}
