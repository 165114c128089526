#include "spell.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 63

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t adl_spell_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return SIZE_MAX;
    /* Three rows of the usual table: a swap looks back two. */
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(changed, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *adl_spell_nearest(const char *word, const char *const *words)
{
    size_t length = strlen(word);
    /* One slip in a short word, up to three in a long one: more is another word. */
    size_t best = 2 + least(length / 6, 2);
    const char *nearest = NULL;
    for (; *words; words++) {
        size_t distance = adl_spell_distance(word, *words);
        if (length >= 3 && strncmp(word, *words, length) == 0)
            distance = least(distance, 1);
        if (distance < best && distance < length) {
            best = distance;
            nearest = *words;
        }
    }
    return nearest;
}
