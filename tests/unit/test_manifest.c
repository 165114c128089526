/* The promises of src/manifest.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What was told, a line each: "E3 text\n" for an error in line 3, "W..." for a warning. */
struct told {
    char text[64 * 1024];
    size_t used;
    unsigned errors, warnings;
};

static void tell(void *ctx, enum adl_level level, uint64_t line, const char *text)
{
    struct told *told = ctx;
    bool error = level == ADL_ERROR;
    told->errors += error;
    told->warnings += !error;
    int n = snprintf(told->text + told->used, sizeof(told->text) - told->used, "%c%llu %s\n",
                     error ? 'E' : 'W', (unsigned long long)line, text);
    assert_true(n > 0 && (size_t)n < sizeof(told->text) - told->used);
    told->used += (size_t)n;
}

struct parsed {
    struct adl_manifest manifest;
    struct told told;
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct parsed));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct parsed *parsed = *state;
    adl_manifest_free(&parsed->manifest);
    free(parsed);
    return 0;
}

static int parse_bytes(struct parsed *parsed, const char *text, size_t length)
{
    adl_manifest_free(&parsed->manifest);
    parsed->told = (struct told){0};
    const struct adl_problems problems = {tell, &parsed->told};
    /* A copy of the exact length, so that reading one byte too many is seen. */
    cleanup_free char *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    int r = adl_manifest_parse(copy, length, &problems, &parsed->manifest);
    if (r >= 0)
        assert_int_equal(r, parsed->told.errors);
    return r;
}

static int parse(struct parsed *parsed, const char *text)
{
    return parse_bytes(parsed, text, strlen(text));
}

/* Exactly one error and no warning, in that line, with those words in it; no entry. */
static void assert_refused(struct parsed *parsed, const char *text, unsigned line,
                           const char *words)
{
    char start[16];
    snprintf(start, sizeof(start), "E%u ", line);
    assert_int_equal(parse(parsed, text), 1);
    if (strncmp(parsed->told.text, start, strlen(start)) != 0 ||
        !strstr(parsed->told.text, words) || parsed->told.warnings)
        fail_msg("%s: %s", text, parsed->told.text);
    assert_int_equal(parsed->manifest.count, 0);
}

/* No error, one entry, one warning in that line with those words in it. */
static void assert_warned(struct parsed *parsed, const char *text, unsigned line, const char *words)
{
    char start[16];
    snprintf(start, sizeof(start), "W%u ", line);
    assert_int_equal(parse(parsed, text), 0);
    if (strncmp(parsed->told.text, start, strlen(start)) != 0 ||
        !strstr(parsed->told.text, words) || parsed->told.warnings != 1)
        fail_msg("%s: %s", text, parsed->told.text);
    assert_int_equal(parsed->manifest.count, 1);
}

static const struct adl_entry *only_entry(struct parsed *parsed, const char *text)
{
    assert_int_equal(parse(parsed, text), 0);
    assert_string_equal(parsed->told.text, "");
    assert_int_equal(parsed->manifest.count, 1);
    return &parsed->manifest.entries[0];
}

static const char *only_path(struct parsed *parsed, const char *text)
{
    return only_entry(parsed, text)->path;
}

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

static void out_and_dir_make_the_path(void **state)
{
    struct parsed *parsed = *state;
    assert_string_equal(only_path(parsed, "http://h/a\n out=b\n"), "b");
    assert_string_equal(only_path(parsed, "http://h/a\n\tout = b c \n"), "b c");
    assert_string_equal(only_path(parsed, "http://h/a\n out=b/c=d\n"), "b/c=d");
    assert_string_equal(only_path(parsed, "http://h/a\n out=//b/c\n"), "b/c");
    assert_string_equal(only_path(parsed, "http://h/a\n dir=/d/e/\n"), "d/e/a");
    assert_string_equal(only_path(parsed, "http://h/a\n dir=d\n out=/b/c\n"), "d/b/c");
    assert_string_equal(only_path(parsed, "http://h/a\n dir=/\n"), "a");
    assert_string_equal(only_path(parsed, "http://h/\n out=a\n"), "a");
    assert_string_equal(only_path(parsed, "http://h/a\n out=\xff\xfe\x01\n"), "\xff\xfe\x01");
}

static void paths_that_leave_the_mount_or_are_no_names_are_refused(void **state)
{
    struct parsed *parsed = *state;
    assert_refused(parsed, "http://h/a\n out=../b\n", 2, "'..'");
    assert_refused(parsed, "http://h/a\n out=b/./c\n", 2, "'.'");
    assert_refused(parsed, "http://h/a\n out=b//c\n", 2, "empty");
    assert_refused(parsed, "http://h/a\n out=b/\n", 2, "empty");
    assert_refused(parsed, "http://h/a\n out=\n", 2, "empty");
    assert_refused(parsed, "http://h/a\n out=/\n", 2, "empty");
    assert_refused(parsed, "http://h/a\n dir=..\n", 2, "'..'");
    assert_refused(parsed, "http://h/\n", 1, "name it with out=");
    assert_refused(parsed, "http://h/%2e%2e\n", 1, "name it with out=");
    assert_refused(parsed, "http://h/a%00b\n", 1, "NUL");
}

static void a_path_is_at_most_4096_bytes_and_a_name_255(void **state)
{
    struct parsed *parsed = *state;
    char text[8192], dir[4096];
    memset(dir, 'd', sizeof(dir));
    for (size_t i = 200; i < sizeof(dir); i += 200)
        dir[i] = '/';
    snprintf(text, sizeof(text), "http://h/a\n dir=%.4000s\n out=%.95s\n", dir, dir);
    assert_int_equal(strlen(only_path(parsed, text)), 4096);
    snprintf(text, sizeof(text), "http://h/a\n dir=%.4000s\n out=%.96s\n", dir, dir);
    assert_refused(parsed, text, 1, "4096");

    memset(dir, 'n', 256);
    snprintf(text, sizeof(text), "http://h/a\n out=%.255s\n", dir);
    assert_int_equal(strlen(only_path(parsed, text)), 255);
    snprintf(text, sizeof(text), "http://h/a\n out=%.256s\n", dir);
    assert_refused(parsed, text, 2, "255");
}

static void options_of_the_request_are_kept(void **state)
{
    struct parsed *parsed = *state;
    const struct adl_entry *entry = only_entry(parsed, "http://h/a\n"
                                                       "  header=X-One: 1\n"
                                                       "  header=Host:two\n"
                                                       "  referer=http://r/\n"
                                                       "  user-agent=agent\n"
                                                       "  http-user=u\n"
                                                       "  http-passwd=p:w=d\n"
                                                       "  split=4\n"
                                                       "  max-connection-per-server=2\n");
    const struct adl_entry_options *options = entry->options;
    assert_non_null(options);
    assert_string_equal(options->headers[0], "X-One: 1");
    assert_string_equal(options->headers[1], "Host:two");
    assert_null(options->headers[2]);
    assert_string_equal(options->referer, "http://r/");
    assert_string_equal(options->user_agent, "agent");
    assert_string_equal(options->user, "u");
    assert_string_equal(options->password, "p:w=d");
    assert_int_equal(options->max_connections, 2);
    assert_int_equal(options->checksum.kind, ADL_DIGEST_NONE);

    entry = only_entry(parsed, "http://h/a\n split=7\n");
    assert_int_equal(entry->options->max_connections, 7);
    assert_null(entry->options->headers);
    assert_null(entry->options->user);
}

static void options_belong_to_the_line_before_them_and_equal_ones_are_shared(void **state)
{
    struct parsed *parsed = *state;
    assert_int_equal(parse(parsed, "http://h/a\n header=A: 1\n"
                                   "http://h/b\n header=A: 1\n"
                                   "http://h/c\n header=A: 1\n header=B: 2\n"
                                   "http://h/d\n"
                                   "http://h/e\n out=f\n"),
                     0);
    assert_int_equal(parsed->manifest.count, 5);
    const struct adl_entry *entry = parsed->manifest.entries;
    assert_ptr_equal(entry[0].options, entry[1].options);
    assert_string_equal(entry[2].options->headers[1], "B: 2");
    assert_null(entry[3].options);
    assert_null(entry[4].options);
}

static void headers_that_would_break_the_request_are_refused(void **state)
{
    struct parsed *parsed = *state;
    assert_refused(parsed, "http://h/a\n header=Authorization secret\n", 2, "Name: value");
    assert_refused(parsed, "http://h/a\n header=: x\n", 2, "Name: value");
    assert_refused(parsed, "http://h/a\n header=A B: x\n", 2, "Name: value");
    assert_refused(parsed, "http://h/a\n header=A: x\ry\n", 2, "control");
    assert_refused(parsed, "http://h/a\n header=range: bytes=0-1\n", 2, "header=range");
    static const char *const names[] = {"Range",        "If-Range",       "Accept-Encoding",
                                        "Connection",   "Content-Length", "Transfer-Encoding",
                                        "If-None-Match"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[100];
        snprintf(text, sizeof(text), "http://h/a\n header=%s: x\n", names[i]);
        assert_refused(parsed, text, 2, names[i]);
    }
    assert_refused(parsed, "http://h/a\n referer=a\rb\n", 2, "control");
    assert_refused(parsed, "http://h/a\n http-user=a:b\n", 2, "':'");
}

static void headers_of_one_entry_are_bounded(void **state)
{
    struct parsed *parsed = *state;
    char text[4096] = "http://h/a\n";
    for (int i = 0; i < 100; i++)
        strcat(text, " header=A: b\n");
    assert_non_null(only_entry(parsed, text)->options->headers[99]);
    assert_null(parsed->manifest.entries[0].options->headers[100]);
    strcat(text, " header=A: b\n");
    assert_refused(parsed, text, 102, "100 headers");
}

static void checksums_are_read_in_either_case(void **state)
{
    struct parsed *parsed = *state;
    static const struct {
        const char *name;
        enum adl_digest_kind kind;
        int digits;
    } rows[] = {
        {"md5", ADL_MD5, 32},        {"sha-1", ADL_SHA1, 40},     {"SHA-224", ADL_SHA224, 56},
        {"sha-256", ADL_SHA256, 64}, {"Sha-384", ADL_SHA384, 96}, {"sha-512", ADL_SHA512, 128},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char digits[160] = "0123456789abcdefABCDEF", text[256];
        memset(digits + 22, '7', 130);
        snprintf(text, sizeof(text), "http://h/a\n checksum=%s=%.*s\n", rows[i].name,
                 rows[i].digits, digits);
        const struct adl_digest *digest = &only_entry(parsed, text)->options->checksum;
        assert_int_equal(digest->kind, rows[i].kind);
        assert_memory_equal(digest->bytes, "\x01\x23\x45\x67\x89\xab\xcd\xef\xab\xcd\xef\x77", 12);

        snprintf(text, sizeof(text), "http://h/a\n checksum=%s=%.*s\n", rows[i].name,
                 rows[i].digits - 1, digits);
        assert_refused(parsed, text, 2, "digits");
    }
    assert_refused(parsed, "http://h/a\n checksum=adler32=01234567\n", 2, "sha-256");
    assert_refused(parsed, "http://h/a\n checksum=sha-256\n", 2, "TYPE=");
    assert_refused(parsed, "http://h/a\n checksum=md5=0123456789abcdef0123456789abcdeg\n", 2,
                   "TYPE=");
}

static void connection_counts_are_numbers_from_one(void **state)
{
    struct parsed *parsed = *state;
    static const char *const wrong[] = {
        "0", "", "-1", "+1", "1x", "4294967296", "18446744073709551617"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[100];
        snprintf(text, sizeof(text), "http://h/a\n split=%s\n", wrong[i]);
        assert_refused(parsed, text, 2, "number of connections");
    }
}

static void size_and_mtime_stand_in_comments(void **state)
{
    struct parsed *parsed = *state;
    const struct adl_entry *entry =
        only_entry(parsed,
                   "http://h/a\n\n# other\n \t#adlfs: size=123   mtime=2026-01-31T12:00:00Z\n");
    assert_int_equal(entry->size, 123);
    assert_int_equal(entry->mtime, 1769860800);
    assert_null(entry->options);
    entry = only_entry(parsed, "http://h/a\n#adlfs:size=9223372036854775807\n#adlfs:\n");
    assert_true(entry->size == INT64_MAX);
    assert_int_equal(only_entry(parsed, "http://h/a\n#adlfs: size=0\n")->size, 0);
    assert_int_equal(only_entry(parsed, "http://h/a\n# adlfs: size=x\n")->size, -1);

    assert_refused(parsed, "http://h/a\n#adlfs: size=9223372036854775808\n", 2, "bytes");
    assert_refused(parsed, "http://h/a\n#adlfs: size=-1\n", 2, "bytes");
    assert_refused(parsed, "http://h/a\n#adlfs: size=1K\n", 2, "bytes");
    assert_warned(parsed, "http://h/a\n#adlfs: colour=red\n", 2, "'colour' is ignored");
    assert_warned(parsed, "http://h/a\n#adlfs: http://u:secret@h\n", 2, "'...' is ignored");
}

static void times_are_rfc_3339(void **state)
{
    struct parsed *parsed = *state;
    static const struct {
        const char *text;
        int64_t time;
    } right[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31t23:59:59z", -1},
        {"2000-02-29T00:00:00Z", 951782400},
        {"2026-01-31T13:30:00+01:30", 1769860800},
        {"2026-01-31T11:00:00-01:00", 1769860800},
        {"2026-01-31T12:00:00.999Z", 1769860800},
        {"2016-12-31T23:59:60Z", 1483228800},
        {"9999-12-31T23:59:59Z", 253402300799},
        {"0000-01-01T00:00:00Z", -62167219200},
    };
    static const char *const wrong[] = {
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "2026-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-04-31T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00+0130",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00ZZ",
        "+026-01-31T12:00:00Z",
        "1769860800",
    };
    char text[100];
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        snprintf(text, sizeof(text), "http://h/a\n#adlfs: mtime=%s\n", right[i].text);
        assert_true(only_entry(parsed, text)->mtime == right[i].time);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(text, sizeof(text), "http://h/a\n#adlfs: mtime=%s\n", wrong[i]);
        assert_refused(parsed, text, 2, "2026-01-31T12:00:00Z");
    }
}

static void options_of_aria2_are_ignored_with_one_warning_each(void **state)
{
    struct parsed *parsed = *state;
    assert_int_equal(parse(parsed, "http://h/a\n gid=1\n pause=true\n all-proxy=x\n"
                                   "http://h/b\n gid=2\n use-head=true\n pause\n"),
                     0);
    assert_int_equal(parsed->manifest.count, 2);
    assert_int_equal(parsed->told.warnings, 4);
    assert_non_null(strstr(parsed->told.text, "W2 option 'gid'"));
    assert_non_null(strstr(parsed->told.text, "W3 option 'pause'"));
    assert_non_null(strstr(parsed->told.text, "W4 option 'all-proxy'"));
    assert_non_null(strstr(parsed->told.text, "W7 option 'use-head'"));
}

static void an_option_that_nobody_knows_is_an_error(void **state)
{
    struct parsed *parsed = *state;
    assert_refused(parsed, "http://h/a\n ouput=b\n", 2, "no option 'ouput'");
    assert_refused(parsed, "http://h/a\n gi=b\n", 2, "no option 'gi'");
    assert_refused(parsed, "http://h/a\n gidd=b\n", 2, "no option 'gidd'");
    assert_refused(parsed, "http://h/a\n Out=b\n", 2, "NAME=VALUE");
    assert_refused(parsed, "http://h/a\n out\n", 2, "NAME=VALUE");
    assert_refused(parsed, "http://h/a\n =b\n", 2, "NAME=VALUE");
    assert_refused(parsed, " out=b\n", 1, "follow the URL");
    assert_refused(parsed, "#adlfs: size=1\n", 1, "follow the URL");
    assert_refused(parsed, "http://h/a\n http://h/b\n", 2, "must begin its line");
}

static void an_option_given_twice_is_warned_of_and_the_later_one_counts(void **state)
{
    struct parsed *parsed = *state;
    assert_warned(parsed, "http://h/a\n out=b\n out=c\n", 3, "out= was given before");
    assert_string_equal(parsed->manifest.entries[0].path, "c");
    assert_warned(parsed, "http://h/a\n#adlfs: size=1 size=2\n", 2, "size= was given before");
    assert_int_equal(parsed->manifest.entries[0].size, 2);
    assert_warned(parsed, "http://h/a\n referer=*\n", 2, "referer=*");
    assert_null(parsed->manifest.entries[0].options);
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
    assert_int_equal(read_pieces(parsed, text, piece, piece, 1 << 14), 1);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_list_needs_nothing_else),
        TEST(an_empty_manifest_is_no_error),
        TEST(line_ends_and_byte_order_mark_do_not_matter),
        TEST(utf_16_is_told_once),
        TEST(mirrors_are_separated_by_tabs),
        TEST(mirrors_of_other_schemes_are_ignored_with_a_warning),
        TEST(out_and_dir_make_the_path),
        TEST(paths_that_leave_the_mount_or_are_no_names_are_refused),
        TEST(a_path_is_at_most_4096_bytes_and_a_name_255),
        TEST(options_of_the_request_are_kept),
        TEST(options_belong_to_the_line_before_them_and_equal_ones_are_shared),
        TEST(headers_that_would_break_the_request_are_refused),
        TEST(headers_of_one_entry_are_bounded),
        TEST(checksums_are_read_in_either_case),
        TEST(connection_counts_are_numbers_from_one),
        TEST(size_and_mtime_stand_in_comments),
        TEST(times_are_rfc_3339),
        TEST(options_of_aria2_are_ignored_with_one_warning_each),
        TEST(an_option_that_nobody_knows_is_an_error),
        TEST(an_option_given_twice_is_warned_of_and_the_later_one_counts),
        TEST(wrong_lines_are_all_told_and_right_entries_kept),
        TEST(messages_show_no_secrets_and_no_control_characters),
        TEST(long_text_is_shortened_in_messages),
        TEST(a_nul_byte_spoils_its_entry_alone),
        TEST(a_line_may_be_64_kib_and_no_longer),
        TEST(a_hundred_errors_end_the_reading),
        TEST(warnings_are_bounded_and_do_not_end_the_reading),
        TEST(pieces_of_any_size_read_the_same),
        TEST(a_gigabyte_without_a_newline_is_one_problem_in_bounded_memory),
        TEST(an_entry_that_never_ends_takes_bounded_memory),
        TEST(a_read_that_fails_says_so),
        TEST(nobody_has_to_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
