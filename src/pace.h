/* pace: how a file comes, and from that how many connections it is worth, how large the ranges are
 * that they are given, and how much may be asked for. Pure: the clock is an argument.
 *
 * The rate is what all transfers of the file bring while at least one of them is being answered:
 * the round trips in which none is, as after the first window was asked for, are left out, so that
 * one answer tells it.
 *
 * The width, how many connections run side by side, is found by trial. It starts at what suits most
 * links, and once a while all of them were busy another one is tried: a wider one, kept where it
 * brings more in all (a link that is slow for each connection); or a narrower one, where the next
 * range that a reader waits for would come too late since it shares the link with all that run
 * beside it, be they all of the width or not, kept where that brings no less. */
#ifndef ADL_PACE_H
#define ADL_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* The smallest range that is cut from a window: less is not worth its round trip. */
#define ADL_PIECE_MIN (INT64_C(1) << 20)

enum adl_trial { ADL_TRIAL_NONE, ADL_TRIAL_WIDER, ADL_TRIAL_NARROWER };

/* All zero: nothing is known. */
struct adl_pace {
    int64_t rate; /* bytes/s; 0: not known */
    /* private */
    unsigned answering; /* transfers whose answers have begun and not ended */
    int64_t last;       /* ms: when that, or the bytes, last changed */
    int64_t busy;       /* ms in which there were any ... */
    int64_t bytes;      /* ... and brought so much, since the rate was last taken */
    unsigned width;
    enum adl_trial trial;
    unsigned tried_from;             /* the width before the trial */
    int64_t base;                    /* bytes/s, with that width */
    int64_t settled_at;              /* ms: when the connections of the trial are at work */
    int64_t since, came;             /* ms, bytes: the epoch that is being looked at */
    int64_t wider_at, narrow_at;     /* ms: no such trial before ... */
    int64_t wider_rest, narrow_rest; /* ... and how long that was from the last one that failed */
};

/* What the pace depends on besides the file. */
struct adl_link {
    int64_t now;    /* ms */
    int64_t delay;  /* ms from asking to the first byte; 0: not known */
    unsigned share; /* connections that the file may have there, at least 1 */
};

/* The answer to a transfer begins, and ends. */
void adl_pace_begins(struct adl_pace *pace, int64_t now);
void adl_pace_ends(struct adl_pace *pace, int64_t now);

/* Bytes of the file came. */
void adl_pace_came(struct adl_pace *pace, int64_t now, int64_t bytes);

/* How many connections are worth having, 1 to link->share. */
unsigned adl_pace_width(const struct adl_pace *pace, const struct adl_link *link);

/* How many bytes may be asked for and not be here. */
int64_t adl_pace_in_flight(const struct adl_pace *pace, const struct adl_link *link);

/* How large a range far from the reader is at the most. `left`: bytes from there to the end of the
 * file, for the last ones are small so that they end together; INT64_MAX where a window ends
 * before. */
int64_t adl_pace_piece(const struct adl_pace *pace, const struct adl_link *link, int64_t left);

/* How large a range right before the reader is at the most: small, so that it is here early; but
 * few connections never get far from the reader, and would wait for answers half of the time. */
int64_t adl_pace_front(const struct adl_pace *pace, const struct adl_link *link, int64_t left);

/* The largest window that is worth fetching ahead of a reader, at most `most`. */
int64_t adl_pace_window(const struct adl_pace *pace, int64_t most);

/* To be called once a round. `running`: transfers of ranges under way. True where the width was
 * lowered and those farthest from the reader are to be given up. */
bool adl_pace_turn(struct adl_pace *pace, const struct adl_link *link, unsigned running);

#endif
