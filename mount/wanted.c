#include "wanted.h"

#include "cleanup.h"
#include "logger.h"
#include "tree.h"
#include "url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct wanted_part {
    struct adl_source source;
    struct adl_manifest manifest;
};

/* Whether the URL says what its file could be called. */
static bool has_name(const char *url)
{
    const char *why;
    cleanup_free char *name = adl_url_name(url, &why);
    return name != NULL;
}

/* A URL of the command line, in manifest syntax. `named`: its name does not matter. */
static char *manifest_text(const struct adl_options *options, const char *url, bool named,
                           size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    if (!out)
        return NULL;
    fprintf(out, "%s\n", url);
    if (named && !has_name(url))
        fputs("  out=file\n", out);
    if (options->checksum)
        fprintf(out, "  checksum=%s\n", options->checksum);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int read_url(const struct adl_options *options, const char *url, bool named,
                    struct wanted_part *part)
{
    if (!adl_url_valid(url) || (options->checksum && strpbrk(options->checksum, "\r\n"))) {
        fprintf(stderr,
                "adlfs get: not a usable URL: %s: look at its host and port, and write spaces as "
                "%%20\n",
                part->source.name);
        return -EINVAL;
    }
    size_t length;
    cleanup_free char *text = manifest_text(options, url, named, &length);
    if (!text)
        return -ENOMEM;
    int errors = adl_manifest_parse(text, length, &part->source.problems, &part->manifest);
    if (errors > 0 && !named && !options->checksum)
        fprintf(stderr, "adlfs get: --output=FILE gives a file another name\n");
    return errors > 0 ? -EINVAL : errors;
}

static int read_part(const struct adl_options *options, const char *operand, bool named,
                     struct wanted_part *part)
{
    int r = adl_source_init(&part->source, operand);
    if (r < 0)
        return r;
    part->source.done = "fetched";
    if (adl_source_is_url(operand))
        return read_url(options, operand, named, part);
    r = adl_source_read(&part->source, operand, options->keep_going, &part->manifest);
    return r < 0 && r != -ENOMEM ? -EINVAL : r; /* it has been told */
}

static int read_parts(const struct adl_options *options, bool named, struct adl_wanted *wanted)
{
    wanted->parts = calloc(options->n_operands, sizeof(*wanted->parts));
    if (!wanted->parts)
        return -ENOMEM;
    int result = 0;
    for (size_t i = 0; i < options->n_operands; i++) {
        wanted->n_parts = i + 1;
        int r = read_part(options, options->operands[i], named, &wanted->parts[i]);
        if (r == -ENOMEM)
            return r;
        if (r < 0)
            result = r; /* the others may have something wrong, too */
    }
    return result;
}

static int join(struct adl_wanted *wanted)
{
    struct adl_manifest *all = &wanted->manifest;
    size_t count = 1; /* none of them is empty */
    for (size_t i = 0; i < wanted->n_parts; i++)
        count += wanted->parts[i].manifest.count;
    all->entries = calloc(count, sizeof(*all->entries));
    wanted->paths = calloc(count, sizeof(*wanted->paths));
    wanted->digests = calloc(count, sizeof(*wanted->digests));
    wanted->stripped = calloc(count, sizeof(*wanted->stripped));
    if (!all->entries || !wanted->paths || !wanted->digests || !wanted->stripped)
        return -ENOMEM;
    for (size_t i = 0; i < wanted->n_parts; i++) {
        const struct adl_manifest *one = &wanted->parts[i].manifest;
        memcpy(all->entries + all->count, one->entries, one->count * sizeof(*one->entries));
        all->count += one->count;
    }
    return 0;
}

static void take_digests(struct adl_wanted *wanted, bool strip)
{
    for (size_t i = 0; i < wanted->manifest.count; i++) {
        struct adl_entry *entry = &wanted->manifest.entries[i];
        if (!entry->options)
            continue;
        wanted->digests[i] = entry->options->checksum;
        if (!strip || entry->options->checksum.kind == ADL_DIGEST_NONE)
            continue;
        wanted->stripped[i] = *entry->options;
        wanted->stripped[i].checksum.kind = ADL_DIGEST_NONE;
        entry->options = &wanted->stripped[i];
    }
}

/* "dir/sub/name" */
static char *path_of(const struct adl_tree *tree, uint32_t number)
{
    size_t length = 1;
    for (uint32_t n = number; n != ADL_ROOT; n = adl_tree_node(tree, n)->parent)
        length += strlen(adl_tree_node(tree, n)->name) + 1;
    char *path = malloc(length);
    char *at = path ? path + length - 1 : NULL;
    for (uint32_t n = number; path && n != ADL_ROOT; n = adl_tree_node(tree, n)->parent) {
        const char *name = adl_tree_node(tree, n)->name;
        size_t part = strlen(name);
        *--at = n == number ? '\0' : '/';
        at -= part;
        memcpy(at, name, part);
    }
    return path;
}

static void tell_renamed(const struct adl_entry *entry, const char *path)
{
    char was[1024], is[1024];
    adl_log_escape(entry->path, was, sizeof(was));
    adl_log_escape(path, is, sizeof(is));
    fprintf(stderr, "adlfs get: another file is called '%s': this one becomes '%s'\n", was, is);
}

/* A mount's tree knows what to do with equal names. */
static int name_all(struct adl_wanted *wanted)
{
    struct adl_tree *tree;
    int r = adl_tree_new(&wanted->manifest, NULL, &tree);
    if (r < 0)
        return r;
    for (size_t i = 0; i < wanted->manifest.count && r == 0; i++) {
        wanted->paths[i] = path_of(tree, adl_tree_of_entry(tree, (uint32_t)i));
        if (!wanted->paths[i])
            r = -ENOMEM;
        else if (strcmp(wanted->paths[i], wanted->manifest.entries[i].path) != 0)
            tell_renamed(&wanted->manifest.entries[i], wanted->paths[i]);
    }
    adl_tree_free(tree);
    return r;
}

int adl_wanted_read(const struct adl_options *options, const char *name, bool strip,
                    struct adl_wanted *wanted)
{
    *wanted = (struct adl_wanted){0};
    int r = read_parts(options, name || strip, wanted);
    if (r == 0)
        r = join(wanted);
    if (r < 0)
        return r;
    take_digests(wanted, strip);
    if (!name)
        return name_all(wanted);
    wanted->paths[0] = strdup(name);
    return wanted->paths[0] ? 0 : -ENOMEM;
}

void adl_wanted_free(struct adl_wanted *wanted)
{
    for (size_t i = 0; wanted->paths && i < wanted->manifest.count; i++)
        free(wanted->paths[i]);
    free(wanted->paths);
    free(wanted->digests);
    free(wanted->stripped);
    free(wanted->manifest.entries);
    for (size_t i = 0; i < wanted->n_parts; i++) {
        adl_manifest_free(&wanted->parts[i].manifest);
        adl_source_free(&wanted->parts[i].source);
    }
    free(wanted->parts);
}
