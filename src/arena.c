#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The first chunk is small, for a manifest of one URL; each further one is twice as large, up to
 * where the cost of malloc(3) no longer shows. What does not fit into the largest gets a chunk of
 * its own size. */
#define FIRST_CHUNK   ((size_t)4 * 1024)
#define LARGEST_CHUNK ((size_t)1024 * 1024)

struct chunk {
    struct chunk *next; /* the one that was filled before it */
    max_align_t bytes[];
};

struct adl_arena {
    struct chunk *chunks; /* owned; the first is the one being filled */
    char *at, *end;       /* what is free of it */
    size_t next_size;     /* bytes of the next chunk */
};

struct adl_arena *adl_arena_new(void)
{
    struct adl_arena *arena = calloc(1, sizeof(*arena));
    if (arena)
        arena->next_size = FIRST_CHUNK;
    return arena;
}

void adl_arena_free(struct adl_arena *arena)
{
    if (!arena)
        return;
    while (arena->chunks) {
        struct chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        free(chunk);
    }
    free(arena);
}

/* Starts a chunk with room for `size` bytes; what is left of the last one is lost. */
static int add_chunk(struct adl_arena *arena, size_t size)
{
    size_t room = size > arena->next_size ? size : arena->next_size;
    if (room > SIZE_MAX - sizeof(struct chunk))
        return -1;
    struct chunk *chunk = malloc(sizeof(*chunk) + room);
    if (!chunk)
        return -1;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->at = (char *)chunk->bytes;
    arena->end = arena->at + room;
    if (arena->next_size < LARGEST_CHUNK)
        arena->next_size *= 2;
    return 0;
}

static void *take(struct adl_arena *arena, size_t size, size_t alignment)
{
    size_t skip = -(uintptr_t)arena->at & (alignment - 1);
    size_t left = (size_t)(arena->end - arena->at);
    if (!arena->at || left < skip || left - skip < size) {
        if (add_chunk(arena, size) < 0)
            return NULL;
        skip = 0;
    }
    char *taken = arena->at + skip;
    arena->at = taken + size;
    return taken;
}

void *adl_arena_alloc(struct adl_arena *arena, size_t size)
{
    return take(arena, size, alignof(max_align_t));
}

char *adl_arena_copy(struct adl_arena *arena, const char *bytes, size_t length)
{
    if (length == SIZE_MAX)
        return NULL;
    char *copy = take(arena, length + 1, 1);
    if (!copy)
        return NULL;
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}
