/* DESIGN
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
#include "tree.h"

#include "arena.h"
#include "cleanup.h"
#include "name.h"
#include "problem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#define NODES_MAX (UINT32_C(1) << 31)

/* One place of the hash table: open addressing, linear probing, a power of two of them. */
struct slot {
    uint32_t hash;
    uint32_t node; /* ADL_NO_NODE: free */
};

struct adl_tree {
    struct adl_node *nodes; /* owned, by number; [0] is unused */
    uint32_t limit;         /* of places in `nodes` */
    uint32_t next;          /* limit of node numbers */
    uint32_t *numbers;      /* owned: of each place; NULL: a node's number is its place */
    struct slot *places;    /* owned: number -> place, where there are numbers */
    uint64_t places_mask;   /* number of slots of it - 1 */
    uint32_t *children;     /* owned: node numbers, directory after directory */
    uint32_t *of_entry;     /* owned: node numbers, by entry */
    uint32_t entries;
    struct slot *slots;      /* owned */
    uint64_t mask;           /* number of slots - 1 */
    uint64_t seed;           /* of the names' hashes */
    struct adl_arena *arena; /* owned: names of directories and of renamed files */
};

/* The number to try next for a name that is taken. Only a hash stands for the name: two names that
 * share one skip a few numbers. */
struct counter {
    uint64_t hash;
    uint32_t next; /* 0: this place is free */
};

struct builder {
    struct adl_tree *tree;
    const struct adl_manifest *manifest;
    struct adl_complaints complaints;
    uint32_t room; /* nodes that there is room for */

    struct counter *counters; /* owned: a hash table like the tree's */
    uint64_t counters_mask;
    uint64_t counters_used;

    /* The directory of the last entry: often the next one's as well. */
    const char *dir;
    size_t dir_length;
    uint32_t dir_node;
};

static uint32_t number_at(const struct adl_tree *tree, uint32_t place)
{
    return tree->numbers && place != ADL_NO_NODE ? tree->numbers[place] : place;
}

/* Numbers are given one after the other: a multiplication spreads them (Knuth, 6.4). */
static uint64_t hash_number(const struct adl_tree *tree, uint32_t number)
{
    return number * UINT64_C(0x9e3779b97f4a7c15) >> 20 & tree->places_mask;
}

/* The place of a number; ADL_NO_NODE where there is none. */
static uint32_t place_of(const struct adl_tree *tree, uint32_t number)
{
    if (!tree->numbers)
        return number < tree->limit ? number : ADL_NO_NODE;
    for (uint64_t i = hash_number(tree, number);; i = (i + 1) & tree->places_mask) {
        const struct slot *slot = &tree->places[i];
        if (slot->node == ADL_NO_NODE || slot->hash == number)
            return slot->node;
    }
}

static uint64_t hash_name(const struct adl_tree *tree, uint32_t parent, const char *name,
                          size_t length)
{
    return XXH3_64bits_withSeed(name, length, tree->seed + parent);
}

/* The slot that holds the name, or the free one where it would stand. `parent` is a number, what
 * the slot holds a place. */
static struct slot *find_slot(const struct adl_tree *tree, uint32_t parent, const char *name,
                              size_t length, uint32_t hash)
{
    for (uint64_t i = hash & tree->mask;; i = (i + 1) & tree->mask) {
        struct slot *slot = &tree->slots[i];
        if (slot->node == ADL_NO_NODE)
            return slot;
        const struct adl_node *node = &tree->nodes[slot->node];
        if (slot->hash == hash && node->parent == parent &&
            strncmp(node->name, name, length) == 0 && node->name[length] == '\0')
            return slot;
    }
}

uint32_t adl_tree_lookup(const struct adl_tree *tree, uint32_t parent, const char *name,
                         size_t length)
{
    if (length == 0 || length > ADL_NAME_MAX || memchr(name, '\0', length))
        return ADL_NO_NODE;
    uint32_t hash = (uint32_t)hash_name(tree, parent, name, length);
    return number_at(tree, find_slot(tree, parent, name, length, hash)->node);
}

static int resize_slots(struct adl_tree *tree, uint64_t count)
{
    struct slot *slots = calloc(count, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    uint64_t old_count = tree->slots ? tree->mask + 1 : 0;
    for (uint64_t i = 0; i < old_count; i++) {
        const struct slot *slot = &tree->slots[i];
        if (slot->node == ADL_NO_NODE)
            continue;
        uint64_t at = slot->hash & (count - 1);
        while (slots[at].node != ADL_NO_NODE)
            at = (at + 1) & (count - 1);
        slots[at] = *slot;
    }
    free(tree->slots);
    tree->slots = slots;
    tree->mask = count - 1;
    return 0;
}

/* Makes sure that one more node has room everywhere. At most three quarters of the slots are used:
 * each node but the root takes one. */
static int reserve(struct builder *builder)
{
    struct adl_tree *tree = builder->tree;
    if (tree->limit >= NODES_MAX)
        return -EOVERFLOW;
    if (tree->limit >= builder->room) {
        uint32_t room = builder->room + builder->room / 2 + 16;
        struct adl_node *nodes = reallocarray(tree->nodes, room, sizeof(*nodes));
        if (!nodes)
            return -ENOMEM;
        tree->nodes = nodes;
        builder->room = room;
    }
    uint64_t slots = tree->mask + 1;
    return tree->limit < slots / 4 * 3 ? 0 : resize_slots(tree, slots * 2);
}

/* Adds a node and counts it in its directory. The caller puts it into a slot and has reserved the
 * room; `name` stays where it is. */
static uint32_t add_node(struct adl_tree *tree, uint32_t parent, const char *name, uint32_t entry)
{
    uint32_t number = tree->limit++;
    tree->nodes[number] = (struct adl_node){.name = name, .parent = parent, .entry = entry};
    tree->nodes[parent].count++;
    if (entry == ADL_NO_ENTRY)
        tree->nodes[parent].dirs++;
    else
        tree->of_entry[entry] = number;
    return number;
}

static int grow_counters(struct builder *builder)
{
    uint64_t old_count = builder->counters ? builder->counters_mask + 1 : 0;
    uint64_t count = old_count ? old_count * 2 : 64;
    struct counter *counters = calloc(count, sizeof(*counters));
    if (!counters)
        return -ENOMEM;
    for (uint64_t i = 0; i < old_count; i++) {
        if (!builder->counters[i].next)
            continue;
        uint64_t at = builder->counters[i].hash & (count - 1);
        while (counters[at].next)
            at = (at + 1) & (count - 1);
        counters[at] = builder->counters[i];
    }
    free(builder->counters);
    builder->counters = counters;
    builder->counters_mask = count - 1;
    return 0;
}

/* The counter of a name in a directory, made at need; NULL without memory. Names that only differ
 * where the longest number would cut them share one: they would try the same names. */
static struct counter *find_counter(struct builder *builder, uint32_t parent, const char *name,
                                    size_t length)
{
    if ((!builder->counters || builder->counters_used > builder->counters_mask / 4 * 3) &&
        grow_counters(builder) < 0)
        return NULL;
    char family[ADL_NAME_MAX + 1];
    size_t family_length = adl_name_fit(name, length, " (4294967295)", family);
    uint64_t hash = hash_name(builder->tree, parent, family, family_length);
    uint64_t at = hash & builder->counters_mask;
    while (builder->counters[at].next && builder->counters[at].hash != hash)
        at = (at + 1) & builder->counters_mask;
    struct counter *counter = &builder->counters[at];
    if (!counter->next) {
        *counter = (struct counter){.hash = hash, .next = 2};
        builder->counters_used++;
    }
    return counter;
}

/* A name like `name` that is free in the directory, in the arena. */
static int free_name(struct builder *builder, uint32_t parent, const char *name, size_t length,
                     const char **out)
{
    struct counter *counter = find_counter(builder, parent, name, length);
    if (!counter)
        return -ENOMEM;
    char candidate[ADL_NAME_MAX + 1], suffix[16];
    size_t used;
    do {
        snprintf(suffix, sizeof(suffix), " (%u)", counter->next++);
        used = adl_name_fit(name, length, suffix, candidate);
    } while (adl_tree_lookup(builder->tree, parent, candidate, used) != ADL_NO_NODE);
    *out = adl_arena_copy(builder->tree->arena, candidate, used);
    return *out ? 0 : -ENOMEM;
}

/* Puts a node of a new name into the hash table. */
static void enter(struct adl_tree *tree, uint32_t number)
{
    const struct adl_node *node = &tree->nodes[number];
    size_t length = strlen(node->name);
    uint32_t hash = (uint32_t)hash_name(tree, node->parent, node->name, length);
    struct slot *slot = find_slot(tree, node->parent, node->name, length, hash);
    assert(slot->node == ADL_NO_NODE);
    *slot = (struct slot){.hash = hash, .node = number};
}

static void tell_renamed(struct builder *builder, const struct adl_node *node)
{
    const struct adl_entry *entry = &builder->manifest->entries[node->entry];
    adl_complain(&builder->complaints, ADL_WARNING, entry->line,
                 "'%s' is taken: this file appears as '%s'",
                 adl_quote(entry->path, strlen(entry->path)).text,
                 adl_quote(node->name, strlen(node->name)).text);
}

/* The name that the entry asks for: the last part of its path. */
static const char *wanted_name(const struct adl_entry *entry)
{
    const char *slash = strrchr(entry->path, '/');
    return slash ? slash + 1 : entry->path;
}

/* Gives the file's place to a new directory, and the file another name. */
static int displace(struct builder *builder, struct slot *slot, const char *dir_name)
{
    struct adl_tree *tree = builder->tree;
    uint32_t file = slot->node;
    uint32_t parent = tree->nodes[file].parent;
    const char *wanted = wanted_name(&builder->manifest->entries[tree->nodes[file].entry]);
    const char *name;
    int r = free_name(builder, parent, wanted, strlen(wanted), &name);
    if (r < 0)
        return r;
    slot->node = add_node(tree, parent, dir_name, ADL_NO_ENTRY);
    tree->nodes[file].name = name;
    enter(tree, file);
    tell_renamed(builder, &tree->nodes[file]);
    return 0;
}

/* Sets *number to the directory of that name, making it where there is none. */
static int find_directory(struct builder *builder, uint32_t parent, const char *name, size_t length,
                          uint32_t *number)
{
    struct adl_tree *tree = builder->tree;
    int r = reserve(builder);
    if (r < 0)
        return r;
    uint32_t hash = (uint32_t)hash_name(tree, parent, name, length);
    struct slot *slot = find_slot(tree, parent, name, length, hash);
    if (slot->node == ADL_NO_NODE || tree->nodes[slot->node].entry != ADL_NO_ENTRY) {
        const char *copy = adl_arena_copy(tree->arena, name, length);
        if (!copy)
            return -ENOMEM;
        if (slot->node != ADL_NO_NODE)
            r = displace(builder, slot, copy);
        else
            *slot = (struct slot){hash, add_node(tree, parent, copy, ADL_NO_ENTRY)};
    }
    *number = slot->node;
    return r;
}

/* Sets *number to the directory that `length` bytes of path name; none of them is the root. */
static int walk(struct builder *builder, const char *path, size_t length, uint32_t *number)
{
    bool again =
        builder->dir && length == builder->dir_length && memcmp(path, builder->dir, length) == 0;
    if (again || length == 0) {
        *number = again ? builder->dir_node : ADL_ROOT;
        return 0;
    }
    uint32_t at = ADL_ROOT;
    for (const char *part = path, *end = path + length; part < end;) {
        const char *slash = memchr(part, '/', (size_t)(end - part));
        const char *stop = slash ? slash : end;
        int r = find_directory(builder, at, part, (size_t)(stop - part), &at);
        if (r < 0)
            return r;
        part = stop + 1;
    }
    builder->dir = path;
    builder->dir_length = length;
    builder->dir_node = at;
    *number = at;
    return 0;
}

static int add_file(struct builder *builder, uint32_t index)
{
    struct adl_tree *tree = builder->tree;
    const struct adl_entry *entry = &builder->manifest->entries[index];
    const char *name = wanted_name(entry);
    size_t before = (size_t)(name - entry->path);
    uint32_t parent = ADL_NO_NODE;
    int r = walk(builder, entry->path, before ? before - 1 : 0, &parent);
    if (r == 0)
        r = reserve(builder);
    if (r < 0)
        return r;

    bool taken = adl_tree_lookup(tree, parent, name, strlen(name)) != ADL_NO_NODE;
    if (taken)
        r = free_name(builder, parent, name, strlen(name), &name);
    if (r < 0)
        return r;
    uint32_t number = add_node(tree, parent, name, index);
    enter(tree, number);
    if (taken)
        tell_renamed(builder, &tree->nodes[number]);
    return 0;
}

/* Gives each directory its part of `children` and fills it: `first` moves through it meanwhile. */
static int lay_out_children(struct adl_tree *tree)
{
    tree->children = reallocarray(NULL, tree->limit, sizeof(*tree->children));
    if (!tree->children)
        return -ENOMEM;
    uint32_t first = 0;
    for (uint32_t n = ADL_ROOT; n < tree->limit; n++) {
        tree->nodes[n].first = first;
        first += tree->nodes[n].count;
    }
    for (uint32_t n = ADL_ROOT + 1; n < tree->limit; n++)
        tree->children[tree->nodes[tree->nodes[n].parent].first++] = n;
    for (uint32_t n = ADL_ROOT; n < tree->limit; n++)
        tree->nodes[n].first -= tree->nodes[n].count;
    return 0;
}

/* As many slots as so many nodes need: see reserve(). */
static uint64_t slots_for(uint64_t nodes)
{
    uint64_t count = 64;
    while (count / 4 * 3 <= nodes)
        count *= 2;
    return count;
}

/* Sets up a tree with a root, and room for what a flat manifest needs. */
static int start(struct builder *builder)
{
    struct adl_tree *tree = builder->tree;
    tree->entries = (uint32_t)builder->manifest->count;
    builder->room = tree->entries + tree->entries / 16 + 16;
    tree->nodes = reallocarray(NULL, builder->room, sizeof(*tree->nodes));
    tree->of_entry = calloc((size_t)tree->entries + 1, sizeof(*tree->of_entry));
    tree->arena = adl_arena_new();
    if (!tree->nodes || !tree->of_entry || !tree->arena)
        return -ENOMEM;
    /* Without entropy the tree is right all the same, only not safe from hostile names. */
    if (getrandom(&tree->seed, sizeof(tree->seed), GRND_NONBLOCK) != sizeof(tree->seed))
        tree->seed = 0;

    tree->nodes[0] = (struct adl_node){0};
    tree->nodes[ADL_ROOT] =
        (struct adl_node){.name = "", .parent = ADL_ROOT, .entry = ADL_NO_ENTRY};
    tree->limit = ADL_ROOT + 1;
    return resize_slots(tree, slots_for(builder->room));
}

static int build(struct builder *builder)
{
    int r = start(builder);
    for (uint32_t i = 0; i < builder->tree->entries && r == 0; i++)
        r = add_file(builder, i);
    if (r == 0)
        r = lay_out_children(builder->tree);
    if (r < 0)
        return r;
    struct adl_tree *tree = builder->tree;
    struct adl_node *trimmed = reallocarray(tree->nodes, tree->limit, sizeof(*trimmed));
    if (trimmed)
        tree->nodes = trimmed;
    return 0;
}

int adl_tree_new(const struct adl_manifest *manifest, const struct adl_problems *problems,
                 struct adl_tree **out)
{
    if (manifest->count >= NODES_MAX)
        return -EOVERFLOW;
    struct adl_tree *tree = calloc(1, sizeof(*tree));
    if (!tree)
        return -ENOMEM;
    struct builder builder = {
        .tree = tree,
        .manifest = manifest,
        .complaints = {.problems = problems},
    };
    int r = build(&builder);
    free(builder.counters);
    if (r < 0)
        adl_tree_free(tree);
    else
        *out = tree;
    return r;
}

void adl_tree_free(struct adl_tree *tree)
{
    if (!tree)
        return;
    free(tree->nodes);
    free(tree->children);
    free(tree->of_entry);
    free(tree->numbers);
    free(tree->places);
    free(tree->slots);
    adl_arena_free(tree->arena);
    free(tree);
}

uint32_t adl_tree_limit(const struct adl_tree *tree)
{
    return tree->numbers ? tree->next : tree->limit;
}

const struct adl_node *adl_tree_node(const struct adl_tree *tree, uint32_t number)
{
    uint32_t place = place_of(tree, number);
    return place == ADL_NO_NODE ? NULL : &tree->nodes[place];
}

uint32_t adl_tree_child(const struct adl_tree *tree, uint32_t parent, uint32_t k)
{
    const struct adl_node *node = adl_tree_node(tree, parent);
    assert(node && k < node->count);
    return number_at(tree, tree->children[node->first + k]);
}

/* Children stand in the order of their places. */
uint32_t adl_tree_rank(const struct adl_tree *tree, uint32_t number)
{
    uint32_t place = place_of(tree, number);
    const struct adl_node *dir = adl_tree_node(tree, tree->nodes[place].parent);
    const uint32_t *children = tree->children + dir->first;
    uint32_t low = 0, high = dir->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (children[middle] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t adl_tree_entries(const struct adl_tree *tree)
{
    return tree->entries;
}

uint32_t adl_tree_of_entry(const struct adl_tree *tree, uint32_t entry)
{
    return entry < tree->entries ? number_at(tree, tree->of_entry[entry]) : ADL_NO_NODE;
}

/* --- one after another */

/* The place in the old tree of what has the same path and is the same; parents come before their
 * children. */
static uint32_t ancestor_of(const struct adl_tree *tree, uint32_t place, const struct adl_tree *old,
                            const uint32_t *ancestors, adl_tree_same_fn *same, void *ctx)
{
    const struct adl_node *node = &tree->nodes[place];
    uint32_t parent = ancestors[node->parent];
    if (parent == ADL_NO_NODE)
        return ADL_NO_NODE;
    uint32_t found = adl_tree_lookup(old, parent, node->name, strlen(node->name));
    const struct adl_node *was = found == ADL_NO_NODE ? NULL : adl_tree_node(old, found);
    if (!was || (was->entry == ADL_NO_ENTRY) != (node->entry == ADL_NO_ENTRY))
        return ADL_NO_NODE;
    return node->entry == ADL_NO_ENTRY || same(ctx, was->entry, node->entry) ? found : ADL_NO_NODE;
}

static int make_places(struct adl_tree *tree)
{
    uint64_t count = slots_for(tree->limit);
    tree->places = calloc(count, sizeof(*tree->places));
    if (!tree->places)
        return -ENOMEM;
    tree->places_mask = count - 1;
    for (uint32_t place = ADL_ROOT; place < tree->limit; place++) {
        uint64_t i = hash_number(tree, tree->numbers[place]);
        while (tree->places[i].node != ADL_NO_NODE)
            i = (i + 1) & tree->places_mask;
        tree->places[i] = (struct slot){.hash = tree->numbers[place], .node = place};
    }
    return 0;
}

/* Parents are numbers now, and names are hashed with those. */
static void enter_again(struct adl_tree *tree)
{
    memset(tree->slots, 0, (tree->mask + 1) * sizeof(*tree->slots));
    for (uint32_t place = ADL_ROOT; place < tree->limit; place++)
        tree->nodes[place].parent = tree->numbers[tree->nodes[place].parent];
    for (uint32_t place = ADL_ROOT + 1; place < tree->limit; place++)
        enter(tree, place);
}

int adl_tree_inherit(struct adl_tree *tree, const struct adl_tree *old, adl_tree_same_fn *same,
                     void *ctx, uint32_t *entries)
{
    uint32_t next = adl_tree_limit(old);
    if (next > UINT32_MAX - tree->limit)
        return -EOVERFLOW;
    cleanup_free uint32_t *ancestors = calloc(tree->limit, sizeof(*ancestors));
    cleanup_free uint32_t *numbers = calloc(tree->limit, sizeof(*numbers));
    if (!ancestors || !numbers)
        return -ENOMEM;
    ancestors[ADL_ROOT] = numbers[ADL_ROOT] = ADL_ROOT;
    for (uint32_t place = ADL_ROOT + 1; place < tree->limit; place++) {
        uint32_t found = ancestor_of(tree, place, old, ancestors, same, ctx);
        uint32_t entry = tree->nodes[place].entry;
        ancestors[place] = found;
        numbers[place] = found != ADL_NO_NODE ? found : next++;
        if (entry != ADL_NO_ENTRY)
            entries[entry] = found != ADL_NO_NODE ? adl_tree_node(old, found)->entry : ADL_NO_ENTRY;
    }
    tree->numbers = steal_pointer(numbers);
    tree->next = next;
    int r = make_places(tree);
    if (r == 0)
        enter_again(tree);
    return r;
}

int adl_tree_assign(struct adl_tree *tree, const uint32_t *entries, uint32_t limit)
{
    uint32_t *of_entry = calloc((size_t)limit + 1, sizeof(*of_entry));
    if (!of_entry)
        return -ENOMEM;
    for (uint32_t place = ADL_ROOT; place < tree->limit; place++) {
        struct adl_node *node = &tree->nodes[place];
        if (node->entry == ADL_NO_ENTRY)
            continue;
        node->entry = entries[node->entry];
        of_entry[node->entry] = place;
    }
    free(tree->of_entry);
    tree->of_entry = of_entry;
    tree->entries = limit;
    return 0;
}

uint32_t adl_tree_find(const struct adl_tree *tree, const char *path)
{
    uint32_t number = ADL_ROOT;
    while (*path && number != ADL_NO_NODE) {
        size_t length = strcspn(path, "/");
        if (length && !(length == 1 && path[0] == '.'))
            number = adl_tree_lookup(tree, number, path, length);
        path += length + (path[length] == '/');
    }
    return number;
}

char *adl_tree_path(const struct adl_tree *tree, uint32_t number)
{
    size_t length = 0;
    const struct adl_node *node;
    for (uint32_t at = number; at != ADL_ROOT; at = node->parent) {
        node = adl_tree_node(tree, at);
        length += strlen(node->name) + 1;
    }
    char *path = malloc(length ? length : 1);
    if (!path)
        return NULL;
    char *to = path + (length ? length - 1 : 0);
    *to = '\0';
    for (uint32_t at = number; at != ADL_ROOT; at = node->parent) {
        node = adl_tree_node(tree, at);
        size_t part = strlen(node->name);
        to -= part;
        memcpy(to, node->name, part);
        if (node->parent != ADL_ROOT)
            *--to = '/';
    }
    return path;
}
