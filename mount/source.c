#include "source.h"

#include "cleanup.h"
#include "logger.h"
#include "url.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A manifest of a million equal names would print a million lines. */
#define WARNINGS_SHOWN 100

static void tell(void *ctx, enum adl_level level, uint64_t line, const char *text)
{
    struct adl_source *source = ctx;
    bool error = level == ADL_ERROR;
    if (error)
        source->errors++;
    else if (source->warnings++ >= WARNINGS_SHOWN)
        return;
    char shown[1024];
    adl_log_escape(text, shown, sizeof(shown));
    fprintf(stderr, "%s:%" PRIu64 ": %s: %s\n", source->name, line, error ? "error" : "warning",
            shown);
}

bool adl_source_is_url(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

static char *name_of(const char *text)
{
    if (strstr(text, "://")) /* a URL, or one that is spelt wrongly */
        return adl_url_redact(text);
    if (strcmp(text, "-") == 0)
        return strdup("<stdin>");
    size_t room = 4 * strlen(text) + 1;
    char *name = malloc(room);
    if (name)
        adl_log_escape(text, name, room);
    return name;
}

int adl_source_init(struct adl_source *source, const char *text)
{
    *source = (struct adl_source){.name = name_of(text),
                                  .problems = {.tell = tell, .ctx = source},
                                  .done = "mounted"};
    return source->name ? 0 : -ENOMEM;
}

void adl_source_free(struct adl_source *source)
{
    free(source->name);
}

/* Returns like adl_manifest_parse(). */
static int read_manifest(struct adl_source *source, const char *text, struct adl_manifest *out)
{
    if (adl_source_is_url(text)) {
        if (adl_url_valid(text))
            return adl_manifest_parse(text, strlen(text), &source->problems, out);
        tell(source, ADL_ERROR, 1,
             "not a usable URL: look at its host and port, and write spaces as %20");
        return 1;
    }
    if (strcmp(text, "-") == 0)
        return adl_manifest_read(STDIN_FILENO, &source->problems, out);
    cleanup_fd int fd = open(text, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? -errno : adl_manifest_read(fd, &source->problems, out);
}

int adl_source_read(struct adl_source *source, const char *text, bool keep_going,
                    struct adl_manifest *out)
{
    *out = (struct adl_manifest){0};
    int errors = read_manifest(source, text, out);
    if (errors < 0) {
        const char *colon = strstr(text, "://");
        if (colon) /* of the rest parts may be secret */
            fprintf(stderr, "adlfs: only http:// and https:// can be fetched, not %.*s://\n",
                    (int)(colon - text), text);
        else
            fprintf(stderr, "adlfs: cannot read the list %s: %s%s\n", source->name,
                    strerror(-errors),
                    errors == -ENOENT ? "; a URL begins with http:// or https://" : "");
        return errors;
    }
    if (errors > 0 && !keep_going) {
        fprintf(stderr, "adlfs: %s: %d error%s: nothing is %s%s\n", source->name, errors,
                errors == 1 ? "" : "s", source->done,
                out->count ? " (--keep-going takes the rest)" : "");
        return -EINVAL;
    }
    if (out->count == 0) {
        fprintf(stderr, "adlfs: no URLs in %s\n", source->name);
        return -EINVAL;
    }
    return 0;
}

void adl_source_finish(const struct adl_source *source)
{
    if (source->warnings > WARNINGS_SHOWN)
        fprintf(stderr, "%s: and %" PRIu64 " more warnings\n", source->name,
                source->warnings - WARNINGS_SHOWN);
}
