#include "readahead.h"

/* The kernel's own readahead comes in requests of up to 1 MiB, two or three at a time, that several
 * threads take out of order. So a read counts as in order when it lies this far ahead of where the
 * stream is, or behind it: farther, since a late one may have been overtaken several times. But not
 * before the stream's beginning, where nothing was read yet. */
#define SLACK_AHEAD  (2 << 20)
#define SLACK_BEHIND (8 << 20)

/* A stream of one read has only this much tolerance (one 128 KiB request of the kernel's), so that
 * random readers seldom look like sequential ones. */
#define SLACK_FIRST (128 << 10)

/* A handle's first read, of this size and at the start of the file, is a copy's or a cat's: the
 * kernel makes 256 KiB of their 128 KiB, and 16 or 32 KiB of what somebody reads who only looks at
 * the beginning. */
#define LARGE (128 << 10)

/* The first window, that of a large first read, and how it grows. Measured at 50 ms and 800 MB/s,
 * where each step costs a round trip: 512 KiB, growing fourfold, lost a quarter of a second more on
 * the way to full speed. */
#define WINDOW_FIRST (2 << 20)
#define WINDOW_SMALL (16 << 20)
#define WINDOW_LARGE (32 << 20)

static bool continues(const struct adl_stream *stream, int64_t offset)
{
    if (!stream->used)
        return false;
    if (offset >= stream->next)
        return offset - stream->next <= (stream->window ? SLACK_AHEAD : SLACK_FIRST);
    return offset >= stream->first - SLACK_FIRST && stream->next - offset <= SLACK_BEHIND;
}

static unsigned find(const struct adl_readahead *readahead, int64_t offset, bool *fresh)
{
    unsigned oldest = 0;
    int best = -1;
    for (unsigned i = 0; i < ADL_STREAMS; i++) {
        const struct adl_stream *stream = &readahead->streams[i];
        if (stream->used < readahead->streams[oldest].used)
            oldest = i;
        if (continues(stream, offset) && (best < 0 || stream->used > readahead->streams[best].used))
            best = (int)i;
    }
    *fresh = best < 0;
    return best < 0 ? oldest : (unsigned)best;
}

static int64_t grown(int64_t window, bool large, int64_t most)
{
    if (!window)
        window = large ? WINDOW_LARGE : WINDOW_FIRST;
    else
        window *= window < WINDOW_SMALL ? 8 : 4;
    return window < most ? window : most;
}

struct adl_ahead adl_readahead_read(struct adl_readahead *readahead, int64_t offset, int64_t length,
                                    int64_t size, int64_t most)
{
    struct adl_ahead said = {0};
    int64_t end = offset + length;
    said.stream = find(readahead, offset, &said.fresh);
    struct adl_stream *stream = &readahead->streams[said.stream];
    bool large = !readahead->reads && offset == 0 && length >= LARGE;
    bool sequential = !said.fresh || large;
    if (said.fresh)
        *stream = (struct adl_stream){.first = offset, .next = end};
    else if (end <= stream->next)
        sequential = false; /* a late one: it was counted when it was overtaken */
    stream->used = ++readahead->reads;
    if (!sequential)
        return said;

    stream->next = end;
    int64_t from = stream->ahead > end ? stream->ahead : end;
    if (from - end >= stream->window / 4 * 3 && stream->window)
        return said;
    said.fresh = !stream->window;
    stream->window = grown(stream->window, large, most);
    int64_t to = end + stream->window;
    if (to > size)
        to = size;
    if (to <= from)
        return said;
    stream->ahead = to;
    said.first = from;
    said.end = to;
    return said;
}
