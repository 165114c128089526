/* Names, directories and attributes. What is known is answered at once; a file's attributes that
 * are not, by asking its origin. */
#include "cleanup.h"
#include "fs_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* How long the kernel may keep attributes, s: until the size is known it asks each time. */
static double timeout_of(const struct adl_attr *attr)
{
    return attr->size >= 0 ? ADL_FS_ATTR_TIMEOUT : 0;
}

/* Attributes that will be wanted next. */
static void foresee_stats(struct adl_fs *fs, uint32_t number, bool unknown)
{
    uint32_t entries[ADL_FORESEEN_MAX];
    size_t count = adl_foresight_stat(fs->foresight, number, unknown, entries);
    if (count)
        adl_file_foresee(fs->engine, entries, count, false);
}

void adl_fs_on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct adl_fs *fs = adl_fs_of(req);
    ADL_FS_HOLD_NAMES(fs);
    uint32_t number = adl_tree_lookup(fs->tree, adl_inode_number(parent), name, strlen(name));
    struct fuse_entry_param entry = {.entry_timeout = ADL_FS_NAME_TIMEOUT};
    if (number == ADL_NO_NODE) {
        fuse_reply_entry(req, &entry); /* ino 0: not there, and that may be remembered */
        return;
    }
    const struct adl_node *node = adl_tree_node(fs->tree, number);
    entry.ino = number;
    if (node->entry == ADL_NO_ENTRY) {
        entry.attr_timeout = ADL_FS_NAME_TIMEOUT;
        adl_inode_dir(&fs->look, number, node, fs->changed, &entry.attr);
    } else {
        /* A name costs no network: attributes that are not known expire at once. */
        struct adl_attr attr;
        bool known = adl_file_known(fs->engine, node->entry, &attr) && attr.size >= 0;
        entry.ino = adl_inode_of(number, attr.version);
        adl_inode_file(&fs->look, number, &attr, &entry.attr);
        /* Before it runs a file, the kernel asks; but this may be what it gets to see, as told
         * at overtake(): trying in vain is better than a program that is refused. */
        if (known)
            entry.attr_timeout = ADL_FS_ATTR_TIMEOUT;
        else
            entry.attr.st_mode |= 0111;
        foresee_stats(fs, number, false);
    }
    fuse_reply_entry(req, &entry);
}

void adl_fs_on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    (void)ino, (void)count; /* node ids are computed, nothing is kept for them */
    fuse_reply_none(req);
}

void adl_fs_on_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    (void)count, (void)forgets;
    fuse_reply_none(req);
}

void adl_fs_on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    struct adl_fs *fs = adl_fs_of(req);
    ADL_FS_HOLD_NAMES(fs);
    adl_foresight_listed(fs->foresight, adl_inode_number(ino), true);
    info->cache_readdir = 1;
    info->keep_cache = 1;
    fuse_reply_open(req, info);
}

void adl_fs_on_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)info;
    struct adl_fs *fs = adl_fs_of(req);
    ADL_FS_HOLD_NAMES(fs);
    adl_foresight_listed(fs->foresight, adl_inode_number(ino), false);
    fuse_reply_err(req, 0);
}

/* Offsets: 0 is ".", 1 "..", then the children in order. */
static const char *dir_entry(const struct adl_fs *fs, uint32_t number, uint64_t at, struct stat *st)
{
    const struct adl_node *dir = adl_tree_node(fs->tree, number);
    *st = (struct stat){.st_mode = S_IFDIR, .st_ino = number};
    if (at == 0)
        return ".";
    if (at == 1) {
        st->st_ino = dir->parent;
        return "..";
    }
    if (at - 2 >= dir->count)
        return NULL;
    uint32_t child = adl_tree_child(fs->tree, number, (uint32_t)(at - 2));
    const struct adl_node *node = adl_tree_node(fs->tree, child);
    st->st_ino = child;
    st->st_mode = node->entry == ADL_NO_ENTRY ? S_IFDIR : S_IFREG;
    return node->name;
}

void adl_fs_on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       struct fuse_file_info *info)
{
    (void)info;
    struct adl_fs *fs = adl_fs_of(req);
    ADL_FS_HOLD_NAMES(fs);
    const struct adl_node *dir = adl_fs_node(fs, ino);
    cleanup_free char *buffer = dir ? malloc(size) : NULL;
    if (!buffer) {
        fuse_reply_err(req, dir ? ENOMEM : ESTALE);
        return;
    }
    uint32_t number = adl_inode_number(ino);
    size_t used = 0;
    struct stat st;
    const char *name;
    for (uint64_t at = (uint64_t)offset; (name = dir_entry(fs, number, at, &st)); at++) {
        size_t length =
            fuse_add_direntry(req, buffer + used, size - used, name, &st, (off_t)at + 1);
        if (length > size - used)
            break;
        used += length;
    }
    fuse_reply_buf(req, buffer, used);
}

static void stat_done(void *ctx, int error, const struct adl_attr *attr)
{
    struct adl_fs_pending *pending = ctx;
    struct stat st;
    if (error < 0) {
        fuse_reply_err(pending->req, -error);
    } else {
        adl_inode_file(&adl_fs_of(pending->req)->look, adl_inode_number(pending->ino), attr, &st);
        fuse_reply_attr(pending->req, &st, timeout_of(attr));
    }
    free(pending);
}

/* Who has it open, or reads and wants to know where it ends, waits for no more than the size: the
 * kernel does not keep what may be said better soon. (Where exec(2) asks for the mode in that
 * moment, it may get to see this one: 0555 instead would be what cp(1) gives a copy.) False: it is
 * of another version. */
static bool stat_opened(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *info)
{
    struct adl_attr attr;
    struct stat st;
    adl_handle_attr(adl_fs_handle(info), &attr);
    if (attr.version != adl_inode_version(ino))
        return false;
    adl_inode_file(&adl_fs_of(req)->look, adl_inode_number(ino), &attr, &st);
    fuse_reply_attr(req, &st, 0);
    return true;
}

/* A file that a reload took away is still there for who has it open. */
static void stat_gone(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *info)
{
    struct adl_attr attr;
    struct stat st;
    if (!info) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    adl_handle_attr(adl_fs_handle(info), &attr);
    adl_inode_file(&adl_fs_of(req)->look, adl_inode_number(ino), &attr, &st);
    st.st_nlink = 0;
    fuse_reply_attr(req, &st, ADL_FS_ATTR_TIMEOUT);
}

void adl_fs_on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    struct adl_fs *fs = adl_fs_of(req);
    ADL_FS_HOLD_NAMES(fs);
    const struct adl_node *node = adl_fs_node(fs, ino);
    struct stat st;
    struct adl_attr attr;
    if (!node) {
        stat_gone(req, ino, info);
        return;
    }
    if (node->entry == ADL_NO_ENTRY) {
        adl_inode_dir(&fs->look, adl_inode_number(ino), node, fs->changed, &st);
        fuse_reply_attr(req, &st, ADL_FS_NAME_TIMEOUT);
        return;
    }
    bool known = adl_file_known(fs->engine, node->entry, &attr);
    bool current = attr.version == adl_inode_version(ino);
    if (known && current) {
        adl_inode_file(&fs->look, adl_inode_number(ino), &attr, &st);
        fuse_reply_attr(req, &st, timeout_of(&attr));
        return;
    }
    if (current && info && stat_opened(req, ino, info))
        return;
    uint64_t ticket = adl_fs_ticket(req);
    struct adl_fs_pending *pending = ticket ? adl_fs_pend(req, ino) : NULL;
    if (pending)
        adl_file_stat(fs->engine, ticket, node->entry, adl_inode_version(ino), stat_done, pending);
    foresee_stats(fs, adl_inode_number(ino), true);
}

void adl_fs_on_statfs(fuse_req_t req, fuse_ino_t ino)
{
    (void)ino;
    struct adl_fs *fs = adl_fs_of(req);
    ADL_FS_HOLD_NAMES(fs);
    struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255, .f_flag = ST_RDONLY};
    struct adl_attr attr;
    for (uint32_t i = 0; i < adl_tree_entries(fs->tree); i++) {
        if (adl_tree_of_entry(fs->tree, i) == ADL_NO_NODE)
            continue;
        st.f_files++;
        if (adl_file_known(fs->engine, i, &attr) && attr.size > 0)
            st.f_blocks += (fsblkcnt_t)attr.size / 4096 + 1;
    }
    fuse_reply_statfs(req, &st);
}
