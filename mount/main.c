#include "cleanup.h"
#include "commands.h"
#include "helper.h"
#include "options.h"
#include "secret.h"
#include "source.h"
#include "spell.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct adl_command *const commands[] = {&adl_mount_command,  &adl_umount_command,
                                                     &adl_status_command, &adl_pause_command,
                                                     &adl_resume_command, &adl_warm_command,
                                                     &adl_set_command,    &adl_reload_command,
                                                     &adl_get_command,    &adl_verify_command,
                                                     &adl_evict_command,  &adl_cache_command,
                                                     &adl_probe_command};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* One screen of 24 lines: room for 14 commands. */
static void print_help(void)
{
    fputs("adlfs mounts a list of URLs as a directory. A file costs nothing until it is\n"
          "read; what is read is fetched in parallel ranges, kept, and never fetched again.\n"
          "\n"
          "  $ adlfs mount urls.txt /mnt/remote    urls.txt has one URL a line\n"
          "  $ ls -l /mnt/remote\n"
          "  $ adlfs umount /mnt/remote\n"
          "\n",
          stdout);
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n"
          "'adlfs COMMAND --help' tells a command's options, 'man adlfs' all there is.\n",
          stdout);
}

static void print_command_help(const struct adl_command *command)
{
    printf("Usage: adlfs %s %s\n\n%s\n\n", command->name, command->synopsis, command->about);
    adl_options_help(stdout, command->user);
    printf("\n%s\n", command->notes);
}

static int usage_error(const struct adl_command *command)
{
    fprintf(stderr, "Try 'adlfs %s%s--help'.\n", command ? command->name : "", command ? " " : "");
    return ADL_EXIT_USAGE;
}

/* Runs the command with what was parsed, or tells what is wrong with the operands. */
static int run_parsed(const struct adl_command *command, const struct adl_options *options)
{
    if (options->help) {
        print_command_help(command);
        return ADL_EXIT_DONE;
    }
    if (options->n_operands >= command->min_operands &&
        options->n_operands <= command->max_operands)
        return command->run(options);
    fprintf(stderr, "adlfs %s: too %s arguments: adlfs %s %s\n", command->name,
            options->n_operands < command->min_operands ? "few" : "many", command->name,
            command->synopsis);
    return usage_error(command);
}

static int run_command(const struct adl_command *command, int argc, const char *const *argv)
{
    struct adl_options options;
    adl_options_init(&options, command->user);
    char why[256];
    int status;
    if (adl_options_parse(&options, command->user, argc, argv, why, sizeof(why)) < 0) {
        fprintf(stderr, "adlfs %s: %s\n", command->name, why);
        status = usage_error(command);
    } else {
        status = run_parsed(command, &options);
    }
    adl_options_free(&options);
    return status;
}

/* Called by mount(8): what it says becomes `adlfs mount`. */
static int run_helper(int argc, const char *const *argv)
{
    const struct adl_command *command = &adl_mount_command;
    struct adl_helper helper;
    struct adl_options options;
    adl_options_init(&options, command->user);
    char why[256];
    int r = adl_helper_parse(&helper, argc, argv, why, sizeof(why));
    options.from_mount = true;
    options.sloppy = helper.sloppy;
    if (r == 0)
        r = adl_options_parse(&options, command->user, (int)helper.count, helper.argv, why,
                              sizeof(why));
    if (r == -ENOMEM)
        snprintf(why, sizeof(why), "%s", strerror(ENOMEM));
    int status = ADL_EXIT_USAGE;
    if (r < 0)
        fprintf(stderr, "mount.adlfs: %s\n", why);
    else
        status = helper.fake ? ADL_EXIT_DONE : run_parsed(command, &options);
    adl_options_free(&options);
    adl_helper_free(&helper);
    return adl_helper_status(status);
}

static const struct adl_command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[N_COMMANDS + 5] = {"help", "version", "--help", "--version"};
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i + 4] = commands[i]->name;
    const char *nearest = adl_spell_nearest(name, names);
    cleanup_free char *shown = adl_secret_shown("", name);
    fprintf(stderr, "adlfs: there is no %s '%s'", name[0] == '-' ? "option" : "command",
            shown ? shown : "");
    if (adl_source_is_url(name) || access(name, F_OK) == 0)
        fprintf(stderr, "; did you mean 'adlfs mount %s DIRECTORY'?", shown ? shown : "");
    else if (nearest)
        fprintf(stderr, "; did you mean '%s'?", nearest);
    fputc('\n', stderr);
    return usage_error(NULL);
}

/* `adlfs help [COMMAND]`, `adlfs --help`, `adlfs --version`; -1 for anything else. */
static int run_help(int argc, char **argv)
{
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 || strcmp(word, "version") == 0) {
        puts("adlfs " ADL_VERSION);
        return ADL_EXIT_DONE;
    }
    if (strcmp(word, "--help") != 0 && strcmp(word, "-h") != 0 && strcmp(word, "help") != 0)
        return -1;
    if (argc < 3) {
        print_help();
        return ADL_EXIT_DONE;
    }
    const struct adl_command *command = find_command(argv[2]);
    if (!command)
        return unknown_command(argv[2]);
    print_command_help(command);
    return ADL_EXIT_DONE;
}

/* A caller may have closed standard streams; without this the first file that is opened would get
 * their number, and messages would be written into it. */
static void fill_standard_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Output that did not arrive (a full disk behind `>`) is a failure too. */
static int flush_output(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("adlfs: standard output");
        return status == ADL_EXIT_DONE ? ADL_EXIT_FAILED : status;
    }
    return status;
}

static int run(int argc, char **argv)
{
    const struct adl_command *command = argc > 1 ? find_command(argv[1]) : NULL;
    if (adl_helper_called(argc, (const char *const *)argv, command != NULL))
        return flush_output(run_helper(argc, (const char *const *)argv));
    if (argc < 2) {
        fputs("adlfs: no command given; 'adlfs mount urls.txt DIRECTORY' mounts a list of URLs\n",
              stderr);
        return usage_error(NULL);
    }
    int status = run_help(argc, argv);
    if (status >= 0)
        return flush_output(status);
    if (!command)
        return unknown_command(argv[1]);
    return flush_output(run_command(command, argc - 2, (const char *const *)argv + 2));
}

int main(int argc, char **argv)
{
    adl_secret_keep();
    setlocale(LC_CTYPE, "C.UTF-8"); /* names are UTF-8, wherever: wcwidth() is to know them */
    char **words = adl_secret_take(argc, argv);
    fill_standard_streams();
    signal(SIGCHLD, SIG_DFL); /* who is ignored cannot be waited for */
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow (ulimit -f) is told by an error */
    if (!words) {
        fputs("adlfs: out of memory\n", stderr);
        return ADL_EXIT_FAILED;
    }
    int status = run(argc, words);
    adl_secret_free(words);
    return status;
}
