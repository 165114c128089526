#include "body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* From byte `at` of a file to the next border. */
static size_t to_border(int64_t at)
{
    return ADL_BODY_SIZE - (size_t)(at & (ADL_BODY_SIZE - 1));
}

int64_t adl_body_take(struct adl_body *body, int64_t at, const void *bytes, size_t length)
{
    size_t room = to_border(at) - body->used;
    if (!body->bytes)
        body->bytes = malloc(ADL_BODY_SIZE);
    if (!body->bytes)
        return -ENOMEM;
    if (length > room)
        length = room;
    memcpy(body->bytes + body->used, bytes, length);
    body->used += length;
    return (int64_t)length;
}

bool adl_body_full(const struct adl_body *body, int64_t at)
{
    return body->used == to_border(at);
}

void adl_body_free(struct adl_body *body)
{
    free(body->bytes);
    *body = (struct adl_body){0};
}
