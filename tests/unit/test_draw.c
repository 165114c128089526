/* draw: whatever a daemon tells, no line is longer than the screen, and nothing in it commands the
 * terminal. */
#include "draw.h"
#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *picture;

static FILE *paper(void)
{
    static size_t length;
    free(picture);
    picture = NULL;
    return open_memstream(&picture, &length);
}

static unsigned count_lines(void)
{
    unsigned count = 0;
    for (const char *at = picture; *at; at++)
        count += *at == '\n';
    return count;
}

/* Every line ends, and takes no more columns than there are. */
static void fits(unsigned columns)
{
    assert_true(!*picture || picture[strlen(picture) - 1] == '\n');
    for (char *line = picture, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (adl_text_width(line) > columns)
            fail_msg("%zu columns in %u:\n%s", adl_text_width(line), columns, line);
        for (const char *at = line; *at; at++)
            assert_true((unsigned char)*at >= 0x20);
        *end = '\n';
    }
}

static json_t *read_json(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &error);
    if (!json)
        fail_msg("%s: %s", error.text, text);
    return json;
}

/* The names: wide, combining, with controls, with marks that turn the direction, very long. */
#define WIDE     "\xe6\x98\xa0\xe7\x94\xbb/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e.mp4"
#define MARKS    "cafe\xcc\x81/Zu\xcc\x88rich a\xcc\x88o\xcc\x88.bin"
#define CONTROLS "a\\u001b[31mred\\u001b[2J\\u202eevil\\n\\u007f.bin"
#define TEN      "0123456789"
#define LONG     TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define MOST     "9223372036854775807"

static const char *const mounts[] = {
    "{}",
    "{\"mountpoint\": 5, \"entries\": \"x\", \"rate\": null, \"transfers\": -1}",
    "{\"mountpoint\": \"/mnt\", \"source\": \"list.txt\", \"entries\": 1, \"transfers\": 1,"
    " \"rate\": 1, \"waiting\": 1, \"fetched\": 0, \"served\": 0, \"reads\": 1, \"hits\": 1}",
    "{\"mountpoint\": \"/" LONG "\", \"source\": \"" WIDE LONG "\", \"entries\": " MOST
    ", \"transfers\": " MOST ", \"rate\": " MOST ", \"waiting\": " MOST ", \"fetched\": " MOST
    ", \"served\": " MOST ", \"reads\": " MOST ", \"hits\": " MOST ", \"errors\": " MOST
    ", \"limit_rate\": " MOST ", \"paused\": true}",
};

#define CONNECTIONS                                                                                \
    "[{\"first\": 0, \"at\": 0, \"end\": 0, \"rate\": 0},"                                         \
    " {\"first\": 100, \"at\": 50000, \"end\": 100000, \"rate\": 123, \"path\": \"" WIDE "\"},"    \
    " {\"first\": 9223372036854775806, \"at\": " MOST ", \"end\": " MOST ", \"rate\": " MOST       \
    ", \"path\": \"" CONTROLS "\"}, {\"first\": 0, \"at\": 5, \"end\": null, \"rate\": 1}, 7]"

static const char *const files[] = {
    "{}",
    "{\"path\": [], \"state\": 1, \"size\": \"\", \"map\": 5, \"mirrors\": 6, \"connections\": 7}",
    "{\"path\": \"empty\", \"state\": \"complete\", \"size\": 0, \"cached\": 0, \"map\": [],"
    " \"mode\": \"empty\", \"etag\": \"\\\"a\\\"\", \"last_modified\": 1700000000}",
    "{\"path\": \"" WIDE "\", \"state\": \"fetching\", \"size\": 100000, \"cached\": 50000,"
    " \"eta\": 7, \"rate\": 7000, \"transfers\": 3, \"waiting\": 2, \"mode\": \"split\","
    " \"map\": [100, 50, 0, 0, 1, 0, 101, -1], \"waited_for\": [[30000, 40000]],"
    " \"wanted\": [[40000, 90000, \"ahead\"]], \"connections\": " CONNECTIONS ","
    " \"mirrors\": [{\"url\": \"http://a/" WIDE "\", \"current\": true, \"health\": \"good\"},"
    " {\"url\": \"http://b/" LONG "\", \"health\": \"resting\", \"rests_ms\": " MOST
    ", \"failures\": " MOST ", \"transfers\": " MOST ", \"limit\": " MOST ", \"delay_ms\": " MOST
    "}]}",
    "{\"path\": \"" CONTROLS "\", \"state\": \"" LONG "\", \"size\": " MOST ", \"cached\": " MOST
    ", \"eta\": " MOST ", \"rate\": " MOST ", \"transfers\": " MOST ", \"waiting\": " MOST
    ", \"errors\": " MOST ", \"error\": \"" LONG " " MARKS " " CONTROLS
    "\", \"mode\": \"split\", \"final_url\": \"http://" LONG "\", \"etag\": \"" LONG WIDE
    "\", \"last_modified\": " MOST ", \"map\": [0, 0, 100, 50], \"connections\": " CONNECTIONS "}",
    "{\"path\": \"" MARKS LONG "\", \"state\": \"failed\", \"size\": null, \"cached\": 70000,"
    " \"errors\": 1, \"error\": \"HTTP 404\", \"mode\": \"unknown\","
    " \"last_modified\": -62135596800, \"etag\": null}",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void no_line_is_longer_than_the_screen(void **state)
{
    (void)state;
    json_t *all = json_array(), *heads[COUNT(mounts)];
    for (size_t i = 0; i < COUNT(files); i++)
        json_array_append_new(all, read_json(files[i]));
    for (size_t i = 0; i < COUNT(mounts); i++)
        heads[i] = read_json(mounts[i]);
    for (unsigned columns = 20; columns <= 220; columns += columns < 64 ? 1 : 12)
        for (int utf8 = 0; utf8 < 2; utf8++) {
            const struct adl_screen screen = {.columns = columns, .rows = 24, .utf8 = utf8};
            for (size_t i = 0; i < COUNT(mounts); i++) {
                FILE *out = paper();
                adl_draw_mount(heads[i], &screen, out);
                fclose(out);
                fits(columns);
                assert_int_equal(count_lines(), 3);
            }
            FILE *out = paper();
            adl_draw_files(all, true, &screen, UINT32_MAX, out);
            fclose(out);
            fits(columns);
            assert_int_equal(count_lines(), COUNT(files) + 1);
            for (size_t i = 0; i < COUNT(files); i++) {
                out = paper();
                adl_draw_file(json_array_get(all, i), &screen, 23, out);
                fclose(out);
                fits(columns);
            }
        }
    for (size_t i = 0; i < COUNT(mounts); i++)
        json_decref(heads[i]);
    json_decref(all);
}

static json_t *many_files(size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        const char *state = i == count - 1 ? "fetching" : "complete";
        json_array_append_new(all,
                              json_pack("{s:s, s:I, s:s, s:i, s:i}", "path", "x", "entry",
                                        (json_int_t)i, "state", state, "size", 10, "cached", 10));
    }
    return all;
}

static void a_table_has_no_more_rows_than_asked_for_and_the_busiest_first(void **state)
{
    (void)state;
    const struct adl_screen screen = {.columns = 80, .rows = 24};
    json_t *all = many_files(1000);
    for (unsigned rows = 0; rows < 30; rows++)
        for (int whole = 0; whole < 2; whole++) {
            FILE *out = paper();
            adl_draw_files(all, whole, &screen, rows, out);
            fclose(out);
            assert_true(count_lines() <= rows);
            if (rows < 3)
                continue;
            assert_int_equal(count_lines(), rows);
            assert_non_null(strstr(picture, "FILE\n  fetching"));
            assert_non_null(strstr(picture, whole ? "  and " : "  and over "));
        }
    json_decref(all);
}

static void a_file_fits_the_rows_that_there_are(void **state)
{
    (void)state;
    json_t *mirrors = json_array(), *connections = json_array();
    json_t *file =
        json_pack("{s:s, s:s, s:i, s:i, s:o, s:o}", "path", "x", "state", "fetching", "size", 100,
                  "cached", 0, "mirrors", mirrors, "connections", connections);
    for (int i = 0; i < 40; i++) {
        json_array_append_new(mirrors, json_pack("{s:s, s:b}", "url", i == 30 ? "current" : "u",
                                                 "current", i == 30));
        json_array_append_new(connections, json_pack("{s:i, s:i, s:i, s:i}", "first", i, "at", i,
                                                     "end", i + 1, "rate", 1));
    }
    for (unsigned rows = 16; rows < 60; rows++) {
        const struct adl_screen screen = {.columns = 80, .rows = rows, .utf8 = true};
        FILE *out = paper();
        adl_draw_file(file, &screen, rows, out);
        fclose(out);
        assert_true(count_lines() <= rows);
        assert_non_null(strstr(picture, "mirror *  current"));
        assert_non_null(strstr(picture, "more"));
    }
    json_decref(file);
}

static void what_is_not_known_is_not_claimed(void **state)
{
    (void)state;
    const struct adl_screen screen = {.columns = 80, .rows = 24};
    json_t *file = read_json("{\"path\": \"x\", \"state\": \"unknown\", \"size\": null,"
                             " \"cached\": null, \"mode\": \"unknown\"}");
    FILE *out = paper();
    adl_draw_file(file, &screen, 24, out);
    fclose(out);
    assert_string_equal(picture, "x\n  state     unknown, size not known, mode unknown\n");
    json_decref(file);
}

/* The end of an error tells most, and a map's meaning is never cut. */
static void what_counts_is_not_cut(void **state)
{
    (void)state;
    const struct adl_screen screen = {.columns = 60, .rows = 24};
    json_t *file =
        read_json("{\"path\": \"x\", \"state\": \"failed\", \"size\": 800, \"cached\": 1,"
                  " \"mode\": \"split\", \"etag\": \"a\", \"errors\": 3, \"error\": "
                  "\"http://127.0.0.1:9/dead.bin: Failed to connect to 127.0.0.1 port 9 "
                  "after 0 ms: Couldn't connect to server; again in 7.8 s\","
                  " \"map\": [100, 0, 50, 0, 0, 0, 0, 0], \"waited_for\": [[100, 200]],"
                  " \"wanted\": [[300, 400]], \"connections\": [{\"first\": 400, \"at\": "
                  "400, \"end\": 500, \"rate\": 1}]}");
    FILE *out = paper();
    adl_draw_file(file, &screen, 24, out);
    fclose(out);
    assert_string_equal(picture, "x\n"
                                 "  state     failed, 1% of 800 B cached, mode split\n"
                                 "  version   ETag a\n"
                                 "  errors    3, the last: http://127.0.0.1:9/dead.bin:\n"
                                 "            Failed to connect to 127.0.0.1 port 9 after 0\n"
                                 "            ms: Couldn't connect to server; again in 7.8 s\n"
                                 "  map       100 B each: # here  ? waited for  1-9 coming\n"
                                 "            + partly  : wanted  . missing\n"
                                 "  #?+:1...\n"
                                 "   1 400-500       [-------------------]    0%        1 B/s\n");
    json_decref(file);
}

static int tear_down(void **state)
{
    (void)state;
    free(picture);
    picture = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_line_is_longer_than_the_screen),
        cmocka_unit_test(a_table_has_no_more_rows_than_asked_for_and_the_busiest_first),
        cmocka_unit_test(a_file_fits_the_rows_that_there_are),
        cmocka_unit_test(what_is_not_known_is_not_claimed),
        cmocka_unit_test(what_counts_is_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
