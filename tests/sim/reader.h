/* reader: who reads the file of a run: a cat, a player, or somebody who reads here and there. */
#ifndef SIM_READER_H
#define SIM_READER_H

#include "file.h"
#include "net.h"

enum sim_kind { SIM_CAT, SIM_PLAYER, SIM_RANDOM };

#define SIM_REQUESTS 16

struct sim_request {
    struct sim_reader *reader;
    int64_t offset, end;
    bool busy;
};

/* Set to {.kind = ..., .rate = ..., .net = ...}. */
struct sim_reader {
    enum sim_kind kind;
    int64_t rate; /* PLAYER: bytes/s */
    struct sim_net *net;
    /* What came of it. */
    int error;
    int64_t opened, mib, done; /* us: it was open; its first MiB was read; all was */
    unsigned steps;            /* seeks, random reads */
    int64_t waited;            /* us: for the first bytes after each of those */
    int64_t stalled;           /* us: PLAYER: in the middle of playing */
    /* private */
    struct adl_engine *engine;
    struct adl_handle *handle;
    struct sim_request requests[SIM_REQUESTS];
    int64_t at, asked; /* the next byte that it wants; behind what it asked for */
    int64_t since;     /* us: when the last read was asked for */
    int64_t played;    /* bytes since the last seek */
    uint64_t random;
    bool pumping, seeking;
};

/* It opens the file and reads; when it is done, the net is over. Any thread. */
void sim_reader_start(struct sim_reader *reader, struct adl_engine *engine);

#endif
