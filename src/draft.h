/* draft: the entry that is being read: what its lines have said so far.
 *
 * Lines come one at a time and may be wrong, repeat and overrule each other, so a draft keeps its
 * own copies, in bounded memory; the manifest's arena only gets what is final. Every problem is
 * told with its line. A draft with an error in it still takes lines, to find the others, but makes
 * no entry. One thread. */
#ifndef ADL_DRAFT_H
#define ADL_DRAFT_H

#include "arena.h"
#include "manifest.h"
#include "problem.h"

#include <stdbool.h>

#define ADL_HEADERS_MAX 100 /* header= lines of one entry; servers take no more */

struct adl_draft {
    struct adl_complaints *complaints; /* not owned */
    uint64_t line;                     /* of its URIs; 0: there were none yet */
    bool wrong;                        /* something in it was: no entry comes of it */

    char *urls; /* owned, room for the longest line: each http(s) URL with its NUL */
    size_t urls_length;
    uint32_t n_urls;

    /* Owned; NULL: not given. `out` and `dir` are clean paths; an empty `dir` is NULL. */
    char *out, *dir, *referer, *user_agent, *user, *password;
    char *headers[ADL_HEADERS_MAX]; /* each owned */
    unsigned n_headers;
    struct adl_digest checksum;
    unsigned split, per_server; /* connections; 0: not given */
    int64_t size, mtime;        /* as in struct adl_entry */
    uint64_t given;             /* one bit for each option that may be given once */

    uint64_t ignored[4]; /* of the whole manifest: aria2's options that were warned of */
};

/* 0 or -ENOMEM. */
int adl_draft_init(struct adl_draft *draft, struct adl_complaints *complaints);
void adl_draft_free(struct adl_draft *draft);

/* Each takes a line, without its line ending and the white space around it and without a NUL byte
 * in it: URIs, which begin a new entry and forget the last one; an option; what stands behind
 * "#adlfs:". What is wrong with the line is told. 0 or -ENOMEM. */
void adl_draft_uris(struct adl_draft *draft, const char *text, size_t length, uint64_t line);
int adl_draft_option(struct adl_draft *draft, const char *text, size_t length, uint64_t line);
int adl_draft_comment(struct adl_draft *draft, const char *text, size_t length, uint64_t line);

/* Begins a new entry whose line of URIs cannot be read: it takes its option lines along. */
void adl_draft_lost(struct adl_draft *draft, uint64_t line);

/* Tells an error of `line`; the draft makes no entry. */
__attribute__((format(printf, 3, 4))) void adl_draft_fault(struct adl_draft *draft, uint64_t line,
                                                           const char *format, ...);

/* Makes the entry, if there is one: 1, 0 (none, or a wrong one), -ENOMEM. Its strings come from
 * `arena`. `last` is of the entry before it: equal options are shared. */
int adl_draft_finish(struct adl_draft *draft, struct adl_arena *arena,
                     const struct adl_entry_options *last, struct adl_entry *out);

#endif
