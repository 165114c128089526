/* What the lines of one entry say: its path and its options. */
#include "manifest_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(out_and_dir_make_the_path),
        T(paths_that_leave_the_mount_or_are_no_names_are_refused),
        T(a_path_is_at_most_4096_bytes_and_a_name_255),
        T(options_of_the_request_are_kept),
        T(options_belong_to_the_line_before_them_and_equal_ones_are_shared),
        T(headers_that_would_break_the_request_are_refused),
        T(headers_of_one_entry_are_bounded),
        T(checksums_are_read_in_either_case),
        T(connection_counts_are_numbers_from_one),
        T(size_and_mtime_stand_in_comments),
        T(times_are_rfc_3339),
        T(options_of_aria2_are_ignored_with_one_warning_each),
        T(an_option_that_nobody_knows_is_an_error),
        T(an_option_given_twice_is_warned_of_and_the_later_one_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
