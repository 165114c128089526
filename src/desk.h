/* desk: carries out an order (order.h) on the loop. Between the control socket, which knows clients
 * and no files, and the engine's rooms, which know nothing of JSON's questions. */
#ifndef ADL_DESK_H
#define ADL_DESK_H

#include "order.h"
#include "tree.h"

#include <sys/queue.h>

struct adl_engine;

/* One order under way. Whoever holds it owns it: the control's thread, then the loop, then the
 * control's thread again. */
struct adl_errand {
    TAILQ_ENTRY(adl_errand) link; /* the control's */
    void *control;                /* the control's */
    uint64_t client, watch;       /* the control's */
    const struct adl_tree *tree;  /* good while the control holds its names */
    struct adl_order order;       /* owned */
    uint32_t *entries;            /* owned: of the paths, with what lies below directories */
    size_t n_entries;
    bool all;       /* no path was given, or the root: the mount */
    bool directory; /* one of the paths is a directory */
    json_t *answer; /* owned: an object, once it was carried out; NULL: out of memory */
    bool last;      /* nothing more will come of a subscription */
};
TAILQ_HEAD(adl_errands, adl_errand);

/* Finds the entries of the order's paths. 0; -ENOENT, with *at the path; -ENOMEM. Any thread. */
int adl_desk_resolve(struct adl_errand *errand, const char **at);

/* Carries it out and sets the answer. The loop. */
void adl_desk_carry_out(struct adl_engine *engine, struct adl_errand *errand);

/* {"ok": false, "error": {...}}. `error` is a negative errno. */
json_t *adl_desk_refusal(int error, const char *text);

void adl_errand_free(struct adl_errand *errand);

#endif
