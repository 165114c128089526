/* What the tests of manifests share: a text is parsed, and all that was told of it is kept. */
#ifndef MANIFEST_FIXTURE_H
#define MANIFEST_FIXTURE_H

#include "cleanup.h"
#include "manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What was told, a line each: "E3 text\n" for an error in line 3, "W..." for a warning. */
struct told {
    char text[64 * 1024];
    size_t used;
    unsigned errors, warnings;
};

static inline void tell(void *ctx, enum adl_level level, uint64_t line, const char *text)
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

static inline int set_up(void **state)
{
    *state = calloc(1, sizeof(struct parsed));
    return *state ? 0 : -1;
}

static inline int tear_down(void **state)
{
    struct parsed *parsed = *state;
    adl_manifest_free(&parsed->manifest);
    free(parsed);
    return 0;
}

static inline int parse_bytes(struct parsed *parsed, const char *text, size_t length)
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

static inline int parse(struct parsed *parsed, const char *text)
{
    return parse_bytes(parsed, text, strlen(text));
}

/* Exactly one error and no warning, in that line, with those words in it; no entry. */
static inline void assert_refused(struct parsed *parsed, const char *text, unsigned line,
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
static inline void assert_warned(struct parsed *parsed, const char *text, unsigned line,
                                 const char *words)
{
    char start[16];
    snprintf(start, sizeof(start), "W%u ", line);
    assert_int_equal(parse(parsed, text), 0);
    if (strncmp(parsed->told.text, start, strlen(start)) != 0 ||
        !strstr(parsed->told.text, words) || parsed->told.warnings != 1)
        fail_msg("%s: %s", text, parsed->told.text);
    assert_int_equal(parsed->manifest.count, 1);
}

static inline const struct adl_entry *only_entry(struct parsed *parsed, const char *text)
{
    assert_int_equal(parse(parsed, text), 0);
    assert_string_equal(parsed->told.text, "");
    assert_int_equal(parsed->manifest.count, 1);
    return &parsed->manifest.entries[0];
}

static inline const char *only_path(struct parsed *parsed, const char *text)
{
    return only_entry(parsed, text)->path;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
