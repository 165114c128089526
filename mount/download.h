/* download: one file's way from its entry to its output, or in order to a stream.
 *
 * Everything here runs in one thread, which gets what the engine answers through an inbox; nothing
 * waits but for the stream's reader. Reads drive the engine (see reading.h). The bytes themselves
 * are not touched: the engine's data file becomes the output, or is copied at the end where it has
 * to stay in a cache.
 */
#ifndef ADL_DOWNLOAD_H
#define ADL_DOWNLOAD_H

#include "digest.h"
#include "file.h"
#include "inbox.h"
#include "output.h"
#include "reading.h"

/* What all downloads of a run share. Not owned. */
struct adl_downloads {
    struct adl_engine *engine;
    struct adl_inbox *inbox;
    int root;       /* the directory of the outputs; -1: to the stream */
    int stream;     /* where the bytes go in order; -1: to outputs */
    bool take;      /* the data file may leave the engine's store: it is there for this run only */
    bool overwrite; /* another file may be replaced */
    const _Atomic bool *stop; /* give up */
};

enum adl_download_state {
    ADL_DOWNLOAD_NEW,
    ADL_DOWNLOAD_ACTIVE,
    ADL_DOWNLOAD_DONE,      /* whole, right, in its place */
    ADL_DOWNLOAD_UNCHANGED, /* was there already */
    ADL_DOWNLOAD_FAILED,
};

struct adl_download {
    const struct adl_downloads *run;
    const struct adl_digest *digest; /* not owned; kind ADL_DIGEST_NONE: none */
    char *path;                      /* owned: below the root; shown to people, too */
    uint32_t entry;
    enum adl_download_state state;
    int64_t since; /* ms: when it began; for whoever starts it */

    /* What is known of it; strings are owned. */
    int64_t size, mtime;                /* -1, ADL_TIME_UNKNOWN */
    int64_t cached;                     /* bytes here, as of the last look */
    int64_t resumed;                    /* ... of which so many were when it began */
    unsigned transfers;                 /* under way */
    struct adl_connection *connections; /* owned: of the last look, in the order of their places */
    size_t n_connections;
    char *url, *trouble; /* redacted; the last thing that went wrong on the way, or NULL */
    char *error;         /* why it failed */

    /* Its own. */
    struct adl_output output;
    struct adl_handle *handle;  /* owned */
    struct adl_reading reading; /* its digester is owned */
    bool ending;                /* the last report is awaited ... */
    int failure;                /* ... and then this is how it ends */
    unsigned restarts;
    pthread_t comparer;
    int existing; /* fd that the comparer reads; -1 */

    struct adl_message step; /* one answer at a time: stat, open, digest, take, copy, compare */
    int step_error;
    struct adl_handle *step_handle;
    struct adl_attr step_attr;

    struct adl_message look; /* a report */
    bool looking;
    bool looks_last; /* it was asked for when all was over */
    bool looked;     /* `resumed` is known */
    int64_t look_size, look_cached;
    unsigned look_transfers;
    struct adl_connection *look_connections; /* owned */
    size_t look_n_connections;
    char *look_url, *look_error; /* owned */
};

/* `path` becomes the download's. */
void adl_download_init(struct adl_download *download, const struct adl_downloads *run,
                       uint32_t entry, char *path, const struct adl_digest *digest);

/* Its state says how it goes from here on. */
void adl_download_start(struct adl_download *download);

/* Brings what is known of it up to date, soon. */
void adl_download_look(struct adl_download *download);

/* Whether nothing of it is under way any more. */
bool adl_download_over(const struct adl_download *download);

/* It is over, or the engine has stopped. */
void adl_download_free(struct adl_download *download);

#endif
