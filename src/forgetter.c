#include "forgetter.h"

#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct adl_forgetter {
    adl_forget_fn *forget;
    void *ctx;
    adl_forgotten_fn *back;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started, stop;         /* under lock */
    bool forgetting;            /* under lock */
    struct adl_errands errands; /* under lock */
};

/* False: it is ending. */
static bool may_forget(struct adl_forgetter *forgetter)
{
    pthread_mutex_lock(&forgetter->lock);
    bool may = forgetter->forgetting = !forgetter->stop;
    pthread_mutex_unlock(&forgetter->lock);
    return may;
}

static void forget_all(struct adl_forgetter *forgetter, const struct adl_errand *errand)
{
    for (size_t i = 0; i < errand->n_stale && may_forget(forgetter); i++)
        forgetter->forget(forgetter->ctx, &errand->stale[i]);
    pthread_mutex_lock(&forgetter->lock);
    forgetter->forgetting = false;
    pthread_mutex_unlock(&forgetter->lock);
}

/* NULL: it is over, and nothing is left. */
static struct adl_errand *next(struct adl_forgetter *forgetter)
{
    pthread_mutex_lock(&forgetter->lock);
    while (!forgetter->stop && TAILQ_EMPTY(&forgetter->errands))
        pthread_cond_wait(&forgetter->changed, &forgetter->lock);
    struct adl_errand *errand = TAILQ_FIRST(&forgetter->errands);
    if (errand)
        TAILQ_REMOVE(&forgetter->errands, errand, link);
    pthread_mutex_unlock(&forgetter->lock);
    return errand;
}

static void *serve(void *ctx)
{
    struct adl_forgetter *forgetter = ctx;
    struct adl_errand *errand;
    while ((errand = next(forgetter))) {
        forget_all(forgetter, errand);
        forgetter->back(errand);
    }
    return NULL;
}

int adl_forgetter_new(adl_forget_fn *forget, void *ctx, adl_forgotten_fn *back,
                      struct adl_forgetter **out)
{
    struct adl_forgetter *forgetter = calloc(1, sizeof(*forgetter));
    if (!forgetter)
        return -ENOMEM;
    *forgetter = (struct adl_forgetter){.forget = forget, .ctx = ctx, .back = back};
    TAILQ_INIT(&forgetter->errands);
    pthread_mutex_init(&forgetter->lock, NULL);
    pthread_cond_init(&forgetter->changed, NULL);
    *out = forgetter;
    return 0;
}

void adl_forgetter_take(struct adl_forgetter *forgetter, struct adl_errand *errand)
{
    pthread_mutex_lock(&forgetter->lock);
    if (!forgetter->stop && !forgetter->started)
        forgetter->started = adl_thread_start(&forgetter->thread, serve, forgetter) == 0;
    bool taken = forgetter->started && !forgetter->stop;
    if (taken)
        TAILQ_INSERT_TAIL(&forgetter->errands, errand, link);
    pthread_cond_signal(&forgetter->changed);
    pthread_mutex_unlock(&forgetter->lock);
    if (!taken)
        forgetter->back(errand);
}

bool adl_forgetter_ends(struct adl_forgetter *forgetter)
{
    pthread_mutex_lock(&forgetter->lock);
    forgetter->stop = true;
    bool forgetting = forgetter->forgetting;
    pthread_cond_signal(&forgetter->changed);
    pthread_mutex_unlock(&forgetter->lock);
    return forgetting;
}

void adl_forgetter_stop(struct adl_forgetter *forgetter)
{
    if (!forgetter)
        return;
    pthread_mutex_lock(&forgetter->lock);
    forgetter->stop = true;
    bool started = forgetter->started;
    forgetter->started = false;
    pthread_cond_signal(&forgetter->changed);
    pthread_mutex_unlock(&forgetter->lock);
    if (started)
        pthread_join(forgetter->thread, NULL);
}

void adl_forgetter_free(struct adl_forgetter *forgetter)
{
    if (!forgetter)
        return;
    adl_forgetter_stop(forgetter);
    pthread_cond_destroy(&forgetter->changed);
    pthread_mutex_destroy(&forgetter->lock);
    free(forgetter);
}
