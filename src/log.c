#include "log.h"

#include <stdarg.h>
#include <stdio.h>

void adl_log(const struct adl_log *log, enum adl_level level, const char *format, ...)
{
    if (!log || !log->write || level > log->level)
        return;
    char line[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    log->write(log->ctx, level, line);
}
