/* scan: a text from outside, taken apart from its front. Pure.
 *
 * Nothing behind `end` is looked at, no NUL is needed, numbers do not overflow, and letters are
 * compared as ASCII, not by <ctype.h> or <strings.h>, which ask the locale.
 *
 * The functions that return bool step over what they are asked for and say whether it was there;
 * what they leave behind when it was not is for nobody to use. */
#ifndef ADL_SCAN_H
#define ADL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left to read. */
struct adl_scan {
    const char *at, *end;
};

/* Bytes. */
static inline size_t adl_scan_left(struct adl_scan scan)
{
    return (size_t)(scan.end - scan.at);
}

static inline bool adl_scan_is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Whether the next byte is one. */
static inline bool adl_scan_is_digit(struct adl_scan scan)
{
    return adl_scan_left(scan) && *scan.at >= '0' && *scan.at <= '9';
}

static inline bool adl_scan_char(struct adl_scan *scan, char c)
{
    if (!adl_scan_left(*scan) || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

/* Without spaces at either end. */
struct adl_scan adl_scan_trim(struct adl_scan scan);

/* `word`, in lower case, stands for any case. */
bool adl_scan_word(struct adl_scan *scan, const char *word);

/* Whether that word is all that is left. */
bool adl_scan_is_word(struct adl_scan scan, const char *word);

/* One digit or more, up to INT64_MAX: no sign, no space. */
bool adl_scan_number(struct adl_scan *scan, int64_t *out);

/* Exactly `count` digits, at most 9. */
bool adl_scan_digits(struct adl_scan *scan, int count, int *out);

/* The part before the next comma, trimmed; false behind the last one. */
bool adl_scan_item(struct adl_scan *list, struct adl_scan *item);

#endif
