#include "helper.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 16

static int count(const char *const *words)
{
    int n = 0;
    while (words[n])
        n++;
    return n;
}

static void mount8_is_told_from_people(void **state)
{
    (void)state;
    static const struct {
        const char *argv[WORDS_MAX];
        bool known, called;
    } cases[] = {
        {{"/sbin/mount.fuse.adlfs", "urls", "/mnt"}, false, true},
        {{"mount.adlfs"}, false, true},
        {{"adlfs", "urls", "/mnt", "-o", "ro"}, false, true},
        {{"adlfs", "urls", "/mnt", "-oro"}, false, true},
        {{"adlfs", "mount", "/mnt", "-o", "ro"}, true, false},
        {{"adlfs", "muont", "urls", "/mnt"}, false, false},
        {{"adlfs", "muont", "urls", "-o", "ro"}, false, false},
        {{"adlfs", "urls", "/mnt"}, false, false},
        {{"adlfs", "--hepl", "/mnt", "-o", "ro"}, false, false},
        {{"adlfs", "muont", "/urls", "/mnt", "-o", "ro"}, false, false},
        {{"adlfs"}, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(adl_helper_called(count(cases[i].argv), cases[i].argv, cases[i].known),
                         cases[i].called);
}

static void what_mount8_says_becomes_adlfs_mount(void **state)
{
    (void)state;
    static const struct {
        const char *argv[WORDS_MAX], *expected[WORDS_MAX];
        bool fake, sloppy;
    } cases[] = {
        {{"m", "urls", "/mnt", "-o", "ro,exec"}, {"-o", "ro,exec", "--", "urls", "/mnt"}, 0, 0},
        {{"m", "urls", "/mnt", "-sfnv", "-t", "fuse.adlfs", "-oro", "-o", "exec"},
         {"-o", "ro", "-o", "exec", "--", "urls", "/mnt"},
         1,
         1},
        {{"m", "-no", "ro", "urls", "/mnt"}, {"-o", "ro", "--", "urls", "/mnt"}, 0, 0},
        {{"m", "-", "/mnt"}, {"--", "-", "/mnt"}, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct adl_helper helper;
        char why[256];
        assert_int_equal(adl_helper_parse(&helper, count(cases[i].argv), cases[i].argv, why,
                                          sizeof(why)),
                         0);
        assert_int_equal(helper.fake, cases[i].fake);
        assert_int_equal(helper.sloppy, cases[i].sloppy);
        assert_int_equal(helper.count, count(cases[i].expected));
        for (size_t j = 0; j < helper.count; j++)
            assert_string_equal(helper.argv[j], cases[i].expected[j]);
        adl_helper_free(&helper);
    }
}

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *argv[WORDS_MAX], *why;
    } cases[] = {
        {{"m", "urls"}, "too few"},
        {{"m", "urls", "/mnt", "more"}, "'more'"},
        {{"m", "urls", "/mnt", "-o"}, "-o needs a value"},
        {{"m", "urls", "/mnt", "-x"}, "'-x'"},
        {{"m", "urls", "/mnt", "-N", "/ns"}, "nsenter --mount=/ns"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct adl_helper helper;
        char why[256];
        assert_int_equal(adl_helper_parse(&helper, count(cases[i].argv), cases[i].argv, why,
                                          sizeof(why)),
                         -EINVAL);
        assert_non_null(strstr(why, cases[i].why));
        adl_helper_free(&helper);
    }
}

static void statuses_are_those_of_mount8(void **state)
{
    (void)state;
    assert_int_equal(adl_helper_status(0), 0);
    assert_int_equal(adl_helper_status(1), 32);
    assert_int_equal(adl_helper_status(2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mount8_is_told_from_people),
        cmocka_unit_test(what_mount8_says_becomes_adlfs_mount),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(statuses_are_those_of_mount8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
