/* json: values for programs: text that need not be UTF-8, numbers and times that may be unknown
 * (null). Each returns a new reference, NULL without memory. */
#ifndef ADL_JSON_H
#define ADL_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* NULL: null. What is not UTF-8 becomes '?'. */
json_t *adl_json_text(const char *text);

json_t *adl_json_number(int64_t number, bool known);

/* Unix time, s, as "2026-01-31T12:00:00Z"; ADL_TIME_UNKNOWN: null. */
json_t *adl_json_time(int64_t seconds);

#endif
