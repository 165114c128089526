#include "option_table.h"

#include <string.h>

/* " [64K]": what the option is when it is not given; "" where the help text says it. */
static void describe_default(const struct adl_option *option, const struct adl_options *defaults,
                             char *out, size_t room)
{
    const void *field = (const char *)defaults + option->offset;
    int64_t number;
    out[0] = '\0';
    switch (option->kind) {
    case ADL_OPTION_SIZE:
        snprintf(out, room, " [%uK]", *(const uint32_t *)field / 1024);
        return;
    case ADL_OPTION_SECONDS:
        number = *(const int64_t *)field;
        break;
    case ADL_OPTION_NUMBER:
        number = *(const unsigned *)field;
        break;
    case ADL_OPTION_CHOICE:
        number = *(const int *)field;
        break;
    default:
        return;
    }
    for (const struct adl_option_word *word = option->words; word && word->name; word++)
        if (word->value == number) {
            snprintf(out, room, " [%s]", word->name);
            return;
        }
    snprintf(out, room, " [%lld]", (long long)number);
}

void adl_options_help(FILE *out, enum adl_option_user user)
{
    struct adl_options defaults;
    adl_options_init(&defaults, user);
    const struct adl_option *option = NULL;
    while ((option = adl_option_next(option, user))) {
        char letter[8] = "    ", left[64], standard[32];
        if (option->letter)
            snprintf(letter, sizeof(letter), "-%c%s", option->letter, option->name ? ", " : "");
        snprintf(left, sizeof(left), "%s%s%s%s%s", letter, option->name ? "--" : "",
                 option->name ? option->name : " ", option->name && option->value ? "=" : "",
                 option->value ? option->value : "");
        describe_default(option, &defaults, standard, sizeof(standard));
        /* A long left column gets a line of its own. */
        fprintf(out, "  %-31s%s%s%s\n", left,
                strlen(left) > 30 ? "\n                                 " : "", option->help,
                standard);
    }
    adl_options_free(&defaults);
}
