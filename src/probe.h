/* probe: an HTTP answer -> what it means. Pure: no I/O, no state, table-tested.
 *
 * `struct adl_answer` gathers the head of one answer as its header lines come in.
 * adl_probe_classify() then says what the answer means for what was asked: on a fresh file it
 * decides the mode, on every later transfer it says whether the body may be used and where its
 * bytes belong. HEAD and Accept-Ranges are never looked at: an origin that says it has no ranges
 * may have them, and the other way round (RFC 9110 14.3). */
#ifndef ADL_PROBE_H
#define ADL_PROBE_H

#include "date.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADL_ETAG_MAX 160 /* bytes with the NUL; a longer ETag is treated as none */

/* What pins a version of an entry. */
struct adl_validator {
    char etag[ADL_ETAG_MAX]; /* as sent, with its quotes and W/; "" for none */
    int64_t last_modified;   /* Unix time, s; ADL_TIME_UNKNOWN (INT64_MIN) for none */
};

struct adl_answer {
    int status;             /* 0: no status line yet */
    int http_version;       /* 10, 11, 20, 30; 9 for none */
    int64_t content_length; /* -1: not given; -2: malformed or given twice with two values */
    bool has_content_range; /* there was a Content-Range ... */
    bool bad_content_range; /* ... that was malformed, not in bytes, or given twice differently */
    int64_t first, last;    /* of Content-Range, inclusive; -1 in "bytes * / N" (unsatisfied) */
    int64_t total;          /* of Content-Range; -1 for '*' */
    bool encoded;           /* Content-Encoding other than identity */
    bool multipart;         /* Content-Type: multipart/... */
    struct adl_validator validator;
    int64_t date;        /* Unix time, s; ADL_TIME_UNKNOWN */
    int64_t retry_after; /* s from now, 0 .. 86400 (capped); -1: not given */
    char encoding[24];   /* for the message, printable ASCII only */
    bool chunked;        /* Transfer-Encoding: content_length stays -1 (RFC 9112 6.3) ... */
    bool bad_coding;     /* ... but not plainly and only "chunked", once: no telling what of the
                            body is the file's */
    /* private to answer.c */
    bool open;     /* within a head: behind its status line, before the empty line */
    unsigned seen; /* one bit for each field that has come */
    int field; /* which one the last line was, in case the next continues it; -1: none of ours */
};

/* Forgets everything; ready for the first line. */
void adl_answer_reset(struct adl_answer *answer);

/* Takes one line of a head, with or without CRLF: a status line, the first or behind an empty line,
 * starts the answer anew (1xx are followed by another head), an unknown or malformed field changes
 * nothing but what the fields above say. `now` (Unix time, s) turns a Retry-After date into
 * seconds, and two digits into a year. Not for trailers, which would be taken for fields of the
 * head.
 *
 * A field that comes twice with two values, or that goes on in the next line (obs-fold, RFC 9112
 * 5.2), is not believed: Content-Length and Content-Range become malformed, Content-Encoding
 * `encoded`, Transfer-Encoding `bad_coding`, the others count as not sent. So does an ETag that is
 * not a quoted string, or that is an empty one: it tells no version from another. */
void adl_answer_line(struct adl_answer *answer, const char *line, size_t length, int64_t now);

enum adl_outcome {
    ADL_SPLIT,     /* 206 for what was asked: the origin has ranges */
    ADL_SINGLE,    /* 200: the body is the whole from its first byte */
    ADL_EMPTY,     /* 416 with a total of 0, or a 200 of length 0: an empty file */
    ADL_UNCHANGED, /* 304 to a conditional request */
    ADL_PLAIN,     /* the answer to a Range makes no sense: ask again without one */
    ADL_CHANGED,   /* another version than the pinned one */
    ADL_REDIRECT,  /* 301, 302, 303, 307, 308: follow Location */
    ADL_TRANSIENT, /* try again later */
    ADL_FAILED,    /* trying again will not help */
};

/* What was asked. */
struct adl_question {
    bool ranged;         /* a Range header was sent ... */
    int64_t first, last; /* ... for these bytes, inclusive */
    bool conditional;    /* If-None-Match or If-Modified-Since was sent (revalidation) */
};

/* What is pinned of an entry; NULL stands for nothing yet. */
struct adl_pin {
    int64_t size; /* bytes; -1: unknown */
    struct adl_validator validator;
};

struct adl_verdict {
    enum adl_outcome outcome;
    int error;           /* TRANSIENT, FAILED: negative errno for whoever waits; else 0 */
    int64_t size;        /* of the whole, bytes; -1: not told. SPLIT: always told */
    int64_t body_first;  /* SPLIT, SINGLE: where the body's first byte belongs */
    int64_t body_length; /* SPLIT: bytes of the range; SINGLE: of the whole; -1: not told */
    const char *reason;  /* static text for log and attribute: why it is not SPLIT; "" if it is */
};

/* Decides. The rules, each with a row in the test's table. What makes a body useless is
 * looked at before the pin, and the pin before the shape of a range.
 *
 *   200 or 206 with a Content-Encoding                -> FAILED -EIO: not the file's bytes
 *   200 or 206 with a Transfer-Encoding that is bad   -> FAILED -EIO: who sees another coding in
 *                                                        it leaves its framing among the bytes
 *   200 or 206 whose size or validator is at odds with the pin   -> CHANGED
 *   206 that fits (see below)                         -> SPLIT
 *   206, anything else                                -> PLAIN
 *   206 where no range was asked for                  -> TRANSIENT -EIO
 *   200                                               -> SINGLE, size = Content-Length
 *   200 with Content-Length 0                         -> EMPTY
 *   200 with a Content-Length of -2                   -> TRANSIENT -EIO: no telling where its body
 *                                                        ends, it is discarded (RFC 9112 6.3)
 *   416 with a total at odds with the pin             -> CHANGED
 *   416 with total 0                                  -> EMPTY
 *   416, anything else                                -> PLAIN; not ranged: FAILED -EIO
 *   304, conditional                                  -> UNCHANGED; else TRANSIENT -EIO
 *   301 302 303 307 308                               -> REDIRECT
 *   404 410                                           -> FAILED -ENOENT
 *   401 403 407                                       -> FAILED -EACCES
 *   408 504                                           -> TRANSIENT -ETIMEDOUT
 *   425 429 and other 5xx but 501 and 505             -> TRANSIENT -EIO
 *   no status, 1xx, 600 and above (RFC 9110 15)       -> TRANSIENT -EIO
 *   other 2xx, 3xx, 4xx; 501 505                      -> FAILED -EIO
 *
 * A 206 fits: its Content-Range is well formed, starts where asked, ends at or before what was
 * asked (an origin may cap a range, to no less than 4 KiB) and tells a total beyond its last byte;
 * its Content-Length is absent or fitting; it is not multipart.
 *
 * 'At odds': both sizes known and different; or the pin has an ETag and the answer has another or
 * none; or the pin has no ETag but a Last-Modified, and the answer has another or none. (An answer
 * that lacks the pinned validator cannot be shown to be of the same version.) Weak ETags compare
 * like strong ones here: a change in one is a change. A Content-Length of -2 counts as wrong. */
void adl_probe_classify(const struct adl_question *question, const struct adl_pin *pin,
                        const struct adl_answer *answer, struct adl_verdict *verdict);

/* Whether there is any at all. */
bool adl_validator_given(const struct adl_validator *validator);

/* Whether the validator pins the bytes over time: a strong ETag (RFC 9110 8.8.3) or a
 * Last-Modified. A weak ETag alone does not. */
bool adl_validator_pins(const struct adl_validator *validator);

/* Whether it may be sent as If-Range: a strong ETag only (RFC 9110 13.1.5). */
bool adl_validator_strong(const struct adl_validator *validator);

#endif
