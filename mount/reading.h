/* reading: all of an open file, from its start to its end, into a stream or just into the cache.
 *
 * Two reads are always under way, as a kernel's would be; the engine's readahead does the rest.
 * Everything runs in the thread that has the inbox; nothing waits but for the stream's reader. */
#ifndef ADL_READING_H
#define ADL_READING_H

#include "digest.h"
#include "file.h"
#include "inbox.h"

/* How many reads are under way. They must stay near the reader's place (ADL_VIEW_NEAR). */
#define ADL_READING_READS 2

struct adl_reading;

struct adl_piece {
    struct adl_message message;
    struct adl_reading *reading;
    int error;
    char *bytes; /* owned: of what goes to a stream */
    int64_t offset;
    size_t asked, length;
    bool ready;
    bool unkept; /* it is in memory: the disk did not take it */
};

enum adl_reading_outcome {
    ADL_READING_ON,     /* it goes on */
    ADL_READING_ALL,    /* all was read */
    ADL_READING_FAILED, /* a read was: `error` */
    ADL_READING_UNPUT,  /* writing to the stream was: `error` */
    ADL_READING_UNKEPT, /* the disk takes nothing, and what is read would not be there at the end */
};

struct adl_reading {
    /* Set by its owner; not owned. */
    struct adl_engine *engine;
    struct adl_inbox *inbox;
    const _Atomic bool *stop;      /* give up: nothing is told any more */
    int stream;                    /* where the bytes go in order; -1: nowhere */
    bool passing;                  /* what went to the stream need not stay in the cache */
    struct adl_digester *digester; /* of what goes to the stream; NULL: none */
    void (*over)(struct adl_reading *reading); /* `outcome` is told, no read is under way */

    struct adl_handle *handle; /* not owned */
    int64_t size;              /* bytes; -1: not known */
    struct adl_piece pieces[ADL_READING_READS];
    unsigned under_way;
    int64_t next;   /* the offset that is asked for next */
    int64_t done;   /* bytes that were read in order so far */
    int64_t unkept; /* bytes in a row that the disk did not take */
    enum adl_reading_outcome outcome;
    int error; /* -errno */
};

/* From the start. The handle is good until it is over; one reading at a time. `over` may be called
 * before this returns, when there is nothing to read. */
void adl_reading_start(struct adl_reading *reading, struct adl_handle *handle, int64_t size);

/* It is over, or the engine has stopped. */
void adl_reading_free(struct adl_reading *reading);

#endif
