#include "reader.h"

#include "minmax.h"

/* What the kernel asks for at a time, and how far ahead of who reads: two readahead windows of 1
 * MiB. */
#define CAT_REQUEST (INT64_C(256) << 10)
#define CAT_AHEAD   (INT64_C(2) << 20)

/* A player reads in steps of this size, and jumps forward after so much playing, ms, so often. */
#define PLAYER_REQUEST (INT64_C(128) << 10)
#define PLAYER_MS      10000
#define PLAYER_SEEKS   4

#define RANDOM_REQUEST (INT64_C(4) << 10)
#define RANDOM_READS   30

static void pump(struct sim_reader *reader);

static void finish(struct sim_reader *reader, int error)
{
    if (reader->net->over)
        return;
    reader->error = error;
    reader->done = reader->net->now;
    sim_net_over(reader->net);
}

/* All before this byte was read. */
static int64_t arrived(const struct sim_reader *reader)
{
    int64_t least = reader->asked;
    for (unsigned i = 0; i < SIM_REQUESTS; i++)
        if (reader->requests[i].busy)
            least = min64(least, reader->requests[i].offset);
    return least;
}

static int read_done(void *ctx, int error, int fd, int64_t offset, size_t length)
{
    (void)fd, (void)offset, (void)length;
    struct sim_request *request = ctx;
    request->busy = false;
    if (error < 0)
        finish(request->reader, error);
    else
        pump(request->reader);
    return 0;
}

static bool ask(struct sim_reader *reader, int64_t offset, int64_t length)
{
    for (unsigned i = 0; i < SIM_REQUESTS; i++) {
        struct sim_request *request = &reader->requests[i];
        if (request->busy)
            continue;
        *request = (struct sim_request){.reader = reader,
                                        .offset = offset,
                                        .end = min64(offset + length, reader->net->size),
                                        .busy = true};
        reader->asked = request->end;
        adl_file_read(reader->handle, adl_engine_ticket(reader->engine), offset,
                      (size_t)(request->end - offset), read_done, request);
        return true;
    }
    return false;
}

static void pump_cat(struct sim_reader *reader)
{
    int64_t size = reader->net->size;
    do {
        reader->at = arrived(reader);
        if (!reader->mib && reader->at >= min64(1 << 20, size))
            reader->mib = reader->net->now;
    } while (reader->asked < size && reader->asked - reader->at < CAT_AHEAD &&
             ask(reader, reader->asked, CAT_REQUEST));
    if (reader->at == size)
        finish(reader, 0);
}

static void jump(struct sim_reader *reader)
{
    int64_t size = reader->net->size;
    reader->steps++;
    reader->seeking = true;
    reader->played = 0;
    reader->at = size / (PLAYER_SEEKS + 1) * reader->steps;
    reader->since = reader->net->now;
    ask(reader, reader->at, PLAYER_REQUEST);
}

/* What was asked for is here: it is played, and the next is asked for when that is done. */
static void pump_player(struct sim_reader *reader)
{
    struct sim_net *net = reader->net;
    if (arrived(reader) < reader->asked)
        return;
    int64_t took = net->now - reader->since;
    if (!reader->seeking)
        reader->stalled += took;
    else if (reader->steps > 0)
        reader->waited += took;
    reader->seeking = false;
    reader->at = reader->asked;
    reader->played += PLAYER_REQUEST;
    net->due = net->now + PLAYER_REQUEST * 1000000 / reader->rate;
}

static void pump_random(struct sim_reader *reader)
{
    while (arrived(reader) == reader->asked) {
        if (reader->since)
            reader->waited += reader->net->now - reader->since;
        if (reader->steps == RANDOM_READS) {
            finish(reader, 0);
            return;
        }
        uint64_t blocks = (uint64_t)(reader->net->size / RANDOM_REQUEST);
        reader->at = (int64_t)(sim_random(&reader->random) % blocks) * RANDOM_REQUEST;
        reader->since = reader->net->now;
        reader->steps++;
        ask(reader, reader->at, RANDOM_REQUEST);
    }
}

/* What it does when something came; an answer may come before its question is over. */
static void pump(struct sim_reader *reader)
{
    if (reader->pumping || reader->net->over)
        return;
    reader->pumping = true;
    if (reader->kind == SIM_CAT)
        pump_cat(reader);
    else if (reader->kind == SIM_PLAYER)
        pump_player(reader);
    else
        pump_random(reader);
    reader->pumping = false;
}

/* The player has played what it had. */
static void wake(void *ctx)
{
    struct sim_reader *reader = ctx;
    if (reader->played * 1000 / reader->rate >= PLAYER_MS) {
        if (reader->steps == PLAYER_SEEKS) {
            finish(reader, 0);
            return;
        }
        reader->pumping = true;
        jump(reader);
    } else {
        reader->pumping = true;
        reader->since = reader->net->now;
        ask(reader, reader->at, PLAYER_REQUEST);
    }
    reader->pumping = false;
    pump(reader);
}

static void opened(void *ctx, int error, struct adl_handle *handle, const struct adl_attr *attr)
{
    (void)attr;
    struct sim_reader *reader = ctx;
    reader->opened = reader->net->now;
    reader->handle = handle;
    if (error < 0) {
        finish(reader, error);
        return;
    }
    reader->pumping = reader->kind == SIM_PLAYER;
    reader->seeking = true;
    reader->since = 0;
    if (reader->kind == SIM_PLAYER) {
        reader->since = reader->net->now;
        ask(reader, 0, PLAYER_REQUEST);
    }
    reader->pumping = false;
    pump(reader);
}

void sim_reader_start(struct sim_reader *reader, struct adl_engine *engine)
{
    reader->engine = engine;
    reader->random = 1;
    reader->net->wake = wake;
    reader->net->ctx = reader;
    adl_file_open(engine, adl_engine_ticket(engine), 0, ADL_ANY_VERSION, opened, reader);
}
