/* What the tests of copies share: a file of ten blocks and a bit, and a store to keep it in. */
#ifndef COPY_FIXTURE_H
#define COPY_FIXTURE_H

#include "copy.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BLOCK 4096
#define SIZE  (10 * BLOCK + 100)

struct fixture {
    struct scratch scratch;
    struct adl_head want;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    f->want = (struct adl_head){.key = adl_store_key("http://example.org/a"),
                                .validator = {.etag = "\"one\"", .last_modified = 1700000000},
                                .size = SIZE,
                                .block_size = BLOCK,
                                .url = "http://example.org/a"};
    return scratch_open(&f->scratch, BLOCK);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    scratch_close(&f->scratch);
    free(f);
    return 0;
}

static inline struct adl_copy *open_copy(struct fixture *f, bool resume)
{
    struct adl_copy *copy;
    assert_int_equal(adl_copy_open(f->scratch.store, &f->want, resume, &copy), 0);
    return copy;
}

static unsigned char truth[SIZE]; /* true_bytes(), made once */

static inline int make_truth(void **state)
{
    (void)state;
    true_bytes(truth, 0, SIZE);
    return 0;
}

static inline int put(struct adl_copy *copy, struct adl_run *run, int64_t first, int64_t end)
{
    return adl_copy_write(copy, run, truth + first, (size_t)(end - first), first);
}

/* Whether the data file has the true bytes in [first, end). */
static inline bool right(const struct adl_copy *copy, int64_t first, int64_t end)
{
    unsigned char have[SIZE];
    size_t length = (size_t)(end - first);
    return pread(copy->data, have, length, first) == (ssize_t)length &&
           memcmp(have, truth + first, length) == 0;
}

/* Every sum is that of the bytes which are in the file. */
static inline void check_sums(const struct adl_copy *copy)
{
    unsigned char *buffer = malloc(copy->block_size);
    for (uint64_t block = 0; block < copy->sidecar->blocks; block++) {
        if (adl_bitmap_test(&copy->sidecar->claimed, block))
            assert_int_equal(adl_copy_verify(copy, block, buffer), 1);
    }
    free(buffer);
}

static inline void assert_missing(const struct adl_copy *copy, int64_t first, int64_t end,
                                  int64_t from, int64_t to)
{
    int64_t got_from, got_to;
    assert_true(adl_copy_missing(copy, first, end, &got_from, &got_to));
    assert_int_equal(got_from, from);
    assert_int_equal(got_to, to);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
