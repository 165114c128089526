#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

static const char units[] = "KMGTPE";

/* The number with at most 4 digits and its unit's letter (0: none). */
static char scaled(int64_t bytes, char *out, size_t room)
{
    if (bytes < 1000) {
        snprintf(out, room, "%" PRId64, bytes);
        return 0;
    }
    double value = (double)bytes / 1024;
    int unit = 0;
    for (; value >= 999.5 && unit < 5; unit++)
        value /= 1024;
    snprintf(out, room, value < 99.95 ? "%.1f" : "%.0f", value);
    return units[unit];
}

static const char *word(const char *text, char out[ADL_TEXT_ROOM])
{
    snprintf(out, ADL_TEXT_ROOM, "%s", text);
    return out;
}

static const char *size_text(int64_t bytes, bool brief, char out[ADL_TEXT_ROOM])
{
    char number[ADL_TEXT_ROOM];
    if (bytes < 0)
        return word("?", out);
    char unit = scaled(bytes, number, sizeof(number));
    if (!unit)
        snprintf(out, ADL_TEXT_ROOM, "%.20s%s", number, brief ? "" : " B");
    else if (brief)
        snprintf(out, ADL_TEXT_ROOM, "%.20s%c", number, unit);
    else
        snprintf(out, ADL_TEXT_ROOM, "%.16s %ciB", number, unit);
    return out;
}

const char *adl_text_size(int64_t bytes, char out[ADL_TEXT_ROOM])
{
    return size_text(bytes, false, out);
}

const char *adl_text_short(int64_t bytes, char out[ADL_TEXT_ROOM])
{
    return size_text(bytes, true, out);
}

const char *adl_text_rate(int64_t bytes_per_second, char out[ADL_TEXT_ROOM])
{
    char size[ADL_TEXT_ROOM];
    adl_text_size(bytes_per_second, size);
    snprintf(out, ADL_TEXT_ROOM, "%.20s/s", size);
    return out;
}

const char *adl_text_time(int64_t seconds, char out[ADL_TEXT_ROOM])
{
    if (seconds < 0)
        return word("-", out);
    int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (days > 99)
        return word(">99d", out);
    if (hours > 99)
        snprintf(out, ADL_TEXT_ROOM, "%dd %02dh", (int)days, (int)(hours % 24));
    else if (hours)
        snprintf(out, ADL_TEXT_ROOM, "%d:%02d:%02d", (int)hours, (int)(minutes % 60),
                 (int)(seconds % 60));
    else
        snprintf(out, ADL_TEXT_ROOM, "%d:%02d", (int)minutes, (int)(seconds % 60));
    return out;
}

int64_t adl_text_part(int64_t done, int64_t total, int64_t scale)
{
    if (total <= 0 || done <= 0)
        return 0;
    if (done >= total)
        return scale;
    return (int64_t)((double)done / (double)total * (double)scale);
}

const char *adl_text_percent(int64_t done, int64_t total, char out[ADL_TEXT_ROOM])
{
    if (total < 0)
        return word("?", out);
    int64_t part = total == 0 ? 100 : adl_text_part(done, total, 100);
    if (part == 0 && done > 0)
        part = 1;
    if (part == 100 && done < total)
        part = 99;
    snprintf(out, ADL_TEXT_ROOM, "%d%%", (int)part);
    return out;
}

/* --- what comes from outside */

/* Decodes one character. Returns its bytes; -1 as *code for what is no UTF-8 (one byte). */
static size_t decode(const char *text, int32_t *code)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t length = c[0] < 0x80 ? 1 : c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    *code = -1;
    if (length == 1) {
        *code = c[0];
        return 1;
    }
    if (c[0] < 0xc2 || c[0] > 0xf4)
        return 1;
    int32_t value = c[0] & (0x7f >> length);
    for (size_t i = 1; i < length; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 1;
        value = value << 6 | (c[i] & 0x3f);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 1;
    *code = value;
    return length;
}

struct span {
    int32_t first, last;
};

static bool within(const struct span *spans, size_t count, int32_t code)
{
    for (size_t i = 0; i < count; i++)
        if (code >= spans[i].first && code <= spans[i].last)
            return true;
    return false;
}

/* Not to be shown: controls, and marks that change the direction or cannot be seen. */
static bool hidden(int32_t code)
{
    static const struct span spans[] = {{INT32_MIN, 0x1f},  {0x7f, 0x9f},     {0xad, 0xad},
                                        {0x61c, 0x61c},     {0x200b, 0x200f}, {0x2028, 0x202e},
                                        {0x2060, 0x206f},   {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
                                        {0xe0000, 0x10ffff}};
    return within(spans, sizeof(spans) / sizeof(spans[0]), code);
}

/* Columns of a character that is shown; roughly, where the C library does not know it. */
static size_t width_of(int32_t code)
{
    static const struct span none[] = {{0x300, 0x36f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};
    static const struct span wide[] = {{0x1100, 0x115f}, {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
                                       {0xf900, 0xfaff}, {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                       {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
    int width = wcwidth((wchar_t)code); /* knows more, but only in a locale of UTF-8 */
    if (width >= 0)
        return (size_t)width;
    if (within(none, sizeof(none) / sizeof(none[0]), code))
        return 0;
    return within(wide, sizeof(wide) / sizeof(wide[0]), code) ? 2 : 1;
}

static size_t columns_of(int32_t code)
{
    return hidden(code) ? 1 : width_of(code);
}

size_t adl_text_width(const char *text)
{
    size_t width = 0;
    for (int32_t code; *text; width += columns_of(code))
        text += decode(text, &code);
    return width;
}

/* Copies characters while they fit into `columns` columns and the room. */
static size_t copy(const char **text, size_t columns, char **out, const char *out_end)
{
    size_t used = 0;
    while (**text) {
        int32_t code;
        size_t length = decode(*text, &code), width = columns_of(code);
        bool bad = hidden(code);
        size_t bytes = bad ? 1 : length;
        if (used + width > columns || (size_t)(out_end - *out) <= bytes)
            break;
        memcpy(*out, bad ? "?" : *text, bytes);
        *out += bytes;
        *text += length;
        used += width;
    }
    return used;
}

size_t adl_text_show(const char *text, size_t columns, char *out, size_t room)
{
    const char *end = out + room, *at = text;
    size_t width = adl_text_width(text), used, length;
    if (room == 0)
        return 0;
    if (width <= columns) {
        used = copy(&at, columns, &out, end);
    } else if (columns < 4) {
        used = copy(&at, columns, &out, end);
    } else {
        size_t tail = (columns - 1) / 2, head = columns - 1 - tail;
        used = copy(&at, head, &out, end);
        used += copy(&(const char *){"~"}, 1, &out, end);
        at = text;
        for (size_t skipped = 0; *at && width - skipped > tail;) {
            int32_t code;
            at += decode(at, &code);
            skipped += columns_of(code);
        }
        for (int32_t code; *at; at += length) { /* marks belong to what was left out */
            length = decode(at, &code);
            if (columns_of(code) > 0)
                break;
        }
        used += copy(&at, tail, &out, end);
    }
    *out = '\0';
    return used;
}

size_t adl_text_line(const char *text, size_t columns)
{
    size_t used = 0, space = 0, at = 0;
    while (text[at]) {
        int32_t code;
        size_t length = decode(text + at, &code), width = columns_of(code);
        if (at > 0 && used + width > columns && code != ' ')
            return space > at / 2 ? space : at;
        at += length;
        used += width;
        if (code == ' ')
            space = at;
    }
    return at;
}

void adl_text_clip(const char *text, size_t length, size_t columns, FILE *out)
{
    size_t used = 0, bytes;
    for (const char *at = text, *end = text + length; at < end; at += bytes) {
        int32_t code;
        bool colour = *at == '\033';
        bytes = colour ? strcspn(at, "m") + 1 : decode(at, &code);
        used += colour ? 0 : columns_of(code);
        if ((colour || used <= columns) && bytes <= (size_t)(end - at))
            fwrite(at, 1, bytes, out);
    }
}

bool adl_text_parse_size(const char *text, size_t length, int64_t *out)
{
    int64_t number = 0, tenths = 0;
    size_t at = 0;
    for (; at < length && text[at] >= '0' && text[at] <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text[at] - '0', &number))
            return false;
    if (at == 0)
        return false;
    bool fraction =
        at + 1 < length && text[at] == '.' && text[at + 1] >= '0' && text[at + 1] <= '9';
    if (fraction) {
        tenths = text[at + 1] - '0';
        at += 2;
    }
    int64_t unit = 1;
    if (at < length) {
        static const char letters[] = "kmgt";
        const char *letter = strchr(letters, text[at] | 0x20);
        if (!letter || !*letter)
            return false;
        unit = INT64_C(1) << 10 * (letter - letters + 1);
        at++;
        if (length - at == 2 && (text[at] | 0x20) == 'i' && (text[at + 1] | 0x20) == 'b')
            at += 2;
    }
    if (at != length || (fraction && unit == 1) || __builtin_mul_overflow(number, unit, &number))
        return false;
    return !__builtin_add_overflow(number, unit * tenths / 10, out);
}
