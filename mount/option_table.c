#include "option_table.h"

#include "limit.h"
#include "spell.h"

#include <limits.h>
#include <string.h>

static const struct adl_option_word allocate_words[] = {{"sparse", ADL_ALLOCATE_SPARSE},
                                                        {"full", ADL_ALLOCATE_FULL},
                                                        {NULL, 0}};
static const struct adl_option_word revalidate_words[] = {{"never", ADL_REVALIDATE_NEVER},
                                                          {"always", 0},
                                                          {NULL, 0}};
static const struct adl_option_word paused_words[] = {{"wait", ADL_PAUSED_WAIT},
                                                      {"fail", ADL_PAUSED_FAIL},
                                                      {NULL, 0}};
static const struct adl_option_word fill_words[] = {{"never", ADL_FILL_NEVER},
                                                    {"opened", ADL_FILL_OPENED},
                                                    {"all", ADL_FILL_ALL},
                                                    {NULL, 0}};
static const struct adl_option_word format_words[] = {{"table", ADL_FORMAT_TABLE},
                                                      {"json", ADL_FORMAT_JSON},
                                                      {"prometheus", ADL_FORMAT_PROMETHEUS},
                                                      {NULL, 0}};
static const struct adl_option_word level_words[] = {{"error", ADL_ERROR},
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
static const struct adl_option table[] = {
    {"cache-dir", "DIR", "keep what was fetched here [~/.cache/adlfs]",
     NULL, AT(settings.cache_dir), 0, 0, ADL_OPTION_PATH,
     ADL_FOR_MOUNT | ADL_FOR_CACHE | ADL_FOR_VERIFY, 0},
    {"cache-dir", "DIR", "fill and use this cache",
     NULL, AT(settings.cache_dir), 0, 0, ADL_OPTION_PATH, ADL_FOR_GET, 0},
    {"allocate", "sparse|full", "how cache files take disk space",
     allocate_words, AT(settings.allocate), 0, 0, ADL_OPTION_CHOICE, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"cache-max", "SIZE", "what the cache may take of the disk [no limit]",
     NULL, AT(settings.cache_max), 1 << 20, INT64_MAX, ADL_OPTION_BYTES, ADL_FOR_MOUNT, 0},
    {"cache-reserve", "SIZE", "what it leaves free there [nothing]",
     NULL, AT(settings.cache_reserve), 1 << 20, INT64_MAX, ADL_OPTION_BYTES, ADL_FOR_MOUNT, 0},
    {"block-size", "SIZE", "unit of the cache, a power of two",
     NULL, AT(settings.block_size), 4096, 16 << 20, ADL_OPTION_SIZE, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"revalidate", "SECONDS|never|always", "how long to trust what an origin said",
     revalidate_words, AT(settings.revalidate), 0, LONG_SECONDS, ADL_OPTION_SECONDS, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"retry-for", "SECONDS", "a stuck read fails after this long",
     NULL, AT(settings.retry_for), 0, WEEK_SECONDS, ADL_OPTION_SECONDS, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"connect-timeout", "SECONDS", "give up connecting after this long",
     NULL, AT(settings.connect_timeout), 1, 3600, ADL_OPTION_SECONDS, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"stall-timeout", "SECONDS", "retry a transfer that is silent so long",
     NULL, AT(settings.stall_timeout), 1, 3600, ADL_OPTION_SECONDS, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"max-connections-per-origin", "N", "at most so many to one server",
     NULL, AT(settings.origin_connections), 1, 64, ADL_OPTION_NUMBER, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"max-connections", "N", "at most so many in all",
     NULL, AT(settings.connections), 1, 256, ADL_OPTION_NUMBER, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"limit-rate", "SIZE", "at most so many bytes a second; 0: no limit",
     NULL, AT(settings.limit_rate), 0, ADL_LIMIT_MAX, ADL_OPTION_BYTES, ADL_FOR_MOUNT, 0},
    {"fill", "never|opened|all", "fetch on while nobody reads",
     fill_words, AT(settings.fill), 0, 0, ADL_OPTION_CHOICE, ADL_FOR_MOUNT, 0},
    {"paused", NULL, "fetch nothing until 'adlfs resume'",
     NULL, AT(settings.paused), 0, 0, ADL_OPTION_FLAG, ADL_FOR_MOUNT, 0},
    {"paused-reads", "wait|fail", "what reads do meanwhile",
     paused_words, AT(settings.paused_reads), 0, 0, ADL_OPTION_CHOICE, ADL_FOR_MOUNT, 0},
    {"header", "'NAME: VALUE'|@FILE", "send this header too; may be repeated",
     NULL, 0, 0, 0, ADL_OPTION_HEADER, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"netrc", NULL, "log in as ~/.netrc says",
     NULL, AT(netrc), 0, 0, ADL_OPTION_FLAG, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"netrc-file", "FILE", "log in as this file says",
     NULL, AT(settings.netrc), 0, 0, ADL_OPTION_PATH, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"user-agent", "TEXT", "say this in User-Agent [adlfs/" ADL_VERSION "]",
     NULL, AT(settings.user_agent), 0, 0, ADL_OPTION_TEXT, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"cacert", "FILE", "trust these CA certificates [the system's]",
     NULL, AT(settings.ca_file), 0, 0, ADL_OPTION_PATH, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"insecure", NULL, "do not check certificates",
     NULL, AT(settings.insecure), 0, 0, ADL_OPTION_FLAG, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"allow-other", NULL, "let other users read the mount",
     NULL, AT(allow_other), 0, 0, ADL_OPTION_FLAG, ADL_FOR_MOUNT, 0},
    {"exec", NULL, "make every file executable (mode 0555)",
     NULL, AT(exec), 0, 0, ADL_OPTION_FLAG, ADL_FOR_MOUNT, 0},
    {"follow", NULL, "read the manifest again when it changes",
     NULL, AT(follow), 0, 0, ADL_OPTION_FLAG, ADL_FOR_MOUNT, 0},
    {"keep-going", NULL, "take what is right of a faulty manifest",
     NULL, AT(keep_going), 0, 0, ADL_OPTION_FLAG, ADL_FOR_MOUNT | ADL_FOR_GET, 0},
    {"log-level", "error|warning|notice|debug", "how much to tell",
     level_words, AT(log_level), 0, 0, ADL_OPTION_CHOICE, ADL_FOR_MOUNT | ADL_FOR_PROBE | ADL_FOR_GET, 0},
    {"log-file", "FILE", "log to this file [terminal, then syslog]",
     NULL, AT(log_file), 0, 0, ADL_OPTION_PATH, ADL_FOR_MOUNT, 0},
    {"foreground", NULL, "stay in the foreground",
     NULL, AT(foreground), 0, 0, ADL_OPTION_FLAG, ADL_FOR_MOUNT, 'f'},
    {NULL, "OPTION,...", "the same options as fstab spells them",
     NULL, 0, 0, 0, ADL_OPTION_LIST, ADL_FOR_MOUNT, 'o'},
    {"output", "FILE|DIR", "put it there; '-': standard output",
     NULL, AT(output), 0, 0, ADL_OPTION_TEXT, ADL_FOR_GET, 'o'},
    {"jobs", "N", "fetch so many files at a time",
     NULL, AT(jobs), 1, 256, ADL_OPTION_NUMBER, ADL_FOR_GET, 'j'},
    {"checksum", "TYPE=HEX", "what the URL's bytes must have, as sha-256=...",
     NULL, AT(checksum), 0, 0, ADL_OPTION_TEXT, ADL_FOR_GET, 0},
    {"overwrite", NULL, "replace files that are others",
     NULL, AT(overwrite), 0, 0, ADL_OPTION_FLAG, ADL_FOR_GET, 0},
    {"quiet", NULL, "tell what went wrong, and nothing else",
     NULL, AT(quiet), 0, 0, ADL_OPTION_FLAG, ADL_FOR_GET, 'q'},
    {"lazy", NULL, "detach now, even if it is busy",
     NULL, AT(lazy), 0, 0, ADL_OPTION_FLAG, ADL_FOR_UMOUNT, 'z'},
    {"watch", NULL, "go on showing it, until Ctrl-C",
     NULL, AT(watch), 0, 0, ADL_OPTION_FLAG, ADL_FOR_STATUS, 'w'},
    {"format", "table|json|prometheus", "for people, programs, or monitoring",
     format_words, AT(format), 0, 0, ADL_OPTION_CHOICE, ADL_FOR_STATUS, 0},
    {"range", "A-B", "only bytes A to B of each; like 0-1M, or 5G-",
     NULL, AT(range), 0, 0, ADL_OPTION_TEXT, ADL_FOR_WARM, 0},
    {"jobs", "N", "connections at most; 0: what is good",
     NULL, AT(connections), 0, 256, ADL_OPTION_NUMBER, ADL_FOR_WARM, 'j'},
    {"detach", NULL, "do not wait until it is here",
     NULL, AT(detach), 0, 0, ADL_OPTION_FLAG, ADL_FOR_WARM, 'd'},
    {"stop", NULL, "give up what was ordered in these mounts",
     NULL, AT(stop), 0, 0, ADL_OPTION_FLAG, ADL_FOR_WARM, 0},
    {"yes", NULL, "do not ask",
     NULL, AT(yes), 0, 0, ADL_OPTION_FLAG, ADL_FOR_CACHE | ADL_FOR_EVICT, 'y'},
    {"json", NULL, "print objects for programs",
     NULL, AT(json), 0, 0, ADL_OPTION_FLAG,
     ADL_FOR_PROBE | ADL_FOR_STATUS | ADL_FOR_GET | ADL_FOR_CACHE | ADL_FOR_VERIFY | ADL_FOR_EVICT,
     0},
    {"help", NULL, "show this help",
     NULL, AT(help), 0, 0, ADL_OPTION_FLAG, ADL_FOR_ALL, 'h'},
};
/* clang-format on */

#define TABLE_LENGTH (sizeof(table) / sizeof(table[0]))

const struct adl_option *adl_option_next(const struct adl_option *before, unsigned user)
{
    for (const struct adl_option *at = before ? before + 1 : table; at < table + TABLE_LENGTH; at++)
        if (at->users & user)
            return at;
    return NULL;
}

/* Whether `name`, `length` bytes, is that option's; '_' and '-' are one. */
static bool named(const struct adl_option *option, const char *name, size_t length)
{
    if (!option->name || strlen(option->name) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (option->name[i] != (name[i] == '_' ? '-' : name[i]))
            return false;
    return true;
}

const struct adl_option *adl_option_named(unsigned user, const char *name, size_t length)
{
    const struct adl_option *option = adl_option_next(NULL, user);
    while (option && !named(option, name, length))
        option = adl_option_next(option, user);
    return option;
}

const struct adl_option *adl_option_lettered(unsigned user, char letter)
{
    const struct adl_option *option = adl_option_next(NULL, user);
    while (option && option->letter != letter)
        option = adl_option_next(option, user);
    return option;
}

const char *adl_option_nearest(unsigned user, const char *word)
{
    const char *names[TABLE_LENGTH + 1];
    size_t count = 0;
    const struct adl_option *option = NULL;
    while ((option = adl_option_next(option, user)))
        if (option->name)
            names[count++] = option->name;
    names[count] = NULL;
    return adl_spell_nearest(word, names);
}
