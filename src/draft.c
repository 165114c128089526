#include "draft.h"

#include "cleanup.h"
#include "name.h"
#include "url.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int adl_draft_init(struct adl_draft *draft, struct adl_complaints *complaints)
{
    *draft = (struct adl_draft){.complaints = complaints};
    draft->urls = malloc(ADL_LINE_MAX + 1);
    return draft->urls ? 0 : -ENOMEM;
}

/* Forgets the entry and keeps what is of the manifest. */
static void forget(struct adl_draft *draft)
{
    free(draft->out);
    free(draft->dir);
    free(draft->referer);
    free(draft->user_agent);
    free(draft->user);
    free(draft->password);
    for (unsigned i = 0; i < draft->n_headers; i++)
        free(draft->headers[i]);

    draft->out = draft->dir = NULL;
    draft->referer = draft->user_agent = draft->user = draft->password = NULL;
    draft->n_headers = 0;
    draft->wrong = false;
    draft->line = 0;
    draft->urls_length = 0;
    draft->n_urls = 0;
    draft->checksum = (struct adl_digest){0};
    draft->split = draft->per_server = 0;
    draft->size = -1;
    draft->mtime = ADL_TIME_UNKNOWN;
    draft->given = 0;
}

void adl_draft_free(struct adl_draft *draft)
{
    forget(draft);
    free(draft->urls);
    draft->urls = NULL;
}

void adl_draft_fault(struct adl_draft *draft, uint64_t line, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    adl_complain(draft->complaints, ADL_ERROR, line, "%s", text);
    draft->wrong = true;
}

void adl_draft_lost(struct adl_draft *draft, uint64_t line)
{
    forget(draft);
    draft->line = line;
    draft->wrong = true;
}

/* One URI of a line; all of them are walked with next_uri(). */
struct uri {
    const char *text;
    size_t length;
};

/* Takes the next URI that is not empty off the front of [*at, end), without the spaces around it.
 */
static bool next_uri(const char **at, const char *end, struct uri *uri)
{
    while (*at < end) {
        const char *tab = memchr(*at, '\t', (size_t)(end - *at));
        const char *first = *at, *last = tab ? tab : end;
        *at = tab ? tab + 1 : end;
        while (first < last && *first == ' ')
            first++;
        while (first < last && last[-1] == ' ')
            last--;
        *uri = (struct uri){first, (size_t)(last - first)};
        if (uri->length > 0)
            return true;
    }
    return false;
}

static bool is_http(const struct uri *uri)
{
    return (uri->length >= 5 && strncasecmp(uri->text, "http:", 5) == 0) ||
           (uri->length >= 6 && strncasecmp(uri->text, "https:", 6) == 0);
}

static bool any_http(const char *text, size_t length)
{
    const char *at = text;
    struct uri uri;
    while (next_uri(&at, text + length, &uri))
        if (is_http(&uri))
            return true;
    return false;
}

/* The URLs of a line with their NULs are never longer than the line with one. */
static void add_url(struct adl_draft *draft, const struct uri *uri)
{
    char *url = draft->urls + draft->urls_length;
    memcpy(url, uri->text, uri->length);
    url[uri->length] = '\0';
    if (!adl_url_valid(url)) {
        adl_draft_fault(draft, draft->line,
                        "'%s' is not a usable URL: look at its host and port, and write spaces as "
                        "%%20",
                        adl_quote_url(uri->text, uri->length).text);
        return;
    }
    draft->urls_length += uri->length + 1;
    draft->n_urls++;
}

void adl_draft_uris(struct adl_draft *draft, const char *text, size_t length, uint64_t line)
{
    forget(draft);
    draft->line = line;
    bool none_usable = !any_http(text, length);
    const char *at = text;
    struct uri uri;
    while (next_uri(&at, text + length, &uri)) {
        if (is_http(&uri))
            add_url(draft, &uri);
        else if (none_usable)
            adl_draft_fault(draft, line, "'%s' is not an http or https URL",
                            adl_quote_url(uri.text, uri.length).text);
        else
            adl_complain(draft->complaints, ADL_WARNING, line,
                         "mirror '%s' is ignored: it is not an http or https URL",
                         adl_quote_url(uri.text, uri.length).text);
    }
}

/* dir= and out=, or the name that the first URL suggests, into `path`. Returns its length; 0 where
 * there is none, which was told. */
static size_t make_path(struct adl_draft *draft, char path[ADL_PATH_MAX + 1])
{
    const char *reason = NULL;
    cleanup_free char *suggested = draft->out ? NULL : adl_url_name(draft->urls, &reason);
    const char *name = draft->out ? draft->out : suggested;
    if (!name) {
        adl_draft_fault(draft, draft->line, "'%s' gives no file name (%s): name it with out=NAME",
                        adl_quote_url(draft->urls, strlen(draft->urls)).text, reason);
        return 0;
    }
    int length = snprintf(path, ADL_PATH_MAX + 1, "%s%s%s", draft->dir ? draft->dir : "",
                          draft->dir ? "/" : "", name);
    if (length < 0 || length > ADL_PATH_MAX) {
        adl_draft_fault(draft, draft->line, "dir= and the name together are longer than %d bytes",
                        ADL_PATH_MAX);
        return 0;
    }
    return (size_t)length;
}

static unsigned max_connections(const struct adl_draft *draft)
{
    if (!draft->split || !draft->per_server)
        return draft->split + draft->per_server;
    return draft->split < draft->per_server ? draft->split : draft->per_server;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_headers(const struct adl_draft *draft, const char *const *headers)
{
    if (!headers)
        return draft->n_headers == 0;
    for (unsigned i = 0; i < draft->n_headers; i++)
        if (!headers[i] || strcmp(headers[i], draft->headers[i]) != 0)
            return false;
    return headers[draft->n_headers] == NULL;
}

static bool same_options(const struct adl_draft *draft, const struct adl_entry_options *options)
{
    return same_text(draft->referer, options->referer) &&
           same_text(draft->user_agent, options->user_agent) &&
           same_text(draft->user, options->user) && same_text(draft->password, options->password) &&
           max_connections(draft) == options->max_connections &&
           draft->checksum.kind == options->checksum.kind &&
           memcmp(draft->checksum.bytes, options->checksum.bytes, sizeof(draft->checksum.bytes)) ==
               0 &&
           same_headers(draft, options->headers);
}

/* *out = a copy in the arena; NULL stays NULL. */
static int keep_text(struct adl_arena *arena, const char *text, const char **out)
{
    if (!text)
        return 0;
    *out = adl_arena_copy(arena, text, strlen(text));
    return *out ? 0 : -ENOMEM;
}

static int keep_headers(const struct adl_draft *draft, struct adl_arena *arena, const char ***out)
{
    if (draft->n_headers == 0)
        return 0;
    const char **list = adl_arena_alloc(arena, (draft->n_headers + 1) * sizeof(*list));
    if (!list)
        return -ENOMEM;
    for (unsigned i = 0; i < draft->n_headers; i++)
        if (keep_text(arena, draft->headers[i], &list[i]) < 0)
            return -ENOMEM;
    list[draft->n_headers] = NULL;
    *out = list;
    return 0;
}

/* *out = the options in the arena: NULL where nothing was given, `last` where it says the same. */
static int keep_options(const struct adl_draft *draft, struct adl_arena *arena,
                        const struct adl_entry_options *last, const struct adl_entry_options **out)
{
    static const struct adl_entry_options none;
    if (same_options(draft, &none))
        return 0;
    if (last && same_options(draft, last)) {
        *out = last;
        return 0;
    }
    struct adl_entry_options *options = adl_arena_alloc(arena, sizeof(*options));
    if (!options)
        return -ENOMEM;
    *options = (struct adl_entry_options){
        .checksum = draft->checksum,
        .max_connections = max_connections(draft),
    };
    if (keep_headers(draft, arena, &options->headers) < 0 ||
        keep_text(arena, draft->referer, &options->referer) < 0 ||
        keep_text(arena, draft->user_agent, &options->user_agent) < 0 ||
        keep_text(arena, draft->user, &options->user) < 0 ||
        keep_text(arena, draft->password, &options->password) < 0)
        return -ENOMEM;
    *out = options;
    return 0;
}

int adl_draft_finish(struct adl_draft *draft, struct adl_arena *arena,
                     const struct adl_entry_options *last, struct adl_entry *out)
{
    if (!draft->line || draft->wrong)
        return 0;
    char path[ADL_PATH_MAX + 1];
    size_t path_length = make_path(draft, path);
    if (path_length == 0)
        return 0;

    struct adl_entry entry = {
        .path = adl_arena_copy(arena, path, path_length),
        /* The copy's own NUL would be a second one behind the last URL's. */
        .urls = adl_arena_copy(arena, draft->urls, draft->urls_length - 1),
        .size = draft->size,
        .mtime = draft->mtime,
        .line = draft->line < UINT32_MAX ? (uint32_t)draft->line : UINT32_MAX,
        .n_urls = draft->n_urls,
    };
    if (!entry.path || !entry.urls || keep_options(draft, arena, last, &entry.options) < 0)
        return -ENOMEM;
    *out = entry;
    return 1;
}
