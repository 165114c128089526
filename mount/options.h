/* options: one table of options, for the command line and for fstab.
 *
 * Every option has one name, spelt --name=value or --name value on the command line and
 * name=value in the comma-separated list of -o, where "\," stands for a comma and '_' may stand
 * for '-' (allow_other). Some have a letter too. Operands and options may be mixed; "--" ends the
 * options. */
#ifndef ADL_OPTIONS_H
#define ADL_OPTIONS_H

#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Which command an option is for: a set of bits. */
enum adl_option_user {
    ADL_FOR_MOUNT = 1 << 0,
    ADL_FOR_UMOUNT = 1 << 1,
    ADL_FOR_PROBE = 1 << 2,
    ADL_FOR_STATUS = 1 << 3,
    ADL_FOR_PAUSE = 1 << 4, /* and resume */
    ADL_FOR_WARM = 1 << 5,
    ADL_FOR_SET = 1 << 6,
    ADL_FOR_GET = 1 << 12,
    ADL_FOR_VERIFY = 1 << 13,
    ADL_FOR_RELOAD = 1 << 14,
    ADL_FOR_CACHE = 1 << 15,
    ADL_FOR_EVICT = 1 << 16,
};

/* How `status` tells what it found. */
enum adl_format { ADL_FORMAT_TABLE, ADL_FORMAT_JSON, ADL_FORMAT_PROMETHEUS };

struct adl_owned;

/* What was asked for. Strings belong to argv or to `owned`; paths are absolute. */
struct adl_options {
    struct adl_settings settings;
    int log_level;                                  /* enum adl_level */
    const char *log_file;                           /* NULL: none */
    bool allow_other, exec, keep_going, foreground; /* mount */
    bool follow;                                    /* mount */
    bool lazy;                                      /* umount */
    bool json;                                      /* probe, get, status, cache, verify, evict */
    bool watch;                                     /* status */
    int format;                                     /* status: enum adl_format */
    bool detach, stop;                              /* warm */
    const char *range;                              /* warm: "A-B"; NULL: all */
    unsigned connections;                           /* warm: 0: as many as are good */
    const char *output;                             /* get: as typed; NULL: not given */
    const char *checksum;                           /* get: "TYPE=HEX"; NULL */
    unsigned jobs;                                  /* get */
    bool yes;                                       /* cache, evict */
    bool overwrite, quiet;                          /* get */
    bool netrc;                                     /* mount, probe: settings.netrc is ~/.netrc */
    bool help;
    bool from_mount, sloppy; /* set before parsing: mount(8) speaks; it is not to be told of words
                              * that nobody knows */
    const char **headers;    /* owned: "Name: value" each; settings.headers is the same */
    size_t n_headers;
    const char **operands; /* owned */
    size_t n_operands;
    struct adl_owned *owned;
};

/* The defaults of that command. */
void adl_options_init(struct adl_options *options, enum adl_option_user user);

/* Parses argv[0 .. argc), which must outlive *options. 0; -EINVAL with one line in `why` for people
 * to read; -ENOMEM, -errno of getcwd(3). To be freed in any case. */
int adl_options_parse(struct adl_options *options, enum adl_option_user user, int argc,
                      const char *const *argv, char *why, size_t room);

void adl_options_free(struct adl_options *options);

/* Prints a line for each option of that command, in 80 columns. */
void adl_options_help(FILE *out, enum adl_option_user user);

#endif
