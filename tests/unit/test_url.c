/* The promises of src/url.h and src/name.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "name.h"
#include "url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void http_and_https_urls_with_a_host_are_valid(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://h",
        "HTTPS://Example.ORG/a/b?c#d",
        "http://h:/x",
        "http://h:65535/x",
        "http://192.0.2.1:8080/x",
        "http://[::1]/x",
        "http://[2001:db8::7]:8080/x",
        "http://[fe80::1%25eth0]/x",
        "http://user:p%40ss@h/x",
        "http://user:p@ss@h/x",
        "http://h?query",
        "http://h#fragment",
        ("http://b\xc3\xbc"
         "cher.example/\xc3\xbc"),
        "http://a_b.example/x",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        if (!adl_url_valid(urls[i]))
            fail_msg("%s", urls[i]);
}

static void anything_else_is_not(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        "h",
        "//h/x",
        "http:/h/x",
        "http:h",
        "http://",
        "http:///x",
        "http://:80/x",
        "http://user@/x",
        "ftp://h/x",
        "file:///x",
        "http://h:0/x",
        "http://h:65536/x",
        "http://h:99999999999999999999/x",
        "http://h:8o/x",
        "http://h:80:80/x",
        "http://a b/x",
        "http://h/a b",
        "http://h/a\tb",
        "http://h/a\nb",
        "http://h/a\x7f",
        "http://h\\x",
        "http://h%41/x",
        "http://[::1/x",
        "http://[]/x",
        "http://[::1]x/x",
        "http://[1.2.3.4]/x",
        "http://[::1%]/x",
        "http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/x",
        " http://h/x",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        if (adl_url_valid(urls[i]))
            fail_msg("%s", urls[i]);
}

static void an_origin_is_scheme_host_and_port_in_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *url, *origin;
    } rows[] = {
        {"HTTPS://user:pw@Example.ORG/a?b", "https://example.org:443"},
        {"http://example.org", "http://example.org:80"},
        {"http://example.org:/", "http://example.org:80"},
        {"http://example.org:0080/x", "http://example.org:80"},
        {"https://example.org:8443/x", "https://example.org:8443"},
        {"http://[2001:DB8::1]/x", "http://[2001:db8::1]:80"},
        {"http://[::1]:81?x", "http://[::1]:81"},
        {"http://a@b@c/x@y", "http://c:80"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char origin[64];
        assert_int_equal(adl_url_origin(rows[i].url, origin, sizeof(origin)), 0);
        assert_string_equal(origin, rows[i].origin);
    }
}

static void an_origin_never_writes_beyond_its_room(void **state)
{
    (void)state;
    static const char expected[] = "http://example.org:80";
    for (size_t room = 0; room <= sizeof(expected); room++) {
        cleanup_free char *out = malloc(room + 1);
        assert_non_null(out);
        out[room] = 'X';
        int r = adl_url_origin("http://example.org/", out, room);
        assert_int_equal(r, room < sizeof(expected) ? -ENAMETOOLONG : 0);
        assert_int_equal(out[room], 'X');
    }
    char out[8];
    assert_int_equal(adl_url_origin("ftp://h/", out, sizeof(out)), -EINVAL);
}

static void a_shown_url_keeps_no_secret(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown;
    } rows[] = {
        {"http://h/a/b", "http://h/a/b"},
        {"https://user:pw@h:81/a?sig=pw#pw", "https://h:81/a?..."},
        {"http://u:p@w@h/x", "http://h/x"},
        {"http://h?sig=pw", "http://h?..."},
        {"http://h/a#pw?pw", "http://h/a"},
        {"http://h/@scope/x", "http://h/@scope/x"},
        {"HTTP://[::1]:8/x?pw", "http://[::1]:8/x?..."},
        /* Malformed, and so in doubt. */
        {"http://user:p/w@h/x", "http://..."},
        {"http://user:p?w@h/x", "http://..."},
        {"http://user:p#w@h/x", "http://..."},
        {"http://user:p w@h/x?sig=pw", "http://h/..."},
        {"http://h:port/x?sig=pw", "http://h/..."},
        {"http://u:p@h:port/x?mail=a@b", "http://..."},
        {"http://h/a b?sig=pw", "http://h/..."},
        {"http://[::1/x?sig=pw", "http://[::1]/..."},
        {"http://", "http:///..."},
        {"http:/u:pw@h/x", "..."},
        {"http:u:pw@h/x", "..."},
        {"user:pw@h/x?sig=pw", "..."},
        {"us er:pw://h", "..."},
        {"user@h/x", "..."},
        {"example.org/x?sig=pw", "example.org/x..."},
        {"example.org/x", "example.org/x"},
        {"ftp://u:pw@h/x?pw", "ftp://h/..."},
        {"magnet:?xt=pw", "..."},
        {"a\nb", "a%0Ab"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *shown = adl_url_redact(rows[i].url);
        assert_non_null(shown);
        assert_string_equal(shown, rows[i].shown);
    }
}

static void a_name_is_the_last_part_of_the_path_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *url, *name;
    } rows[] = {
        {"http://h/a/b.iso", "b.iso"}, {"http://h/a/b.iso?c=/d#/e", "b.iso"},
        {"http://h/a/b//", "b"},       {"http://h/a%20b%C3%BC", "a b\xc3\xbc"},
        {"http://h/a%2Fb%2f", "a_b_"}, {"http://h/100%", "100%"},
        {"http://h/%4", "%4"},         {"http://h/%zz%41", "%zzA"},
        {"http://h/a+b", "a+b"},       {"http://h/%0A", "\n"},
        {"http://h/...", "..."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *error = NULL;
        cleanup_free char *name = adl_url_name(rows[i].url, &error);
        assert_non_null(name);
        assert_string_equal(name, rows[i].name);
    }
}

static void a_url_without_a_legal_name_says_why(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://h",      "http://h/",       "http://h//?x",   "http://h?x/y", "http://h/.",
        "http://h/a/..", "http://h/%2e%2E", "http://h/a%00b", "ftp://h/x",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        const char *error = NULL;
        assert_null(adl_url_name(urls[i], &error));
        assert_non_null(error);
    }
}

static void a_long_name_is_cut_between_characters_and_keeps_its_extension(void **state)
{
    (void)state;
    char url[2048] = "http://h/";
    for (int i = 0; i < 150; i++)
        strcat(url, "%C3%A9"); /* 300 bytes of two-byte characters */
    strcat(url, ".tar.gz");
    const char *error = NULL;
    cleanup_free char *name = adl_url_name(url, &error);
    assert_non_null(name);
    size_t length = strlen(name);
    assert_int_equal(length, 2 * ((255 - 7) / 2) + 7);
    assert_string_equal(name + length - 9, "\xc3\xa9.tar.gz");

    /* A NUL is one wherever it stands. */
    strcpy(url, "http://h/");
    for (int i = 0; i < 300; i++)
        strcat(url, "a");
    strcat(url, "%00");
    assert_null(adl_url_name(url, &error));
}

static void a_suffix_goes_before_the_extension(void **state)
{
    (void)state;
    static const struct {
        const char *name, *with;
    } rows[] = {
        {"a", "a (2)"},
        {"a.txt", "a (2).txt"},
        {"a.b.txt", "a.b (2).txt"},
        {"a.tar.gz", "a (2).tar.gz"},
        {"a.TAR.xz", "a (2).TAR.xz"},
        {".tar.gz", ".tar (2).gz"},
        {".profile", ".profile (2)"},
        {"a.", "a (2)."},
        {"Dr. Who", "Dr. Who (2)"},
        {"a.an-extension-of-no-kind", "a.an-extension-of-no-kind (2)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[ADL_NAME_MAX + 1];
        size_t length = adl_name_fit(rows[i].name, strlen(rows[i].name), " (2)", out);
        assert_string_equal(out, rows[i].with);
        assert_int_equal(length, strlen(out));
    }
}

static void paths_below_the_mount_are_clean(void **state)
{
    (void)state;
    static const char *const right[] = {"a", "a/b", "...", ".a/..b", "\n", "\xff"};
    static const char *const wrong[] = {"", "/a", "a/", "a//b", ".", "..", "a/./b", "a/..", "../a"};
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_null(adl_path_wrong(right[i], strlen(right[i])));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(adl_path_wrong(wrong[i], strlen(wrong[i])));
    assert_non_null(adl_path_wrong("a\0b", 3));

    char path[ADL_PATH_MAX + 2];
    memset(path, 'a', sizeof(path));
    assert_null(adl_path_wrong(path, 255));
    assert_non_null(adl_path_wrong(path, 256));
    for (size_t i = 1; i < sizeof(path); i += 2)
        path[i] = '/';
    assert_null(adl_path_wrong(path, ADL_PATH_MAX - 1));
    path[ADL_PATH_MAX - 1] = 'a';
    assert_null(adl_path_wrong(path, ADL_PATH_MAX));
    assert_non_null(adl_path_wrong(path, ADL_PATH_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_and_https_urls_with_a_host_are_valid),
        cmocka_unit_test(anything_else_is_not),
        cmocka_unit_test(an_origin_is_scheme_host_and_port_in_one_form),
        cmocka_unit_test(an_origin_never_writes_beyond_its_room),
        cmocka_unit_test(a_shown_url_keeps_no_secret),
        cmocka_unit_test(a_name_is_the_last_part_of_the_path_decoded),
        cmocka_unit_test(a_url_without_a_legal_name_says_why),
        cmocka_unit_test(a_long_name_is_cut_between_characters_and_keeps_its_extension),
        cmocka_unit_test(a_suffix_goes_before_the_extension),
        cmocka_unit_test(paths_below_the_mount_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
