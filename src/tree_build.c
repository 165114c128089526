#include "name.h"
#include "problem.h"
#include "tree_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NODES_MAX (UINT32_C(1) << 31)

/* The number to try next for a name that is taken. Only a hash stands for the name: two names that
 * share one skip a few numbers. */
struct counter {
    uint64_t hash;
    uint32_t next; /* 0: this place is free */
};

struct builder {
    struct adl_tree *tree; /* owned by adl_tree_new() */
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

static int resize_slots(struct adl_tree *tree, uint64_t count)
{
    struct adl_tree_slot *slots = calloc(count, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    uint64_t old_count = tree->slots ? tree->mask + 1 : 0;
    for (uint64_t i = 0; i < old_count; i++) {
        const struct adl_tree_slot *slot = &tree->slots[i];
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
    uint64_t hash = adl_tree_hash(builder->tree, parent, family, family_length);
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
static int displace(struct builder *builder, struct adl_tree_slot *slot, const char *dir_name)
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
    adl_tree_enter(tree, file);
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
    uint32_t hash = (uint32_t)adl_tree_hash(tree, parent, name, length);
    struct adl_tree_slot *slot = adl_tree_slot(tree, parent, name, length, hash);
    if (slot->node == ADL_NO_NODE || tree->nodes[slot->node].entry != ADL_NO_ENTRY) {
        const char *copy = adl_arena_copy(tree->arena, name, length);
        if (!copy)
            return -ENOMEM;
        if (slot->node != ADL_NO_NODE)
            r = displace(builder, slot, copy);
        else
            *slot = (struct adl_tree_slot){hash, add_node(tree, parent, copy, ADL_NO_ENTRY)};
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
    adl_tree_enter(tree, number);
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
    return resize_slots(tree, adl_tree_slots_for(builder->room));
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
