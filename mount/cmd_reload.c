/* adlfs reload: tells a mount's daemon to read its manifest again, and waits for what comes of it.
 *
 * SIGHUP asks, and the root's attribute "reload" answers: how often it was tried, and how the last
 * time went. */
#include "cleanup.h"
#include "commands.h"
#include "logger.h"
#include "mountpoint.h"
#include "now.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_SECONDS 60
#define LOOK_MS      20

/* "3 ok", "4 urls.txt:12: ...". */
static int outcome(const char *path, uint64_t *attempts, char *text, size_t room)
{
    int r = adl_mountpoint_attribute(path, "user.adlfs.reload", text, room);
    char *end;
    if (r < 0)
        return r;
    *attempts = strtoull(text, &end, 10);
    if (end == text || *end != ' ')
        return -EINVAL;
    memmove(text, end + 1, strlen(end + 1) + 1);
    return 0;
}

static int await(const char *path, uint64_t before, char *text, size_t room)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    for (int64_t end = now_ms() + WAIT_SECONDS * 1000; now_ms() < end; nanosleep(&pause, NULL)) {
        uint64_t attempts;
        int r = outcome(path, &attempts, text, room);
        if (r < 0 || attempts != before)
            return r;
    }
    return -ETIME;
}

static int complain(const char *path, const char *text)
{
    char shown[1024];
    adl_log_escape(text, shown, sizeof(shown));
    fprintf(stderr, "adlfs reload: %s: %s\n", path, shown);
    return -EIO;
}

static const char *text_of(int error)
{
    return error == -ETIMEDOUT ? "its daemon does not answer"
           : error == -ETIME   ? "its daemon is still at it"
                               : strerror(-error);
}

static int reload_one(const char *operand)
{
    cleanup_free char *path = NULL;
    char text[1024];
    uint64_t before;
    pid_t pid;
    int r = adl_mountpoint_locate(operand, &path);
    if (r < 0)
        return complain(operand, text_of(r));
    if (!adl_mountpoint_ours(path))
        return complain(path, "not an adlfs mount");
    r = adl_mountpoint_daemon(path, &pid);
    if (r < 0 || (r = outcome(path, &before, text, sizeof(text))) < 0)
        return complain(path, text_of(r));
    if (strcmp(text, "never") == 0)
        return complain(path, "its URLs did not come from a file: there is nothing to read again");
    if (kill(pid, SIGHUP) < 0)
        return complain(path, strerror(errno));
    r = await(path, before, text, sizeof(text));
    if (r < 0)
        return complain(path, text_of(r));
    return strcmp(text, "ok") == 0 ? 0 : complain(path, text);
}

static int run(const struct adl_options *options)
{
    int status = ADL_EXIT_DONE;
    for (size_t i = 0; i < options->n_operands; i++)
        if (reload_one(options->operands[i]) < 0)
            status = ADL_EXIT_FAILED;
    return status;
}

const struct adl_command adl_reload_command = {
    .name = "reload",
    .synopsis = "[OPTION]... MOUNTPOINT...",
    .summary = "read a mount's manifest again",
    .about = "Makes the daemon of each MOUNTPOINT read its manifest again, and returns when\n"
             "what it says is what is mounted: new files have appeared, those that it names no\n"
             "more have gone, and what is open stays open.",
    .notes = "A manifest with an error in it changes nothing, and its first error is printed.\n"
             "To send SIGHUP to the daemon does the same; 'adlfs mount --follow' needs no\n"
             "asking.",
    .user = ADL_FOR_RELOAD,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .run = run,
};
