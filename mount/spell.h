/* spell: what a mistyped word was probably meant to be. Pure. */
#ifndef ADL_SPELL_H
#define ADL_SPELL_H

#include <stddef.h>

/* How many letters must be added, removed, changed or swapped with their neighbour to turn one
 * word into the other (optimal string alignment). Words of more than 63 bytes: SIZE_MAX. */
size_t adl_spell_distance(const char *a, const char *b);

/* The one of `words` (ended by NULL) that is nearest to `word`, if it is near enough to be
 * suggested; else NULL. A word that goes on where `word` ends counts as near. */
const char *adl_spell_nearest(const char *word, const char *const *words);

#endif
