#include "get.h"

#include "cleanup.h"
#include "insist.h"
#include "now.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How often the picture is drawn, and what it shows asked for. */
#define LOOK_MS 200

/* The rate is that of the last few seconds. */
#define RATE_MS 3000

/* A handler can reach nothing else. */
static struct {
    _Atomic bool stop;
    _Atomic int number;
    _Atomic int wake; /* eventfd; -1 */
} signals = {.wake = -1};

static void on_signal(int number)
{
    if (number != SIGALRM)
        signals.number = number;
    signals.stop = true;
    if (signals.wake >= 0)
        eventfd_write(signals.wake, 1);
}

/* A write to a pipe that nobody reads must end, too. */
int adl_get_catch_signals(sigset_t *before)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
        sigaddset(&set, ending[i]);
    int r = adl_insist_catch(ending, sizeof(ending) / sizeof(ending[0]), on_signal);
    if (r < 0)
        return r;
    signal(SIGPIPE, SIG_IGN); /* standard output tells by an error */
    return -pthread_sigmask(SIG_BLOCK, &set, before);
}

/* --- progress */

static void measure(struct adl_get *get, int64_t fetched, int64_t now)
{
    if (!get->rate_since)
        get->rate_since = now;
    int64_t passed = now - get->rate_since;
    if (passed > 0)
        get->rate = (fetched - get->rate_bytes) * 1000 / passed;
    if (passed < RATE_MS)
        return;
    /* Half of what was measured stays, so that the rate neither jumps nor lags. */
    get->rate_since += passed / 2;
    get->rate_bytes += (fetched - get->rate_bytes) / 2;
}

/* Sizes that nobody has told yet leave the total open. */
static int64_t left_of_total(const struct adl_get *get)
{
    int64_t total = 0;
    for (size_t i = get->next; i < get->manifest->count; i++) {
        int64_t size = get->manifest->entries[i].size;
        if (size < 0 || __builtin_add_overflow(total, size, &total))
            return -1;
    }
    return total;
}

static void summarize(struct adl_get *get, struct adl_progress *progress, char title[64])
{
    size_t count = get->manifest->count;
    int64_t fetched = get->fetched, left = left_of_total(get);
    *progress = (struct adl_progress){.title = title,
                                      .done = get->bytes,
                                      .total = left < 0 ? -1 : get->total + left,
                                      .eta = -1,
                                      .files = count,
                                      .files_done = get->next};
    snprintf(title, 64, "%zu files", count);
    for (unsigned i = 0; i < get->jobs; i++) {
        const struct adl_download *one = &get->slots[i];
        if (!get->used[i])
            continue;
        if (count == 1)
            progress->title = one->path;
        progress->files_done--;
        progress->done += one->cached;
        fetched += one->cached - one->resumed;
        if (one->size < 0)
            progress->total = -1;
        else if (progress->total >= 0)
            progress->total += one->size;
        if (!one->transfers && one->trouble && !one->ending)
            progress->note = one->trouble;
    }
    measure(get, fetched, now_ms());
    progress->rate = get->rate;
    if (progress->total >= 0 && get->rate > 0)
        progress->eta = (progress->total - progress->done) / get->rate;
}

/* The connections of all that are under way; the caller's to free. */
static struct adl_progress_line *lines_of(const struct adl_get *get, size_t *count)
{
    size_t room = 0, used = 0;
    for (unsigned i = 0; i < get->jobs; i++)
        room += get->used[i] ? get->slots[i].n_connections : 0;
    struct adl_progress_line *lines = room ? calloc(room, sizeof(*lines)) : NULL;
    for (unsigned i = 0; lines && i < get->jobs; i++) {
        const struct adl_download *one = &get->slots[i];
        for (size_t k = 0; get->used[i] && k < one->n_connections; k++)
            lines[used++] =
                (struct adl_progress_line){.name = get->manifest->count > 1 ? one->path : NULL,
                                           .first = one->connections[k].first,
                                           .end = one->connections[k].end,
                                           .at = one->connections[k].at,
                                           .rate = one->connections[k].rate};
    }
    *count = used;
    return lines;
}

/* What is known, without asking. */
static void draw(struct adl_get *get)
{
    struct adl_progress progress;
    char title[64];
    if (get->quiet)
        return;
    summarize(get, &progress, title);
    cleanup_free struct adl_progress_line *lines = lines_of(get, &progress.n_lines);
    progress.lines = lines;
    adl_progress_update(&get->view, &progress, now_ms());
    get->redraw = false;
}

static void look(struct adl_get *get)
{
    for (unsigned i = 0; i < get->jobs && !get->quiet; i++)
        if (get->used[i])
            adl_download_look(&get->slots[i]);
}

/* --- the files */

/* It is over: told, counted, forgotten. */
static void reap(struct adl_get *get, unsigned slot)
{
    struct adl_download *one = &get->slots[slot];
    get->ended[one->state]++;
    if (one->state == ADL_DOWNLOAD_DONE) {
        int64_t resumed = one->resumed < one->size ? one->resumed : one->size;
        get->fetched += one->size - resumed;
    } else {
        get->fetched += one->cached - one->resumed;
    }
    if (one->state != ADL_DOWNLOAD_FAILED && one->size > 0) {
        get->bytes += one->size;
        get->total += one->size;
    }
    get->redraw = get->redraw || get->view.drawn;
    adl_progress_clear(&get->view);
    get->over(get->ctx, one, now_ms() - one->since);
    adl_download_free(one);
    get->used[slot] = false;
}

/* Fills the slots. Whether anything is under way. */
static bool advance(struct adl_get *get)
{
    bool active = false;
    for (unsigned i = 0; i < get->jobs; i++) {
        while (!get->used[i] || adl_download_over(&get->slots[i])) {
            if (get->used[i])
                reap(get, i);
            if (get->next == get->manifest->count)
                break;
            uint32_t entry = (uint32_t)get->next++;
            get->used[i] = true;
            adl_download_init(&get->slots[i], &get->run, entry, steal_pointer(get->paths[entry]),
                              &get->digests[entry]);
            get->slots[i].since = now_ms();
            adl_download_start(&get->slots[i]);
        }
        active = active || get->used[i];
    }
    return active;
}

static int loop(struct adl_get *get)
{
    int64_t due = now_ms() + LOOK_MS;
    while (!signals.stop && advance(get)) {
        if (get->redraw)
            draw(get);
        struct pollfd inbox = {.fd = get->inbox.fd, .events = POLLIN};
        int64_t left = due - now_ms();
        if (left <= 0) {
            draw(get);
            look(get);
            due = now_ms() + LOOK_MS;
            left = LOOK_MS;
        }
        if (poll(&inbox, 1, (int)left) < 0 && errno != EINTR)
            return -errno;
        adl_inbox_act(&get->inbox);
    }
    return signals.stop ? -EINTR : 0;
}

static void finish(struct adl_get *get)
{
    struct adl_progress progress;
    char title[64];
    if (get->quiet)
        return;
    if (get->ended[ADL_DOWNLOAD_FAILED] || signals.stop) {
        adl_progress_clear(&get->view); /* what failed has been told */
        return;
    }
    summarize(get, &progress, title);
    if (get->manifest->count > 1)
        adl_progress_end(&get->view, &progress);
}

int adl_get_run(struct adl_get *get, int *caught)
{
    get->run.stop = &signals.stop;
    get->run.inbox = &get->inbox;
    get->inbox.fd = -1;
    get->view.out = stderr;
    adl_screen_init(&get->view.screen, stderr);
    get->slots = calloc(get->jobs, sizeof(*get->slots));
    get->used = calloc(get->jobs, sizeof(*get->used));
    int r = get->slots && get->used ? adl_inbox_init(&get->inbox) : -ENOMEM;
    if (r < 0)
        return r;
    signals.wake = get->inbox.fd;
    pthread_sigmask(SIG_SETMASK, get->mask, NULL);
    r = loop(get);
    finish(get);
    *caught = signals.number;
    return r < 0 ? r : get->ended[ADL_DOWNLOAD_FAILED] ? -EIO : 0;
}

void adl_get_free(struct adl_get *get)
{
    signals.wake = -1;
    for (unsigned i = 0; get->used && i < get->jobs; i++)
        if (get->used[i])
            adl_download_free(&get->slots[i]);
    free(get->slots);
    free(get->used);
    adl_inbox_free(&get->inbox);
}
