#include "problem.h"

#include "cleanup.h"
#include "url.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *last_words(enum adl_level level)
{
    return level == ADL_ERROR ? "too many errors: the rest is not read"
                              : "too many warnings: the others are not told";
}

void adl_complain(struct adl_complaints *complaints, enum adl_level level, uint64_t line,
                  const char *format, ...)
{
    assert(level == ADL_ERROR || level == ADL_WARNING);
    unsigned *count = level == ADL_ERROR ? &complaints->errors : &complaints->warnings;
    if (*count > ADL_PROBLEMS_MAX)
        return;

    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    const struct adl_problems *problems = complaints->problems;
    if (problems)
        problems->tell(problems->ctx, level, line,
                       *count == ADL_PROBLEMS_MAX ? last_words(level) : text);
    ++*count;
}

bool adl_complaints_full(const struct adl_complaints *complaints)
{
    return complaints->errors > ADL_PROBLEMS_MAX;
}

/* Bytes of the well-formed character of UTF-8 (RFC 3629 4) that `text` starts with; 0 where there
 * is none, or a control character. */
static size_t printable(const unsigned char *text, size_t length)
{
    unsigned char first = text[0];
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f;
    size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length < bytes)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    unsigned char second = text[1];
    bool control = first == 0xc2 && second < 0xa0;
    bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    bool surrogate = first == 0xed && second >= 0xa0;
    bool beyond = first == 0xf4 && second >= 0x90;
    return control || overlong || surrogate || beyond ? 0 : bytes;
}

struct adl_quote adl_quote(const char *text, size_t length)
{
    static const char hex[] = "0123456789abcdef", more[] = "...";
    struct adl_quote quote;
    const size_t room = sizeof(quote.text) - sizeof(more);
    const unsigned char *bytes = (const unsigned char *)text;
    size_t used = 0, at = 0;
    while (at < length) {
        size_t step = printable(bytes + at, length - at);
        if (used + (step ? step : 4) > room)
            break;
        if (step) {
            memcpy(quote.text + used, bytes + at, step);
            used += step;
            at += step;
        } else {
            const char escape[] = {'\\', 'x', hex[bytes[at] >> 4], hex[bytes[at] & 15]};
            memcpy(quote.text + used, escape, sizeof(escape));
            used += sizeof(escape);
            at++;
        }
    }
    quote.text[used] = '\0';
    if (at < length)
        memcpy(quote.text + used, more, sizeof(more));
    return quote;
}

struct adl_quote adl_quote_url(const char *url, size_t length)
{
    cleanup_free char *whole = strndup(url, length);
    cleanup_free char *shown = whole ? adl_url_redact(whole) : NULL;
    return shown ? adl_quote(shown, strlen(shown)) : adl_quote("...", 3);
}
