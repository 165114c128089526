#include "options.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ARGS_MAX 16

/* One parse with its outcome; `tear_down` frees it. */
struct parsed {
    struct adl_options options;
    int error;
    char why[256];
};

static struct parsed parsed;

static int tear_down(void **state)
{
    (void)state;
    adl_options_free(&parsed.options);
    memset(&parsed, 0, sizeof(parsed));
    return 0;
}

/* Parses the words up to a NULL. */
static int parse_for(enum adl_option_user user, ...)
{
    const char *argv[ARGS_MAX];
    int argc = 0;
    va_list words;
    va_start(words, user);
    for (const char *word; argc < ARGS_MAX && (word = va_arg(words, const char *)) != NULL;)
        argv[argc++] = word;
    va_end(words);
    adl_options_free(&parsed.options);
    adl_options_init(&parsed.options, user);
    parsed.why[0] = '\0';
    parsed.error =
        adl_options_parse(&parsed.options, user, argc, argv, parsed.why, sizeof(parsed.why));
    return parsed.error;
}

#define parse(...) parse_for(ADL_FOR_MOUNT, __VA_ARGS__, (char *)NULL)

static void assert_refused(const char *part_of_why)
{
    assert_int_equal(parsed.error, -EINVAL);
    if (!strstr(parsed.why, part_of_why))
        fail_msg("'%s' does not say '%s'", parsed.why, part_of_why);
}

static void both_spellings_of_a_value_are_understood(void **state)
{
    (void)state;
    assert_int_equal(parse("--user-agent=one", "--cache-dir", "/two"), 0);
    assert_string_equal(parsed.options.settings.user_agent, "one");
    assert_string_equal(parsed.options.settings.cache_dir, "/two");
}

static void operands_and_options_may_be_mixed(void **state)
{
    (void)state;
    assert_int_equal(parse("urls.txt", "-f", "/mnt", "--exec", "--", "--insecure"), 0);
    assert_int_equal(parsed.options.n_operands, 3);
    assert_string_equal(parsed.options.operands[0], "urls.txt");
    assert_string_equal(parsed.options.operands[1], "/mnt");
    assert_string_equal(parsed.options.operands[2], "--insecure");
    assert_true(parsed.options.foreground);
    assert_true(parsed.options.exec);
    assert_false(parsed.options.settings.insecure);
}

static void a_single_dash_is_an_operand(void **state)
{
    (void)state;
    assert_int_equal(parse("-", "/mnt"), 0);
    assert_string_equal(parsed.options.operands[0], "-");
}

static void limits_of_the_cache_are_any_number_of_bytes(void **state)
{
    (void)state;
    assert_int_equal(parse("--cache-max=10000001", "--cache-reserve=3T"), 0);
    assert_int_equal(parsed.options.settings.cache_max, 10000001);
    assert_int_equal(parsed.options.settings.cache_reserve, INT64_C(3) << 40);
    parse("--cache-max=100K");
    assert_refused("not between");
    parse("--cache-max=9999999T");
    assert_refused("not a size");
}

static void sizes_take_binary_units_and_are_powers_of_two(void **state)
{
    (void)state;
    assert_int_equal(parse("--block-size=128K"), 0);
    assert_int_equal(parsed.options.settings.block_size, 128 * 1024);
    assert_int_equal(parse("--block-size=1m"), 0);
    assert_int_equal(parsed.options.settings.block_size, 1024 * 1024);
    parse("--block-size=100K");
    assert_refused("not a power of two");
    parse("--block-size=2K");
    assert_refused("not between");
    parse("--block-size=1G");
    assert_refused("not between");
}

static void seconds_take_units_and_words(void **state)
{
    (void)state;
    assert_int_equal(parse("--revalidate=90", "--retry-for=5m"), 0);
    assert_int_equal(parsed.options.settings.revalidate, 90);
    assert_int_equal(parsed.options.settings.retry_for, 300);
    assert_int_equal(parse("--revalidate=never"), 0);
    assert_int_equal(parsed.options.settings.revalidate, ADL_REVALIDATE_NEVER);
    assert_int_equal(parse("--revalidate=always"), 0);
    assert_int_equal(parsed.options.settings.revalidate, 0);
}

static void numbers_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"--max-connections=",
                                      "--max-connections=x",
                                      "--max-connections=1x",
                                      "--max-connections=-1",
                                      "--max-connections=+1",
                                      "--max-connections= 1",
                                      "--max-connections=0",
                                      "--max-connections=257",
                                      "--max-connections=99999999999999999999",
                                      "--revalidate=9223372036854775807d",
                                      "--revalidate=-1",
                                      "--block-size=64KK",
                                      "--block-size=K",
                                      "--stall-timeout=sometimes"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse(bad[i]) != -EINVAL)
            fail_msg("%s was taken", bad[i]);
}

static void choices_name_what_is_possible(void **state)
{
    (void)state;
    assert_int_equal(parse("--allocate=full", "--log-level=debug"), 0);
    assert_int_equal(parsed.options.settings.allocate, ADL_ALLOCATE_FULL);
    assert_int_equal(parsed.options.log_level, ADL_DEBUG);
    parse("--allocate=some");
    assert_refused("'some' is none of sparse|full");
}

static void paths_become_absolute(void **state)
{
    (void)state;
    char here[PATH_MAX], expected[PATH_MAX + 16];
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(expected, sizeof(expected), "%s/cache", strcmp(here, "/") == 0 ? "" : here);
    assert_int_equal(parse("--cache-dir=cache", "--cacert=/dev/null"), 0);
    assert_string_equal(parsed.options.settings.cache_dir, expected);
    assert_string_equal(parsed.options.settings.ca_file, "/dev/null");
    parse("--cache-dir=");
    assert_refused("needs a value");
}

static void a_list_takes_the_same_options(void **state)
{
    (void)state;
    assert_int_equal(parse("-o", "allow_other,retry-for=7,cache-dir=/a\\,b,user-agent=x\\\\y",
                           "-oexec"),
                     0);
    assert_true(parsed.options.allow_other);
    assert_true(parsed.options.exec);
    assert_int_equal(parsed.options.settings.retry_for, 7);
    assert_string_equal(parsed.options.settings.cache_dir, "/a,b");
    assert_string_equal(parsed.options.settings.user_agent, "x\\y");
}

static void a_list_passes_over_what_fstab_says_to_everyone(void **state)
{
    (void)state;
    assert_int_equal(parse("-o", "defaults,ro,noauto,user=me,nofail,_netdev,nosuid,nodev,"
                                 "x-systemd.automount,x-gvfs-show,comment=hi,,"),
                     0);
    assert_int_equal(parsed.options.n_operands, 0);
}

static void a_list_refuses_to_write(void **state)
{
    (void)state;
    parse("-o", "nosuid,rw");
    assert_refused("read-only");
}

static void values_are_neither_left_out_nor_given_to_flags(void **state)
{
    (void)state;
    parse("--exec=yes");
    assert_refused("--exec takes no value");
    parse("-o", "exec=yes");
    assert_refused("exec takes no value");
    parse("--cache-dir");
    assert_refused("--cache-dir needs a value: --cache-dir=DIR");
    parse("-o", "cache-dir");
    assert_refused("cache-dir needs a value: cache-dir=DIR");
    parse("-o");
    assert_refused("-o needs a value");
}

static void a_mistyped_option_suggests_the_right_one(void **state)
{
    (void)state;
    parse("--cahce-dir=/x");
    assert_refused("unknown option '--cahce-dir'; did you mean '--cache-dir'?");
    parse("-o", "alow_other");
    assert_refused("unknown option 'alow_other'; did you mean 'allow-other'?");
    parse("--frobnicate");
    assert_refused("unknown option '--frobnicate'");
    assert_null(strstr(parsed.why, "did you mean"));
    parse("-q");
    assert_refused("unknown option '-q'");
}

static void a_command_takes_its_own_options_only(void **state)
{
    (void)state;
    parse("--json");
    assert_refused("unknown option");
    parse_for(ADL_FOR_UMOUNT, "--exec", NULL);
    assert_refused("unknown option");
    assert_int_equal(parse_for(ADL_FOR_UMOUNT, "-z", "/mnt", NULL), 0);
    assert_true(parsed.options.lazy);
}

static void headers_are_gathered_and_cannot_break_lines(void **state)
{
    (void)state;
    assert_int_equal(parse_for(ADL_FOR_PROBE, "--header=A: 1", "--header", "B:2", NULL), 0);
    assert_int_equal(parsed.options.n_headers, 2);
    assert_string_equal(parsed.options.headers[0], "A: 1");
    assert_string_equal(parsed.options.headers[1], "B:2");
    static const char *const bad[] = {"--header=A", "--header=: 1", "--header=A b: 1",
                                      "--header=A: 1\r\nB: 2", "--header="};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse_for(ADL_FOR_PROBE, bad[i], NULL) != -EINVAL)
            fail_msg("%s was taken", bad[i]);
}

static void headers_that_the_engine_sends_itself_are_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_for(ADL_FOR_MOUNT, "--header=range: bytes=0-9", NULL), -EINVAL);
    assert_refused("own to send");
}

/* What parse_for() makes of a file of headers with that text. */
static int parse_file(const char *text, size_t length)
{
    char path[] = "/tmp/adlfs-headers-XXXXXX", word[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), (ssize_t)length);
    close(fd);
    snprintf(word, sizeof(word), "--header=@%s", path);
    int r = parse_for(ADL_FOR_MOUNT, "--header=X: 0", word, NULL);
    unlink(path);
    return r;
}

static void headers_come_from_a_file_too(void **state)
{
    (void)state;
    static const char text[] = "Authorization: Bearer hunter2\r\n\nCookie: a=b, c\n";
    assert_int_equal(parse_file(text, strlen(text)), 0);
    assert_int_equal(parsed.options.settings.n_headers, 3);
    assert_string_equal(parsed.options.settings.headers[1], "Authorization: Bearer hunter2");
    assert_string_equal(parsed.options.settings.headers[2], "Cookie: a=b, c");
}

static void a_file_that_holds_no_headers_is_refused_unseen(void **state)
{
    (void)state;
    static const char wrong[] = "A: 1\nhunter2\n";
    assert_int_equal(parse_file(wrong, strlen(wrong)), -EINVAL);
    assert_null(strstr(parsed.why, "hunter2"));
    assert_int_equal(parse_file("A: 1\0\n", 6), -EINVAL);
    char *large = malloc(1 << 20);
    assert_non_null(large);
    memset(large, 'a', 1 << 20);
    assert_int_equal(parse_file(large, 1 << 20), -EINVAL);
    free(large);
    assert_int_equal(parse_for(ADL_FOR_MOUNT, "--header=@/nowhere/at/all", NULL), -EINVAL);
    assert_refused("No such file");
}

static void netrc_is_looked_for_at_once(void **state)
{
    (void)state;
    assert_int_equal(parse_for(ADL_FOR_MOUNT, "--netrc-file=/nowhere/netrc", NULL), -EINVAL);
    assert_refused("/nowhere/netrc: No such file");
    setenv("HOME", "/nowhere", 1);
    assert_int_equal(parse_for(ADL_FOR_MOUNT, "--netrc", NULL), -EINVAL);
    assert_refused("/nowhere/.netrc: No such file");
    assert_int_equal(parse_for(ADL_FOR_MOUNT, "--netrc", "--netrc-file=/dev/null", NULL), 0);
    assert_string_equal(parsed.options.settings.netrc, "/dev/null");
}

static void a_refused_header_is_not_repeated(void **state)
{
    (void)state;
    parse_for(ADL_FOR_PROBE, "--header=Authorization Bearer hunter2", NULL);
    assert_refused("Name: value");
    assert_null(strstr(parsed.why, "hunter2"));
}

static void help_fits_eighty_columns(void **state)
{
    (void)state;
    static const enum adl_option_user users[] = {ADL_FOR_MOUNT, ADL_FOR_UMOUNT, ADL_FOR_PROBE};
    for (size_t i = 0; i < 3; i++) {
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        assert_non_null(out);
        adl_options_help(out, users[i]);
        fclose(out);
        assert_non_null(strstr(text, "-h, --help"));
        for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
            if (strlen(line) > 80)
                fail_msg("'%s' has %zu columns", line, strlen(line));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(both_spellings_of_a_value_are_understood, tear_down),
        cmocka_unit_test_teardown(operands_and_options_may_be_mixed, tear_down),
        cmocka_unit_test_teardown(a_single_dash_is_an_operand, tear_down),
        cmocka_unit_test_teardown(limits_of_the_cache_are_any_number_of_bytes, tear_down),
        cmocka_unit_test_teardown(sizes_take_binary_units_and_are_powers_of_two, tear_down),
        cmocka_unit_test_teardown(seconds_take_units_and_words, tear_down),
        cmocka_unit_test_teardown(numbers_that_are_none_are_refused, tear_down),
        cmocka_unit_test_teardown(choices_name_what_is_possible, tear_down),
        cmocka_unit_test_teardown(paths_become_absolute, tear_down),
        cmocka_unit_test_teardown(a_list_takes_the_same_options, tear_down),
        cmocka_unit_test_teardown(a_list_passes_over_what_fstab_says_to_everyone, tear_down),
        cmocka_unit_test_teardown(a_list_refuses_to_write, tear_down),
        cmocka_unit_test_teardown(values_are_neither_left_out_nor_given_to_flags, tear_down),
        cmocka_unit_test_teardown(a_mistyped_option_suggests_the_right_one, tear_down),
        cmocka_unit_test_teardown(a_command_takes_its_own_options_only, tear_down),
        cmocka_unit_test_teardown(headers_that_the_engine_sends_itself_are_refused, tear_down),
        cmocka_unit_test_teardown(headers_come_from_a_file_too, tear_down),
        cmocka_unit_test_teardown(a_file_that_holds_no_headers_is_refused_unseen, tear_down),
        cmocka_unit_test_teardown(netrc_is_looked_for_at_once, tear_down),
        cmocka_unit_test_teardown(headers_are_gathered_and_cannot_break_lines, tear_down),
        cmocka_unit_test_teardown(a_refused_header_is_not_repeated, tear_down),
        cmocka_unit_test_teardown(help_fits_eighty_columns, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
