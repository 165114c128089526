#include "inode.h"

/* What a read is best a multiple of, bytes: a page. */
#define BLOCK_SIZE 4096

void adl_inode_dir(const struct adl_inode_look *look, uint32_t number, const struct adl_node *node,
                   time_t changed, struct stat *st)
{
    *st = (struct stat){.st_ino = number,
                        .st_mode = S_IFDIR | 0555,
                        .st_nlink = 2 + node->dirs,
                        .st_uid = look->uid,
                        .st_gid = look->gid,
                        .st_blksize = BLOCK_SIZE,
                        .st_mtim.tv_sec = changed,
                        .st_ctim.tv_sec = changed,
                        .st_atim.tv_sec = changed};
}

void adl_inode_file(const struct adl_inode_look *look, uint32_t number, const struct adl_attr *attr,
                    struct stat *st)
{
    int64_t size = attr->size < 0 ? 0 : attr->size;
    time_t mtime = attr->mtime == ADL_TIME_UNKNOWN ? look->born : attr->mtime;
    *st = (struct stat){.st_ino = number,
                        .st_mode = S_IFREG | (look->exec || attr->executable ? 0555 : 0444),
                        .st_nlink = 1,
                        .st_uid = look->uid,
                        .st_gid = look->gid,
                        .st_size = size,
                        .st_blocks = size / 512 + (size % 512 != 0),
                        .st_blksize = BLOCK_SIZE,
                        .st_mtim.tv_sec = mtime,
                        .st_ctim.tv_sec = mtime,
                        .st_atim.tv_sec = mtime};
}
