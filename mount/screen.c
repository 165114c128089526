#include "screen.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MIN 20
#define ROWS_MIN    8
#define SIDE_MAX    1000

/* A number from the environment; 0: none that makes sense. */
static unsigned number_of(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (!text || !*text)
        return 0;
    long value = strtol(text, &end, 10);
    return *end || value < 1 || value > SIDE_MAX ? 0 : (unsigned)value;
}

static bool speaks_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (unsigned i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

void adl_screen_init(struct adl_screen *screen, FILE *out)
{
    int fd = fileno(out);
    struct winsize size = {0};
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    bool terminal = fd >= 0 && isatty(fd);
    if (terminal)
        ioctl(fd, TIOCGWINSZ, &size);
    unsigned columns = number_of("COLUMNS"), rows = number_of("LINES");
    *screen = (struct adl_screen){.columns = columns       ? columns
                                             : size.ws_col ? size.ws_col
                                                           : 80,
                                  .rows = rows          ? rows
                                          : size.ws_row ? size.ws_row
                                                        : 24,
                                  .terminal = terminal && !(term && strcmp(term, "dumb") == 0),
                                  .utf8 = speaks_utf8()};
    screen->colour = screen->terminal && !(no_colour && *no_colour);
    if (screen->columns < COLUMNS_MIN)
        screen->columns = COLUMNS_MIN;
    if (screen->rows < ROWS_MIN)
        screen->rows = ROWS_MIN;
}

const char *adl_screen_colour(const struct adl_screen *screen, enum adl_colour colour)
{
    static const char *const codes[] = {
        [ADL_PLAIN] = "\033[0m", [ADL_BOLD] = "\033[1m",     [ADL_DIM] = "\033[2m",
        [ADL_RED] = "\033[31m",  [ADL_GREEN] = "\033[32m",   [ADL_YELLOW] = "\033[33m",
        [ADL_BLUE] = "\033[34m", [ADL_MAGENTA] = "\033[35m", [ADL_CYAN] = "\033[36m"};
    return screen->colour ? codes[colour] : "";
}

void adl_screen_bar(const struct adl_screen *screen, FILE *out, unsigned columns, long long done,
                    long long total, enum adl_colour colour)
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    unsigned inner = screen->utf8 || columns < 3 ? columns : columns - 2;
    int64_t eighths = adl_text_part(done, total, (int64_t)inner * 8);
    unsigned full = (unsigned)(eighths / 8), used = full;
    if (!screen->utf8)
        fputc('[', out);
    fputs(adl_screen_colour(screen, colour), out);
    for (unsigned i = 0; i < full; i++)
        fputs(screen->utf8 ? "█" : "#", out);
    if (screen->utf8 && eighths % 8 && full < inner) {
        fputs(parts[eighths % 8], out);
        used++;
    }
    fputs(adl_screen_colour(screen, ADL_PLAIN), out);
    fputs(adl_screen_colour(screen, ADL_DIM), out);
    for (; used < inner; used++)
        fputs(screen->utf8 ? "░" : "-", out);
    fputs(adl_screen_colour(screen, ADL_PLAIN), out);
    if (!screen->utf8)
        fputc(']', out);
}
