/* origin: what is known of a server: how many transfers run there, how many it bears, and whether
 * it is answering. The fetch loop's alone. */
#ifndef ADL_ORIGIN_H
#define ADL_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

struct adl_origin {
    struct adl_origin *next; /* in its bucket */
    unsigned files;          /* files that have transfers under way there */
    unsigned active;         /* transfers under way */
    unsigned limit;          /* transfers that it may have at a time now */
    unsigned good;           /* transfers that ended well since the limit was last changed */
    unsigned failures;       /* in a row */
    int64_t demand_until;    /* ms: until then some connections are left to readers that wait */
    int64_t not_before;      /* ms: nothing is started before */
    int64_t lowered_at;      /* ms: when the limit was last lowered */
    int64_t alive_at;        /* ms: when it last answered, was first used, or first failed since */
    int64_t delay;           /* ms: from asking to the first byte, on the average; 0: not known */
    char name[];             /* "https://example.org:443" */
};

struct adl_origins;

/* `most`: the largest limit. NULL without memory. */
struct adl_origins *adl_origins_new(unsigned most);
void adl_origins_free(struct adl_origins *origins);

/* The origin of a URL, made at need; NULL without memory or for no http(s) URL. */
struct adl_origin *adl_origins_of(struct adl_origins *origins, const char *url, int64_t now);

/* A transfer ended well, or an answer came: it bears more again, slowly. */
void adl_origin_good(struct adl_origins *origins, struct adl_origin *origin, int64_t now);

/* It refused, or could not be reached: half of what is running at a time, and nothing for `wait` ms
 * (0: others may go on at once). A burst of failures lowers the limit once. */
void adl_origin_bad(struct adl_origin *origin, int64_t now, int64_t wait);

#endif
