#include "foresight.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Directories that are remembered; another one in the place of an old one makes it forgotten, which
 * costs round trips and nothing else. */
#define PLACES 64

/* The first files that are opened one after the other may be chance. */
#define RUN_MIN 2

/* How many files are fetched ahead: as many as were read in a row, up to this. It is what keeps all
 * connections to an origin busy while one process reads one small file after the other. */
#define AHEAD_MAX 32

/* Some list a directory to its end first (fts(3)), and ask for attributes then. */
#define AFTER_S 2

struct place {
    uint32_t dir;     /* ADL_NO_NODE: nothing here */
    unsigned open;    /* how many have it open to list it */
    time_t listed_at; /* CLOCK_MONOTONIC, s: when the last of them closed it */
    uint32_t statted; /* children before this one were said for their attributes */
    uint32_t opened;  /* behind the child that was opened last */
    uint32_t run;     /* children opened one after the other */
    uint32_t fetched; /* children before this one were said for their content */
};

struct adl_foresight {
    const struct adl_tree *tree;
    pthread_mutex_t lock;
    struct place places[PLACES]; /* under lock */
};

struct adl_foresight *adl_foresight_new(const struct adl_tree *tree)
{
    struct adl_foresight *foresight = calloc(1, sizeof(*foresight));
    if (!foresight)
        return NULL;
    foresight->tree = tree;
    pthread_mutex_init(&foresight->lock, NULL);
    return foresight;
}

void adl_foresight_free(struct adl_foresight *foresight)
{
    if (!foresight)
        return;
    pthread_mutex_destroy(&foresight->lock);
    free(foresight);
}

static struct place *place_of(struct adl_foresight *foresight, uint32_t dir)
{
    struct place *place = &foresight->places[dir * UINT32_C(2654435769) >> 26];
    if (place->dir != dir)
        *place = (struct place){.dir = dir};
    return place;
}

/* The files among the children [from, to) of a directory. */
static size_t files(const struct adl_tree *tree, uint32_t dir, uint32_t from, uint32_t to,
                    uint32_t entries[ADL_FORESEEN_MAX])
{
    size_t count = 0;
    for (uint32_t k = from; k < to && count < ADL_FORESEEN_MAX; k++) {
        uint32_t entry = adl_tree_node(tree, adl_tree_child(tree, dir, k))->entry;
        if (entry != ADL_NO_ENTRY)
            entries[count++] = entry;
    }
    return count;
}

static uint32_t until(uint32_t from, uint32_t count, uint32_t end)
{
    return end - from < count ? end : from + count;
}

static time_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

void adl_foresight_listed(struct adl_foresight *foresight, uint32_t dir, bool opened)
{
    pthread_mutex_lock(&foresight->lock);
    struct place *place = place_of(foresight, dir);
    if (opened)
        place->open++;
    else if (place->open)
        place->open--;
    place->listed_at = now_s();
    pthread_mutex_unlock(&foresight->lock);
}

static bool is_listed(const struct place *place)
{
    return place->open || (place->listed_at && now_s() - place->listed_at <= AFTER_S);
}

size_t adl_foresight_stat(struct adl_foresight *foresight, uint32_t file, bool unknown,
                          uint32_t entries[ADL_FORESEEN_MAX])
{
    const struct adl_tree *tree = foresight->tree;
    uint32_t dir = adl_tree_node(tree, file)->parent, end = adl_tree_node(tree, dir)->count;
    size_t count = 0;
    pthread_mutex_lock(&foresight->lock);
    struct place *place = place_of(foresight, dir);
    if ((unknown || place->statted) && is_listed(place)) {
        uint32_t next = adl_tree_rank(tree, file) + 1;
        uint32_t from = place->statted > next ? place->statted : next;
        /* Half of what was said last is still ahead: more is not needed yet. */
        if (from - next < ADL_FORESEEN_MAX / 2 && from < end) {
            place->statted = until(from, ADL_FORESEEN_MAX, end);
            count = files(tree, dir, from, place->statted, entries);
        }
    }
    pthread_mutex_unlock(&foresight->lock);
    return count;
}

size_t adl_foresight_open(struct adl_foresight *foresight, uint32_t file,
                          uint32_t entries[ADL_FORESEEN_MAX])
{
    const struct adl_tree *tree = foresight->tree;
    uint32_t dir = adl_tree_node(tree, file)->parent, end = adl_tree_node(tree, dir)->count;
    size_t count = 0;
    pthread_mutex_lock(&foresight->lock);
    struct place *place = place_of(foresight, dir);
    uint32_t k = adl_tree_rank(tree, file);
    place->run = k == place->opened && k > 0 ? place->run + 1 : 0;
    if (!place->run)
        place->fetched = 0;
    place->opened = k + 1;
    if (place->run >= RUN_MIN) {
        uint32_t from = place->fetched > k + 1 ? place->fetched : k + 1;
        uint32_t to = until(k + 1, place->run < AHEAD_MAX ? place->run : AHEAD_MAX, end);
        if (from < to)
            count = files(tree, dir, from, to, entries);
        place->fetched = to > from ? to : from;
    }
    pthread_mutex_unlock(&foresight->lock);
    return count;
}
