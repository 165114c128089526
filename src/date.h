/* date: dates as HTTP writes them (RFC 9110 5.6.7) <-> Unix time. Pure; does not depend on locale
 * or time zone. */
#ifndef ADL_DATE_H
#define ADL_DATE_H

#include <stddef.h>
#include <stdint.h>

#define ADL_TIME_UNKNOWN INT64_MIN

/* What adl_date_format() writes takes this much, with its NUL. */
#define ADL_DATE_ROOM 64

/* An HTTP-date in any of its three forms -> Unix time, s (negative before 1970), or
 * ADL_TIME_UNKNOWN. `now` (Unix time, s) says which century two digits of a year mean. */
int64_t adl_date_parse(const char *text, size_t length, int64_t now);

/* "Sun, 06 Nov 1994 08:49:37 GMT". `when` is Unix time, s; one whose year has no four digits gives
 * a text that is no date. */
void adl_date_format(int64_t when, char out[ADL_DATE_ROOM]);

#endif
