/* helper: being called by mount(8), which knows nothing of commands and options of ours.
 *
 * mount(8) starts `mount.fuse.adlfs SOURCE MOUNTPOINT [-sfnv] [-N NAMESPACE] [-o OPTION,...]
 * [-t TYPE]`, a link to adlfs; where that link is not installed, mount.fuse3 takes its place and
 * starts `adlfs SOURCE MOUNTPOINT [-o OPTION,...]`. Both become `adlfs mount`. */
#ifndef ADL_HELPER_H
#define ADL_HELPER_H

#include <stdbool.h>
#include <stddef.h>

/* What mount(8) expects of a helper, and what it makes of it (mount(8), EXIT STATUS). */
enum { ADL_HELPER_DONE = 0, ADL_HELPER_USAGE = 1, ADL_HELPER_FAILED = 32 };

struct adl_helper {
    bool fake;         /* -f: everything but the mount itself */
    bool sloppy;       /* -s: options that nobody knows are no error */
    size_t count;      /* of `arguments` */
    const char **argv; /* owned: what `adlfs mount` is to be called with; argv's own strings */
};

/* Whether argv is one of the two calls above. `known` says whether argv[1] is a command. */
bool adl_helper_called(int argc, const char *const *argv, bool known);

/* Takes the call apart. 0; -EINVAL with one line in `why`; -ENOMEM. To be freed in any case. */
int adl_helper_parse(struct adl_helper *helper, int argc, const char *const *argv, char *why,
                     size_t room);

void adl_helper_free(struct adl_helper *helper);

/* What an exit status of ours (commands.h) is to mount(8). */
int adl_helper_status(int status);

#endif
