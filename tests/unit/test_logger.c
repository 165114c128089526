#include "logger.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS          8
#define LINES_PER_THREAD 200

static void assert_escaped(const char *text, const char *expected)
{
    char out[64];
    assert_int_equal(adl_log_escape(text, out, sizeof(out)), strlen(expected));
    assert_string_equal(out, expected);
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    assert_escaped("plain", "plain");
    assert_escaped("a\nb\r", "a\\x0ab\\x0d");
    assert_escaped("\033[2J", "\\x1b[2J");
    assert_escaped("\x7f", "\\x7f");
    assert_escaped("\xc2\x9b"
                   "2J",
                   "\\xc2\\x9b2J");
}

static void other_bytes_stay(void **state)
{
    (void)state;
    assert_escaped("\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xff", "\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xff");
    assert_escaped("\xc2\xa0", "\xc2\xa0");
    assert_escaped("\xc2", "\xc2"); /* ends after half a character */
}

static void escapes_are_never_cut_in_half(void **state)
{
    (void)state;
    char out[6];
    assert_int_equal(adl_log_escape("ab\n", out, sizeof(out)), 2);
    assert_string_equal(out, "ab");
    assert_int_equal(adl_log_escape("a\n", out, sizeof(out)), 5);
    assert_string_equal(out, "a\\x0a");
    assert_int_equal(adl_log_escape("abcdefgh", out, sizeof(out)), 5);
}

/* A logger on a fresh file, as the state. */
struct journal {
    struct adl_logger logger;
    char path[64];
};

static int open_journal(void **state)
{
    struct journal *journal = calloc(1, sizeof(*journal));
    if (!journal)
        return -1;
    *state = journal;
    snprintf(journal->path, sizeof(journal->path), "/tmp/adlfs-test-XXXXXX");
    int fd = mkstemp(journal->path);
    if (fd < 0)
        return -1;
    close(fd);
    return adl_logger_open(&journal->logger, ADL_NOTICE, journal->path);
}

static int close_journal(void **state)
{
    struct journal *journal = *state;
    adl_logger_close(&journal->logger);
    unlink(journal->path);
    free(journal);
    return 0;
}

static char *read_journal(const struct journal *journal)
{
    FILE *in = fopen(journal->path, "r");
    assert_non_null(in);
    char *text = NULL;
    size_t room = 0;
    assert_true(getdelim(&text, &room, '\0', in) > 0);
    fclose(in);
    return text;
}

static void a_line_has_time_and_level(void **state)
{
    struct journal *journal = *state;
    adl_log(&journal->logger.log, ADL_WARNING, "half %s", "full");
    adl_log(&journal->logger.log, ADL_DEBUG, "not asked for");
    char *text = read_journal(journal);
    int year, month, day, hour, minute, second, ms, end = 0;
    assert_int_equal(sscanf(text, "%4d-%2d-%2d %2d:%2d:%2d.%3d warning: half full\n%n", &year,
                            &month, &day, &hour, &minute, &second, &ms, &end),
                     7);
    assert_int_equal(end, strlen(text));
    free(text);
}

static void a_message_cannot_forge_a_line(void **state)
{
    struct journal *journal = *state;
    adl_log(&journal->logger.log, ADL_NOTICE, "one\n2026-01-31 00:00:00.000 error: two");
    char *text = read_journal(journal);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}

static void a_log_file_is_kept_after_detaching(void **state)
{
    struct journal *journal = *state;
    adl_logger_detach(&journal->logger);
    adl_log(&journal->logger.log, ADL_NOTICE, "still here");
    char *text = read_journal(journal);
    assert_non_null(strstr(text, "notice: still here\n"));
    free(text);
}

static void *log_many(void *ctx)
{
    struct journal *journal = ctx;
    for (int i = 0; i < LINES_PER_THREAD; i++)
        adl_log(&journal->logger.log, ADL_NOTICE, "begin %0200d end", i);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    struct journal *journal = *state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, journal), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *text = read_journal(journal);
    int lines = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL && *line; lines++) {
        const char *begin = strstr(line, "notice: begin ");
        assert_ptr_equal(begin, line + strlen("2026-01-31 12:00:00.123 "));
        assert_string_equal(line + strlen(line) - 4, " end");
    }
    assert_int_equal(lines, THREADS * LINES_PER_THREAD);
    free(text);
}

static void a_log_file_that_cannot_be_opened_is_an_error(void **state)
{
    (void)state;
    struct adl_logger logger;
    assert_int_equal(adl_logger_open(&logger, ADL_NOTICE, "/nowhere/at/all"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(other_bytes_stay),
        cmocka_unit_test(escapes_are_never_cut_in_half),
        cmocka_unit_test_setup_teardown(a_line_has_time_and_level, open_journal, close_journal),
        cmocka_unit_test_setup_teardown(a_message_cannot_forge_a_line, open_journal, close_journal),
        cmocka_unit_test_setup_teardown(a_log_file_is_kept_after_detaching, open_journal,
                                        close_journal),
        cmocka_unit_test_setup_teardown(lines_of_threads_do_not_mix, open_journal, close_journal),
        cmocka_unit_test(a_log_file_that_cannot_be_opened_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
