#include "manifest.h"

#include "cleanup.h"
#include "draft.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Text comes in pieces of any size and is cut into lines, of which one at most is held; each line
 * goes to the draft, and each finished draft becomes an entry. */
struct parser {
    struct adl_manifest *manifest;
    size_t room;   /* entries that manifest->entries has room for */
    uint64_t line; /* number of the line being taken, from 1 */
    bool stopped;  /* the rest is not read */

    struct adl_complaints complaints;
    struct adl_draft draft;

    bool overlong; /* the line being gathered is: only its beginning is held */
    size_t held;   /* bytes of it */
    char hold[ADL_LINE_MAX];
};

static int add_entry(struct parser *parser, const struct adl_entry *entry)
{
    struct adl_manifest *manifest = parser->manifest;
    if (manifest->count == parser->room) {
        size_t room = parser->room ? parser->room * 2 : 64;
        struct adl_entry *grown = reallocarray(manifest->entries, room, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        manifest->entries = grown;
        parser->room = room;
    }
    manifest->entries[manifest->count++] = *entry;
    return 0;
}

/* The draft's lines are all there. */
static int finish_entry(struct parser *parser)
{
    struct adl_manifest *manifest = parser->manifest;
    const struct adl_entry_options *last =
        manifest->count ? manifest->entries[manifest->count - 1].options : NULL;
    struct adl_entry entry;
    int r = adl_draft_finish(&parser->draft, manifest->arena, last, &entry);
    if (r <= 0)
        return r;
    if (manifest->count < UINT32_MAX - 1)
        return add_entry(parser, &entry);
    adl_complain(&parser->complaints, ADL_ERROR, entry.line, "there are too many files");
    parser->stopped = true;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int start_entry(struct parser *parser, const char *text, size_t length)
{
    int r = finish_entry(parser);
    adl_draft_uris(&parser->draft, text, length, parser->line);
    return r;
}

/* A line that cannot be used takes its entry with it: the one that it would have begun, else the
 * one that it stands in. */
static int lose_line(struct parser *parser, const char *text, const char *reason)
{
    int r = 0;
    if (!is_blank(text[0]) && text[0] != '#') {
        r = finish_entry(parser);
        adl_draft_lost(&parser->draft, parser->line);
    }
    adl_draft_fault(&parser->draft, parser->line, "%s", reason);
    return r;
}

static int take_comment(struct parser *parser, const char *text, size_t length)
{
    static const char mark[] = "#adlfs:";
    const size_t skip = sizeof(mark) - 1;
    if (length < skip || memcmp(text, mark, skip) != 0)
        return 0;
    return adl_draft_comment(&parser->draft, text + skip, length - skip, parser->line);
}

/* A line without its '\n'. */
static int take_line(struct parser *parser, const char *text, size_t length)
{
    if (length > 0 && text[length - 1] == '\r')
        length--;
    if (length > 0 && memchr(text, '\0', length))
        return lose_line(parser, text, "the line holds a NUL byte: a manifest is a text file");

    const char *end = text + length;
    const char *first = text;
    while (first < end && is_blank(*first))
        first++;
    while (end > first && is_blank(end[-1]))
        end--;
    if (first == end)
        return 0;
    size_t trimmed = (size_t)(end - first);
    if (*first == '#')
        return take_comment(parser, first, trimmed);
    if (first > text)
        return adl_draft_option(&parser->draft, first, trimmed, parser->line);
    return start_entry(parser, first, trimmed);
}

/* Skips UTF-8's byte order mark; what carries UTF-16's would only be a NUL byte in every line. */
static int take_first_line(struct parser *parser, const char *text, size_t length)
{
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return take_line(parser, text + 3, length - 3);
    if (length < 2 || (memcmp(text, "\xff\xfe", 2) != 0 && memcmp(text, "\xfe\xff", 2) != 0))
        return take_line(parser, text, length);
    adl_complain(&parser->complaints, ADL_ERROR, parser->line,
                 "the text is UTF-16: save it as UTF-8");
    parser->stopped = true;
    return 0;
}

static int end_line(struct parser *parser, const char *text, size_t length)
{
    parser->line++;
    int r;
    if (parser->overlong)
        r = lose_line(parser, text, "the line is longer than 64 KiB");
    else if (parser->line == 1)
        r = take_first_line(parser, text, length);
    else
        r = take_line(parser, text, length);
    parser->overlong = false;
    parser->held = 0;
    parser->stopped |= adl_complaints_full(&parser->complaints);
    return r;
}

/* Keeps the beginning of a line whose end is still to come. */
static void hold(struct parser *parser, const char *text, size_t length)
{
    size_t fits = sizeof(parser->hold) - parser->held;
    if (length > fits) {
        parser->overlong = true;
        length = fits;
    }
    memcpy(parser->hold + parser->held, text, length);
    parser->held += length;
}

static int feed(struct parser *parser, const char *text, size_t length)
{
    int r = 0;
    while (length > 0 && !parser->stopped && r == 0) {
        const char *newline = memchr(text, '\n', length);
        size_t line = newline ? (size_t)(newline - text) : length;
        if (newline && parser->held == 0 && line <= sizeof(parser->hold)) {
            r = end_line(parser, text, line);
        } else {
            hold(parser, text, line);
            if (newline)
                r = end_line(parser, parser->hold, parser->held);
        }
        size_t used = line + (newline ? 1 : 0);
        text += used;
        length -= used;
    }
    return r;
}

/* The last line may lack its end, and the last entry has all its lines. */
static int feed_end(struct parser *parser)
{
    int r = 0;
    if (parser->held > 0 && !parser->stopped)
        r = end_line(parser, parser->hold, parser->held);
    if (r == 0 && !parser->stopped)
        r = finish_entry(parser);

    struct adl_manifest *manifest = parser->manifest;
    struct adl_entry *trimmed =
        manifest->count ? reallocarray(manifest->entries, manifest->count, sizeof(*trimmed)) : NULL;
    if (trimmed)
        manifest->entries = trimmed;
    return r;
}

static void parser_free(struct parser *parser)
{
    if (!parser)
        return;
    adl_draft_free(&parser->draft);
    free(parser);
}

/* Sets up *out. NULL without memory. */
static struct parser *parser_new(const struct adl_problems *problems, struct adl_manifest *out)
{
    *out = (struct adl_manifest){.arena = adl_arena_new()};
    struct parser *parser = out->arena ? calloc(1, sizeof(*parser)) : NULL;
    if (!parser)
        return NULL;
    parser->manifest = out;
    parser->complaints.problems = problems;
    if (adl_draft_init(&parser->draft, &parser->complaints) == 0)
        return parser;
    parser_free(parser);
    return NULL;
}

static void cleanup_parser(struct parser **parser)
{
    parser_free(*parser);
}

int adl_manifest_parse(const char *text, size_t length, const struct adl_problems *problems,
                       struct adl_manifest *out)
{
    _cleanup_(cleanup_parser) struct parser *parser = parser_new(problems, out);
    if (!parser)
        return -ENOMEM;
    int r = feed(parser, text, length);
    if (r == 0)
        r = feed_end(parser);
    return r < 0 ? r : (int)parser->complaints.errors;
}

int adl_manifest_read(int fd, const struct adl_problems *problems, struct adl_manifest *out)
{
    const size_t piece = 64 * 1024;
    _cleanup_(cleanup_parser) struct parser *parser = parser_new(problems, out);
    cleanup_free char *text = malloc(piece);
    if (!parser || !text)
        return -ENOMEM;
    int r = 0;
    while (r == 0 && !parser->stopped) {
        ssize_t n = read(fd, text, piece);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            break;
        if (n > 0)
            r = feed(parser, text, (size_t)n);
    }
    if (r == 0)
        r = feed_end(parser);
    return r < 0 ? r : (int)parser->complaints.errors;
}

void adl_manifest_free(struct adl_manifest *manifest)
{
    adl_arena_free(manifest->arena);
    free(manifest->entries);
    *manifest = (struct adl_manifest){0};
}

const char *adl_entry_url(const struct adl_entry *entry, unsigned k)
{
    const char *url = entry->urls;
    while (k-- > 0)
        url += strlen(url) + 1;
    return url;
}
