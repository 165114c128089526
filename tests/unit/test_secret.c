#include "secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void what_is_secret_of_an_argument_is_not_shown(void **state)
{
    (void)state;
    static const struct {
        const char *before, *word, *shown;
    } rows[] = {
        {"", "adlfs", "adlfs"},
        {"mount", "/srv/urls.txt", "/srv/urls.txt"},
        {"mount", "https://u:pw@h/f.iso?sig=abcdef#x", "https://h/f.iso?..."},
        {"mount", "htp://u:pw@h/f.iso", "htp://h/..."},
        {"mount", "http://h/?a", "http://h/?."},
        {"mount", "--surprise=https://u:pw@h/f", "--surprise=https://h/f"},
        {"mount", "--header=A: hunter2", "--header=..."},
        {"mount", "--header=@/etc/headers", "--header=@/etc/headers"},
        {"--header", "Authorization: hunter2", "..."},
        {"--header", "@/etc/headers", "@/etc/headers"},
        {"--header", "A: https://h/", "..."},
        {"-o", "ro,header=A: hunter2,allow-other", "ro,header=..."},
        {"-fo", "header=@f,header=A: hunter2", "header=@f,header=..."},
        {"mount", "-oheader=A: hunter2", "-oheader=..."},
        {"--header", "", ""},
        {"--header", "A", "."},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *shown = adl_secret_shown(rows[i].before, rows[i].word);
        assert_non_null(shown);
        assert_string_equal(shown, rows[i].shown);
        free(shown);
    }
}

static void a_command_line_is_taken_whole_and_left_clean(void **state)
{
    (void)state;
    char area[] = "adlfs\0mount\0--header\0A: hunter2\0http://u:pw@h/f\0/mnt";
    char *argv[7] = {0};
    int argc = 0;
    for (char *at = area; at < area + sizeof(area); at += strlen(at) + 1)
        argv[argc++] = at;
    char **taken = adl_secret_take(argc, argv);
    assert_non_null(taken);
    assert_string_equal(taken[3], "A: hunter2");
    assert_string_equal(taken[4], "http://u:pw@h/f");
    assert_string_equal(taken[5], "/mnt");
    static const char left[] = "adlfs\0mount\0--header\0...\0http://h/f\0/mnt";
    assert_memory_equal(area, left, sizeof(left));
    for (size_t i = sizeof(left); i < sizeof(area); i++)
        assert_int_equal(area[i], 0);
    adl_secret_free(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_secret_of_an_argument_is_not_shown),
        cmocka_unit_test(a_command_line_is_taken_whole_and_left_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
