/* adlfs probe: what the range probe finds about URLs, without a mount.
 *
 * A manifest of the URLs is made in memory and an engine started on it with a cache directory that
 * exists for this run only. All URLs are asked at once. Answers come on the engine's thread, which
 * must not block: they are kept as JSON objects there, and printed, for people or for programs,
 * by the main thread. */
#include "cleanup.h"
#include "commands.h"
#include "file.h"
#include "json.h"
#include "json_name.h"
#include "logger.h"
#include "tempdir.h"
#include "url.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>

struct probe;

/* What was found about one URL. Written by the engine's thread until `done` counts it. */
struct finding {
    const struct probe *probe;
    json_t *json; /* owned; NULL without memory */
    int error;    /* negative errno of the probe */
};

struct probe {
    const struct adl_options *options;
    struct adl_logger logger;
    struct adl_manifest manifest;
    struct adl_engine *engine;
    struct finding *findings; /* one for each URL */
    int done;                 /* eventfd, counts answers */
    int signals;              /* signalfd: the temporary directory is removed before they act */
    int caught;               /* the signal that ended the wait; 0: none */
    char directory[ADL_TEMPDIR_ROOM]; /* the temporary cache */
};

static const char *http_name(int version)
{
    switch (version) {
    case 10:
        return "1.0";
    case 11:
        return "1.1";
    case 20:
        return "2";
    case 30:
        return "3";
    default:
        return NULL;
    }
}

static void count(const struct finding *finding)
{
    eventfd_write(finding->probe->done, 1);
}

static void on_stat(void *ctx, int error, const struct adl_attr *attr)
{
    (void)attr; /* the report has it */
    struct finding *finding = ctx;
    finding->error = error;
    count(finding);
}

static void on_report(void *ctx, const struct adl_report *report)
{
    struct finding *finding = ctx;
    if (!report) { /* no memory: print() tells */
        count(finding);
        return;
    }
    const char *error = !finding->error ? NULL
                        : report->error ? report->error
                                        : strerror(-finding->error);
    finding->json =
        json_pack("{so so so so so so so so so so}", "url", adl_json_name(report->url), "mode",
                  adl_json_name(report->mode), "size",
                  adl_json_number(report->size, report->size >= 0), "etag",
                  adl_json_name(report->etag), "last_modified", adl_json_time(report->mtime),
                  "final_url", adl_json_name(report->final_url), "http_version",
                  adl_json_name(http_name(report->http_version)), "status",
                  adl_json_number(report->http_status, report->http_status > 0), "seconds",
                  json_real(report->seconds), "error", adl_json_name(error));
    count(finding);
}

/* Waits for `answers` answers. 0, -EINTR for a signal, or -errno. */
static int await(struct probe *probe, size_t answers)
{
    struct pollfd fds[] = {{.fd = probe->done, .events = POLLIN},
                           {.fd = probe->signals, .events = POLLIN}};
    while (answers > 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return -errno;
        struct signalfd_siginfo info;
        if ((fds[1].revents & POLLIN) &&
            read(probe->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
            probe->caught = (int)info.ssi_signo;
            return -EINTR;
        }
        eventfd_t more;
        if ((fds[0].revents & POLLIN) && eventfd_read(probe->done, &more) == 0)
            answers -= (size_t)more;
    }
    return 0;
}

static int ask(struct probe *probe)
{
    size_t n = probe->options->n_operands;
    for (size_t i = 0; i < n; i++)
        adl_file_stat(probe->engine, adl_engine_ticket(probe->engine), (uint32_t)i, ADL_ANY_VERSION,
                      on_stat, &probe->findings[i]);
    int r = await(probe, n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        adl_file_report(probe->engine, (uint32_t)i, on_report, &probe->findings[i]);
    return await(probe, n);
}

/* "1.4 GiB (1503238553 bytes)" */
static void print_size(json_int_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    for (json_int_t rest = bytes; rest >= 1024; rest /= 1024)
        unit++;
    if (unit == 0)
        printf("  size       %" JSON_INTEGER_FORMAT " bytes\n", bytes);
    else
        printf("  size       %.1f %s (%" JSON_INTEGER_FORMAT " bytes)\n",
               (double)bytes / (double)(INT64_C(1) << (10 * unit)), units[unit], bytes);
}

/* Prints what servers said: escaped. */
static void print_text(const char *label, const char *text, const char *end)
{
    char shown[4096];
    adl_log_escape(text, shown, sizeof(shown));
    printf("%s%s%s", label, shown, end);
}

static void print_validator(const json_t *json)
{
    const char *etag = json_string_value(json_object_get(json, "etag"));
    const char *modified = json_string_value(json_object_get(json, "last_modified"));
    if (etag)
        print_text("  validator  ETag ", etag, modified ? ", " : "\n");
    if (modified)
        printf("%sLast-Modified %s\n", etag ? "" : "  validator  ", modified);
    if (!etag && !modified)
        puts("  validator  none: a change at the origin may go unnoticed");
}

static const char *explain(const char *mode)
{
    if (mode && strcmp(mode, "split") == 0)
        return " (ranges work: parts are fetched alone and in parallel)";
    if (mode && strcmp(mode, "single") == 0)
        return " (no ranges: one stream from the start)";
    return "";
}

static void print_finding(const json_t *json)
{
    const char *mode = json_string_value(json_object_get(json, "mode"));
    const char *final_url = json_string_value(json_object_get(json, "final_url"));
    const char *version = json_string_value(json_object_get(json, "http_version"));
    const char *error = json_string_value(json_object_get(json, "error"));
    const json_t *size = json_object_get(json, "size");
    json_int_t status = json_integer_value(json_object_get(json, "status"));

    print_text("", json_string_value(json_object_get(json, "url")), "\n");
    if (error) {
        print_text("  error      ", error, "\n");
    } else {
        printf("  mode       %s%s\n", mode, explain(mode));
        if (json_is_integer(size))
            print_size(json_integer_value(size));
        else
            puts("  size       not told");
        print_validator(json);
    }
    if (final_url)
        print_text("  final URL  ", final_url, "\n");
    if (version && status)
        printf("  answer     %" JSON_INTEGER_FORMAT ", HTTP/%s\n", status, version);
    printf("  time       %.0f ms\n", 1000 * json_number_value(json_object_get(json, "seconds")));
}

static int print_json(const struct probe *probe)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < probe->options->n_operands; i++)
        json_array_append(array, probe->findings[i].json);
    int r = array ? json_dumpf(array, stdout, JSON_INDENT(2)) : -1;
    json_decref(array);
    putchar('\n');
    return r < 0 ? ADL_EXIT_FAILED : ADL_EXIT_DONE;
}

static int print(const struct probe *probe)
{
    int status = ADL_EXIT_DONE;
    for (size_t i = 0; i < probe->options->n_operands; i++) {
        const struct finding *finding = &probe->findings[i];
        if (!finding->json) {
            fprintf(stderr, "adlfs probe: %s\n", strerror(ENOMEM));
            return ADL_EXIT_FAILED;
        }
        if (finding->error)
            status = ADL_EXIT_FAILED;
        if (!probe->options->json)
            print_finding(finding->json);
    }
    if (probe->options->json && print_json(probe) != ADL_EXIT_DONE)
        status = ADL_EXIT_FAILED;
    return status;
}

/* In manifest syntax; names are given, since not every URL suggests one. */
static char *manifest_text(const struct adl_options *options, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    if (!out)
        return NULL;
    for (size_t i = 0; i < options->n_operands; i++)
        fprintf(out, "%s\n  out=%zu\n", options->operands[i], i);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void tell_problem(void *ctx, enum adl_level level, uint64_t line, const char *text)
{
    (void)ctx;
    (void)line; /* of a text that nobody has seen */
    char shown[1024];
    adl_log_escape(text, shown, sizeof(shown));
    fprintf(stderr, "adlfs probe: %s: %s\n", level == ADL_ERROR ? "error" : "warning", shown);
}

static int make_manifest(struct probe *probe)
{
    size_t length;
    cleanup_free char *text = manifest_text(probe->options, &length);
    if (!text)
        return -ENOMEM;
    const struct adl_problems problems = {.tell = tell_problem};
    int r = adl_manifest_parse(text, length, &problems, &probe->manifest);
    if (r > 0 || (r == 0 && probe->manifest.count != probe->options->n_operands))
        return -EINVAL;
    return r;
}

/* Blocks the signals that would end the process, in every thread to come. */
static int catch_signals(struct probe *probe, sigset_t *before)
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ending, before);
    signal(SIGPIPE, SIG_IGN); /* the engine's connections; standard output tells by an error */
    probe->signals = signalfd(-1, &ending, SFD_CLOEXEC);
    probe->done = eventfd(0, EFD_CLOEXEC);
    return probe->signals < 0 || probe->done < 0 ? -errno : 0;
}

static int start(struct probe *probe)
{
    size_t n = probe->options->n_operands;
    probe->findings = calloc(n, sizeof(*probe->findings));
    if (!probe->findings)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        probe->findings[i].probe = probe;
    int r = adl_logger_open(&probe->logger, (enum adl_level)probe->options->log_level, NULL);
    if (r == 0)
        r = make_manifest(probe);
    if (r == 0)
        r = adl_tempdir_make("probe", probe->directory);
    if (r < 0)
        return r;
    struct adl_settings settings = probe->options->settings;
    settings.cache_dir = probe->directory;
    r = adl_engine_new(&settings, &probe->manifest, &probe->logger.log, &probe->engine);
    if (r == 0)
        r = ask(probe);
    if (probe->engine)
        adl_engine_free(probe->engine);
    return r;
}

static void free_probe(struct probe *probe)
{
    if (probe->directory[0])
        adl_tempdir_remove(probe->directory);
    for (size_t i = 0; probe->findings && i < probe->options->n_operands; i++)
        json_decref(probe->findings[i].json);
    free(probe->findings);
    adl_manifest_free(&probe->manifest);
    adl_logger_close(&probe->logger);
    if (probe->done >= 0)
        close(probe->done);
    if (probe->signals >= 0)
        close(probe->signals);
}

static int check_urls(const struct adl_options *options)
{
    for (size_t i = 0; i < options->n_operands; i++)
        if (!adl_url_valid(options->operands[i])) {
            cleanup_free char *shown = adl_url_redact(options->operands[i]);
            fprintf(stderr, "adlfs probe: not an http or https URL: %s\n", shown ? shown : "");
            return -EINVAL;
        }
    return 0;
}

static int run(const struct adl_options *options)
{
    if (check_urls(options) < 0)
        return ADL_EXIT_USAGE;
    struct probe probe = {.options = options, .logger.file = -1, .done = -1, .signals = -1};
    sigset_t before;
    int r = catch_signals(&probe, &before);
    if (r == 0)
        r = start(&probe);
    int status = r == 0 ? print(&probe) : ADL_EXIT_FAILED;
    if (r < 0 && r != -EINTR)
        fprintf(stderr, "adlfs probe: %s\n", strerror(-r));
    free_probe(&probe);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (probe.caught)
        raise(probe.caught); /* ended by it, as its sender expects */
    return status;
}

const struct adl_command adl_probe_command = {
    .name = "probe",
    .synopsis = "[OPTION]... URL...",
    .summary = "tell what an origin says about URLs",
    .about = "Asks for one byte of each URL, as a mount does before the first read, and tells\n"
             "what the answer means: whether ranges work, the size, what pins the version.",
    .notes = "The exit status is 1 when one of the URLs could not be read.",
    .user = ADL_FOR_PROBE,
    .min_operands = 1,
    .max_operands = UINT32_MAX - 1,
    .run = run,
};
