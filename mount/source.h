/* source: what is mounted, as named on the command line -> a manifest, with everything that is
 * wrong with it told on stderr as "urls.txt:12: error: ...". Single-threaded. */
#ifndef ADL_SOURCE_H
#define ADL_SOURCE_H

#include "manifest.h"

#include <stdbool.h>
#include <stdint.h>

struct adl_source {
    char *name;                   /* owned: how messages call it; secrets removed */
    struct adl_problems problems; /* prints them; points back here: the source must not move */
    uint64_t errors, warnings;    /* told so far */
    const char *done;             /* what is done with it, for messages: "mounted" */
};

/* `text` is a manifest's path, "-" for standard input, or one URL. 0 or -ENOMEM. */
int adl_source_init(struct adl_source *source, const char *text);
void adl_source_free(struct adl_source *source);

bool adl_source_is_url(const char *text);

/* Reads the manifest. No URLs at all, or an error in one of them, is a failure, which is told;
 * with `keep_going` the right ones are enough. *out is to be freed in any case. 0 or -errno. */
int adl_source_read(struct adl_source *source, const char *text, bool keep_going,
                    struct adl_manifest *out);

/* To be called when no more problems can come: tells how many warnings were left out. */
void adl_source_finish(const struct adl_source *source);

#endif
