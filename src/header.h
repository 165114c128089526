/* header: what may be sent as a header that a user gave, "Name: value" (RFC 9110 5). Pure; no byte
 * behind `length` is looked at. */
#ifndef ADL_HEADER_H
#define ADL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the name, a token that is followed by ':'; 0 where the text does not begin so. */
size_t adl_header_name(const char *text, size_t length);

/* Whether there are control characters other than the tabulator in it (RFC 9110 5.5). */
bool adl_header_has_control(const char *text, size_t length);

/* Whether a name is the engine's own: it asks for ranges and conditions and looks after connections
 * itself, and an answer to another question than its own would be taken for the file's bytes. */
bool adl_header_is_own(const char *name, size_t length);

#endif
