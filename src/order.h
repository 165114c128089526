/* order: a line of the control socket -> what is asked for. Pure.
 *
 * The line is JSON (see control.md): an object with "adlfs": 1 and "do". What it may be is bounded
 * before anything is made of it: its length, its depth, the number of its paths. Unknown fields are
 * left alone, so that later versions may have more; known fields of the wrong kind are errors. */
#ifndef ADL_ORDER_H
#define ADL_ORDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define ADL_PROTOCOL 1

/* bytes of one line, without its newline */
#define ADL_ORDER_MAX (1 << 20)

#define ADL_ORDER_DEPTH_MAX 8
#define ADL_ORDER_PATHS_MAX 16384
#define ADL_ORDER_CELLS_MAX 4096
#define ADL_ORDER_FILES_MAX 1000

/* ms between two messages of a subscription */
#define ADL_ORDER_EVERY_MIN 100
#define ADL_ORDER_EVERY_MAX 60000

enum adl_order_kind {
    ADL_ORDER_HELLO,
    ADL_ORDER_STATUS,
    ADL_ORDER_PAUSE,
    ADL_ORDER_RESUME,
    ADL_ORDER_WARM,
    ADL_ORDER_JOB,
    ADL_ORDER_STOP,
    ADL_ORDER_SET,
    ADL_ORDER_EVICT,
    ADL_ORDER_VERIFY,
};

struct adl_order {
    enum adl_order_kind kind;
    json_t *id;         /* owned: comes back in the answer; NULL: none */
    char **paths;       /* owned: below the mount, bytes as in its file names */
    size_t n_paths;     /* 0: the mount */
    int64_t first, end; /* WARM: bytes of each file; end -1: to its end */
    unsigned jobs;      /* WARM: connections at most; 0: as many as are good */
    unsigned cells;     /* STATUS of files: cells of the map; 0: no map */
    uint32_t after;     /* STATUS, EVICT, VERIFY: from this one on, where an answer ended */
    unsigned limit;     /* STATUS, EVICT, VERIFY: files in one answer */
    unsigned every;     /* STATUS, JOB: ms; tell it again and again; 0: once */
    uint64_t job;       /* JOB, STOP */
    int64_t limit_rate; /* SET: bytes/s, 0 for no limit; -1: not said */
};

/* Reads one line, `length` bytes. 0; -EINVAL (then *why says why, and *out has the id if it could
 * be read); -EPROTONOSUPPORT for another version; -ENOMEM. To be freed in any case. */
int adl_order_parse(const char *line, size_t length, struct adl_order *out, const char **why);

void adl_order_free(struct adl_order *order);

#endif
