#include "json.h"

#include "date.h"

#include <time.h>

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
