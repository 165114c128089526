#include "secret.h"

#include "cleanup.h"
#include "url.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define HIDDEN "..."

/* Where the value of a header option begins in an argument; NULL where there is none. One that is
 * read from a file is no secret. */
static const char *header_value(const char *before, const char *word)
{
    static const char option[] = "--header", item[] = "header=";
    const char *value = NULL;
    bool listed = word[0] == '-' && word[1] != '-' && strchr(word, 'o');
    if (before[0] == '-' && before[1] != '-' && before[strlen(before) - 1] == 'o')
        listed = true;
    if (strcmp(before, option) == 0)
        value = word;
    else if (strncmp(word, option, sizeof(option) - 1) == 0 && word[sizeof(option) - 1] == '=')
        value = word + sizeof(option);
    for (const char *at = word; listed && !value && (at = strstr(at, item)) != NULL;) {
        at += sizeof(item) - 1;
        if (*at != '@')
            value = at;
    }
    return value && *value != '@' ? value : NULL;
}

/* Where a URL begins in an argument: at its scheme. NULL where there is none. */
static const char *url_in(const char *word)
{
    const char *at = strstr(word, "://");
    if (!at)
        return NULL;
    while (at > word &&
           (((at[-1] | 0x20) >= 'a' && (at[-1] | 0x20) <= 'z') || (at[-1] >= '0' && at[-1] <= '9')))
        at--;
    return at;
}

char *adl_secret_shown(const char *before, const char *word)
{
    const char *header = header_value(before, word), *url = url_in(word);
    cleanup_free char *shown = NULL;
    if (header && (!url || header < url)) {
        if (asprintf(&shown, "%.*s" HIDDEN, (int)(header - word), word) < 0)
            return NULL;
    } else if (url) {
        cleanup_free char *redacted = adl_url_redact(url);
        if (!redacted || asprintf(&shown, "%.*s%s", (int)(url - word), word, redacted) < 0)
            return NULL;
    } else {
        shown = strdup(word);
    }
    if (shown && strlen(shown) > strlen(word))
        shown[strlen(word)] = '\0';
    return steal_pointer(shown);
}

/* The kernel lays the arguments out one behind the other: those that got shorter are moved
 * together, so that the rest of them is found at the end, as NUL bytes. */
static void overwrite(int argc, char **argv, char *const *shown)
{
    char *to = argv[0];
    for (int i = 0; i < argc; i++) {
        size_t length = strlen(argv[i]);
        char *from = argv[i];
        if (i > 0 && (from < to || from - to > 1 << 20)) /* not as it should be: each for itself */
            to = from;
        size_t fits = shown[i] ? strlen(shown[i]) : 0;
        explicit_bzero(from, length);
        if (fits > 0)
            memcpy(to, shown[i], fits);
        to[fits] = '\0';
        argv[i] = to;
        to += fits + 1;
    }
}

char **adl_secret_take(int argc, char **argv)
{
    char **copy = calloc((size_t)argc + 1, sizeof(*copy));
    char **shown = calloc((size_t)argc + 1, sizeof(*shown));
    bool complete = copy && shown;
    for (int i = 0; complete && i < argc; i++) {
        copy[i] = strdup(argv[i]);
        shown[i] = adl_secret_shown(i > 0 ? argv[i - 1] : "", argv[i]);
        complete = copy[i] && shown[i];
    }
    if (complete && argc > 0)
        overwrite(argc, argv, shown);
    for (int i = 0; shown && i < argc; i++)
        free(shown[i]);
    free(shown);
    if (complete)
        return copy;
    adl_secret_free(copy);
    return NULL;
}

void adl_secret_free(char **words)
{
    for (char **word = words; word && *word; word++)
        free(*word);
    free(words);
}

void adl_secret_keep(void)
{
    prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}

int adl_secret_read(const char *path, char **out)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    cleanup_free char *text = calloc(1, ADL_SECRET_FILE_MAX + 2);
    if (!text)
        return -ENOMEM;
    size_t used = 0;
    while (used <= ADL_SECRET_FILE_MAX) {
        ssize_t got = read(fd, text + used, ADL_SECRET_FILE_MAX + 1 - used);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            break;
        if (got > 0)
            used += (size_t)got;
    }
    if (used > ADL_SECRET_FILE_MAX)
        return -EFBIG;
    if (memchr(text, '\0', used))
        return -EINVAL;
    *out = steal_pointer(text);
    return 0;
}
