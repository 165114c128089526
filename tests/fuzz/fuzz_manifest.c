/* Any bytes as a manifest: they are read the same in one piece and through a descriptor; entries
 * are clean, messages printable, the tree whole; and any bytes as a URL are shown without secrets.
 */
#include "fuzz.h"

#include "manifest.h"
#include "name.h"
#include "tree.h"
#include "url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void tell(void *ctx, enum adl_level level, uint64_t line, const char *text)
{
    unsigned *errors = ctx;
    must(level == ADL_ERROR || level == ADL_WARNING);
    must(line >= 1 && text[0] != '\0');
    for (const char *c = text; *c; c++)
        must((unsigned char)*c >= 0x20 && *c != 0x7f);
    *errors += level == ADL_ERROR;
}

/* Userinfo ends at the last '@' before the path; a query is "...", and there is no fragment. */
static void check_shown(const char *url)
{
    char *shown = adl_url_redact(url);
    must(shown);
    const char *slashes = strstr(shown, "://");
    const char *authority = slashes ? slashes + 3 : shown;
    size_t length = strcspn(authority, "/?#");
    must(!memchr(authority, '@', length));
    must(!strchr(shown, '#'));
    const char *query = strchr(shown, '?');
    must(!query || strcmp(query, "?...") == 0);
    for (const char *c = shown; *c; c++)
        must((unsigned char)*c > 0x20 && *c != 0x7f);
    free(shown);
}

static void check_url(const char *url)
{
    check_shown(url);
    char origin[300];
    int r = adl_url_origin(url, origin, sizeof(origin));
    must(r == 0 || !adl_url_valid(url) || strlen(url) >= sizeof(origin) - 8);
    if (r == 0) {
        char again[300];
        must(adl_url_valid(origin));
        must(adl_url_origin(origin, again, sizeof(again)) == 0);
        must(strcmp(origin, again) == 0);
    }
    const char *error = NULL;
    char *name = adl_url_name(url, &error);
    must(!name == !!error);
    must(!name || (!adl_path_wrong(name, strlen(name)) && !strchr(name, '/')));
    free(name);
}

static void check_entry(const struct adl_entry *entry)
{
    must(!adl_path_wrong(entry->path, strlen(entry->path)));
    must(entry->n_urls > 0 && entry->line > 0 && entry->size >= -1);
    for (unsigned k = 0; k < entry->n_urls; k++) {
        must(adl_url_valid(adl_entry_url(entry, k)));
        check_url(adl_entry_url(entry, k));
    }
    for (const char *const *header = entry->options ? entry->options->headers : NULL;
         header && *header; header++)
        must(strchr(*header, ':') && !strpbrk(*header, "\r\n"));
}

/* Every node is found under its name in its parent, which is a directory; every entry has one. */
static void check_tree(const struct adl_manifest *manifest)
{
    unsigned errors = 0;
    const struct adl_problems problems = {tell, &errors};
    struct adl_tree *tree;
    must(adl_tree_new(manifest, &problems, &tree) == 0 && errors == 0);
    uint32_t children = 0;
    for (uint32_t n = ADL_ROOT; n < adl_tree_limit(tree); n++) {
        const struct adl_node *node = adl_tree_node(tree, n);
        children += node->count;
        if (n == ADL_ROOT)
            continue;
        must(!adl_path_wrong(node->name, strlen(node->name)));
        must(adl_tree_lookup(tree, node->parent, node->name, strlen(node->name)) == n);
        must(adl_tree_node(tree, node->parent)->entry == ADL_NO_ENTRY);
    }
    must(children == adl_tree_limit(tree) - ADL_ROOT - 1);
    for (uint32_t i = 0; i < manifest->count; i++)
        must(adl_tree_node(tree, adl_tree_of_entry(tree, i))->entry == i);
    adl_tree_free(tree);
}

/* Reading from a descriptor finds the same. */
static void check_read(const uint8_t *data, size_t size, const struct adl_manifest *expected,
                       int expected_errors)
{
    int fd = memfd_create("manifest", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    struct adl_manifest manifest;
    must(adl_manifest_read(fd, NULL, &manifest) == expected_errors);
    close(fd);
    must(manifest.count == expected->count);
    for (size_t i = 0; i < manifest.count; i++) {
        must(strcmp(manifest.entries[i].path, expected->entries[i].path) == 0);
        must(strcmp(manifest.entries[i].urls, expected->entries[i].urls) == 0);
        must(manifest.entries[i].line == expected->entries[i].line);
    }
    adl_manifest_free(&manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned errors = 0;
    const struct adl_problems problems = {tell, &errors};
    struct adl_manifest manifest;
    int r = adl_manifest_parse((const char *)data, size, &problems, &manifest);
    must(r >= 0 && (unsigned)r == errors && errors <= ADL_PROBLEMS_MAX + 1);
    for (size_t i = 0; i < manifest.count; i++)
        check_entry(&manifest.entries[i]);
    check_tree(&manifest);
    check_read(data, size, &manifest, r);
    adl_manifest_free(&manifest);

    char *url = strndup((const char *)data, size);
    must(url);
    check_url(url);
    free(url);
    return 0;
}
