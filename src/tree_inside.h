/* The inside of tree: what its files share. Only src/tree*.c include this.
 *
 *   tree.c        names, numbers and paths looked up
 *   tree_build.c  a manifest becomes a tree
 *   tree_heir.c   a tree gets the numbers of the one before
 *
 * A million files must cost little, so there are four flat arrays and no pointers between them: 32
 * bytes a node, 8 to 16 for its slot in one hash table of all (parent, name) pairs, 4 for its place
 * in its directory, 4 to get from an entry to its node. A file's name is the tail of its entry's
 * path and costs nothing.
 *
 * Nodes are numbered in the order in which the manifest names them first, so that a directory's
 * children, in the order of their numbers, are in the manifest's order. One pass over the entries
 * makes the nodes; two over the nodes then lay out the children.
 *
 * A tree that comes after another (adl_tree_inherit()) has numbers that are not its places: then a
 * second hash table leads from the one to the other, and costs another 20 bytes a node.
 *
 * Nothing here recurses, and nothing that a manifest says makes it slow: hashes are seeded at
 * random, and the next number for a name that is taken is remembered. */
#ifndef ADL_TREE_INSIDE_H
#define ADL_TREE_INSIDE_H

#include "arena.h"
#include "tree.h"

#include <xxhash.h>

/* One slot of a hash table: open addressing, linear probing, a power of two of them. */
struct adl_tree_slot {
    uint32_t hash;
    uint32_t node; /* a place; ADL_NO_NODE: free */
};

struct adl_tree {
    struct adl_node *nodes;       /* owned, by place; [0] is unused */
    uint32_t limit;               /* of places in `nodes` */
    uint32_t next;                /* limit of node numbers */
    uint32_t *numbers;            /* owned: of each place; NULL: a node's number is its place */
    struct adl_tree_slot *places; /* owned: number -> place, where there are numbers */
    uint64_t places_mask;         /* number of slots of it - 1 */
    uint32_t *children;           /* owned: places, directory after directory */
    uint32_t *of_entry;           /* owned: places, by entry */
    uint32_t entries;             /* limit of `of_entry` */
    struct adl_tree_slot *slots;  /* owned: (parent, name) -> place */
    uint64_t mask;                /* number of them - 1 */
    uint64_t seed;                /* of the names' hashes */
    struct adl_arena *arena;      /* owned: names of directories and of renamed files */
};

static inline uint32_t adl_tree_number_at(const struct adl_tree *tree, uint32_t place)
{
    return tree->numbers && place != ADL_NO_NODE ? tree->numbers[place] : place;
}

/* Where in `places` a number stands, or the ones before it. Numbers are given one after the other:
 * a multiplication spreads them (Knuth, 6.4). */
static inline uint64_t adl_tree_hash_number(const struct adl_tree *tree, uint32_t number)
{
    return number * UINT64_C(0x9e3779b97f4a7c15) >> 20 & tree->places_mask;
}

static inline uint64_t adl_tree_hash(const struct adl_tree *tree, uint32_t parent, const char *name,
                                     size_t length)
{
    return XXH3_64bits_withSeed(name, length, tree->seed + parent);
}

/* As many slots as so many nodes need: see tree_build.c: reserve(). */
static inline uint64_t adl_tree_slots_for(uint64_t nodes)
{
    uint64_t count = 64;
    while (count / 4 * 3 <= nodes)
        count *= 2;
    return count;
}

/* The slot that holds the name, or the free one where it would stand. `parent` is a number, what
 * the slot holds a place. */
struct adl_tree_slot *adl_tree_slot(const struct adl_tree *tree, uint32_t parent, const char *name,
                                    size_t length, uint32_t hash);

/* Puts a node, by its place, into the hash table, which has room and does not know its name yet. */
void adl_tree_enter(struct adl_tree *tree, uint32_t place);

#endif
