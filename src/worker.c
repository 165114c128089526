/* worker: a thread for what takes long: whole-file checksums, and comparing all blocks with theirs,
 * for which it reads the data file by its fd and looks at what any thread may look at (copy.h); and
 * another one for looking over the cache directory, where it meets the loop in the locks of entries
 * alone. What came of it is posted to the loop. */
#include "digest.h"
#include "engine.h"
#include "thread.h"

#include <errno.h>

struct job {
    TAILQ_ENTRY(job) link;
    struct adl_call *call;           /* owned: what will be posted */
    const struct adl_digest *digest; /* NULL: blocks are compared, or it is the keeper's */
    int fd;                          /* the edition's, which the call's reference keeps open */
    int64_t size;
};

struct adl_worker {
    struct adl_engine *engine;
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    TAILQ_HEAD(, job) jobs; /* under lock */
};

static struct job *next(struct adl_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (!worker->stop && TAILQ_EMPTY(&worker->jobs))
        pthread_cond_wait(&worker->wanted, &worker->lock);
    struct job *job = worker->stop ? NULL : TAILQ_FIRST(&worker->jobs);
    if (job)
        TAILQ_REMOVE(&worker->jobs, job, link);
    pthread_mutex_unlock(&worker->lock);
    return job;
}

static void keep(struct adl_worker *worker, struct adl_call *call)
{
    const struct adl_engine *engine = worker->engine;
    call->carried_out = true;
    if (call->kind == ADL_CALL_EVICT)
        call->result = adl_inventory_remove(engine->store, &call->key, &call->freed);
    else
        adl_evict_look(engine->store, &engine->evictor.quota, &worker->stop, &call->look);
}

static void *work(void *ctx)
{
    struct adl_worker *worker = ctx;
    struct job *job;
    while ((job = next(worker))) {
        struct adl_call *call = job->call;
        if (job->digest)
            call->result = adl_digest_check(job->digest, job->fd, job->size, &worker->stop);
        else if (call->kind == ADL_CALL_COMPARED)
            call->result = adl_rot_find(call->edition->copy, &worker->stop, &call->rot);
        else
            keep(worker, call);
        adl_engine_post(worker->engine, call);
        free(job);
    }
    return NULL;
}

struct adl_worker *adl_worker_new(struct adl_engine *engine)
{
    struct adl_worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return NULL;
    worker->engine = engine;
    TAILQ_INIT(&worker->jobs);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wanted, NULL);
    return worker;
}

void adl_worker_free(struct adl_worker *worker)
{
    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->stop = true;
    pthread_cond_signal(&worker->wanted);
    pthread_mutex_unlock(&worker->lock);
    if (worker->started)
        pthread_join(worker->thread, NULL);
    struct job *job;
    while ((job = TAILQ_FIRST(&worker->jobs))) {
        TAILQ_REMOVE(&worker->jobs, job, link);
        job->call->result = job->call->look.error = -ECANCELED;
        job->call->carried_out = true;
        adl_engine_post(worker->engine, job->call);
        free(job);
    }
    pthread_cond_destroy(&worker->wanted);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

static void put(struct adl_worker *worker, struct job *job)
{
    pthread_mutex_lock(&worker->lock);
    TAILQ_INSERT_TAIL(&worker->jobs, job, link);
    pthread_cond_signal(&worker->wanted);
    pthread_mutex_unlock(&worker->lock);
}

static bool start(struct adl_worker *worker)
{
    if (!worker->started)
        worker->started = adl_thread_start(&worker->thread, work, worker) == 0;
    return worker->started;
}

int adl_worker_keep(struct adl_worker *worker, struct adl_call *call)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job || !start(worker)) {
        free(job);
        return -ENOMEM;
    }
    job->call = call;
    put(worker, job);
    return 0;
}

int adl_worker_digest(struct adl_worker *worker, struct adl_edition *edition)
{
    struct job *job = calloc(1, sizeof(*job));
    struct adl_call *call = calloc(1, sizeof(*call));
    if (!job || !call || !start(worker)) {
        free(job);
        free(call);
        return -ENOMEM;
    }
    *call = (struct adl_call){.kind = ADL_CALL_DIGESTED, .edition = adl_edition_ref(edition)};
    *job = (struct job){.call = call,
                        .digest = &edition->digest,
                        .fd = edition->copy->data,
                        .size = edition->copy->size};
    put(worker, job);
    return 0;
}

int adl_worker_verify(struct adl_worker *worker, struct adl_call *call)
{
    call->kind = ADL_CALL_COMPARED;
    return adl_worker_keep(worker, call);
}
