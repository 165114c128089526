/* adlfs pause, adlfs resume: of a mount, or of files and directories in it. */
#include "ask.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

static int set(const char *word, bool all, const struct adl_target *target, struct adl_ask *ask,
               json_t *paths)
{
    json_t *answer;
    int r = adl_ask(ask, json_pack("{s:s, s:O}", "do", word, "paths", paths), &answer);
    if (r < 0) {
        adl_ask_complain(word, target, r);
        return ADL_EXIT_FAILED;
    }
    const char *refused = adl_ask_refused(answer);
    bool still = json_is_true(json_object_get(answer, "paused"));
    if (refused)
        fprintf(stderr, "adlfs %s: %s: %s\n", word, target->mountpoint, refused);
    else if (strcmp(word, "resume") == 0 && still)
        fprintf(stderr,
                "adlfs resume: %s is paused as a whole: nothing is fetched before\n"
                "  'adlfs resume %s'\n",
                target->mountpoint, target->mountpoint);
    else if (all) /* nobody said which: they may be more than was thought */
        printf("%s: %sd\n", target->mountpoint, word);
    int status = refused ? ADL_EXIT_FAILED : ADL_EXIT_DONE;
    json_decref(answer);
    return status;
}

static int pause_one(void *ctx, const struct adl_target *target, struct adl_ask *ask, json_t *paths)
{
    return set("pause", *(const bool *)ctx, target, ask, paths);
}

static int resume_one(void *ctx, const struct adl_target *target, struct adl_ask *ask,
                      json_t *paths)
{
    return set("resume", *(const bool *)ctx, target, ask, paths);
}

static int run_pause(const struct adl_options *options)
{
    bool all = options->n_operands == 0;
    return adl_ask_each("pause", options->operands, options->n_operands, pause_one, &all);
}

static int run_resume(const struct adl_options *options)
{
    bool all = options->n_operands == 0;
    return adl_ask_each("resume", options->operands, options->n_operands, resume_one, &all);
}

const struct adl_command adl_pause_command = {
    .name = "pause",
    .synopsis = "[PATH...]",
    .summary = "fetch nothing until 'adlfs resume'",
    .about = "Stops all transfers of a mount, or of the files and directories given, at once.\n"
             "Without a PATH: of all your mounts. What came is kept, and what is cached is\n"
             "read as ever.",
    .notes = "A read of what is not cached waits until it is resumed, or fails with EAGAIN\n"
             "where the mount has --paused-reads=fail.\n"
             "\n"
             "  adlfs pause /mnt/remote\n"
             "  adlfs pause /mnt/remote/films",
    .user = ADL_FOR_PAUSE,
    .min_operands = 0,
    .max_operands = SIZE_MAX,
    .run = run_pause,
};

const struct adl_command adl_resume_command = {
    .name = "resume",
    .synopsis = "[PATH...]",
    .summary = "go on after 'adlfs pause'",
    .about = "Lets a mount that was paused fetch again, or the files and directories given.\n"
             "Without a PATH: all your mounts.",
    .notes = "Who resumes a mount resumes all of its files, too.",
    .user = ADL_FOR_PAUSE,
    .min_operands = 0,
    .max_operands = SIZE_MAX,
    .run = run_resume,
};
