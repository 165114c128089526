/* The option lines of an entry, and the comments that only adlfs reads. */
#include "draft.h"

#include "cleanup.h"
#include "header.h"
#include "name.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* What is given of an option: bytes of the line being read. */
struct given {
    struct adl_draft *draft;
    const char *name; /* as in the table: static */
    const char *value;
    size_t length;
    uint64_t line;
};

#define FAULT(given, ...) adl_draft_fault((given)->draft, (given)->line, __VA_ARGS__)
#define WARN(given, ...)                                                                           \
    adl_complain((given)->draft->complaints, ADL_WARNING, (given)->line, __VA_ARGS__)

/* Puts a copy of the value in the place of what is in *slot. */
static int replace(char **slot, const char *text, size_t length)
{
    char *copy = strndup(text, length);
    if (!copy)
        return -ENOMEM;
    free(*slot);
    *slot = copy;
    return 0;
}

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && (**text == ' ' || **text == '\t')) {
        ++*text;
        --*length;
    }
    while (*length > 0 && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\t'))
        --*length;
}

/* A path is rooted at the mount, so that an absolute dir= of somebody's disk still says something.
 */
static void drop_leading_slashes(struct given *given)
{
    while (given->length > 0 && given->value[0] == '/') {
        given->value++;
        given->length--;
    }
}

static int take_path(const struct given *given, char **slot)
{
    const char *wrong = adl_path_wrong(given->value, given->length);
    if (wrong) {
        FAULT(given, "%s=%s cannot be a path below the mount: %s", given->name,
              adl_quote(given->value, given->length).text, wrong);
        return 0;
    }
    return replace(slot, given->value, given->length);
}

static int take_out(struct given *given)
{
    drop_leading_slashes(given);
    return take_path(given, &given->draft->out);
}

/* dir=/ and dir= are the mount itself; a '/' at the end of a directory adds no part to it. */
static int take_dir(struct given *given)
{
    drop_leading_slashes(given);
    while (given->length > 0 && given->value[given->length - 1] == '/')
        given->length--;
    if (given->length > 0)
        return take_path(given, &given->draft->dir);
    free(given->draft->dir);
    given->draft->dir = NULL;
    return 0;
}

static int take_checksum(struct given *given)
{
    switch (adl_value_digest(given->value, given->length, &given->draft->checksum)) {
    case 0:
        break;
    case -EPROTONOSUPPORT:
        FAULT(given, "checksum= knows md5, sha-1, sha-224, sha-256, sha-384 and sha-512 alone");
        break;
    case -EMSGSIZE:
        FAULT(given, "checksum= has too few or too many digits for its type");
        break;
    default:
        FAULT(given, "checksum= wants TYPE=HEXDIGITS, such as sha-256=9f86d081...");
        break;
    }
    return 0;
}

/* No message shows what a header says: it may be a password. */
static int take_header(struct given *given)
{
    struct adl_draft *draft = given->draft;
    size_t name = adl_header_name(given->value, given->length);
    if (!name) {
        FAULT(given, "header= wants 'Name: value'");
    } else if (adl_header_has_control(given->value, given->length)) {
        FAULT(given, "header= holds a control character");
    } else if (adl_header_is_own(given->value, name)) {
        FAULT(given, "header=%s is adlfs's own to send: leave it out",
              adl_quote(given->value, name).text);
    } else if (draft->n_headers == ADL_HEADERS_MAX) {
        FAULT(given, "there are more than %d headers", ADL_HEADERS_MAX);
    } else {
        char *copy = strndup(given->value, given->length);
        if (!copy)
            return -ENOMEM;
        draft->headers[draft->n_headers++] = copy;
    }
    return 0;
}

/* Text that goes into a request; empty stands for not given. */
static int take_field(const struct given *given, char **slot)
{
    if (adl_header_has_control(given->value, given->length)) {
        FAULT(given, "%s= holds a control character", given->name);
        return 0;
    }
    if (given->length > 0)
        return replace(slot, given->value, given->length);
    free(*slot);
    *slot = NULL;
    return 0;
}

/* aria2 fills in the URL itself for "*"; that says nothing to a server and may tell it secrets. */
static int take_referer(struct given *given)
{
    if (given->length == 1 && given->value[0] == '*') {
        WARN(given, "referer=* is ignored: no Referer is sent");
        given->length = 0;
    }
    return take_field(given, &given->draft->referer);
}

static int take_user_agent(struct given *given)
{
    return take_field(given, &given->draft->user_agent);
}

/* RFC 7617 2: a user name with a ':' would end at it. */
static int take_user(struct given *given)
{
    if (memchr(given->value, ':', given->length)) {
        FAULT(given, "http-user= cannot hold a ':'");
        return 0;
    }
    return take_field(given, &given->draft->user);
}

static int take_password(struct given *given)
{
    return take_field(given, &given->draft->password);
}

static int take_count(const struct given *given, unsigned *out)
{
    uint64_t number;
    if (adl_value_number(given->value, given->length, UINT_MAX, &number) < 0 || number == 0)
        FAULT(given, "%s=%s is not a number of connections from 1 on", given->name,
              adl_quote(given->value, given->length).text);
    else
        *out = (unsigned)number;
    return 0;
}

static int take_split(struct given *given)
{
    return take_count(given, &given->draft->split);
}

static int take_per_server(struct given *given)
{
    return take_count(given, &given->draft->per_server);
}

static int take_size(struct given *given)
{
    uint64_t number;
    if (adl_value_number(given->value, given->length, INT64_MAX, &number) < 0)
        FAULT(given, "size=%s is not a number of bytes",
              adl_quote(given->value, given->length).text);
    else
        given->draft->size = (int64_t)number;
    return 0;
}

static int take_mtime(struct given *given)
{
    if (adl_value_time(given->value, given->length, &given->draft->mtime) < 0)
        FAULT(given, "mtime=%s is not a time such as 2026-01-31T12:00:00Z",
              adl_quote(given->value, given->length).text);
    return 0;
}

struct option {
    const char *name;
    int (*take)(struct given *given); /* 0, the rest told, or -ENOMEM */
    bool repeats;
};

static const struct option line_options[] = {
    {"out", take_out, false},           {"dir", take_dir, false},
    {"checksum", take_checksum, false}, {"header", take_header, true},
    {"referer", take_referer, false},   {"user-agent", take_user_agent, false},
    {"http-user", take_user, false},    {"http-passwd", take_password, false},
    {"split", take_split, false},       {"max-connection-per-server", take_per_server, false},
};

static const struct option comment_options[] = {
    {"size", take_size, false},
    {"mtime", take_mtime, false},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What aria2 1.37's manual lists for input files ("Input File") and means nothing here. Sorted. */
static const char *const aria2_options[] = {
    "all-proxy",
    "all-proxy-passwd",
    "all-proxy-user",
    "allow-overwrite",
    "allow-piece-length-change",
    "always-resume",
    "async-dns",
    "auto-file-renaming",
    "bt-enable-hook-after-hash-check",
    "bt-enable-lpd",
    "bt-exclude-tracker",
    "bt-external-ip",
    "bt-force-encryption",
    "bt-hash-check-seed",
    "bt-load-saved-metadata",
    "bt-max-peers",
    "bt-metadata-only",
    "bt-min-crypto-level",
    "bt-prioritize-piece",
    "bt-remove-unselected-file",
    "bt-request-peer-speed-limit",
    "bt-require-crypto",
    "bt-save-metadata",
    "bt-seed-unverified",
    "bt-stop-timeout",
    "bt-tracker",
    "bt-tracker-connect-timeout",
    "bt-tracker-interval",
    "bt-tracker-timeout",
    "check-integrity",
    "conditional-get",
    "connect-timeout",
    "content-disposition-default-utf8",
    "continue",
    "dry-run",
    "enable-http-keep-alive",
    "enable-http-pipelining",
    "enable-mmap",
    "enable-peer-exchange",
    "file-allocation",
    "follow-metalink",
    "follow-torrent",
    "force-save",
    "ftp-passwd",
    "ftp-pasv",
    "ftp-proxy",
    "ftp-proxy-passwd",
    "ftp-proxy-user",
    "ftp-reuse-connection",
    "ftp-type",
    "ftp-user",
    "gid",
    "hash-check-only",
    "http-accept-gzip",
    "http-auth-challenge",
    "http-no-cache",
    "http-proxy",
    "http-proxy-passwd",
    "http-proxy-user",
    "https-proxy",
    "https-proxy-passwd",
    "https-proxy-user",
    "index-out",
    "lowest-speed-limit",
    "max-download-limit",
    "max-file-not-found",
    "max-mmap-limit",
    "max-resume-failure-tries",
    "max-tries",
    "max-upload-limit",
    "metalink-base-uri",
    "metalink-enable-unique-protocol",
    "metalink-language",
    "metalink-location",
    "metalink-os",
    "metalink-preferred-protocol",
    "metalink-version",
    "min-split-size",
    "no-file-allocation-limit",
    "no-netrc",
    "no-proxy",
    "parameterized-uri",
    "pause",
    "pause-metadata",
    "piece-length",
    "proxy-method",
    "realtime-chunk-checksum",
    "remote-time",
    "remove-control-file",
    "retry-wait",
    "reuse-uri",
    "rpc-save-upload-metadata",
    "seed-ratio",
    "seed-time",
    "select-file",
    "ssh-host-key-md",
    "stream-piece-selector",
    "timeout",
    "uri-selector",
    "use-head",
};

static int compare_names(const void *key, const void *element)
{
    const struct given *given = key;
    const char *name = *(const char *const *)element;
    int order = strncmp(given->value, name, given->length);
    return order != 0 ? order : (name[given->length] == '\0' ? 0 : -1);
}

/* Whether a name is one that aria2 knows; warns of each once in a manifest. */
static bool ignore(struct adl_draft *draft, const char *name, size_t length, uint64_t line)
{
    _Static_assert(COUNT(aria2_options) <= 64 * COUNT(draft->ignored), "one bit for each");
    const struct given key = {.value = name, .length = length};
    const char *const *found =
        bsearch(&key, aria2_options, COUNT(aria2_options), sizeof(*found), compare_names);
    if (!found)
        return false;
    size_t index = (size_t)(found - aria2_options);
    uint64_t bit = UINT64_C(1) << (index % 64);
    if (!(draft->ignored[index / 64] & bit))
        adl_complain(draft->complaints, ADL_WARNING, line,
                     "option '%s' means nothing to adlfs and is ignored", *found);
    draft->ignored[index / 64] |= bit;
    return true;
}

static const struct option *find(const struct option *options, size_t count, const char *name,
                                 size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0)
            return &options[i];
    return NULL;
}

/* Gives the value to the option; `bit` is the option's in draft->given. */
static int take(const struct option *option, unsigned bit, struct given *given)
{
    uint64_t mask = UINT64_C(1) << bit;
    given->name = option->name;
    if (!option->repeats && (given->draft->given & mask))
        WARN(given, "%s= was given before for this file: this one counts", option->name);
    given->draft->given |= mask;
    return option->take(given);
}

/* Whether a word may be shown as an option's name: anything else could be part of a secret. */
static bool is_option_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= '0' && text[i] <= '9') &&
            text[i] != '-')
            return false;
    return length > 0 && length <= 40;
}

static void refuse(struct adl_draft *draft, const char *text, size_t length, bool has_value,
                   uint64_t line)
{
    if (memmem(text, length, "://", 3))
        adl_draft_fault(draft, line,
                        "this is an option line, since it begins with white space: a URL must "
                        "begin its line");
    else if (!has_value || !is_option_name(text, length))
        adl_draft_fault(draft, line, "an option line must read NAME=VALUE");
    else
        adl_draft_fault(draft, line, "there is no option '%s'", adl_quote(text, length).text);
}

int adl_draft_option(struct adl_draft *draft, const char *text, size_t length, uint64_t line)
{
    if (!draft->line) {
        adl_draft_fault(draft, line,
                        "an option (a line that begins with white space) must follow "
                        "the URL that it is for");
        return 0;
    }
    const char *equals = memchr(text, '=', length);
    const char *name = text;
    size_t name_length = equals ? (size_t)(equals - text) : length;
    trim(&name, &name_length);

    const struct option *option = find(line_options, COUNT(line_options), name, name_length);
    if (!option && ignore(draft, name, name_length, line))
        return 0;
    if (!option || !equals) {
        refuse(draft, name, name_length, equals != NULL, line);
        return 0;
    }
    struct given given = {
        .draft = draft,
        .value = equals + 1,
        .length = (size_t)(text + length - equals - 1),
        .line = line,
    };
    trim(&given.value, &given.length);
    return take(option, (unsigned)(option - line_options), &given);
}

static int take_word(struct adl_draft *draft, const char *word, size_t length, uint64_t line)
{
    const char *equals = memchr(word, '=', length);
    size_t name = equals ? (size_t)(equals - word) : length;
    const struct option *option =
        equals ? find(comment_options, COUNT(comment_options), word, name) : NULL;
    if (!option) {
        adl_complain(draft->complaints, ADL_WARNING, line,
                     "#adlfs: knows size=N and mtime=TIME: '%s' is ignored",
                     is_option_name(word, name) ? adl_quote(word, name).text : "...");
        return 0;
    }
    struct given given = {
        .draft = draft,
        .value = equals + 1,
        .length = length - name - 1,
        .line = line,
    };
    return take(option, (unsigned)(COUNT(line_options) + (size_t)(option - comment_options)),
                &given);
}

int adl_draft_comment(struct adl_draft *draft, const char *text, size_t length, uint64_t line)
{
    if (!draft->line) {
        adl_draft_fault(draft, line, "#adlfs: must follow the URL that it is for");
        return 0;
    }
    for (;;) {
        trim(&text, &length);
        if (length == 0)
            return 0;
        size_t word = 0;
        while (word < length && text[word] != ' ' && text[word] != '\t')
            word++;
        int r = take_word(draft, text, word, line);
        if (r < 0)
            return r;
        text += word;
        length -= word;
    }
}
