/* value: what a manifest's options say in text -> numbers, times, digests. Pure; no byte behind
 * `length` is looked at, and nothing overflows. */
#ifndef ADL_VALUE_H
#define ADL_VALUE_H

#include "manifest.h"

#include <stdint.h>

/* Decimal digits alone, 0 .. most. 0, -EINVAL, -ERANGE. */
int adl_value_number(const char *text, size_t length, uint64_t most, uint64_t *out);

/* An RFC 3339 5.6 date-time, "2026-01-31T12:00:00Z", with 'Z' or an offset; the fraction of a
 * second is dropped -> Unix time, s. 0 or -EINVAL. */
int adl_value_time(const char *text, size_t length, int64_t *out);

/* "sha-256=HEX", the type and the digits in either case. 0, -EPROTONOSUPPORT (another type),
 * -EMSGSIZE (not as many digits as the type has), -EINVAL. */
int adl_value_digest(const char *text, size_t length, struct adl_digest *out);

#endif
