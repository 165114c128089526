/* How a manifest's text is read: lines, mirrors, problems, and bounds of memory. */
#include "manifest_fixture.h"

#include "effort.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>

static void a_plain_list_needs_nothing_else(void **state)
{
    struct parsed *parsed = *state;
    assert_int_equal(parse(parsed, "http://h/a\n\n# comment\nhttps://h/b/c%20d?e\n"), 0);
    assert_int_equal(parsed->manifest.count, 2);
    const struct adl_entry *entry = parsed->manifest.entries;
    assert_string_equal(entry[0].path, "a");
    assert_string_equal(entry[0].urls, "http://h/a");
    assert_int_equal(entry[0].line, 1);
    assert_int_equal(entry[0].n_urls, 1);
    assert_int_equal(entry[0].size, -1);
    assert_true(entry[0].mtime == ADL_TIME_UNKNOWN);
    assert_null(entry[0].options);
    assert_string_equal(entry[1].path, "c d");
    assert_string_equal(entry[1].urls, "https://h/b/c%20d?e");
    assert_int_equal(entry[1].line, 4);
    assert_string_equal(parsed->told.text, "");
}

static void an_empty_manifest_is_no_error(void **state)
{
    struct parsed *parsed = *state;
    static const char *const texts[] = {"", "\n", "\r\n \t\r\n", "#", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(parse(parsed, texts[i]), 0);
        assert_int_equal(parsed->manifest.count, 0);
    }
}

static void line_ends_and_byte_order_mark_do_not_matter(void **state)
{
    struct parsed *parsed = *state;
    static const char *const texts[] = {
        "http://h/a\n out=x\nhttp://h/b\n",
        "http://h/a\r\n out=x\r\nhttp://h/b\r\n",
        "http://h/a\n out=x\nhttp://h/b",
        "http://h/a\n out=x\nhttp://h/b\r",
        "\xef\xbb\xbfhttp://h/a\n out=x\nhttp://h/b\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(parse(parsed, texts[i]), 0);
        assert_int_equal(parsed->manifest.count, 2);
        assert_string_equal(parsed->manifest.entries[0].path, "x");
        assert_string_equal(parsed->manifest.entries[1].urls, "http://h/b");
        assert_int_equal(parsed->manifest.entries[1].line, 3);
    }
}

static void utf_16_is_told_once(void **state)
{
    struct parsed *parsed = *state;
    static const char text[] = "\xff\xfeh\0t\0t\0p\0\n\0h\0t\0t\0p\0\n\0";
    assert_int_equal(parse_bytes(parsed, text, sizeof(text) - 1), 1);
    assert_non_null(strstr(parsed->told.text, "UTF-16"));
}

static void mirrors_are_separated_by_tabs(void **state)
{
    struct parsed *parsed = *state;
    const struct adl_entry *entry =
        only_entry(parsed, "http://a/x\t\t https://b/y \thttp://c/z\t\n");
    assert_int_equal(entry->n_urls, 3);
    assert_string_equal(adl_entry_url(entry, 0), "http://a/x");
    assert_string_equal(adl_entry_url(entry, 1), "https://b/y");
    assert_string_equal(adl_entry_url(entry, 2), "http://c/z");
    assert_string_equal(entry->path, "x");
}

static void mirrors_of_other_schemes_are_ignored_with_a_warning(void **state)
{
    struct parsed *parsed = *state;
    assert_warned(parsed, "ftp://u:secret@a/x\thttp://b/y\n", 1, "'ftp://a/...' is ignored");
    assert_int_equal(parsed->manifest.entries[0].n_urls, 1);
    assert_string_equal(parsed->manifest.entries[0].path, "y");
    assert_refused(parsed, "ftp://a/x\n", 1, "not an http or https URL");
    assert_refused(parsed, "example.org/x\n", 1, "'example.org/x' is not");
    assert_refused(parsed, "http://b/y\thttp://b:port/y\n", 1, "not a usable URL");
}

static void wrong_lines_are_all_told_and_right_entries_kept(void **state)
{
    struct parsed *parsed = *state;
    assert_int_equal(parse(parsed, "ftp://h/a\n out=..\nhttp://h/b\nhttp://h/c\n bad=1\n worse=2\n"
                                   "http://h/d\n"),
                     4);
    assert_int_equal(parsed->manifest.count, 2);
    assert_string_equal(parsed->manifest.entries[0].path, "b");
    assert_string_equal(parsed->manifest.entries[1].path, "d");
    assert_non_null(strstr(parsed->told.text, "E1 "));
    assert_non_null(strstr(parsed->told.text, "E2 "));
    assert_non_null(strstr(parsed->told.text, "E5 "));
    assert_non_null(strstr(parsed->told.text, "E6 "));
}

static void messages_show_no_secrets_and_no_control_characters(void **state)
{
    struct parsed *parsed = *state;
    static const char *const texts[] = {
        "ftp://user:hush@h/a?hush\n",
        "http://user:hush@h:port/a?hush\n",
        "http://user:hu/hush@h/a\n",
        "http://user:hush@h/?hush\n",
        "http://h/a\n word=hush\n header=hush\n header=hush hush: x\n http-passwd=hush\r.\n",
        "http://h/a\n http://user:hush@h/a?hush=hush\n",
        "http://h/a\n http-user=hush:hush\n header=Range: hush\n",
        "http://h/a\n#adlfs: HUSH=hush hush://hush=2\n",
        "user:hush@h/a\n",
        "http:/user:hush@h/a\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        parse(parsed, texts[i]);
        assert_true(parsed->told.errors + parsed->told.warnings > 0);
        if (strstr(parsed->told.text, "hush"))
            fail_msg("%s", parsed->told.text);
    }
    parse(parsed, "http://h/a\n out=\x1b[2J/\n out=\xc2\x9b/\n out=\xff\xc3\xa9/\n");
    assert_non_null(strstr(parsed->told.text, "out=\\x1b[2J/ "));
    assert_non_null(strstr(parsed->told.text, "out=\\xc2\\x9b/ "));
    assert_non_null(strstr(parsed->told.text, "out=\\xff\xc3\xa9/ "));
}

static void long_text_is_shortened_in_messages(void **state)
{
    struct parsed *parsed = *state;
    char text[2000];
    snprintf(text, sizeof(text), "http://h/a\n out=%01000d/\n", 0);
    parse(parsed, text);
    assert_true(parsed->told.used < 200);
    assert_non_null(strstr(parsed->told.text, "000... "));
}

static void a_nul_byte_spoils_its_entry_alone(void **state)
{
    struct parsed *parsed = *state;
    static const char text[] =
        "http://h/a\nhttp://h/b\0c\n out=x\nhttp://h/d\n out=e\0f\nhttp://h/g";
    assert_int_equal(parse_bytes(parsed, text, sizeof(text) - 1), 2);
    assert_non_null(strstr(parsed->told.text, "E2 the line holds a NUL"));
    assert_non_null(strstr(parsed->told.text, "E5 the line holds a NUL"));
    assert_int_equal(parsed->manifest.count, 2);
    assert_string_equal(parsed->manifest.entries[0].path, "a");
    assert_string_equal(parsed->manifest.entries[1].path, "g");
}

static void a_line_may_be_64_kib_and_no_longer(void **state)
{
    struct parsed *parsed = *state;
    const size_t most = ADL_LINE_MAX;
    cleanup_free char *text = malloc(2 * most);
    assert_non_null(text);
    for (size_t extra = 0; extra < 3; extra++) {
        strcpy(text, "http://h/a?");
        memset(text + 11, 'x', most);
        strcpy(text + most + extra, "\n out=b\nhttp://h/c\n");
        assert_int_equal(parse(parsed, text), extra > 0);
        assert_int_equal(parsed->manifest.count, extra ? 1 : 2);
    }
    assert_non_null(strstr(parsed->told.text, "E1 the line is longer than 64 KiB"));
    assert_string_equal(parsed->manifest.entries[0].path, "c");
    assert_int_equal(parsed->manifest.entries[0].line, 3);
}

static void a_hundred_errors_end_the_reading(void **state)
{
    struct parsed *parsed = *state;
    char text[8 * 200] = "";
    for (int i = 0; i < ADL_PROBLEMS_MAX; i++)
        strcat(text, "bad\n");
    strcat(text, "http://h/a\n");
    assert_int_equal(parse(parsed, text), ADL_PROBLEMS_MAX);
    assert_int_equal(parsed->manifest.count, 1);

    strcat(text, "bad\nbad\nbad\nhttp://h/b\n");
    assert_int_equal(parse(parsed, text), ADL_PROBLEMS_MAX + 1);
    assert_int_equal(parsed->manifest.count, 1);
    assert_non_null(strstr(parsed->told.text, "E102 too many errors"));
}

static void warnings_are_bounded_and_do_not_end_the_reading(void **state)
{
    struct parsed *parsed = *state;
    cleanup_free char *text = calloc(1, 64 * 1024);
    assert_non_null(text);
    for (int i = 0; i < 300; i++)
        strcat(text, "http://h/a\tftp://h/a\n");
    assert_int_equal(parse(parsed, text), 0);
    assert_int_equal(parsed->manifest.count, 300);
    assert_int_equal(parsed->told.warnings, ADL_PROBLEMS_MAX + 1);
    assert_non_null(strstr(parsed->told.text, "W101 too many warnings"));
}

/* Reading. */

struct pipe_text {
    int fd;
    const char *text;
    size_t length, piece;
    unsigned times;
};

static void *write_pieces(void *arg)
{
    struct pipe_text *pipe_text = arg;
    for (unsigned i = 0; i < pipe_text->times; i++) {
        size_t at = 0;
        while (at < pipe_text->length) {
            size_t left = pipe_text->length - at;
            size_t piece = left < pipe_text->piece ? left : pipe_text->piece;
            ssize_t n = write(pipe_text->fd, pipe_text->text + at, piece);
            if (n < 0)
                break;
            at += (size_t)n;
        }
    }
    close(pipe_text->fd);
    return NULL;
}

/* What comes through a pipe in pieces of that size, so many times over. */
static int read_pieces(struct parsed *parsed, const char *text, size_t length, size_t piece,
                       unsigned times)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct pipe_text writer = {fds[1], text, length, piece, times};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_pieces, &writer), 0);

    adl_manifest_free(&parsed->manifest);
    parsed->told = (struct told){0};
    const struct adl_problems problems = {tell, &parsed->told};
    int r = adl_manifest_read(fds[0], &problems, &parsed->manifest);
    /* The writer must not end by a signal when the reading stopped early. */
    char rest[4096];
    while (read(fds[0], rest, sizeof(rest)) > 0)
        ;
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(fds[0]);
    return r;
}

static void pieces_of_any_size_read_the_same(void **state)
{
    struct parsed *parsed = *state;
    static const char text[] = "\xef\xbb\xbfhttp://h/a\thttp://i/a\r\n  out=b/c\r\n\r\nbad\n"
                               "#adlfs: size=3\nhttp://h/d\n#adlfs: size=12";
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        assert_int_equal(read_pieces(parsed, text, sizeof(text) - 1, piece, 1), 1);
        assert_int_equal(parsed->manifest.count, 2);
        assert_string_equal(parsed->manifest.entries[0].path, "b/c");
        assert_int_equal(parsed->manifest.entries[0].n_urls, 2);
        assert_int_equal(parsed->manifest.entries[1].size, 12);
        assert_int_equal(parsed->manifest.entries[1].line, 6);
    }
}

static void a_gigabyte_without_a_newline_is_one_problem_in_bounded_memory(void **state)
{
    struct parsed *parsed = *state;
    const size_t piece = 64 * 1024;
    cleanup_free char *text = malloc(piece);
    assert_non_null(text);
    memset(text, 'x', piece);
    struct mallinfo2 before = mallinfo2();
    assert_int_equal(read_pieces(parsed, text, piece, piece, (unsigned)effort(1 << 14, 1 << 8)), 1);
    struct mallinfo2 after = mallinfo2();
    assert_non_null(strstr(parsed->told.text, "E1 the line is longer"));
    assert_true(after.uordblks + after.hblkhd < before.uordblks + before.hblkhd + 64 * 1024);
}

static void an_entry_that_never_ends_takes_bounded_memory(void **state)
{
    struct parsed *parsed = *state;
    cleanup_free char *text = malloc(100 * 1024);
    assert_non_null(text);
    char *end = stpcpy(text, "http://h/a\n");
    for (int i = 0; i < 2000; i++)
        end = stpcpy(end, " user-agent=abcdefghijklmnopqrstuvwxyz\n");
    struct mallinfo2 before = mallinfo2();
    assert_int_equal(parse(parsed, text), 0);
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(parsed->manifest.count, 1);
    assert_true(after.uordblks < before.uordblks + 16 * 1024);
}

static void a_read_that_fails_says_so(void **state)
{
    struct parsed *parsed = *state;
    assert_int_equal(adl_manifest_read(-1, NULL, &parsed->manifest), -EBADF);
    cleanup_fd int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    adl_manifest_free(&parsed->manifest);
    assert_int_equal(adl_manifest_read(dir, NULL, &parsed->manifest), -EISDIR);
    assert_int_equal(parsed->manifest.count, 0);
}

static void nobody_has_to_listen(void **state)
{
    struct parsed *parsed = *state;
    assert_int_equal(adl_manifest_parse("bad\nhttp://h/a\n", 15, NULL, &parsed->manifest), 1);
    assert_int_equal(parsed->manifest.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_plain_list_needs_nothing_else),
        T(an_empty_manifest_is_no_error),
        T(line_ends_and_byte_order_mark_do_not_matter),
        T(utf_16_is_told_once),
        T(mirrors_are_separated_by_tabs),
        T(mirrors_of_other_schemes_are_ignored_with_a_warning),
        T(wrong_lines_are_all_told_and_right_entries_kept),
        T(messages_show_no_secrets_and_no_control_characters),
        T(long_text_is_shortened_in_messages),
        T(a_nul_byte_spoils_its_entry_alone),
        T(a_line_may_be_64_kib_and_no_longer),
        T(a_hundred_errors_end_the_reading),
        T(warnings_are_bounded_and_do_not_end_the_reading),
        T(pieces_of_any_size_read_the_same),
        T(a_gigabyte_without_a_newline_is_one_problem_in_bounded_memory),
        T(an_entry_that_never_ends_takes_bounded_memory),
        T(a_read_that_fails_says_so),
        T(nobody_has_to_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
