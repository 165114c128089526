/* commands: what main() needs to know to parse, help and run each of the subcommands. */
#ifndef ADL_COMMANDS_H
#define ADL_COMMANDS_H

#include "options.h"

#include <stddef.h>

/* Exit statuses of `adlfs`. */
enum { ADL_EXIT_DONE = 0, ADL_EXIT_FAILED = 1, ADL_EXIT_USAGE = 2 };

struct adl_command {
    const char *name;
    const char *synopsis; /* operands, as help and usage errors show them */
    const char *summary;  /* one line of `adlfs --help` */
    const char *about;    /* `adlfs NAME --help`: before and ... */
    const char *notes;    /* ... after the options */
    enum adl_option_user user;
    size_t min_operands, max_operands;
    int (*run)(const struct adl_options *options); /* returns the exit status, everything told */
};

extern const struct adl_command adl_mount_command;
extern const struct adl_command adl_umount_command;
extern const struct adl_command adl_probe_command;
extern const struct adl_command adl_status_command;
extern const struct adl_command adl_pause_command;
extern const struct adl_command adl_resume_command;
extern const struct adl_command adl_warm_command;
extern const struct adl_command adl_set_command;
extern const struct adl_command adl_verify_command;
extern const struct adl_command adl_evict_command;
extern const struct adl_command adl_get_command;
extern const struct adl_command adl_reload_command;
extern const struct adl_command adl_cache_command;

#endif
