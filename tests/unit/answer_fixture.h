/* What the tests of answers share: heads as they are sent, with '\n' for CRLF. */
#ifndef ANSWER_FIXTURE_H
#define ANSWER_FIXTURE_H

#include "probe.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NOW     1767225600 /* 2026-01-01 00:00:00 */
#define NOV_6   784111777  /* 1994-11-06 08:49:37 */
#define UNKNOWN ADL_TIME_UNKNOWN

static inline struct adl_answer read_head(const char *head)
{
    struct adl_answer answer;
    adl_answer_reset(&answer);
    while (*head) {
        size_t length = strcspn(head, "\n");
        adl_answer_line(&answer, head, length, NOW);
        head += length + (head[length] == '\n');
    }
    return answer;
}

#endif
