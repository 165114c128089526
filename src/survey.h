/* survey: what is told of a mount and its files, as JSON (control.md says what the fields mean).
 * The loop's: it looks at what only the loop may touch, and does a bounded amount of work a call.
 */
#ifndef ADL_SURVEY_H
#define ADL_SURVEY_H

#include "engine.h"
#include "tree.h"
#include "warm.h"

#include <jansson.h>

/* Of all: pause, limit, rate, counters. A new reference; NULL without memory. */
json_t *adl_survey_engine(struct adl_engine *engine);

/* Of one file, in short, as it stands in lists. */
json_t *adl_survey_file(struct adl_file *file, const struct adl_tree *tree);

/* Of one file, all: mirrors, connections, what is waited for, and with `cells` the map. */
json_t *adl_survey_details(struct adl_file *file, const struct adl_tree *tree, unsigned cells);

/* Of those of `entries` (NULL: all of the manifest; then `count` is their number) that anybody has
 * touched, from the `after`-th on, `limit` at most: an array. *next: where to go on; -1: that was
 * the last. `busy`: before all others those that something is fetched for. */
json_t *adl_survey_files(struct adl_engine *engine, const struct adl_tree *tree,
                         const uint32_t *entries, size_t count, uint32_t after, unsigned limit,
                         bool busy, int64_t *next);

/* All that are under way. */
json_t *adl_survey_connections(const struct adl_engine *engine, const struct adl_tree *tree);

/* One that fetches files into the cache. */
json_t *adl_survey_warm(const struct adl_warm *warm, const struct adl_tree *tree);

#endif
