#include "run.h"

#include "scratch.h"

/* An origin that is nearer than this, us, is on this machine. */
#define HERE_US 1000

static struct adl_manifest manifest_of(const struct sim_net *net, unsigned mirrors)
{
    char text[128];
    int length = snprintf(text, sizeof(text), "%s%s\n\tout=file\n", "http://0.sim/file",
                          mirrors > 1 ? "\thttp://1.sim/file" : "");
    struct adl_manifest manifest;
    (void)net;
    if (adl_manifest_parse(text, (size_t)length, NULL, &manifest) != 0)
        abort();
    return manifest;
}

static struct adl_settings settings_of(const struct sim_fixed *fixed, const char *cache)
{
    struct adl_settings settings;
    adl_settings_init(&settings);
    settings.cache_dir = cache;
    if (fixed->connections)
        settings.origin_connections = fixed->connections;
    return settings;
}

static void note(const struct sim_net *net, const struct sim_reader *reader, int64_t began,
                 struct sim_outcome *out)
{
    int64_t size = net->size;
    unsigned steps = reader->steps ? reader->steps : 1;
    *out = (struct sim_outcome){.error = reader->error,
                                .seconds = (double)(reader->done - began) / 1e6,
                                .mib = (double)(reader->mib - began) / 1e6,
                                .waited = (double)reader->waited / 1e6 / steps,
                                .stalled = (double)reader->stalled / 1e6,
                                .wasted = (double)(net->sent - size) / (double)size,
                                .each = (double)net->sent / steps,
                                .requests = net->requests,
                                .refused = net->refused,
                                .most = net->most};
}

void sim_run(const struct sim_net *net, unsigned mirrors, enum sim_kind kind, int64_t rate,
             const struct sim_fixed *fixed, struct sim_outcome *out)
{
    struct sim_net mine = *net;
    struct sim_reader reader = {.kind = kind, .rate = rate, .net = &mine};
    struct scratch scratch;
    struct adl_engine *engine;
    sim_net_use(&mine);
    int64_t began = mine.now;
    sim_fix(fixed);
    if (scratch_open(&scratch, 64 << 10) < 0)
        abort();
    struct adl_manifest manifest = manifest_of(&mine, mirrors);
    struct adl_settings settings = settings_of(fixed, scratch.path);
    if (adl_engine_new(&settings, &manifest, NULL, &engine) < 0)
        abort();
    sim_reader_start(&reader, engine);
    sim_net_wait(&mine);
    adl_engine_free(engine);
    note(&mine, &reader, began, out);
    adl_manifest_free(&manifest);
    scratch_close(&scratch);
}
