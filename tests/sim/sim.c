/* How the policy does on links that no loopback has, in virtual time, against the best of 18 fixed
 * settings.
 *
 *   sim [--search | --all] [NAME]
 *
 * The table, of profiles whose name holds NAME. --search looks for the best setting anew, --all
 * tells what each does. Exits with 1 where the policy is farther off than the profile allows. */
#include "effort.h"
#include "profiles.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define M (INT64_C(1) << 20)

static const unsigned connections[] = {1, 2, 4, 8, 16, 32};
static const int64_t pieces[] = {1 * M, 4 * M, 16 * M};

static void tell(const char *setting, const struct sim_outcome *out)
{
    printf("    %-12s %9.2f s  first MiB %7.2f s  wasted %5.1f %%  %5u requests  %2u at a time"
           "  %u refused%s\n",
           setting, out->seconds, out->mib, out->wasted * 100, out->requests, out->most,
           out->refused, out->error ? "  FAILED" : "");
}

static const char *name_of(const struct sim_fixed *fixed, char name[16])
{
    snprintf(name, 16, "%u x %d MiB", fixed->connections, (int)(fixed->piece / M));
    return name;
}

static void run(const struct sim_profile *profile, const struct sim_fixed *fixed,
                struct sim_outcome *out)
{
    sim_run(&profile->net, profile->mirrors, SIM_CAT, 0, fixed, out);
}

/* The fixed setting that is the fastest. */
static void find_best(const struct sim_profile *profile, bool all, struct sim_fixed *best)
{
    double fastest = 1e9;
    char name[16];
    for (unsigned i = 0; i < sizeof(connections) / sizeof(connections[0]); i++)
        for (unsigned j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++) {
            struct sim_fixed fixed = {connections[i], pieces[j]};
            struct sim_outcome out;
            run(profile, &fixed, &out);
            if (all)
                tell(name_of(&fixed, name), &out);
            if (out.error || out.seconds >= fastest)
                continue;
            fastest = out.seconds;
            *best = fixed;
        }
}

/* The first MiB comes soonest where nothing shares the link with it. */
static const struct sim_fixed alone = {1, 1 * M};

/* False where the policy is farther off than it may be. */
static bool print_row(const struct sim_profile *profile, bool search, bool all)
{
    struct sim_outcome ours, theirs, first;
    struct sim_fixed best = profile->best, none = {0};
    char name[16];
    run(profile, &none, &ours);
    if (all)
        tell(profile->name, &ours);
    if (search)
        find_best(profile, all, &best);
    run(profile, &best, &theirs);
    run(profile, &alone, &first);
    double ratio = ours.seconds / theirs.seconds, worst = profile->worst ? profile->worst : 1.3;
    bool right = !ours.error && ratio <= worst &&
                 (!profile->worst_mib || ours.mib <= first.mib * profile->worst_mib);
    printf("| %s | %.2f | %.2f (%s) | %.2f | %.2f | %.2f | %.1f |%s\n", profile->name, ours.seconds,
           theirs.seconds, name_of(&best, name), ratio, ours.mib, first.mib, ours.wasted * 100,
           right ? "" : " WRONG");
    fflush(stdout);
    return right;
}

/* Who does not read from the start to the end. */
static bool print_readers(void)
{
    static const struct sim_net slow = {
        .size = 64 * M, .origins = {{.link = {.rate = 625000, .trip = 30000, .random = 1}}}};
    static const struct sim_net near = {
        .size = 1024 * M, .origins = {{.link = {.rate = 125000000, .trip = 20000, .random = 1}}}};
    struct sim_outcome player, random;
    struct sim_fixed none = {0};
    sim_run(&slow, 1, SIM_PLAYER, 250000, &none, &player);
    sim_run(&near, 1, SIM_RANDOM, 0, &none, &random);
    bool plays = !player.error && player.stalled <= 5 && player.waited <= 3;
    bool reads = !random.error && random.waited <= 0.025 && random.each <= 72000;
    printf(
        "\nA player of 2 Mbit/s at 5 Mbit/s, 30 ms: %.2f s for each jump, stalled for %.2f s%s\n",
        player.waited, player.stalled, plays ? "" : " WRONG");
    printf("Reads of 4 KiB here and there at 1 Gbit/s, 20 ms: %.1f ms and %.0f bytes for each%s\n",
           random.waited * 1000, random.each, reads ? "" : " WRONG");
    return plays && reads;
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
    bool search = all || (argc > 1 && strcmp(argv[1], "--search") == 0);
    const char *wanted = argc > 1 + search ? argv[1 + search] : "";
    bool right = true;
    printf("| profile | adaptive, s | best fixed, s | ratio | first MiB, s | alone, s | "
           "wasted, %% |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < sim_n_profiles; i++)
        if (strstr(sim_profiles[i].name, wanted) &&
            (!effort_is_small() || !strstr(sim_profiles[i].name, "Gbit/s")))
            right &= print_row(&sim_profiles[i], search, all);
    right &= print_readers();
    return right ? 0 : 1;
}
