#include "metrics.h"

#include <inttypes.h>
#include <stddef.h>

static const struct {
    const char *name, *field, *kind, *help;
} metrics[] = {
    {"adlfs_fetched_bytes_total", "fetched", "counter", "Bytes fetched from origins."},
    {"adlfs_served_bytes_total", "served", "counter", "Bytes that reads were answered with."},
    {"adlfs_reads_total", "reads", "counter", "Reads that reached the daemon."},
    {"adlfs_cached_reads_total", "hits", "counter", "Reads answered from the cache at once."},
    {"adlfs_errors_total", "errors", "counter", "Things that failed and were told."},
    {"adlfs_fetch_rate_bytes", "rate", "gauge", "Bytes a second, lately."},
    {"adlfs_transfers", "transfers", "gauge", "Transfers under way."},
    {"adlfs_waiting_reads", "waiting", "gauge", "Reads that wait for bytes."},
    {"adlfs_limit_rate_bytes", "limit_rate", "gauge", "Limit in bytes a second, 0 for none."},
    {"adlfs_entries", "entries", "gauge", "Files of the mount."},
    {"adlfs_paused", "paused", "gauge", "1 while the mount is paused."},
};

/* A label's value: \, " and newlines escaped. */
static void put_label(FILE *out, const char *text)
{
    for (; *text; text++)
        if (*text == '\\' || *text == '"')
            fprintf(out, "\\%c", *text);
        else if (*text == '\n')
            fputs("\\n", out);
        else
            fputc(*text, out);
}

/* A metric's lines must stand together, so all mounts are written a metric at a time. */
void adl_metrics_write(const json_t *answers, FILE *out)
{
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name, metrics[i].help,
                metrics[i].name, metrics[i].kind);
        for (size_t k = 0; k < json_array_size(answers); k++) {
            const json_t *mount = json_object_get(json_array_get(answers, k), "mount");
            const json_t *value = json_object_get(mount, metrics[i].field);
            const char *mountpoint = json_string_value(json_object_get(mount, "mountpoint"));
            fprintf(out, "%s{mountpoint=\"", metrics[i].name);
            put_label(out, mountpoint ? mountpoint : "");
            fprintf(out, "\"} %" PRId64 "\n",
                    json_is_boolean(value) ? (int64_t)json_is_true(value)
                                           : (int64_t)json_integer_value(value));
        }
    }
}
