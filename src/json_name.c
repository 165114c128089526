#include "json_name.h"

#include "cleanup.h"

#include <stdbool.h>
#include <string.h>

/* U+10FF00 + byte in UTF-8: F4 8F BC..BF 80..BF. */
#define PREFIX "\xf4\x8f"

/* How many bytes of a whole, shortest-form UTF-8 character begin here (RFC 3629); 0: none. */
static size_t character(const unsigned char *c)
{
    if (c[0] < 0x80)
        return 1;
    size_t length = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
    if (c[0] < 0xc2 || c[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
        (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
        return 0;
    return length;
}

static bool stands_for_byte(const unsigned char *c)
{
    return c[0] == 0xf4 && c[1] == 0x8f && c[2] >= 0xbc;
}

json_t *adl_json_name(const char *bytes)
{
    if (!bytes)
        return json_null();
    cleanup_free char *text = malloc(strlen(bytes) * 4 + 1);
    if (!text)
        return NULL;
    char *to = text;
    for (const unsigned char *c = (const unsigned char *)bytes; *c;) {
        size_t length = character(c);
        if (length && !(length == 4 && stands_for_byte(c))) {
            memcpy(to, c, length);
            to += length;
            c += length;
            continue;
        }
        memcpy(to, PREFIX, 2);
        to[2] = (char)(0xbc | *c >> 6);
        to[3] = (char)(0x80 | (*c & 0x3f));
        to += 4;
        c++;
    }
    return json_stringn(text, (size_t)(to - text));
}

char *adl_json_bytes(const json_t *text)
{
    const char *at = json_string_value(text);
    char *bytes = at ? malloc(json_string_length(text) + 1) : NULL;
    if (!bytes)
        return NULL;
    char *to = bytes;
    while (*at) {
        const unsigned char *c = (const unsigned char *)at;
        size_t length = character(c);
        if (length == 4 && stands_for_byte(c)) {
            *to++ = (char)((c[2] & 3) << 6 | (c[3] & 0x3f));
            at += 4;
        } else {
            *to++ = *at++;
        }
    }
    *to = '\0';
    return bytes;
}
