/* Any bytes as a line of the control socket: what is read of it is within its bounds, what is not
 * is refused in words, and names survive the way into JSON and back. */
#include "fuzz.h"

#include "json_name.h"
#include "order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_order(const struct adl_order *order)
{
    must(order->kind <= ADL_ORDER_VERIFY);
    must(order->n_paths <= ADL_ORDER_PATHS_MAX);
    must(order->first >= 0 && (order->end == -1 || order->end > order->first));
    must(order->jobs <= 256 && order->cells <= ADL_ORDER_CELLS_MAX);
    must(order->limit <= ADL_ORDER_FILES_MAX);
    must(order->every == 0 ||
         (order->every >= ADL_ORDER_EVERY_MIN && order->every <= ADL_ORDER_EVERY_MAX));
    must(order->limit_rate >= -1);
    for (size_t i = 0; i < order->n_paths; i++) {
        json_t *text = adl_json_name(order->paths[i]);
        char *bytes = adl_json_bytes(text);
        must(bytes && strcmp(bytes, order->paths[i]) == 0);
        free(bytes);
        json_decref(text);
    }
}

/* The same bytes as a name. */
static void check_name(const uint8_t *data, size_t size)
{
    char *name = strndup((const char *)data, size);
    must(name);
    json_t *text = adl_json_name(name);
    must(text);
    char *bytes = adl_json_bytes(text);
    must(bytes && strcmp(bytes, name) == 0);
    free(bytes);
    json_decref(text);
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct adl_order order;
    const char *why = NULL;
    int r = adl_order_parse((const char *)data, size, &order, &why);
    must(r == 0 || r == -EINVAL || r == -EPROTONOSUPPORT);
    must(r == 0 || (why && *why));
    if (r == 0)
        check_order(&order);
    adl_order_free(&order);
    check_name(data, size);
    return 0;
}
