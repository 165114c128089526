/* text: numbers and names as people read them in a terminal. Pure; any thread.
 *
 * What comes from outside (names, URLs, errors) is shown with adl_text_show() only: nothing in it
 * can move the cursor, change colours or the direction of writing, or take more room than given. */
#ifndef ADL_TEXT_H
#define ADL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ADL_TEXT_ROOM 24

/* "0 B", "999 B", "1.2 KiB", "64.0 MiB"; negative: "?". Powers of 1024; at most 9 columns. */
const char *adl_text_size(int64_t bytes, char out[ADL_TEXT_ROOM]);

/* The same in 6 columns at most: "999", "1.2K", "64.0M", "1023K". */
const char *adl_text_short(int64_t bytes, char out[ADL_TEXT_ROOM]);

/* "1.2 MiB/s". */
const char *adl_text_rate(int64_t bytes_per_second, char out[ADL_TEXT_ROOM]);

/* "0:07", "12:34", "1:02:03", "3d 04h", ">99d"; negative: "-". At most 7 columns. */
const char *adl_text_time(int64_t seconds, char out[ADL_TEXT_ROOM]);

/* "0%" .. "100%": 100% only when done == total, 0% only when done is 0; unknown total: "?". */
const char *adl_text_percent(int64_t done, int64_t total, char out[ADL_TEXT_ROOM]);

/* Copies UTF-8 `text` to `out`, at most `columns` columns of it; what is too long loses its middle
 * ("a long na~.iso"), so that the end, which tells files apart, stays. Control characters, what is
 * no UTF-8 and marks that change the direction become '?'. Returns the columns used. `out` is
 * always ended by NUL. */
size_t adl_text_show(const char *text, size_t columns, char *out, size_t room);

/* Columns that a text takes in a terminal. */
size_t adl_text_width(const char *text);

/* Bytes at the beginning of a text (one that adl_text_show() made) for a line of at most `columns`
 * columns, and a space behind them: up to its last space, where its second half has one. 0 for an
 * empty text only. */
size_t adl_text_line(const char *text, size_t columns);

/* Writes so much of `length` bytes as fits into `columns` columns. Sequences that set colours take
 * none, and are all written. */
void adl_text_clip(const char *text, size_t length, size_t columns, FILE *out);

/* done / total, 0 .. scale, without overflow; 0 for a total that is not positive. */
int64_t adl_text_part(int64_t done, int64_t total, int64_t scale);

/* Reads "123", "64K", "1.5M", "2GiB" (powers of 1024). False for anything else and on overflow. */
bool adl_text_parse_size(const char *text, size_t length, int64_t *out);

#endif
