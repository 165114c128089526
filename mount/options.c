#include "options.h"

#include "cleanup.h"
#include "header.h"
#include "limit.h"
#include "secret.h"
#include "spell.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* DESIGN: an option is a row that says its name, what kind of value it takes and which field of
 * struct adl_options that value goes to. The command line, -o and the help text all read the same
 * rows, so that an option cannot exist in one of them only. */

enum kind {
    FLAG,    /* bool; no value */
    TEXT,    /* const char *; not empty */
    PATH,    /* const char *; made absolute, since the daemon leaves its directory */
    SIZE,    /* uint32_t bytes, a power of two; K, M, G are powers of 1024 */
    BYTES,   /* int64_t bytes; likewise, and T */
    SECONDS, /* int64_t; s, m, h, d are understood */
    NUMBER,  /* unsigned */
    CHOICE,  /* int: one of the row's words */
    HEADER,  /* appended to options->headers; @FILE: each of its lines */
    LIST,    /* a list of options: -o */
};

struct word {
    const char *name;
    int64_t value;
};

struct option {
    const char *name;
    const char *value;        /* how help calls its value; NULL for a flag */
    const char *help;         /* at most 46 columns, with the default that help adds in brackets */
    const struct word *words; /* named values, ended by a NULL name; NULL for none */
    size_t offset;            /* of the field in struct adl_options */
    int64_t min, max;         /* SIZE, BYTES, SECONDS, NUMBER */
    enum kind kind;
    unsigned users; /* enum adl_option_user, or'ed */
    char letter;    /* 0: none */
};

struct adl_owned {
    struct adl_owned *next;
    char text[];
};

static const struct word allocate_words[] = {{"sparse", ADL_ALLOCATE_SPARSE},
                                             {"full", ADL_ALLOCATE_FULL},
                                             {NULL, 0}};
static const struct word revalidate_words[] = {{"never", ADL_REVALIDATE_NEVER},
                                               {"always", 0},
                                               {NULL, 0}};
static const struct word paused_words[] = {{"wait", ADL_PAUSED_WAIT},
                                           {"fail", ADL_PAUSED_FAIL},
                                           {NULL, 0}};
static const struct word fill_words[] = {{"never", ADL_FILL_NEVER},
                                         {"opened", ADL_FILL_OPENED},
                                         {"all", ADL_FILL_ALL},
                                         {NULL, 0}};
static const struct word format_words[] = {{"table", ADL_FORMAT_TABLE},
                                           {"json", ADL_FORMAT_JSON},
                                           {"prometheus", ADL_FORMAT_PROMETHEUS},
                                           {NULL, 0}};
static const struct word level_words[] = {{"error", ADL_ERROR},
                                          {"warning", ADL_WARNING},
                                          {"notice", ADL_NOTICE},
                                          {"debug", ADL_DEBUG},
                                          {NULL, 0}};

#define ADL_FOR_ALL  UINT_MAX
#define AT(field)    offsetof(struct adl_options, field)
#define WEEK_SECONDS (INT64_C(7) * 24 * 3600)
/* Fits everywhere that adds it to a clock. */
#define LONG_SECONDS (INT64_C(100) * 365 * 24 * 3600)

/* clang-format off */
static const struct option table[] = {
    {"cache-dir", "DIR", "keep what was fetched here [~/.cache/adlfs]",
     NULL, AT(settings.cache_dir), 0, 0, PATH,
     ADL_FOR_MOUNT | ADL_FOR_GET | ADL_FOR_CACHE | ADL_FOR_VERIFY, 0},
    {"allocate", "sparse|full", "how cache files take disk space",
     allocate_words, AT(settings.allocate), 0, 0, CHOICE, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"cache-max", "SIZE", "what the cache may take of the disk [no limit]",
     NULL, AT(settings.cache_max), 1 << 20, INT64_MAX, BYTES, ADL_FOR_MOUNT, 0},
    {"cache-reserve", "SIZE", "what it leaves free there [nothing]",
     NULL, AT(settings.cache_reserve), 1 << 20, INT64_MAX, BYTES, ADL_FOR_MOUNT, 0},
    {"block-size", "SIZE", "unit of the cache, a power of two",
     NULL, AT(settings.block_size), 4096, 16 << 20, SIZE, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"revalidate", "SECONDS|never|always", "how long to trust what an origin said",
     revalidate_words, AT(settings.revalidate), 0, LONG_SECONDS, SECONDS, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"retry-for", "SECONDS", "a stuck read fails after this long",
     NULL, AT(settings.retry_for), 0, WEEK_SECONDS, SECONDS, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"connect-timeout", "SECONDS", "give up connecting after this long",
     NULL, AT(settings.connect_timeout), 1, 3600, SECONDS, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"stall-timeout", "SECONDS", "retry a transfer that is silent so long",
     NULL, AT(settings.stall_timeout), 1, 3600, SECONDS, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"max-connections-per-origin", "N", "at most so many to one server",
     NULL, AT(settings.origin_connections), 1, 64, NUMBER, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"max-connections", "N", "at most so many in all",
     NULL, AT(settings.connections), 1, 256, NUMBER, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"limit-rate", "SIZE", "at most so many bytes a second; 0: no limit",
     NULL, AT(settings.limit_rate), 0, ADL_LIMIT_MAX, BYTES, ADL_FOR_MOUNT, 0},
    {"fill", "never|opened|all", "fetch on while nobody reads",
     fill_words, AT(settings.fill), 0, 0, CHOICE, ADL_FOR_MOUNT, 0},
    {"paused", NULL, "fetch nothing until 'adlfs resume'",
     NULL, AT(settings.paused), 0, 0, FLAG, ADL_FOR_MOUNT, 0},
    {"paused-reads", "wait|fail", "what reads do meanwhile",
     paused_words, AT(settings.paused_reads), 0, 0, CHOICE, ADL_FOR_MOUNT, 0},
    {"header", "'NAME: VALUE'|@FILE", "send this header too; may be repeated",
     NULL, 0, 0, 0, HEADER, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"netrc", NULL, "log in as ~/.netrc says",
     NULL, AT(netrc), 0, 0, FLAG, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"netrc-file", "FILE", "log in as this file says",
     NULL, AT(settings.netrc), 0, 0, PATH, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"user-agent", "TEXT", "say this in User-Agent [adlfs/" ADL_VERSION "]",
     NULL, AT(settings.user_agent), 0, 0, TEXT, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"cacert", "FILE", "trust these CA certificates [the system's]",
     NULL, AT(settings.ca_file), 0, 0, PATH, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"insecure", NULL, "do not check certificates",
     NULL, AT(settings.insecure), 0, 0, FLAG, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"allow-other", NULL, "let other users read the mount",
     NULL, AT(allow_other), 0, 0, FLAG, ADL_FOR_MOUNT, 0},
    {"exec", NULL, "make every file executable (mode 0555)",
     NULL, AT(exec), 0, 0, FLAG, ADL_FOR_MOUNT, 0},
    {"follow", NULL, "read the manifest again when it changes",
     NULL, AT(follow), 0, 0, FLAG, ADL_FOR_MOUNT, 0},
    {"keep-going", NULL, "take what is right of a faulty manifest",
     NULL, AT(keep_going), 0, 0, FLAG, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"log-level", "error|warning|notice|debug", "how much to tell",
     level_words, AT(log_level), 0, 0, CHOICE, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"log-file", "FILE", "log to this file [terminal, then syslog]",
     NULL, AT(log_file), 0, 0, PATH, ADL_FOR_MOUNT, 0},
    {"foreground", NULL, "stay in the foreground",
     NULL, AT(foreground), 0, 0, FLAG, ADL_FOR_MOUNT, 'f'},
    {NULL, "OPTION,...", "the same options as fstab spells them",
     NULL, 0, 0, 0, LIST, ADL_FOR_MOUNT, 'o'},
    {"output", "FILE|DIR", "put it there; '-': standard output",
     NULL, AT(output), 0, 0, TEXT, ADL_FOR_GET, 'o'},
    {"jobs", "N", "fetch so many files at a time",
     NULL, AT(jobs), 1, 256, NUMBER, ADL_FOR_GET, 'j'},
    {"checksum", "TYPE=HEX", "what the URL's bytes must have, as sha-256=...",
     NULL, AT(checksum), 0, 0, TEXT, ADL_FOR_GET, 0},
    {"overwrite", NULL, "replace files that are others",
     NULL, AT(overwrite), 0, 0, FLAG, ADL_FOR_GET, 0},
    {"quiet", NULL, "tell what went wrong, and nothing else",
     NULL, AT(quiet), 0, 0, FLAG, ADL_FOR_GET, 'q'},
    {"lazy", NULL, "detach now, even if it is busy",
     NULL, AT(lazy), 0, 0, FLAG, ADL_FOR_UMOUNT, 'z'},
    {"watch", NULL, "go on showing it, until Ctrl-C",
     NULL, AT(watch), 0, 0, FLAG, ADL_FOR_STATUS, 'w'},
    {"format", "table|json|prometheus", "for people, programs, or monitoring",
     format_words, AT(format), 0, 0, CHOICE, ADL_FOR_STATUS, 0},
    {"range", "A-B", "only bytes A to B of each; like 0-1M, or 5G-",
     NULL, AT(range), 0, 0, TEXT, ADL_FOR_WARM, 0},
    {"jobs", "N", "connections at most; 0: what is good",
     NULL, AT(connections), 0, 256, NUMBER, ADL_FOR_WARM, 'j'},
    {"detach", NULL, "do not wait until it is here",
     NULL, AT(detach), 0, 0, FLAG, ADL_FOR_WARM, 'd'},
    {"yes", NULL, "do not ask",
     NULL, AT(yes), 0, 0, FLAG, ADL_FOR_CACHE | ADL_FOR_EVICT, 'y'},
    {"json", NULL, "print objects for programs",
     NULL, AT(json), 0, 0, FLAG,
     ADL_FOR_PROBE | ADL_FOR_STATUS | ADL_FOR_GET | ADL_FOR_CACHE | ADL_FOR_VERIFY | ADL_FOR_EVICT,
     0},
    {"help", NULL, "show this help",
     NULL, AT(help), 0, 0, FLAG, ADL_FOR_ALL, 'h'},
};
/* clang-format on */

#define TABLE_LENGTH (sizeof(table) / sizeof(table[0]))

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
static bool scan_number(const char *text, const struct word *units, int64_t *out)
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
static int parse_number(const struct parse *parse, const struct option *option, const char *value,
                        int64_t *out)
{
    static const struct word bytes[] = {
        {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", INT64_C(1) << 40}, {NULL, 0}};
    static const struct word times[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
    bool sized = option->kind == SIZE || option->kind == BYTES;
    const struct word *units = sized ? bytes : option->kind == SECONDS ? times : NULL;
    if (!scan_number(value, units, out))
        return wrong(parse, "%s%s: '%s' is not a %s", dashes(parse), option->name, value,
                     sized                     ? "size like 64K or 1M"
                     : option->kind == SECONDS ? "time like 30 (seconds) or 5m"
                                               : "number");
    if (*out < option->min || *out > option->max)
        return wrong(parse, "%s%s: '%s' is not between %lld and %lld", dashes(parse), option->name,
                     value, (long long)option->min, (long long)option->max);
    if (option->kind == SIZE && (*out & (*out - 1)) != 0)
        return wrong(parse, "%s%s: '%s' is not a power of two", dashes(parse), option->name, value);
    return 0;
}

static bool find_word(const struct word *words, const char *name, int64_t *out)
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

static int set_text(const struct parse *parse, const struct option *option, const char *value)
{
    struct adl_options *options = parse->options;
    if (!*value)
        return wrong(parse, "%s%s needs a value", dashes(parse), option->name);
    if (option->kind == HEADER)
        return value[0] == '@' ? take_header_file(parse, value + 1) : take_header(parse, value);
    const char **field = (const char **)((char *)options + option->offset);
    if (option->kind == PATH)
        return make_absolute(options, value, field);
    if (strpbrk(value, "\r\n"))
        return wrong(parse, "%s%s: more than one line", dashes(parse), option->name);
    *field = value;
    return 0;
}

static int set_number(const struct parse *parse, const struct option *option, const char *value)
{
    int64_t number = 0;
    if (!find_word(option->words, value, &number)) {
        if (option->kind == CHOICE)
            return wrong(parse, "%s%s: '%s' is none of %s", dashes(parse), option->name, value,
                         option->value);
        int r = parse_number(parse, option, value, &number);
        if (r < 0)
            return r;
    }
    void *field = (char *)parse->options + option->offset;
    switch (option->kind) {
    case SIZE:
        *(uint32_t *)field = (uint32_t)number;
        break;
    case BYTES:
    case SECONDS:
        *(int64_t *)field = number;
        break;
    case NUMBER:
        *(unsigned *)field = (unsigned)number;
        break;
    default:
        *(int *)field = (int)number;
    }
    return 0;
}

static int parse_list(const struct parse *outer, const char *list);

/* `value` of a flag is not looked at. */
static int set_value(const struct parse *parse, const struct option *option, const char *value)
{
    switch (option->kind) {
    case FLAG:
        *((bool *)((char *)parse->options + option->offset)) = true;
        return 0;
    case TEXT:
    case PATH:
    case HEADER:
        return set_text(parse, option, value);
    case LIST:
        return parse_list(parse, value);
    default:
        return set_number(parse, option, value);
    }
}

/* Whether `name`, `length` bytes, is that option's; '_' and '-' are one. */
static bool named(const struct option *option, const char *name, size_t length)
{
    if (!option->name || strlen(option->name) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (option->name[i] != (name[i] == '_' ? '-' : name[i]))
            return false;
    return true;
}

static const struct option *find_option(unsigned user, const char *name, size_t length)
{
    for (size_t i = 0; i < TABLE_LENGTH; i++)
        if ((table[i].users & user) && named(&table[i], name, length))
            return &table[i];
    return NULL;
}

static int unknown_option(const struct parse *parse, const char *name, size_t length)
{
    const char *names[TABLE_LENGTH + 1];
    size_t count = 0;
    for (size_t i = 0; i < TABLE_LENGTH; i++)
        if (table[i].name && (table[i].users & parse->user))
            names[count++] = table[i].name;
    names[count] = NULL;

    cleanup_free char *word = strndup(name, length);
    if (!word)
        return -ENOMEM;
    const char *nearest = adl_spell_nearest(word, names);
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
    const struct option *option = find_option(parse->user, item, length);
    if (option && option->kind == FLAG && equals)
        return wrong(parse, "%s takes no value", option->name);
    if (option && option->kind != FLAG && !equals)
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
    const struct option *option = find_option(parse->user, name, length);
    if (!option)
        return unknown_option(parse, name, length);
    if (option->kind == FLAG)
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
        const struct option *option = NULL;
        for (size_t i = 0; i < TABLE_LENGTH && !option; i++)
            if (table[i].letter == *letter && (table[i].users & parse->user))
                option = &table[i];
        if (!option)
            return wrong(parse, "unknown option '-%c'", *letter);
        if (option->kind != FLAG) {
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

/* Which file --netrc means, and whether it can be read: said now, and not in a log. */
static int find_netrc(const struct parse *parse)
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
        return wrong(parse, "%s: %s", path, strerror(errno));
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
        r = find_netrc(&parse);
    options->settings.headers = options->headers;
    options->settings.n_headers = options->n_headers;
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

/* " [64K]": what the option is when it is not given; "" where the help text says it. */
static void describe_default(const struct option *option, const struct adl_options *defaults,
                             char *out, size_t room)
{
    const void *field = (const char *)defaults + option->offset;
    int64_t number;
    out[0] = '\0';
    switch (option->kind) {
    case SIZE:
        snprintf(out, room, " [%uK]", *(const uint32_t *)field / 1024);
        return;
    case SECONDS:
        number = *(const int64_t *)field;
        break;
    case NUMBER:
        number = *(const unsigned *)field;
        break;
    case CHOICE:
        number = *(const int *)field;
        break;
    default:
        return;
    }
    for (const struct word *word = option->words; word && word->name; word++)
        if (word->value == number) {
            snprintf(out, room, " [%s]", word->name);
            return;
        }
    snprintf(out, room, " [%lld]", (long long)number);
}

void adl_options_help(FILE *out, enum adl_option_user user)
{
    struct adl_options defaults;
    adl_options_init(&defaults, user);
    for (size_t i = 0; i < TABLE_LENGTH; i++) {
        const struct option *option = &table[i];
        if (!(option->users & user))
            continue;
        char letter[8] = "    ", left[64], standard[32];
        if (option->letter)
            snprintf(letter, sizeof(letter), "-%c%s", option->letter, option->name ? ", " : "");
        snprintf(left, sizeof(left), "%s%s%s%s%s", letter, option->name ? "--" : "",
                 option->name ? option->name : " ", option->name && option->value ? "=" : "",
                 option->value ? option->value : "");
        describe_default(option, &defaults, standard, sizeof(standard));
        /* A long left column gets a line of its own. */
        fprintf(out, "  %-31s%s%s%s\n", left,
                strlen(left) > 30 ? "\n                                 " : "", option->help,
                standard);
    }
    adl_options_free(&defaults);
}
