#include "name.h"
#include "tree_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The place of a number; ADL_NO_NODE where there is none. */
static uint32_t place_of(const struct adl_tree *tree, uint32_t number)
{
    if (!tree->numbers)
        return number < tree->limit ? number : ADL_NO_NODE;
    for (uint64_t i = adl_tree_hash_number(tree, number);; i = (i + 1) & tree->places_mask) {
        const struct adl_tree_slot *slot = &tree->places[i];
        if (slot->node == ADL_NO_NODE || slot->hash == number)
            return slot->node;
    }
}

struct adl_tree_slot *adl_tree_slot(const struct adl_tree *tree, uint32_t parent, const char *name,
                                    size_t length, uint32_t hash)
{
    for (uint64_t i = hash & tree->mask;; i = (i + 1) & tree->mask) {
        struct adl_tree_slot *slot = &tree->slots[i];
        if (slot->node == ADL_NO_NODE)
            return slot;
        const struct adl_node *node = &tree->nodes[slot->node];
        if (slot->hash == hash && node->parent == parent &&
            strncmp(node->name, name, length) == 0 && node->name[length] == '\0')
            return slot;
    }
}

void adl_tree_enter(struct adl_tree *tree, uint32_t place)
{
    const struct adl_node *node = &tree->nodes[place];
    size_t length = strlen(node->name);
    uint32_t hash = (uint32_t)adl_tree_hash(tree, node->parent, node->name, length);
    struct adl_tree_slot *slot = adl_tree_slot(tree, node->parent, node->name, length, hash);
    assert(slot->node == ADL_NO_NODE);
    *slot = (struct adl_tree_slot){.hash = hash, .node = place};
}

uint32_t adl_tree_lookup(const struct adl_tree *tree, uint32_t parent, const char *name,
                         size_t length)
{
    if (length == 0 || length > ADL_NAME_MAX || memchr(name, '\0', length))
        return ADL_NO_NODE;
    uint32_t hash = (uint32_t)adl_tree_hash(tree, parent, name, length);
    return adl_tree_number_at(tree, adl_tree_slot(tree, parent, name, length, hash)->node);
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
    return adl_tree_number_at(tree, tree->children[node->first + k]);
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
    return entry < tree->entries ? adl_tree_number_at(tree, tree->of_entry[entry]) : ADL_NO_NODE;
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
