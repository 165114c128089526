/* desk: carries out an order (order.h) on the loop. Between the control socket, which knows clients
 * and no files, and the engine's rooms, which know nothing of JSON's questions. */
#ifndef ADL_DESK_H
#define ADL_DESK_H

#include "order.h"
#include "tree.h"

#include <sys/queue.h>

struct adl_engine;

/* Part of a file, as it was in that version, that the kernel is to forget. */
struct adl_stale {
    uint32_t entry, version;
    int64_t first, end; /* bytes; end -1: to its end */
};

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
    /* The control's: takes it back, once, when the answer is set. */
    void (*finish)(struct adl_errand *errand);
    /* The chore's (chore.h). */
    struct adl_engine *engine;
    size_t at;               /* the entry after the one that is under way */
    int64_t until;           /* ms: then an answer is due */
    uint32_t entry;          /* that is under way */
    json_t *files;           /* owned: what became of them */
    struct adl_stale *stale; /* owned: to be forgotten before it is answered */
    size_t n_stale;
};
TAILQ_HEAD(adl_errands, adl_errand);

/* Finds the entries of the order's paths. 0; -ENOENT, with *at the path; -ENOMEM. Any thread. */
int adl_desk_resolve(struct adl_errand *errand, const char **at);

/* Carries it out, sets the answer and gives it back by its finish(), now or later. The loop. */
void adl_desk_carry_out(struct adl_engine *engine, struct adl_errand *errand);

/* {"ok": false, "error": {...}}. `error` is a negative errno. */
json_t *adl_desk_refusal(int error, const char *text);

/* {"errno": name, "text": text}. */
json_t *adl_desk_error(int error, const char *text);

void adl_errand_free(struct adl_errand *errand);

#endif
