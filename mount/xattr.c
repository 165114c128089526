#include "xattr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "user.adlfs."

enum field {
    URL,
    FINAL_URL,
    MODE,
    STATE,
    SIZE,
    CACHED,
    ETAG,
    MTIME,
    STATUS,
    MIRRORS,
    TRANSFERS,
    ERROR
};

static const char *const file_names[] = {
    [URL] = PREFIX "url",         [FINAL_URL] = PREFIX "final_url", [MODE] = PREFIX "mode",
    [STATE] = PREFIX "state",     [SIZE] = PREFIX "size",           [CACHED] = PREFIX "cached",
    [ETAG] = PREFIX "etag",       [MTIME] = PREFIX "mtime",         [STATUS] = PREFIX "status",
    [MIRRORS] = PREFIX "mirrors", [TRANSFERS] = PREFIX "transfers", [ERROR] = PREFIX "error",
};

static const char *const root_names[] = {PREFIX "pid", PREFIX "version", PREFIX "generation",
                                         PREFIX "reload", PREFIX "control"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int find(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

bool adl_xattr_is_file(const char *name)
{
    return find(file_names, COUNT(file_names), name) >= 0;
}

bool adl_xattr_is_root(const char *name)
{
    return find(root_names, COUNT(root_names), name) >= 0;
}

static int text(const char *value, char *out, size_t room)
{
    return value ? snprintf(out, room, "%s", value) : -ENODATA;
}

static int number(int64_t value, char *out, size_t room)
{
    return value >= 0 ? snprintf(out, room, "%" PRId64, value) : -ENODATA;
}

static int date(int64_t when, char *out, size_t room)
{
    time_t seconds = when;
    struct tm tm;
    char value[64];
    if (when == ADL_TIME_UNKNOWN || !gmtime_r(&seconds, &tm))
        return -ENODATA;
    strftime(value, sizeof(value), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return text(value, out, room);
}

static int value_of(int field, const struct adl_report *report, char *out, size_t room)
{
    switch ((enum field)field) {
    case URL:
        return text(report->url, out, room);
    case FINAL_URL:
        return text(report->final_url, out, room);
    case MODE:
        return text(report->mode, out, room);
    case STATE:
        return text(report->state, out, room);
    case SIZE:
        return number(report->size, out, room);
    case CACHED:
        return number(report->cached, out, room);
    case ETAG:
        return text(report->etag, out, room);
    case MTIME:
        return date(report->mtime, out, room);
    case STATUS:
        return number(report->http_status ? report->http_status : -1, out, room);
    case MIRRORS:
        return number(report->mirrors, out, room);
    case TRANSFERS:
        return number(report->transfers, out, room);
    case ERROR:
        return text(report->error, out, room);
    }
    return -ENODATA;
}

int adl_xattr_of_file(const char *name, const struct adl_report *report, char *out, size_t room)
{
    int field = find(file_names, COUNT(file_names), name);
    return field < 0 ? -ENODATA : value_of(field, report, out, room);
}

int adl_xattr_of_root(const char *name, const struct adl_xattr_root *root, const char *control,
                      char *out, size_t room)
{
    switch (find(root_names, COUNT(root_names), name)) {
    case 0:
        return number(getpid(), out, room);
    case 1:
        return text(ADL_VERSION, out, room);
    case 2:
        return number((int64_t)root->generation, out, room);
    case 3:
        return snprintf(out, room, "%" PRIu64 " %s", root->attempts,
                        root->error[0] ? root->error : "ok");
    case 4:
        return text(control, out, room);
    default:
        return -ENODATA;
    }
}

static void append(const char *name, char *out, size_t room, size_t *length)
{
    size_t size = strlen(name) + 1;
    if (*length + size <= room)
        memcpy(out + *length, name, size);
    *length += size;
}

size_t adl_xattr_list_file(const struct adl_report *report, char *out, size_t room)
{
    size_t length = 0;
    for (size_t i = 0; i < COUNT(file_names); i++)
        if (value_of((int)i, report, NULL, 0) >= 0)
            append(file_names[i], out, room, &length);
    return length;
}

size_t adl_xattr_list_root(const char *control, char *out, size_t room)
{
    size_t length = 0;
    for (size_t i = 0; i < COUNT(root_names) - !control; i++)
        append(root_names[i], out, room, &length);
    return length;
}
