/* arena: memory that is given back all at once.
 *
 * A manifest of a million lines has millions of small strings that live and die together: taken
 * from large chunks they cost their own bytes and nothing else, and freeing them costs nothing.
 * One thread at a time. */
#ifndef ADL_ARENA_H
#define ADL_ARENA_H

#include <stddef.h>

struct adl_arena;

/* NULL without memory. */
struct adl_arena *adl_arena_new(void);

/* Gives everything back; NULL is allowed. */
void adl_arena_free(struct adl_arena *arena);

/* `size` bytes, not cleared, aligned for any object. NULL without memory. */
void *adl_arena_alloc(struct adl_arena *arena, size_t size);

/* A copy of `length` bytes with a NUL behind it, not aligned. NULL without memory. */
char *adl_arena_copy(struct adl_arena *arena, const char *bytes, size_t length);

#endif
