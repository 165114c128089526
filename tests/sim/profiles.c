#include "profiles.h"

#define K INT64_C(1024)
#define M (K * K)

#define MBIT(n) ((int64_t)((n)*125000.0))
#define MS(n)   ((int64_t)((n)*1000.0))

/* A link of `rate` bytes/s and `trip` us; and one with more to say of it in `...`. */
#define LINK(rate_, trip_) LINK_WITH(rate_, trip_, .random = 1)
#define LINK_WITH(rate_, trip_, ...)                                                               \
    {                                                                                              \
        .link = {.rate = (rate_), .trip = (trip_), __VA_ARGS__ }                                   \
    }

#define ONE(size_, ...) .mirrors = 1, .net = {.size = (size_), .origins = {__VA_ARGS__}}

#define BEST(connections_, mib_) .best = {(connections_), (mib_)*M}

const struct sim_profile sim_profiles[] = {
    {"1 Mbit/s, 50 ms", .worst_mib = 1.2, BEST(2, 1), ONE(8 * M, LINK(MBIT(1), MS(50)))},
    {"2 Mbit/s, 300 ms", .worst_mib = 2.4, BEST(16, 1), ONE(16 * M, LINK(MBIT(2), MS(300)))},
    {"5 Mbit/s, 30 ms", .worst_mib = 2.2, BEST(4, 1), ONE(32 * M, LINK(MBIT(5), MS(30)))},
    {"10 Mbit/s, 20 ms", .worst_mib = 2.7, BEST(4, 4), ONE(64 * M, LINK(MBIT(10), MS(20)))},
    {"20 Mbit/s, 60 ms", .worst_mib = 2.6, BEST(32, 1), ONE(64 * M, LINK(MBIT(20), MS(60)))},
    {"100 Mbit/s, 10 ms", BEST(2, 16), ONE(256 * M, LINK(MBIT(100), MS(10)))},
    {"100 Mbit/s, 300 ms", BEST(16, 4), ONE(256 * M, LINK(MBIT(100), MS(300)))},
    {"300 Mbit/s, 80 ms", BEST(32, 4), ONE(256 * M, LINK(MBIT(300), MS(80)))},
    {"300 Mbit/s, 80 ms, lossy", BEST(16, 1),
     ONE(256 * M, LINK_WITH(MBIT(300), MS(80), .random = 1, .loss = 7 * M))},
    {"1 Gbit/s, 0.2 ms", BEST(2, 1), ONE(1024 * M, LINK(MBIT(1000), MS(0.2)))},
    {"1 Gbit/s, 20 ms", BEST(4, 16), ONE(1024 * M, LINK(MBIT(1000), MS(20)))},
    {"1 Gbit/s, 150 ms", BEST(16, 4), ONE(1024 * M, LINK(MBIT(1000), MS(150)))},
    {"1 Gbit/s, 40 ms, 40 Mbit/s each", BEST(32, 1),
     ONE(512 * M, LINK_WITH(MBIT(1000), MS(40), .random = 1, .each = MBIT(40)))},
    {"1 Gbit/s, 100 ms, 4 Mbit/s each", .worst = 2.1, BEST(32, 1),
     ONE(64 * M, LINK_WITH(MBIT(1000), MS(100), .random = 1, .each = MBIT(4)))},
    {"100 Mbit/s, 50 ms, 400 kbit/s each", BEST(32, 1),
     ONE(16 * M, LINK_WITH(MBIT(100), MS(50), .random = 1, .each = MBIT(0.4)))},
    {"10 Gbit/s, 0.5 ms", BEST(32, 4), ONE(2048 * M, LINK(MBIT(10000), MS(0.5)))},
    {"10 Gbit/s, 50 ms", .worst = 1.45, BEST(16, 4), ONE(2048 * M, LINK(MBIT(10000), MS(50)))},
    {"10 Gbit/s, 100 ms, 320 Mbit/s each", .worst = 1.75, BEST(32, 1),
     ONE(2048 * M, LINK_WITH(MBIT(10000), MS(100), .random = 1, .each = MBIT(320)))},
    {"100 Gbit/s, 0.1 ms, 10 Gbit/s each", .worst = 2.8, BEST(32, 4),
     ONE(4096 * M, LINK_WITH(MBIT(100000), MS(0.1), .random = 1, .each = MBIT(10000)))},
    {"100 Gbit/s, 10 ms, 10 Gbit/s each", .worst = 1.4, BEST(32, 4),
     ONE(4096 * M, LINK_WITH(MBIT(100000), MS(10), .random = 1, .each = MBIT(10000)))},
    {"100 Mbit/s, 40 ms, 4 requests at most", BEST(4, 4),
     ONE(128 * M, {.limit = 4, .link = {.rate = MBIT(100), .trip = MS(40), .random = 1}})},
    {"100 Mbit/s, 40 ms, away for 3 s", BEST(32, 1),
     ONE(128 * M, {.dies = MS(4000),
                   .lives = MS(7000),
                   .link = {.rate = MBIT(100), .trip = MS(40), .random = 1}})},
    {"100 Mbit/s, 40 ms, reset after 10 MB", BEST(32, 4),
     ONE(128 * M, {.breaks = 10000000, .link = {.rate = MBIT(100), .trip = MS(40), .random = 1}})},
    {"two mirrors, the first dies after 3 s: 100 Mbit/s, 40 ms", BEST(4, 4), .mirrors = 2,
     .net = {.size = 128 * M,
             .origins = {{.dies = MS(4000),
                          .lives = INT64_MAX,
                          .link = {.rate = MBIT(100), .trip = MS(40), .random = 1}},
                         LINK(MBIT(100), MS(40))}}},
    {"two mirrors, the first slow: 5 and 100 Mbit/s, 40 ms", BEST(4, 1), .mirrors = 2,
     .net = {.size = 32 * M, .origins = {LINK(MBIT(5), MS(40)), LINK(MBIT(100), MS(40))}}},
};

const size_t sim_n_profiles = sizeof(sim_profiles) / sizeof(sim_profiles[0]);
