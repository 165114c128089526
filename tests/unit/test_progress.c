#include "chart.h"
#include "progress.h"
#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GIB (INT64_C(1) << 30)

static const struct adl_progress_line lines[] = {
    {.name = "films/a.mkv", .first = 0, .end = 32 << 20, .at = 16 << 20, .rate = 1 << 20},
    {.name = "\033[2J\n\xff", .first = GIB, .end = -1, .at = GIB + 1000, .rate = 0},
    {.name = "a name that is by far too long for a line of any terminal that there is or was",
     .first = INT64_MAX - 1,
     .end = INT64_MAX,
     .at = INT64_MAX,
     .rate = INT64_MAX},
};

static const struct adl_progress whole = {
    .title = "\xe6\x97\xa5 a long title: films, series, documentaries and the rest",
    .note = "HTTP 503: try again later; again in 2.0 s",
    .done = GIB,
    .total = 3 * GIB,
    .rate = 12 << 20,
    .eta = 125,
    .files = 12,
    .files_done = 3,
    .lines = lines,
    .n_lines = 3};

static char *picture;
static size_t length;

static FILE *paper(void)
{
    free(picture);
    picture = NULL;
    return open_memstream(&picture, &length);
}

static unsigned draw(const struct adl_progress *progress, struct adl_screen screen, unsigned rows)
{
    FILE *out = paper();
    unsigned drawn = adl_progress_draw(progress, &screen, rows, out);
    fclose(out);
    return drawn;
}

static unsigned widest(void)
{
    unsigned most = 0;
    for (char *line = picture, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        unsigned width = (unsigned)adl_text_width(line);
        most = width > most ? width : most;
        *end = '\n';
    }
    return most;
}

static unsigned count_lines(void)
{
    unsigned count = 0;
    for (const char *at = picture; *at; at++)
        count += *at == '\n';
    return count;
}

static void no_line_is_longer_than_the_screen(void **state)
{
    (void)state;
    for (unsigned columns = 20; columns <= 200; columns++)
        for (int utf8 = 0; utf8 < 2; utf8++) {
            struct adl_screen screen = {.columns = columns, .rows = 24, .utf8 = utf8};
            unsigned drawn = draw(&whole, screen, 24);
            assert_int_equal(drawn, count_lines());
            if (widest() > columns)
                fail_msg("%u columns in %u:\n%s", widest(), columns, picture);
        }
}

static void no_more_lines_than_rows(void **state)
{
    (void)state;
    for (unsigned rows = 2; rows < 8; rows++) {
        struct adl_screen screen = {.columns = 80, .rows = 24};
        unsigned drawn = draw(&whole, screen, rows);
        assert_true(drawn <= rows);
        assert_int_equal(count_lines(), drawn);
    }
    assert_int_equal(draw(&whole, (struct adl_screen){.columns = 80, .rows = 24}, 4), 4);
    assert_non_null(strstr(picture, "and 2 more"));
}

static void colours_are_for_screens_that_have_them(void **state)
{
    (void)state;
    draw(&whole, (struct adl_screen){.columns = 80, .rows = 24, .utf8 = true}, 24);
    assert_null(strchr(picture, '\033'));
    draw(&whole, (struct adl_screen){.columns = 80, .rows = 24, .colour = true}, 24);
    assert_non_null(strchr(picture, '\033'));
    assert_null(strstr(picture, "\033[2J")); /* a name's own are not let through */
}

static void what_is_not_known_is_not_claimed(void **state)
{
    (void)state;
    struct adl_progress unknown = {.title = "x", .done = 5 << 20, .total = -1, .eta = -1};
    FILE *out = paper();
    adl_progress_tell(&unknown, out);
    fclose(out);
    assert_string_equal(picture, "x: 5.0 MiB, 0 B/s\n");
    struct adl_progress done = {.title = "x", .done = 5, .total = 5, .eta = -1};
    out = paper();
    adl_progress_tell(&done, out);
    fclose(out);
    assert_string_equal(picture, "x: 100%, 5 B\n");
}

static void without_a_terminal_lines_come_now_and_then(void **state)
{
    (void)state;
    struct adl_progress_view view = {.out = paper(), .screen = {.columns = 80, .rows = 24}};
    struct adl_progress some = {.title = "x", .total = 1000, .eta = -1};
    for (int64_t now = 1000; now < 61000; now += 200) {
        some.done = (now - 1000) / 120; /* half of it in a minute */
        adl_progress_update(&view, &some, now);
    }
    adl_progress_end(&view, &some);
    fclose(view.out);
    assert_in_range(count_lines(), 6, 9);
    assert_null(strchr(picture, '\033'));
}

static void in_a_terminal_a_picture_replaces_the_last(void **state)
{
    (void)state;
    struct adl_progress_view view = {.out = paper(),
                                     .screen = {.columns = 80, .rows = 24, .terminal = true}};
    adl_progress_update(&view, &whole, 1000);
    adl_progress_update(&view, &whole, 1100);
    adl_progress_end(&view, &whole);
    fclose(view.out);
    const char *up = strstr(picture, "\033[5A");
    assert_non_null(up);
    assert_non_null(strstr(up + 1, "\033[5A"));
    assert_int_equal(view.drawn, 0);
}

/* --- the map */

static void a_cell_shows_what_matters_most(void **state)
{
    (void)state;
    static const unsigned char cells[] = {100, 100, 50, 0, 0, 0, 0, 99};
    static const struct adl_span flights[] = {{300, 350}, {210, 220}};
    static const struct adl_span waited[] = {{0, 100}, {340, 420}};
    static const struct adl_span wanted[] = {{0, 600}};
    const struct adl_chart chart = {.size = 800,
                                    .cells = cells,
                                    .n_cells = 8,
                                    .flights = flights,
                                    .n_flights = 2,
                                    .waited = waited,
                                    .n_waited = 2,
                                    .wanted = wanted,
                                    .n_wanted = 1};
    const struct adl_screen plain = {.columns = 80, .rows = 24};
    FILE *out = paper();
    assert_int_equal(adl_chart_draw(&chart, &plain, 5, 2, out), 2);
    adl_chart_legend(&chart, &plain, 0, 0, out);
    fclose(out);
    assert_string_equal(picture, "  ##21?\n  :.+\n"
                                 "# here  ? waited for  1-9 coming  + partly  : wanted  . missing");
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
        cmocka_unit_test(no_more_lines_than_rows),
        cmocka_unit_test(colours_are_for_screens_that_have_them),
        cmocka_unit_test(what_is_not_known_is_not_claimed),
        cmocka_unit_test(without_a_terminal_lines_come_now_and_then),
        cmocka_unit_test(in_a_terminal_a_picture_replaces_the_last),
        cmocka_unit_test(a_cell_shows_what_matters_most),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
