/* adlfs set: what may be changed of a mount while it runs. */
#include "ask.h"
#include "commands.h"
#include "limit.h"
#include "spell.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {"limit-rate", NULL};

/* "limit-rate=5M" into a request. False: told. */
static bool add_setting(const char *word, json_t *request)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)length, word);
    if (strcmp(name, "limit-rate") != 0) {
        const char *nearest = adl_spell_nearest(name, names);
        fprintf(stderr, "adlfs set: there is nothing to set that is called '%s'; %s'%s'%s\n", name,
                nearest ? "did you mean " : "there is ", names[0], nearest ? "?" : "");
        return false;
    }
    int64_t rate;
    if (!equals || !adl_text_parse_size(equals + 1, strlen(equals + 1), &rate) ||
        rate > ADL_LIMIT_MAX) {
        fprintf(
            stderr,
            "adlfs set: '%s' is not of the form limit-rate=500K, limit-rate=2.5M or limit-rate=0\n",
            word);
        return false;
    }
    json_object_set_new(request, "limit-rate", json_integer(rate));
    return true;
}

static int set(void *ctx, const struct adl_target *target, struct adl_ask *ask, json_t *paths)
{
    if (json_array_size(paths) > 0) {
        fprintf(stderr, "adlfs set: it is of a mount as a whole: %s\n", target->mountpoint);
        return ADL_EXIT_USAGE;
    }
    return adl_ask_do("set", target, ask, json_deep_copy(ctx));
}

static int run(const struct adl_options *options)
{
    json_t *request = json_pack("{s:s}", "do", "set");
    int status = ADL_EXIT_DONE;
    for (size_t i = 1; i < options->n_operands && status == ADL_EXIT_DONE; i++)
        if (!add_setting(options->operands[i], request))
            status = ADL_EXIT_USAGE;
    if (status == ADL_EXIT_DONE)
        status = adl_ask_each("set", options->operands, 1, set, request);
    json_decref(request);
    return status;
}

const struct adl_command adl_set_command = {
    .name = "set",
    .synopsis = "MOUNTPOINT NAME=VALUE...",
    .summary = "change a setting of a mount while it runs",
    .about = "Changes settings of a mount at once, until it is unmounted.",
    .notes = "  limit-rate=SIZE   at most so many bytes a second in all; 0: no limit\n"
             "\n"
             "  adlfs set /mnt/remote limit-rate=5M",
    .user = ADL_FOR_SET,
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .run = run,
};
