#include "origin.h"

#include "cleanup.h"
#include "url.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define BUCKETS 1024

/* After this many good transfers in a row a lowered limit goes up by one. */
#define GOOD_FOR_MORE 16

/* ms: what fails within this ran side by side, and lowers the limit once. */
#define BURST 500

/* What a name may be longer than its URL: a port of four characters, and the NUL. */
#define NAME_MORE 8

struct adl_origins {
    unsigned most;
    struct adl_origin *buckets[BUCKETS]; /* owned */
};

struct adl_origins *adl_origins_new(unsigned most)
{
    struct adl_origins *origins = calloc(1, sizeof(*origins));
    if (origins)
        origins->most = most;
    return origins;
}

void adl_origins_free(struct adl_origins *origins)
{
    if (!origins)
        return;
    for (unsigned i = 0; i < BUCKETS; i++)
        while (origins->buckets[i]) {
            struct adl_origin *origin = origins->buckets[i];
            origins->buckets[i] = origin->next;
            free(origin);
        }
    free(origins);
}

struct adl_origin *adl_origins_of(struct adl_origins *origins, const char *url, int64_t now)
{
    size_t room = strlen(url) + NAME_MORE;
    cleanup_free char *name = malloc(room);
    if (!name || adl_url_origin(url, name, room) < 0)
        return NULL;
    size_t length = strlen(name);
    struct adl_origin **bucket = &origins->buckets[XXH3_64bits(name, length) % BUCKETS];
    for (struct adl_origin *origin = *bucket; origin; origin = origin->next)
        if (strcmp(origin->name, name) == 0)
            return origin;
    struct adl_origin *origin = calloc(1, sizeof(*origin) + length + 1);
    if (!origin)
        return NULL;
    memcpy(origin->name, name, length + 1);
    origin->limit = origins->most;
    origin->alive_at = now;
    origin->lowered_at = now - BURST;
    origin->next = *bucket;
    *bucket = origin;
    return origin;
}

void adl_origin_good(struct adl_origins *origins, struct adl_origin *origin, int64_t now)
{
    origin->alive_at = now;
    origin->failures = 0;
    if (origin->limit < origins->most && ++origin->good >= GOOD_FOR_MORE) {
        origin->limit++;
        origin->good = 0;
    }
}

void adl_origin_bad(struct adl_origin *origin, int64_t now, int64_t wait)
{
    if (origin->failures++ == 0)
        origin->alive_at = now;
    origin->good = 0;
    if (now >= origin->not_before && now - origin->lowered_at >= BURST) {
        unsigned half = origin->active > 1 ? origin->active / 2 : 1;
        if (half < origin->limit)
            origin->limit = half;
        origin->lowered_at = now;
    }
    if (now + wait > origin->not_before)
        origin->not_before = now + wait;
}
