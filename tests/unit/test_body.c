/* What a transfer brought is gathered up to the next border. */
#include "body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_gathering_ends_at_the_next_border(void **state)
{
    (void)state;
    static unsigned char bytes[2 * ADL_BODY_SIZE];
    static const int64_t starts[] = {0, 1, 4096, ADL_BODY_SIZE - 1, 7 * ADL_BODY_SIZE + 100};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct adl_body body = {0};
        int64_t room = ADL_BODY_SIZE - starts[i] % ADL_BODY_SIZE;
        assert_false(adl_body_full(&body, starts[i]));
        assert_int_equal(adl_body_take(&body, starts[i], bytes, sizeof(bytes)), room);
        assert_true(adl_body_full(&body, starts[i]));
        adl_body_free(&body);
        assert_int_equal(body.used, 0);
    }
}

static void pieces_lie_behind_each_other(void **state)
{
    (void)state;
    struct adl_body body = {0};
    unsigned char piece[1000];
    for (int i = 0; i < 100; i++) {
        memset(piece, i, sizeof(piece));
        assert_int_equal(adl_body_take(&body, 0, piece, sizeof(piece)), sizeof(piece));
    }
    assert_int_equal(body.used, 100 * sizeof(piece));
    for (size_t at = 0; at < body.used; at++)
        assert_int_equal(body.bytes[at], at / sizeof(piece));
    assert_false(adl_body_full(&body, 0));
    adl_body_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gathering_ends_at_the_next_border),
        cmocka_unit_test(pieces_lie_behind_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
