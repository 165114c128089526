/* foresight: which files of a directory will be wanted next.
 *
 * Two habits are known. Who lists a directory and meanwhile, or right after, asks for the
 * attributes of one of its files will ask for those of the others (`ls -l`): they are probed ahead,
 * in parallel. And who opens the files of a directory one after the other, in its order, will open
 * the next ones (`cat *`): they are fetched ahead, more of them the longer it goes on; the first
 * open out of order ends it.
 *
 * Knows the tree and nothing of the network: it says which entries, and the caller tells the
 * engine. Any thread; a mutex is held while it thinks. */
#ifndef ADL_FORESIGHT_H
#define ADL_FORESIGHT_H

#include "tree.h"

/* The most that is foreseen at a time. */
#define ADL_FORESEEN_MAX 256

struct adl_foresight;

/* NULL without memory. The tree must outlive it. */
struct adl_foresight *adl_foresight_new(const struct adl_tree *tree);
void adl_foresight_free(struct adl_foresight *foresight);

/* A directory is opened, to be listed, or closed (`opened` false). */
void adl_foresight_listed(struct adl_foresight *foresight, uint32_t dir, bool opened);

/* Somebody looks a file up, or wants attributes of it that nobody knows (`unknown`: only this
 * begins a run). Writes the entries whose attributes will be wanted and were not said before, and
 * returns how many. */
size_t adl_foresight_stat(struct adl_foresight *foresight, uint32_t file, bool unknown,
                          uint32_t entries[ADL_FORESEEN_MAX]);

/* Somebody opens a file: the same for files that will be read. */
size_t adl_foresight_open(struct adl_foresight *foresight, uint32_t file,
                          uint32_t entries[ADL_FORESEEN_MAX]);

#endif
