/* What is shown changes: another tree, bytes that went, what the root tells. */
#include "fs_inside.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* What the kernel remembers of a name, or of its absence; -ENOENT: nothing. */
static void forget_name(const struct adl_fs *fs, uint32_t parent, const char *name)
{
    fuse_lowlevel_notify_inval_entry(fs->session, parent, name, strlen(name));
}

/* Names that are in `tree`, in directories that are in both, and not in `other`; and what was
 * listed of those directories. */
static void forget_names(const struct adl_fs *fs, const struct adl_tree *tree,
                         const struct adl_tree *other)
{
    uint32_t last = ADL_NO_NODE;
    for (uint32_t number = ADL_ROOT + 1; number < adl_tree_limit(tree); number++) {
        const struct adl_node *node = adl_tree_node(tree, number);
        if (!node || adl_tree_node(other, number) || !adl_tree_node(other, node->parent))
            continue;
        forget_name(fs, node->parent, node->name);
        if (node->parent != last)
            fuse_lowlevel_notify_inval_inode(fs->session, node->parent, 0, 0);
        last = node->parent;
    }
}

int adl_fs_replace(struct adl_fs *fs, const struct adl_tree *tree)
{
    struct adl_foresight *foresight = adl_foresight_new(tree);
    if (!foresight)
        return -ENOMEM;
    pthread_rwlock_wrlock(&fs->lock);
    const struct adl_tree *old = fs->tree;
    struct adl_foresight *old_foresight = fs->foresight;
    fs->tree = tree;
    fs->foresight = foresight;
    fs->changed = time(NULL);
    pthread_rwlock_unlock(&fs->lock);
    adl_foresight_free(old_foresight);
    forget_names(fs, old, tree);
    forget_names(fs, tree, old);
    return 0;
}

static uint32_t number_of_entry(struct adl_fs *fs, uint32_t entry)
{
    ADL_FS_HOLD_NAMES(fs);
    return adl_tree_of_entry(fs->tree, entry);
}

void adl_fs_forget(struct adl_fs *fs, uint32_t entry, uint32_t version, int64_t first, int64_t end)
{
    uint32_t number = number_of_entry(fs, entry);
    if (number != ADL_NO_NODE)
        fuse_lowlevel_notify_inval_inode(fs->session, adl_inode_of(number, version), first,
                                         end < 0 ? 0 : end - first);
}

void adl_fs_tell(struct adl_fs *fs, const struct adl_xattr_root *told)
{
    pthread_rwlock_wrlock(&fs->lock);
    fs->told = *told;
    pthread_rwlock_unlock(&fs->lock);
}
