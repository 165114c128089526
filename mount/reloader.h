/* reloader: reads the manifest again, on SIGHUP or when it changes, and puts what it says in the
 * place of what was mounted. A thread of its own does that; what is wrong is logged with file and
 * line and changes nothing. */
#ifndef ADL_RELOADER_H
#define ADL_RELOADER_H

#include "fs.h"

struct adl_reloader;

/* Not owned; all of it outlives the reloader. */
struct adl_reloader_options {
    const char *path; /* absolute */
    const char *name; /* for messages */
    bool keep_going;  /* what is right of a faulty manifest is enough */
    bool follow;      /* read it again when it changes, too */
    bool hangup;      /* on SIGHUP */
    const struct adl_log *log;
    struct adl_engine *engine;
    struct adl_manifest *manifest; /* what is mounted: replaced, the old one freed */
    struct adl_tree **tree;        /* likewise */
    /* Another tree is shown; the old one goes when this returns. */
    void (*shown)(void *ctx, const struct adl_tree *tree);
    void *ctx;
};

/* Takes SIGHUP over, and starts. What comes before adl_reloader_ready() waits. 0 or -errno. */
int adl_reloader_new(const struct adl_reloader_options *options, struct adl_reloader **out);

void adl_reloader_ready(struct adl_reloader *reloader, struct adl_fs *fs);

/* The engine is not used when this returns. */
void adl_reloader_stop(struct adl_reloader *reloader);

/* It has stopped, and neither is anything else. */
void adl_reloader_join(struct adl_reloader *reloader);

void adl_reloader_free(struct adl_reloader *reloader);

#endif
