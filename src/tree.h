/* tree: entries -> directories and inode numbers.
 *
 * Built once from a manifest, never changed, read by any thread without a lock. Nodes are numbered
 * from ADL_ROOT; a node's number is its inode number. A tree that is to come in the place of
 * another inherits its numbers: what is the same keeps its own, and no number ever means something
 * else. Children stand in the order in which the manifest names them first. One million entries
 * build in about a second and cost less than 200 bytes each, the manifest's own strings not
 * counted.
 *
 * Equal paths, a file where a directory is, and a directory where a file is: the later one gets
 * " (2)", " (3)", ... before its extension, in manifest order, with a warning. (A file in the place
 * of a directory is the one that is renamed, whichever came first.) What the extension is, and that
 * the name stays within 255 bytes: adl_name_fit(). After ADL_PROBLEMS_MAX warnings one says that
 * there are others. */
#ifndef ADL_TREE_H
#define ADL_TREE_H

#include "manifest.h"

#include <stdbool.h>

#define ADL_ROOT     1
#define ADL_NO_NODE  0
#define ADL_NO_ENTRY UINT32_MAX

struct adl_tree;

struct adl_node {
    const char *name; /* NUL-terminated; "" for the root */
    uint32_t parent;  /* the root's is the root */
    uint32_t entry;   /* index into the manifest's entries; ADL_NO_ENTRY: a directory */
    uint32_t first;   /* directories: place of the first child, for adl_tree_child() */
    uint32_t count;   /* directories: how many children */
    uint32_t dirs;    /* directories: how many of them are directories */
};

/* Builds the tree of `manifest`, which must outlive it. `problems` is told of renamed entries (with
 * the entry's line) and may be NULL. 0, -ENOMEM, -EOVERFLOW (more than 2^31 nodes). */
int adl_tree_new(const struct adl_manifest *manifest, const struct adl_problems *problems,
                 struct adl_tree **out);
void adl_tree_free(struct adl_tree *tree);

/* Whether the new manifest's entry is the same file as the old tree's. */
typedef bool adl_tree_same_fn(void *ctx, uint32_t old_entry, uint32_t new_entry);

/* Before anybody else sees `tree`: nodes of the same path that are the same file, or directories
 * both, get the numbers that they have in `old`, all others get numbers that were never used.
 * entries[i], for each entry of the manifest: what that file's `entry` is in the old tree, or
 * ADL_NO_ENTRY. 0, -ENOMEM, -EOVERFLOW (2^32 numbers were used); then the tree is to be freed. */
int adl_tree_inherit(struct adl_tree *tree, const struct adl_tree *old, adl_tree_same_fn *same,
                     void *ctx, uint32_t *entries);

/* Then: each node's entry i becomes entries[i] < limit, no two of them the same. 0 or -ENOMEM. */
int adl_tree_assign(struct adl_tree *tree, const uint32_t *entries, uint32_t limit);

/* Node numbers are below this: ADL_ROOT .. adl_tree_limit() - 1, all of them unless inherited. */
uint32_t adl_tree_limit(const struct adl_tree *tree);

/* A node by number; NULL where there is none. */
const struct adl_node *adl_tree_node(const struct adl_tree *tree, uint32_t number);

/* The child of that name (`length` bytes, no NUL needed), or ADL_NO_NODE. O(1). */
uint32_t adl_tree_lookup(const struct adl_tree *tree, uint32_t parent, const char *name,
                         size_t length);

/* The k-th child of a directory, k < its count. */
uint32_t adl_tree_child(const struct adl_tree *tree, uint32_t parent, uint32_t k);

/* Entries of nodes are below this. */
uint32_t adl_tree_entries(const struct adl_tree *tree);

/* The k of adl_tree_child() that gives that node, in its directory. */
uint32_t adl_tree_rank(const struct adl_tree *tree, uint32_t number);

/* The node of an entry; ADL_NO_NODE where there is none. */
uint32_t adl_tree_of_entry(const struct adl_tree *tree, uint32_t entry);

/* The node at a path below the root ("docs/a.zip"; "" and "/" are the root; empty parts and "." are
 * passed over), or ADL_NO_NODE. */
uint32_t adl_tree_find(const struct adl_tree *tree, const char *path);

/* The path of a node below the root, without a leading '/': malloc'ed, NULL without memory. */
char *adl_tree_path(const struct adl_tree *tree, uint32_t number);

#endif
