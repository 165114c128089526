/* settings: what a user may set of the engine; the face fills it from the command line. Strings are
 * borrowed and must outlive the engine. */
#ifndef ADL_SETTINGS_H
#define ADL_SETTINGS_H

#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADL_REVALIDATE_NEVER (-1)

/* What a read of something that is not cached does while its file is paused. */
enum adl_paused_reads { ADL_PAUSED_WAIT, ADL_PAUSED_FAIL };

/* What is fetched though nobody asked, when there is nothing else to do. */
enum adl_fill { ADL_FILL_NEVER, ADL_FILL_OPENED, ADL_FILL_ALL };

struct adl_settings {
    const char *cache_dir; /* NULL: $XDG_CACHE_HOME/adlfs, or ~/.cache/adlfs */
    enum adl_allocate allocate;
    int64_t cache_max;           /* bytes of disk that the whole cache may take; 0: no limit */
    int64_t cache_reserve;       /* bytes that stay free on its file system; 0: none */
    uint32_t block_size;         /* bytes, a power of two, 4 KiB .. 16 MiB */
    int64_t revalidate;          /* s an answer stays good for; 0: always ask; or NEVER */
    int64_t retry_for;           /* s without a byte of progress before a reader gets an error */
    int64_t connect_timeout;     /* s */
    int64_t stall_timeout;       /* s without a byte before a transfer is given up */
    int64_t readahead;           /* bytes: the largest window ahead of a sequential reader */
    unsigned origin_connections; /* at most this many at a time to one origin, 1 .. 64 */
    unsigned connections;        /* ... and in all, 1 .. 256 */
    const char *user_agent;      /* NULL: "adlfs/VERSION" */
    const char *ca_file;         /* NULL: the system's */
    bool insecure;               /* do not check certificates */
    bool modeless;               /* nobody is told which files are programs: nothing waits for it */
    bool paused;                 /* begin paused */
    enum adl_paused_reads paused_reads;
    enum adl_fill fill;
    int64_t limit_rate;   /* bytes/s of all transfers together; 0: no limit */
    const char **headers; /* "Name: value" each: for the origin of the manifest's URL alone */
    size_t n_headers;
    const char *netrc; /* this file says who logs in where; for the same alone; NULL: none */
};

/* The defaults. */
void adl_settings_init(struct adl_settings *settings);

#endif
