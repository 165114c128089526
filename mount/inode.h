/* inode: a node's number in the tree and its file's version <-> the kernel's node id; what is known
 * of a node -> what stat(2) says of it. Pure.
 *
 * A node id is the node's number in its low 32 bits and the file's version above: what changed at
 * the origin is another inode, so that no page of an old version is ever taken for one of the new.
 */
#ifndef ADL_INODE_H
#define ADL_INODE_H

#include "file.h"
#include "tree.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

static inline uint64_t adl_inode_of(uint32_t number, uint32_t version)
{
    return (uint64_t)version << 32 | number;
}

static inline uint32_t adl_inode_number(uint64_t ino)
{
    return (uint32_t)ino;
}

static inline uint32_t adl_inode_version(uint64_t ino)
{
    return (uint32_t)(ino >> 32);
}

/* What all nodes of a mount have in common. */
struct adl_inode_look {
    uid_t uid;
    gid_t gid;
    time_t born; /* s: what a file shows whose time the origin does not tell */
    bool exec;   /* all files get mode 0555 */
};

/* A directory that got what is in it at `changed`, s. */
void adl_inode_dir(const struct adl_inode_look *look, uint32_t number, const struct adl_node *node,
                   time_t changed, struct stat *st);

/* A file. An unknown size is shown as 0; its blocks are always those of the whole file, however
 * much of it is cached: tools that skip holes (tar -S) would copy zeros for what is not here yet.
 */
void adl_inode_file(const struct adl_inode_look *look, uint32_t number, const struct adl_attr *attr,
                    struct stat *st);

#endif
