/* early: the first block of a file at a far origin, asked for in two parts side by side.
 *
 * A fresh TCP connection sends ten segments, some 14 KB, in its first round trip (RFC 6928). The
 * kernel asks for 16 KiB where somebody reads 4: from one connection they take two round trips
 * after the request. So while the range probe asks for the beginning, a second connection asks for
 * the rest of the block. It is there for the first seek then, too.
 *
 * The first answer that is a range tells what the file is, and the other part is one of its ranges
 * from then on. Any other answer counts only when it is the probe's. */
#include "engine.h"
#include "minmax.h"

#include <string.h>

/* What the probe asks for: with the head of its answer, it and the second part's beginning hold
 * what the kernel wants. */
#define FIRST_PART (8 << 10)

/* An origin is far when an answer takes this long, ms. Nearer, a round trip costs less than a
 * request. */
#define FAR_MS 40

/* This machine is near, whatever is not known yet. */
static bool is_here(const struct adl_origin *origin)
{
    const char *host = strstr(origin->name, "://");
    host = host ? host + 3 : origin->name;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
           strncmp(host, "localhost:", 10) == 0;
}

int64_t adl_early_length(struct adl_file *file)
{
    const struct adl_origin *origin = adl_fetch_origin(file);
    int64_t block = file->engine->store->block_size;
    bool small = file->known && file->size >= 0 && file->size <= FIRST_PART;
    bool far = origin && !is_here(origin) && (!origin->delay || origin->delay >= FAR_MS);
    const struct adl_entry_options *options = file->entry->options;
    bool alone = options && options->max_connections == 1;
    /* Where others are at work already, connections are warm or wanted. */
    if (!far || small || alone || file->plain || origin->active || block <= FIRST_PART)
        return block;
    return FIRST_PART;
}

void adl_early_start(struct adl_file *file)
{
    int64_t block = file->engine->store->block_size;
    struct adl_question question = {.ranged = true, .first = FIRST_PART, .last = block - 1};
    struct adl_transfer *transfer;
    if (adl_transfer_start(file, &question, NULL, &transfer) < 0)
        return; /* it comes when it is asked for */
    transfer->early = true;
    transfer->at = FIRST_PART;
    transfer->end = block;
    file->probing->end = FIRST_PART;
    file->probing->early = true;
}

void adl_early_adopt(struct adl_file *file)
{
    struct adl_transfer *transfer;
    LIST_FOREACH (transfer, &file->transfers, link) {
        if (!transfer->early || transfer->answered || transfer->doomed)
            continue;
        if (!file->edition || file->mode != ADL_MODE_SPLIT || file->size <= transfer->at) {
            if (!transfer->probe)
                adl_transfer_doom(transfer);
            continue;
        }
        transfer->edition = adl_edition_ref(file->edition);
        transfer->end = min64(transfer->end, file->size);
    }
}
