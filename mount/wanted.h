/* wanted: URLs and manifests, as named on the command line -> one manifest of what is to be
 * fetched, and where each file of it goes. Everything that is wrong is told on stderr. */
#ifndef ADL_WANTED_H
#define ADL_WANTED_H

#include "options.h"
#include "source.h"

struct adl_wanted {
    struct adl_manifest manifest; /* entries owned, their strings belong to `parts` */
    char **paths;                 /* owned, of each entry: clean, and no two the same */
    struct adl_digest *digests;   /* owned, of each entry */

    /* private */
    struct wanted_part *parts; /* owned: one for each operand */
    size_t n_parts;
    struct adl_entry_options *stripped; /* owned: options without a checksum */
};

/* `name`: what the only file is called, whatever its URL suggests; NULL: as URLs and manifests say.
 * `strip`: the manifest is to have no checksums: `digests` has them. 0; -EINVAL when something was
 * wrong, and told; -errno. To be freed in any case. */
int adl_wanted_read(const struct adl_options *options, const char *name, bool strip,
                    struct adl_wanted *wanted);
void adl_wanted_free(struct adl_wanted *wanted);

#endif
