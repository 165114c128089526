#include "settings.h"

/* Why these: SYNs go out after 0, 1, 3 and 7 s, so that 15 s give the fourth one its time. A
 * transfer that has stalled for 20 s leaves two thirds of retry_for for asking again. */
void adl_settings_init(struct adl_settings *settings)
{
    *settings = (struct adl_settings){
        .allocate = ADL_ALLOCATE_SPARSE,
        .block_size = 64 * 1024,
        .revalidate = 60,
        .retry_for = 60,
        .connect_timeout = 15,
        .stall_timeout = 20,
        .readahead = 128 * 1024 * 1024,
        .origin_connections = 32,
        .connections = 64,
    };
}
