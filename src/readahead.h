/* readahead: a handle's reads -> the window worth fetching. Pure; the caller keeps it from being
 * used by two threads at once.
 *
 * A handle may hold several streams (a player reads audio and video apart). A read belongs to the
 * stream that it continues, or else starts one in the place of the stream that was idle longest.
 * The first read of a stream asks for nothing more than itself: it may be random; but a large read
 * at the start of the file is the first of many. From its second read on, a stream has a window
 * ahead of the reader, which is renewed each time the reader has used a quarter of it and grows
 * each time: eightfold while it is small, since each step costs a round trip on a long link, then
 * fourfold, up to what the caller says bandwidth x delay needs. It grows only with reads: when the
 * reader stops, so does the window. */
#ifndef ADL_READAHEAD_H
#define ADL_READAHEAD_H

#include <stdbool.h>
#include <stdint.h>

#define ADL_STREAMS 4

struct adl_stream {
    int64_t first;  /* where it began */
    int64_t next;   /* behind the last byte read in order */
    int64_t ahead;  /* behind the last byte asked for ahead; 0: nothing was */
    int64_t window; /* bytes; 0: one read so far */
    uint64_t used;  /* when it was last read, in the handle's reads; 0: never */
};

struct adl_readahead {
    struct adl_stream streams[ADL_STREAMS];
    uint64_t reads;
};

/* What a read means. */
struct adl_ahead {
    unsigned stream; /* which stream it belongs to */
    bool fresh;      /* that stream begins with this read, or has its first window: what was asked
                        for ahead in its place before is given up */
    /* To be fetched ahead, besides what was said before; first == end: nothing. */
    int64_t first, end;
};

/* Takes note of a read of [offset, offset + length) in a file of `size` bytes (length > 0, within
 * the size). `most` is the largest window, bytes. All zero is a fresh adl_readahead. */
struct adl_ahead adl_readahead_read(struct adl_readahead *readahead, int64_t offset, int64_t length,
                                    int64_t size, int64_t most);

#endif
