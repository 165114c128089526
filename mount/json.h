/* json: numbers and times for programs, that may be unknown (null). Each returns a new reference,
 * NULL without memory. Text that need not be UTF-8: adl_json_name(). */
#ifndef ADL_JSON_H
#define ADL_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

json_t *adl_json_number(int64_t number, bool known);

/* Unix time, s, as "2026-01-31T12:00:00Z"; ADL_TIME_UNKNOWN: null. */
json_t *adl_json_time(int64_t seconds);

#endif
