#include "header.h"

#include <string.h>

/* RFC 9110 5.6.2. */
static bool is_token_character(unsigned char c)
{
    bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return alnum || (c > 0 && c < 0x80 && strchr("!#$%&'*+-.^_`|~", c));
}

size_t adl_header_name(const char *text, size_t length)
{
    size_t name = 0;
    while (name < length && is_token_character((unsigned char)text[name]))
        name++;
    return name < length && text[name] == ':' ? name : 0;
}

bool adl_header_has_control(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

bool adl_header_is_own(const char *name, size_t length)
{
    static const char *const names[] = {
        "Accept-Encoding", "Connection", "Content-Length",
        "Expect",          "If-Match",   "If-Modified-Since",
        "If-None-Match",   "If-Range",   "If-Unmodified-Since",
        "Range",           "TE",         "Transfer-Encoding",
        "Upgrade",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == length && strncasecmp(names[i], name, length) == 0)
            return true;
    return false;
}
