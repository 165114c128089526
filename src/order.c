#include "order.h"

#include "json_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ID_TEXT_MAX 64

static const char *const names[] = {
    [ADL_ORDER_HELLO] = "hello",   [ADL_ORDER_STATUS] = "status", [ADL_ORDER_PAUSE] = "pause",
    [ADL_ORDER_RESUME] = "resume", [ADL_ORDER_WARM] = "warm",     [ADL_ORDER_JOB] = "job",
    [ADL_ORDER_STOP] = "stop",     [ADL_ORDER_SET] = "set",       [ADL_ORDER_EVICT] = "evict",
    [ADL_ORDER_VERIFY] = "verify",
};

/* Before a parser that recurses sees it. */
static bool too_deep(const char *line, size_t length)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        char c = line[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']') && depth)
            depth--;
        if (depth > ADL_ORDER_DEPTH_MAX)
            return true;
    }
    return false;
}

static int wrong(const char **why, const char *text)
{
    *why = text;
    return -EINVAL;
}

/* A whole number within [min, max]; *out stays as it is where the field is not there. */
static bool number(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const json_t *value = json_object_get(object, name);
    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return false;
    *out = json_integer_value(value);
    return true;
}

static int read_numbers(const json_t *object, struct adl_order *out, const char **why)
{
    int64_t jobs = 0, cells = 0, after = 0, limit = ADL_ORDER_FILES_MAX, every = 0, job = 0;
    if (!number(object, "jobs", 0, 256, &jobs))
        return wrong(why, "jobs is a number from 0 to 256");
    if (!number(object, "cells", 0, ADL_ORDER_CELLS_MAX, &cells))
        return wrong(why, "cells is a number from 0 to 4096");
    if (!number(object, "after", 0, UINT32_MAX, &after))
        return wrong(why, "after is a number that an earlier answer told as next");
    if (!number(object, "limit", 0, ADL_ORDER_FILES_MAX, &limit))
        return wrong(why, "limit is a number from 0 to 1000");
    if (!number(object, "every", ADL_ORDER_EVERY_MIN, ADL_ORDER_EVERY_MAX, &every))
        return wrong(why, "every is a number of milliseconds from 100 to 60000");
    if (!number(object, "job", 1, INT64_MAX, &job))
        return wrong(why, "job is a number that a warm was answered with");
    if (!number(object, "limit-rate", 0, INT64_MAX, &out->limit_rate))
        return wrong(why, "limit-rate is a number of bytes a second, 0 for no limit");
    out->jobs = (unsigned)jobs;
    out->cells = (unsigned)cells;
    out->after = (uint32_t)after;
    out->limit = (unsigned)limit;
    out->every = (unsigned)every;
    out->job = (uint64_t)job;
    return 0;
}

static int read_range(const json_t *object, struct adl_order *out, const char **why)
{
    static const char text[] = "range is [first, end) as two numbers of bytes, or [first, null]";
    const json_t *range = json_object_get(object, "range");
    if (!range)
        return 0;
    const json_t *first = json_array_get(range, 0), *end = json_array_get(range, 1);
    if (json_array_size(range) != 2 || !json_is_integer(first) || json_integer_value(first) < 0)
        return wrong(why, text);
    out->first = json_integer_value(first);
    if (json_is_null(end))
        return 0;
    if (!json_is_integer(end) || json_integer_value(end) <= out->first)
        return wrong(why, text);
    out->end = json_integer_value(end);
    return 0;
}

static int read_paths(const json_t *object, struct adl_order *out, const char **why)
{
    const json_t *paths = json_object_get(object, "paths");
    if (!paths)
        return 0;
    if (!json_is_array(paths))
        return wrong(why, "paths is an array of strings");
    if (json_array_size(paths) > ADL_ORDER_PATHS_MAX)
        return wrong(why, "too many paths");
    out->paths = calloc(json_array_size(paths) + 1, sizeof(*out->paths));
    if (!out->paths)
        return -ENOMEM;
    for (size_t i = 0; i < json_array_size(paths); i++) {
        if (!json_is_string(json_array_get(paths, i)))
            return wrong(why, "paths is an array of strings");
        out->paths[i] = adl_json_bytes(json_array_get(paths, i));
        if (!out->paths[i])
            return -ENOMEM;
        out->n_paths++;
    }
    return 0;
}

static int read_kind(const json_t *object, struct adl_order *out, const char **why)
{
    const char *word = json_string_value(json_object_get(object, "do"));
    if (!word)
        return wrong(why, "do says what is to be done: hello, status, pause, resume, warm, job, "
                          "stop, set, evict or verify");
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], word) == 0) {
            out->kind = (enum adl_order_kind)i;
            return 0;
        }
    return wrong(why, "there is nothing of that name to do");
}

static int read_id(json_t *object, struct adl_order *out, const char **why)
{
    json_t *id = json_object_get(object, "id");
    if (!id)
        return 0;
    if (!json_is_integer(id) && !(json_is_string(id) && json_string_length(id) <= ID_TEXT_MAX))
        return wrong(why, "id is a whole number or a string of at most 64 bytes");
    out->id = json_incref(id);
    return 0;
}

static int read_order(json_t *object, struct adl_order *out, const char **why)
{
    if (!json_is_object(object))
        return wrong(why, "a line is an object");
    int r = read_id(object, out, why);
    if (r < 0)
        return r;
    const json_t *version = json_object_get(object, "adlfs");
    if (!json_is_integer(version))
        return wrong(why, "adlfs says the version of the protocol: 1");
    if (json_integer_value(version) != ADL_PROTOCOL) {
        *why = "this is version 1 of the protocol";
        return -EPROTONOSUPPORT;
    }
    r = read_kind(object, out, why);
    r = r < 0 ? r : read_numbers(object, out, why);
    r = r < 0 ? r : read_range(object, out, why);
    r = r < 0 ? r : read_paths(object, out, why);
    if (r == 0 && out->kind == ADL_ORDER_JOB && !out->job)
        return wrong(why, "job says which");
    if (r == 0 && out->kind == ADL_ORDER_SET && out->limit_rate < 0)
        return wrong(why, "there is nothing to set: limit-rate");
    bool chore = out->kind == ADL_ORDER_EVICT || out->kind == ADL_ORDER_VERIFY;
    if (r == 0 && chore && (out->every || !out->limit))
        return wrong(why, "that is done once, and limit is a number from 1 to 1000");
    return r;
}

int adl_order_parse(const char *line, size_t length, struct adl_order *out, const char **why)
{
    *out = (struct adl_order){.end = -1, .limit_rate = -1};
    *why = "out of memory";
    if (length > ADL_ORDER_MAX)
        return wrong(why, "the line is too long");
    if (too_deep(line, length))
        return wrong(why, "the line is nested too deeply");
    json_error_t error;
    json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        return wrong(why, "the line is not JSON");
    int r = read_order(object, out, why);
    json_decref(object);
    return r;
}

void adl_order_free(struct adl_order *order)
{
    for (size_t i = 0; i < order->n_paths; i++)
        free(order->paths[i]);
    free(order->paths);
    json_decref(order->id);
    *order = (struct adl_order){0};
}
