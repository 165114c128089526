/* json_name: bytes of names as JSON's text, and back.
 *
 * JSON is UTF-8, names are any bytes but NUL. A byte that is not part of UTF-8 stands in JSON as
 * the private character U+10FF00 + byte, so that every name can be told and asked for. */
#ifndef ADL_JSON_NAME_H
#define ADL_JSON_NAME_H

#include <jansson.h>

/* NULL for NULL becomes JSON's null. The caller's reference; NULL only without memory. */
json_t *adl_json_name(const char *bytes);

/* The bytes that a JSON string stands for: malloc'ed, ended by NUL; NULL for what is no string, or
 * without memory. */
char *adl_json_bytes(const json_t *text);

#endif
