#include "scan.h"

#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

struct adl_scan adl_scan_trim(struct adl_scan scan)
{
    while (adl_scan_left(scan) && adl_scan_is_space(*scan.at))
        scan.at++;
    while (adl_scan_left(scan) && adl_scan_is_space(scan.end[-1]))
        scan.end--;
    return scan;
}

bool adl_scan_word(struct adl_scan *scan, const char *word)
{
    size_t length = strlen(word);
    if (adl_scan_left(*scan) < length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (lower(scan->at[i]) != word[i])
            return false;
    scan->at += length;
    return true;
}

bool adl_scan_is_word(struct adl_scan scan, const char *word)
{
    return adl_scan_word(&scan, word) && !adl_scan_left(scan);
}

bool adl_scan_number(struct adl_scan *scan, int64_t *out)
{
    if (!adl_scan_is_digit(*scan))
        return false;
    int64_t number = 0;
    for (; adl_scan_is_digit(*scan); scan->at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *scan->at - '0', &number))
            return false;
    *out = number;
    return true;
}

bool adl_scan_digits(struct adl_scan *scan, int count, int *out)
{
    int number = 0;
    for (; count > 0; count--, scan->at++) {
        if (!adl_scan_is_digit(*scan))
            return false;
        number = number * 10 + (*scan->at - '0');
    }
    *out = number;
    return true;
}

bool adl_scan_item(struct adl_scan *list, struct adl_scan *item)
{
    if (!list->at)
        return false;
    const char *comma = adl_scan_left(*list) ? memchr(list->at, ',', adl_scan_left(*list)) : NULL;
    *item = adl_scan_trim((struct adl_scan){list->at, comma ? comma : list->end});
    list->at = comma ? comma + 1 : NULL;
    return true;
}
