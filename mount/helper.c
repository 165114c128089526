#include "helper.h"

#include "commands.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool called_as_helper(const char *program)
{
    const char *slash = strrchr(program, '/');
    return strncmp(slash ? slash + 1 : program, "mount.", 6) == 0;
}

/* mount.fuse3 gives the mount point as mount(8) does, absolute, and -o after it: whoever mistypes a
 * command hardly types that. */
static bool called_by_mount_fuse(int argc, const char *const *argv)
{
    return argc >= 4 && argc <= 5 && argv[1][0] != '-' && argv[2][0] == '/' &&
           strncmp(argv[3], "-o", 2) == 0;
}

bool adl_helper_called(int argc, const char *const *argv, bool known)
{
    return argc > 0 && (called_as_helper(argv[0]) || (!known && called_by_mount_fuse(argc, argv)));
}

__attribute__((format(printf, 3, 4))) static int wrong(char *why, size_t room, const char *format,
                                                       ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, room, format, args);
    va_end(args);
    return -EINVAL;
}

struct call {
    int argc;
    const char *const *argv;
    int at;
    const char *operands[2];
    size_t n_operands;
    char *why;
    size_t room;
};

/* argv[at] is "-abc" or "-oVALUE" or "-o" before VALUE. */
static int take_letters(struct adl_helper *helper, struct call *call)
{
    for (const char *letter = call->argv[call->at] + 1; *letter; letter++) {
        if (strchr("nv", *letter))
            continue;
        if (*letter == 'f' || *letter == 's') {
            *(*letter == 'f' ? &helper->fake : &helper->sloppy) = true;
            continue;
        }
        if (!strchr("oNt", *letter))
            return wrong(call->why, call->room, "unknown option '-%c'", *letter);
        const char *value =
            letter[1] ? letter + 1 : (++call->at < call->argc ? call->argv[call->at] : NULL);
        if (!value)
            return wrong(call->why, call->room, "-%c needs a value", *letter);
        if (*letter == 'N')
            return wrong(call->why, call->room,
                         "mounts are made in the caller's own name space: "
                         "use 'nsenter --mount=%s mount ...' in place of -N",
                         value);
        if (*letter == 'o') {
            helper->argv[helper->count++] = "-o";
            helper->argv[helper->count++] = value;
        }
        return 0;
    }
    return 0;
}

int adl_helper_parse(struct adl_helper *helper, int argc, const char *const *argv, char *why,
                     size_t room)
{
    *helper = (struct adl_helper){0};
    /* Every argument becomes two at most; then "--" and two operands. */
    helper->argv = calloc(2 * (size_t)argc + 3, sizeof(*helper->argv));
    if (!helper->argv)
        return -ENOMEM;
    struct call call = {.argc = argc, .argv = argv, .at = 1, .why = why, .room = room};
    for (; call.at < argc; call.at++) {
        const char *word = argv[call.at];
        if (word[0] == '-' && word[1]) {
            int r = take_letters(helper, &call);
            if (r < 0)
                return r;
        } else if (call.n_operands < 2) {
            call.operands[call.n_operands++] = word;
        } else {
            return wrong(why, room, "too many arguments: '%s'", word);
        }
    }
    if (call.n_operands < 2)
        return wrong(why, room, "too few arguments: SOURCE MOUNTPOINT [-o OPTION,...]");
    helper->argv[helper->count++] = "--";
    helper->argv[helper->count++] = call.operands[0];
    helper->argv[helper->count++] = call.operands[1];
    return 0;
}

void adl_helper_free(struct adl_helper *helper)
{
    free(helper->argv);
}

int adl_helper_status(int status)
{
    return status == ADL_EXIT_DONE    ? ADL_HELPER_DONE
           : status == ADL_EXIT_USAGE ? ADL_HELPER_USAGE
                                      : ADL_HELPER_FAILED;
}
