#include "name.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define EXTENSION_MAX 16 /* bytes with the '.'; what is longer is more likely a sentence */
#define SUFFIX_MAX    32

static const char *part_wrong(const char *part, size_t length)
{
    if (length == 0)
        return "a part of it is empty";
    if (length > ADL_NAME_MAX)
        return "a part of it is longer than 255 bytes";
    if ((length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
        return "'.' and '..' cannot be names";
    return NULL;
}

const char *adl_path_wrong(const char *path, size_t length)
{
    if (length > ADL_PATH_MAX)
        return "it is longer than 4096 bytes";
    if (memchr(path, '\0', length))
        return "it holds a NUL byte";
    for (;;) {
        const char *slash = memchr(path, '/', length);
        size_t part = slash ? (size_t)(slash - path) : length;
        const char *wrong = part_wrong(path, part);
        if (wrong || !slash)
            return wrong;
        path = slash + 1;
        length -= part + 1;
    }
}

static bool ends_in_tar(const char *name, size_t length)
{
    return length > 4 && strncasecmp(name + length - 4, ".tar", 4) == 0;
}

size_t adl_name_stem(const char *name, size_t length)
{
    const char *dot = memrchr(name, '.', length);
    if (!dot || dot == name)
        return length;
    size_t stem = (size_t)(dot - name);
    if (length - stem > EXTENSION_MAX || memchr(dot, ' ', length - stem))
        return length;
    return ends_in_tar(name, stem) ? stem - 4 : stem;
}

/* The longest length <= `most` that does not end within a character of UTF-8. */
static size_t whole_characters(const char *text, size_t length, size_t most)
{
    if (length <= most)
        return length;
    size_t cut = most;
    while (cut > 0 && most - cut < 3 && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    return cut;
}

size_t adl_name_fit(const char *name, size_t length, const char *suffix, char out[ADL_NAME_MAX + 1])
{
    size_t stem = adl_name_stem(name, length);
    size_t extension = length - stem;
    size_t added = strlen(suffix);
    assert(added <= SUFFIX_MAX);
    size_t kept = whole_characters(name, stem, ADL_NAME_MAX - extension - added);

    memcpy(out, name, kept);
    memcpy(out + kept, suffix, added);
    memcpy(out + kept + added, name + stem, extension);
    size_t total = kept + added + extension;
    out[total] = '\0';
    return total;
}
