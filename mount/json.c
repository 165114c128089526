#include "json.h"

#include "cleanup.h"
#include "manifest.h"

#include <string.h>
#include <time.h>

json_t *adl_json_text(const char *text)
{
    if (!text)
        return json_null();
    json_t *json = json_string(text);
    if (json)
        return json;
    cleanup_free char *plain = strdup(text);
    if (!plain)
        return NULL;
    for (char *at = plain; *at; at++)
        if (*at & 0x80)
            *at = '?';
    return json_string(plain);
}

json_t *adl_json_number(int64_t number, bool known)
{
    return known ? json_integer(number) : json_null();
}

json_t *adl_json_time(int64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm parts;
    char text[40];
    if (seconds == ADL_TIME_UNKNOWN || !gmtime_r(&when, &parts))
        return json_null();
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_string(text);
}
