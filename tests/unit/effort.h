/* How much a test tries. Everything takes thirty times as long under valgrind, which looks for
 * misuse of memory that every case shows: there, a part of them is enough. ADLFS_VALGRIND=whole:
 * all. */
#ifndef EFFORT_H
#define EFFORT_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool effort_is_small(void)
{
    const char *how = getenv("ADLFS_VALGRIND");
    return how && strcmp(how, "whole") != 0;
}

/* Of so many cases, those that are tried: all, or `few`. */
static inline int effort(int all, int few)
{
    return effort_is_small() ? few : all;
}

#endif
