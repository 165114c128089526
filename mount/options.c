#include "cleanup.h"
#include "header.h"
#include "option_table.h"
#include "secret.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct adl_owned {
    struct adl_owned *next;
    char text[];
};

/* What fstab(5) and mount(8) say to every file system. They are mount(8)'s own business, or what a
 * mount of ours is anyway (read-only, no devices, no set-user-ID, no access times). */
static const char *const standard_words[] = {
    "defaults",   "ro",          "auto",          "noauto",  "user",    "nouser",      "users",
    "owner",      "group",       "nofail",        "_netdev", "suid",    "nosuid",      "dev",
    "nodev",      "noexec",      "async",         "sync",    "atime",   "noatime",     "diratime",
    "nodiratime", "relatime",    "norelatime",    "silent",  "loud",    "lazytime",    "nolazytime",
    "comment",    "strictatime", "nostrictatime", "helper",  "uhelper", "nosymfollow", NULL};

static bool standard_word(const char *name)
{
    if (strncasecmp(name, "x-", 2) == 0)
        return true;
    for (const char *const *word = standard_words; *word; word++)
        if (strcmp(name, *word) == 0)
            return true;
    return false;
}

/* Where a parse is. */
struct parse {
    struct adl_options *options;
    unsigned user;
    bool listed; /* inside -o: options are named without dashes */
    char *why;
    size_t room;
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct parse *parse,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(parse->why, parse->room, format, args);
    va_end(args);
    return -EINVAL;
}

/* Memory for `length` bytes and a NUL that lives as long as the options. */
static char *own(struct adl_options *options, size_t length)
{
    struct adl_owned *owned = calloc(1, sizeof(*owned) + length + 1);
    if (!owned)
        return NULL;
    owned->next = options->owned;
    options->owned = owned;
    return owned->text;
}

static int append(const char ***list, size_t *count, const char *text)
{
    const char **longer = reallocarray(*list, *count + 1, sizeof(**list));
    if (!longer)
        return -ENOMEM;
    longer[(*count)++] = text;
    *list = longer;
    return 0;
}

static int make_absolute(struct adl_options *options, const char *path, const char **out)
{
    if (path[0] == '/') {
        *out = path;
        return 0;
    }
    cleanup_free char *directory = getcwd(NULL, 0);
    if (!directory)
        return -errno;
    size_t room = strlen(directory) + 1 + strlen(path);
    char *absolute = own(options, room);
    if (!absolute)
        return -ENOMEM;
    snprintf(absolute, room + 1, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, path);
    *out = absolute;
    return 0;
}

/* How the user spells the option that is being parsed, for messages. */
static const char *dashes(const struct parse *parse)
{
    return parse->listed ? "" : "--";
}

/* Digits and at most one unit letter, in either case. False for anything else and on overflow. */
static bool scan_number(const char *text, const struct adl_option_word *units, int64_t *out)
{
    int64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *at - '0', &number))
            return false;
    if (at == text)
        return false;
    for (; *at && units && units->name; units++)
        if (strcasecmp(at, units->name) == 0) {
            *out = number;
            return !__builtin_mul_overflow(number, units->value, out);
        }
    *out = number;
    return *at == '\0';
}

/* The number a value stands for, within the row's range. */
static int parse_number(const struct parse *parse, const struct adl_option *option,
                        const char *value, int64_t *out)
{
    static const struct adl_option_word bytes[] = {
        {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", INT64_C(1) << 40}, {NULL, 0}};
    static const struct adl_option_word times[] = {
        {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
    bool sized = option->kind == ADL_OPTION_SIZE || option->kind == ADL_OPTION_BYTES;
    const struct adl_option_word *units = sized                                ? bytes
                                          : option->kind == ADL_OPTION_SECONDS ? times
                                                                               : NULL;
    if (!scan_number(value, units, out))
        return wrong(parse, "%s%s: '%s' is not a %s", dashes(parse), option->name, value,
                     sized                                ? "size like 64K or 1M"
                     : option->kind == ADL_OPTION_SECONDS ? "time like 30 (seconds) or 5m"
                                                          : "number");
    if (*out < option->min || *out > option->max)
        return wrong(parse, "%s%s: '%s' is not between %lld and %lld", dashes(parse), option->name,
                     value, (long long)option->min, (long long)option->max);
    if (option->kind == ADL_OPTION_SIZE && (*out & (*out - 1)) != 0)
        return wrong(parse, "%s%s: '%s' is not a power of two", dashes(parse), option->name, value);
    return 0;
}

static bool find_word(const struct adl_option_word *words, const char *name, int64_t *out)
{
    for (; words && words->name; words++)
        if (strcmp(words->name, name) == 0) {
            *out = words->value;
            return true;
        }
    return false;
}

/* One header, of the command line or of a file. No message repeats it: it may be a password. */
static int take_header(const struct parse *parse, const char *text)
{
    struct adl_options *options = parse->options;
    size_t length = strlen(text), name = adl_header_name(text, length);
    if (!name || adl_header_has_control(text, length))
        return wrong(parse, "%sheader: not of the form 'Name: value'", dashes(parse));
    if (adl_header_is_own(text, name))
        return wrong(parse, "%sheader: %.*s is adlfs's own to send", dashes(parse), (int)name,
                     text);
    return append(&options->headers, &options->n_headers, text);
}

/* A header in each line of a file that nobody else needs to see. */
static int take_header_file(const struct parse *parse, const char *path)
{
    cleanup_free char *text = NULL;
    int r = adl_secret_read(path, &text);
    if (r < 0)
        return wrong(parse, "%sheader=@%s: %s", dashes(parse), path,
                     r == -EINVAL ? "it is no text file" : strerror(-r));
    char *rest = own(parse->options, strlen(text));
    if (!rest)
        return -ENOMEM;
    memcpy(rest, text, strlen(text) + 1);
    explicit_bzero(text, strlen(text));
    for (char *line; r == 0 && (line = strsep(&rest, "\r\n")) != NULL;)
        if (*line)
            r = take_header(parse, line);
    return r;
}

static int set_text(const struct parse *parse, const struct adl_option *option, const char *value)
{
    struct adl_options *options = parse->options;
    if (!*value)
        return wrong(parse, "%s%s needs a value", dashes(parse), option->name);
    if (option->kind == ADL_OPTION_HEADER)
        return value[0] == '@' ? take_header_file(parse, value + 1) : take_header(parse, value);
    const char **field = (const char **)((char *)options + option->offset);
    if (option->kind == ADL_OPTION_PATH)
        return make_absolute(options, value, field);
    if (strpbrk(value, "\r\n"))
        return wrong(parse, "%s%s: more than one line", dashes(parse), option->name);
    *field = value;
    return 0;
}

static int set_number(const struct parse *parse, const struct adl_option *option, const char *value)
{
    int64_t number = 0;
    if (!find_word(option->words, value, &number)) {
        if (option->kind == ADL_OPTION_CHOICE)
            return wrong(parse, "%s%s: '%s' is none of %s", dashes(parse), option->name, value,
                         option->value);
        int r = parse_number(parse, option, value, &number);
        if (r < 0)
            return r;
    }
    void *field = (char *)parse->options + option->offset;
    switch (option->kind) {
    case ADL_OPTION_SIZE:
        *(uint32_t *)field = (uint32_t)number;
        break;
    case ADL_OPTION_BYTES:
    case ADL_OPTION_SECONDS:
        *(int64_t *)field = number;
        break;
    case ADL_OPTION_NUMBER:
        *(unsigned *)field = (unsigned)number;
        break;
    default:
        *(int *)field = (int)number;
    }
    return 0;
}

static int parse_list(const struct parse *outer, const char *list);

/* `value` of a flag is not looked at. */
static int set_value(const struct parse *parse, const struct adl_option *option, const char *value)
{
    switch (option->kind) {
    case ADL_OPTION_FLAG:
        *((bool *)((char *)parse->options + option->offset)) = true;
        return 0;
    case ADL_OPTION_TEXT:
    case ADL_OPTION_PATH:
    case ADL_OPTION_HEADER:
        return set_text(parse, option, value);
    case ADL_OPTION_LIST:
        return parse_list(parse, value);
    default:
        return set_number(parse, option, value);
    }
}

static int unknown_option(const struct parse *parse, const char *name, size_t length)
{
    cleanup_free char *word = strndup(name, length);
    if (!word)
        return -ENOMEM;
    const char *nearest = adl_option_nearest(parse->user, word);
    if (nearest)
        return wrong(parse, "unknown option '%s%s'; did you mean '%s%s'?", dashes(parse), word,
                     dashes(parse), nearest);
    return wrong(parse, "unknown option '%s%s'", dashes(parse), word);
}

/* One "name" or "name=value" of -o. `item` lives as long as the options. */
static int parse_item(const struct parse *parse, const char *item)
{
    if (!*item)
        return 0;
    const char *equals = strchr(item, '=');
    size_t length = equals ? (size_t)(equals - item) : strlen(item);
    const struct adl_option *option = adl_option_named(parse->user, item, length);
    if (option && option->kind == ADL_OPTION_FLAG && equals)
        return wrong(parse, "%s takes no value", option->name);
    if (option && option->kind != ADL_OPTION_FLAG && !equals)
        return wrong(parse, "%s needs a value: %s=%s", option->name, option->name, option->value);
    if (option)
        return set_value(parse, option, equals ? equals + 1 : "");

    cleanup_free char *name = strndup(item, length);
    if (!name)
        return -ENOMEM;
    if (strcmp(name, "remount") == 0)
        return wrong(parse, "it cannot be mounted again with other options: "
                            "unmount it first, then mount it");
    if (strcmp(name, "rw") == 0 && parse->options->from_mount)
        return 0; /* mount(8) says so when nobody said anything */
    if (strcmp(name, "rw") == 0)
        return wrong(parse, "a mount of URLs is read-only: give 'ro' in place of 'rw'");
    return standard_word(name) || parse->options->sloppy ? 0 : unknown_option(parse, item, length);
}

/* The list of -o, taken apart at its commas. */
static int parse_list(const struct parse *outer, const char *list)
{
    struct parse parse = *outer;
    parse.listed = true;
    char *to = own(parse.options, strlen(list));
    if (!to)
        return -ENOMEM;
    int r = 0;
    for (const char *at = list; r == 0;) {
        char *item = to;
        for (; *at && *at != ','; at++) {
            if (*at == '\\' && (at[1] == ',' || at[1] == '\\'))
                at++;
            *to++ = *at;
        }
        *to++ = '\0';
        r = parse_item(&parse, item);
        if (!*at++)
            break;
    }
    return r;
}

/* argv[*at] is "--name" or "--name=value". */
static int parse_long(const struct parse *parse, int argc, const char *const *argv, int *at)
{
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct adl_option *option = adl_option_named(parse->user, name, length);
    if (!option)
        return unknown_option(parse, name, length);
    if (option->kind == ADL_OPTION_FLAG)
        return equals ? wrong(parse, "--%s takes no value", option->name)
                      : set_value(parse, option, "");
    if (equals)
        return set_value(parse, option, equals + 1);
    if (++*at >= argc)
        return wrong(parse, "--%s needs a value: --%s=%s", option->name, option->name,
                     option->value);
    return set_value(parse, option, argv[*at]);
}

/* argv[*at] is "-abc": flags, of which the last may take a value, as "-oVALUE" or "-o VALUE". */
static int parse_short(const struct parse *parse, int argc, const char *const *argv, int *at)
{
    for (const char *letter = argv[*at] + 1; *letter; letter++) {
        const struct adl_option *option = adl_option_lettered(parse->user, *letter);
        if (!option)
            return wrong(parse, "unknown option '-%c'", *letter);
        if (option->kind != ADL_OPTION_FLAG) {
            const char *value = letter[1] ? letter + 1 : ++*at < argc ? argv[*at] : NULL;
            return value
                       ? set_value(parse, option, value)
                       : wrong(parse, "-%c needs a value: -%c %s", *letter, *letter, option->value);
        }
        int r = set_value(parse, option, "");
        if (r < 0)
            return r;
    }
    return 0;
}

void adl_options_init(struct adl_options *options, enum adl_option_user user)
{
    memset(options, 0, sizeof(*options));
    adl_settings_init(&options->settings);
    options->log_level = ADL_NOTICE;
    if (user == ADL_FOR_PROBE) {
        options->settings.retry_for = 10; /* somebody is watching */
        options->log_level = ADL_ERROR;   /* what was found is printed anyway */
    }
    if (user == ADL_FOR_GET) {
        options->settings.revalidate = 0; /* what is there now, and not what was a minute ago */
        options->log_level = ADL_ERROR;   /* what went wrong stands in the progress */
        options->jobs = 8;
    }
}

/* Which file --netrc means, and whether it and --cacert's can be read: said now, and not in a log.
 */
static int find_files(const struct parse *parse)
{
    struct adl_options *options = parse->options;
    const char *home = getenv("HOME");
    if (options->netrc && !options->settings.netrc) {
        if (!home || !*home)
            return wrong(parse, "--netrc: there is no HOME; say --netrc-file=FILE");
        size_t room = strlen(home) + sizeof("/.netrc");
        char *path = own(options, room);
        if (!path)
            return -ENOMEM;
        snprintf(path, room, "%s/.netrc", home);
        int r = make_absolute(options, path, &options->settings.netrc);
        if (r < 0)
            return r;
    }
    const char *path = options->settings.netrc;
    if (path && access(path, R_OK) < 0)
        return wrong(parse, "--netrc-file=%s: %s", path, strerror(errno));
    path = options->settings.ca_file;
    if (path && access(path, R_OK) < 0)
        return wrong(parse, "--cacert=%s: %s", path, strerror(errno));
    return 0;
}

int adl_options_parse(struct adl_options *options, enum adl_option_user user, int argc,
                      const char *const *argv, char *why, size_t room)
{
    struct parse parse = {.options = options, .user = user, .why = why, .room = room};
    bool ended = false;
    int r = 0;
    for (int at = 0; at < argc && r == 0; at++) {
        const char *word = argv[at];
        if (ended || word[0] != '-' || !word[1])
            r = append(&options->operands, &options->n_operands, word);
        else if (strcmp(word, "--") == 0)
            ended = true;
        else if (word[1] == '-')
            r = parse_long(&parse, argc, argv, &at);
        else
            r = parse_short(&parse, argc, argv, &at);
    }
    if (r == 0)
        r = find_files(&parse);
    options->settings.headers = options->headers;
    options->settings.n_headers = options->n_headers;
    options->settings.modeless = options->exec || user != ADL_FOR_MOUNT;
    if (r < 0 && r != -EINVAL)
        snprintf(why, room, "%s", strerror(-r));
    return r;
}

void adl_options_free(struct adl_options *options)
{
    while (options->owned) {
        struct adl_owned *owned = options->owned;
        options->owned = owned->next;
        free(owned);
    }
    free(options->headers);
    free(options->operands);
}
