/* get: fetches the entries of a manifest to a directory, or in order to a stream: some files at a
 * time, with progress, until all are there or somebody says stop. */
#ifndef ADL_GET_H
#define ADL_GET_H

#include "download.h"
#include "progress.h"

#include <signal.h>

struct adl_get {
    const struct adl_manifest *manifest;
    char **paths;                     /* for each entry, below the root */
    const struct adl_digest *digests; /* for each entry: what is compared here and not by the
                                         engine, or only with what is there already */
    const char *place;                /* the directory that goes before names in messages; "" */
    unsigned jobs;                    /* files at a time, > 0 */
    bool quiet;                       /* no progress */
    /* Told of each file when it is over. */
    void (*over)(void *ctx, const struct adl_download *download, int64_t ms);
    void *ctx;
    const sigset_t *mask; /* what was blocked before adl_get_catch_signals() */

    struct adl_downloads run; /* engine, root, stream, take, overwrite are the caller's to set */

    /* private */
    struct adl_inbox inbox;
    struct adl_download *slots; /* owned: one a job */
    bool *used;                 /* owned */
    size_t next;                /* entry that comes next */
    size_t ended[ADL_DOWNLOAD_FAILED + 1];
    int64_t bytes, total; /* of those that are over */
    int64_t fetched;      /* ... in this run */
    struct adl_progress_view view;
    bool redraw; /* a line about a file that is over took the picture's place */
    int64_t rate_since, rate_bytes, rate;
};

/* From here on SIGINT, SIGTERM and SIGHUP ask adl_get_run() to stop. They are blocked, so that
 * threads that are started from now on do not get them. 0 or -errno. */
int adl_get_catch_signals(sigset_t *before);

/* Fetches. 0: nothing failed; -EIO: something did; -EINTR: a signal came, its number in *caught;
 * -errno. The engine still runs afterwards. */
int adl_get_run(struct adl_get *get, int *caught);

/* The engine has stopped. */
void adl_get_free(struct adl_get *get);

#endif
