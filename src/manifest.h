/* manifest: text -> entries.
 *
 * The format is aria2's input file: a line of one or more http(s) URIs separated by TABs (mirrors
 * of one file), then option lines that begin with white space; '#' starts a comment line. What
 * aria2 does not know stands in comments: "#adlfs: size=123 mtime=2026-01-31T12:00:00Z" after the
 * line of its URIs. Lines end in LF or CRLF; the last may lack it; a UTF-8 byte order mark is
 * skipped. A line is bytes: names may be anything but NUL.
 *
 * Paths are rooted at the mount: dir= joined with out=, else with the name that the first URL
 * suggests. Slashes at the front of both and at the end of dir= say nothing; empty parts, "." and
 * "..", NUL, parts of more than 255 bytes and paths of more than 4096 are errors. Of an option
 * given twice the later one counts, with a warning. Options that only aria2 knows are ignored, with
 * a warning for each in a manifest; names that neither knows are errors.
 *
 * Reading goes on after a wrong line, so that all of them can be told at once, in bounded memory:
 * a line longer than ADL_LINE_MAX is one problem and is skipped; after ADL_PROBLEMS_MAX errors one
 * more says so, and the rest is not read. After as many warnings one says that there are others.
 *
 * No room here looks at the disk or the network but adl_manifest_read(), which reads its fd. */
#ifndef ADL_MANIFEST_H
#define ADL_MANIFEST_H

#include "date.h"
#include "log.h"

#include <stddef.h>
#include <stdint.h>

#define ADL_LINE_MAX     (64 * 1024)
#define ADL_PROBLEMS_MAX 100

enum adl_digest_kind {
    ADL_DIGEST_NONE,
    ADL_MD5,
    ADL_SHA1,
    ADL_SHA224,
    ADL_SHA256,
    ADL_SHA384,
    ADL_SHA512
};

struct adl_digest {
    enum adl_digest_kind kind;
    unsigned char bytes[64]; /* as many as the kind has */
};

/* What an entry says beyond where and how long it is. All strings belong to the manifest. */
struct adl_entry_options {
    const char **headers; /* "Name: value" lines, NULL-terminated; NULL for none */
    const char *referer, *user_agent, *user, *password; /* NULL: not given */
    struct adl_digest checksum;
    /* The smaller of split= and max-connection-per-server=; 0: not given. */
    unsigned max_connections;
};

struct adl_entry {
    const char *path; /* below the mount, no leading '/', clean: see above */
    const char *urls; /* n_urls strings, one after the other, each with its NUL */
    const struct adl_entry_options *options; /* NULL where nothing was given; may be shared */
    int64_t size;                            /* bytes; -1: not given */
    int64_t mtime;                           /* Unix time, s; ADL_TIME_UNKNOWN: not given */
    uint32_t line;                           /* where its URIs stand, from 1 */
    uint32_t n_urls;
};

struct adl_arena;

struct adl_manifest {
    struct adl_entry *entries; /* owned, in the manifest's order */
    size_t count;
    struct adl_arena *arena; /* owned: every string above */
};

/* Told of each problem: `level` is ADL_ERROR (the line cannot be used) or ADL_WARNING (it was used,
 * something in it was ignored). `line` counts from 1. The text is without file and line, in
 * printable characters, and without secrets: no userinfo, query, header or password is in it. */
struct adl_problems {
    void (*tell)(void *ctx, enum adl_level level, uint64_t line, const char *text);
    void *ctx;
};

/* Parses `length` bytes. *out is always set and always to be freed, holding the entries whose lines
 * were right. Returns the number of errors told, or -ENOMEM. */
int adl_manifest_parse(const char *text, size_t length, const struct adl_problems *problems,
                       struct adl_manifest *out);

/* The same from a file, pipe or terminal, read to its end; also -errno of read(2). */
int adl_manifest_read(int fd, const struct adl_problems *problems, struct adl_manifest *out);

void adl_manifest_free(struct adl_manifest *manifest);

/* The k-th mirror of an entry, k < n_urls. */
const char *adl_entry_url(const struct adl_entry *entry, unsigned k);

#endif
