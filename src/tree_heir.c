#include "cleanup.h"
#include "tree_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    uint64_t count = adl_tree_slots_for(tree->limit);
    tree->places = calloc(count, sizeof(*tree->places));
    if (!tree->places)
        return -ENOMEM;
    tree->places_mask = count - 1;
    for (uint32_t place = ADL_ROOT; place < tree->limit; place++) {
        uint64_t i = adl_tree_hash_number(tree, tree->numbers[place]);
        while (tree->places[i].node != ADL_NO_NODE)
            i = (i + 1) & tree->places_mask;
        tree->places[i] = (struct adl_tree_slot){.hash = tree->numbers[place], .node = place};
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
        adl_tree_enter(tree, place);
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
