/* Reading heads, line by line. */
#include "answer_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* In all that is told; where in a head it stands is private. */
static void assert_same(struct adl_answer one, struct adl_answer two)
{
    one.open = two.open;
    one.field = two.field;
    assert_memory_equal(&one, &two, sizeof(one));
}

#define HTTP206 "HTTP/1.1 206 Partial Content\n"
#define DATED   "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n"

/* Heads. */

static void status_lines_of_all_versions_are_read(void **state)
{
    static const struct {
        const char *line;
        int version, status;
    } rows[] = {
        {"HTTP/1.1 206 Partial Content", 11, 206},
        {"HTTP/1.1 206 Partial Content\r\n", 11, 206},
        {"HTTP/1.1 206 Partial Content\n", 11, 206},
        {"HTTP/1.1 206 \r\n", 11, 206}, /* no reason phrase */
        {"HTTP/1.1 206\r\n", 11, 206},  /* nor the space before it */
        {"HTTP/1.0 200 OK", 10, 200},
        {"HTTP/1.7 200 OK", 11, 200},
        {"HTTP/2 200", 20, 200},
        {"HTTP/2 200 \r\n", 20, 200},
        {"HTTP/2.0 200", 20, 200},
        {"HTTP/3 416 \r\n", 30, 416},
        {"http/1.1 200 ok", 11, 200},
        {"HTTP/1.1 200 \xff\x01", 11, 200},
        {"HTTP/1.1", 9, 0},
        {"HTTP/1.1 ", 9, 0},
        {"HTTP/1.1 20", 9, 0},
        {"HTTP/1.1 2000", 9, 0},
        {"HTTP/1.1 099", 9, 0},
        {"HTTP/1.1 -20 OK", 9, 0},
        {"HTTP/1.1 2x0 OK", 9, 0},
        {"HTTP/1. 200 OK", 9, 0},
        {"HTTP/11 200 OK", 9, 0},
        {"HTTP/4 200", 9, 0},
        {"HTTP/0.9 200", 9, 0},
        {"HTTP/", 9, 0},
        {"ICY 200 OK", 9, 0},
        {"", 9, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct adl_answer answer;
        adl_answer_reset(&answer);
        adl_answer_line(&answer, rows[i].line, strlen(rows[i].line), NOW);
        if (answer.status != rows[i].status || answer.http_version != rows[i].version)
            fail_msg("'%s': status %d, version %d", rows[i].line, answer.status,
                     answer.http_version);
    }
}

#define FULL_HEAD                                                                                  \
    HTTP206 "Content-Length: 1\nContent-Range: bytes 0-0/9\nContent-Encoding: gzip\n"              \
            "Content-Type: multipart/byteranges\nETag: \"v1\"\n" DATED                             \
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\nRetry-After: 7\nTransfer-Encoding: chunked\n"

static void a_status_line_forgets_the_head_before_it(void **state)
{
    (void)state;
    struct adl_answer full = read_head(FULL_HEAD);
    assert_string_equal(full.encoding, "gzip");
    assert_int_equal(full.retry_after, 7);
    assert_int_equal(full.date, NOV_6);
    struct adl_answer after = read_head(FULL_HEAD "\nHTTP/2 404\n");
    struct adl_answer fresh = read_head("HTTP/2 404\n");
    assert_same(after, fresh);
}

static void an_unreadable_status_line_forgets_the_head_before_it(void **state)
{
    (void)state;
    struct adl_answer after = read_head(FULL_HEAD "\nHTTP/1.1 2x6\n");
    struct adl_answer fresh = read_head("");
    assert_same(after, fresh);
}

static void interim_answers_are_followed_by_the_final_one(void **state)
{
    (void)state;
    struct adl_answer answer =
        read_head("HTTP/1.1 100 Continue\n\n"
                  "HTTP/1.1 103 Early Hints\nETag: \"hint\"\nContent-Length: 5\n\n" HTTP206
                  "Content-Range: bytes 0-0/9\n\n");
    assert_int_equal(answer.status, 206);
    assert_int_equal(answer.total, 9);
    assert_int_equal(answer.content_length, -1);
    assert_string_equal(answer.validator.etag, "");
}

static void a_status_line_within_a_head_is_no_status_line(void **state)
{
    (void)state;
    struct adl_answer odd = read_head(FULL_HEAD "HTTP/1.1 200 OK\nHTTP/2: 404\nHTTP/1.1 2x6\n");
    struct adl_answer full = read_head(FULL_HEAD);
    assert_same(odd, full);
}

static void a_transfer_coding_is_chunked_once_or_not_to_be_decoded(void **state)
{
    static const struct {
        const char *head;
        bool chunked, bad;
    } rows[] = {
        {"", false, false},
        {"Transfer-Encoding: chunked", true, false},
        {"transfer-encoding:CHUNKED\t ", true, false},
        {"Transfer-Encoding: identity", false, false},
        {"Transfer-Encoding:\n chunked", true, true},
        {"Transfer-Encoding: chunked\n , gzip", true, true},
        {"Transfer-Encoding: identity\n , chunked", true, true},
        {"Transfer-Encoding : chunked", true, true}, /* some see it, some do not */
        {"Transfer-Encoding\t: identity", true, true},
        {"Transfer-Encoding: chunked\nTransfer-Encoding: chunked", true, true},
        {"Transfer-Encoding: identity\nTransfer-Encoding: chunked", true, true},
        {"Transfer-Encoding: chunked, chunked", true, true},
        {"Transfer-Encoding: chunked, identity", true, true},
        {"Transfer-Encoding: gzip, chunked", true, true},
        {"Transfer-Encoding: gzip", true, true},
        {"Transfer-Encoding: xchunked", true, true},
        {"Transfer-Encoding: chunked;q=1", true, true},
        {"Transfer-Encoding: \x0b"
         "chunked",
         true, true},
        {"Transfer-Encoding: chunked\r\r", true, true},
        {"Transfer-Encoding:", true, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct adl_answer answer = read_head(rows[i].head);
        if (answer.chunked != rows[i].chunked || answer.bad_coding != rows[i].bad)
            fail_msg("'%s': chunked %d, bad %d", rows[i].head, answer.chunked, answer.bad_coding);
    }
}

static void names_are_read_in_any_case_and_space(void **state)
{
    static const char *const heads[] = {
        "Content-Length: 42",     "content-length:42",         "CONTENT-LENGTH:\t 42 \t",
        "Content-Length: 42\r\n", "Content-Length : 42",       "Content-Length: 0042",
        "Content-Length: 42, 42", "Content-Length: 42,42 ,42", "Content-Length: 42\r",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct adl_answer answer;
        adl_answer_reset(&answer);
        adl_answer_line(&answer, heads[i], strlen(heads[i]), NOW);
        if (answer.content_length != 42)
            fail_msg("'%s'", heads[i]);
    }
}

static void lines_that_are_no_fields_change_nothing(void **state)
{
    (void)state;
    struct adl_answer odd =
        read_head(HTTP206 "\nContent-Length\n: 5\n:\nContent-Lengt: 5\n"
                          "Content-Length2: 5\nX-Content-Length: 5\n"
                          "Content Length: 5\n\xff\xfe: \x01\n Content-Length: 5");
    struct adl_answer plain = read_head(HTTP206);
    assert_same(odd, plain);
}

static void a_line_need_not_end_where_memory_goes_on(void **state)
{
    (void)state;
    struct adl_answer answer;
    adl_answer_reset(&answer);
    adl_answer_line(&answer, "Content-Length: 123", strlen("Content-Length: 1"), NOW);
    assert_int_equal(answer.content_length, 1);
    assert_int_equal(answer.content_length, 1);
}

static void content_length_is_a_number_or_marked_as_wrong(void **state)
{
    static const struct {
        const char *head;
        int64_t want;
    } rows[] = {
        {"", -1},
        {"Content-Length: 0", 0},
        {"Content-Length: 9223372036854775807", INT64_MAX},
        {"Content-Length: 9223372036854775808", -2},
        {"Content-Length: 18446744073709551617", -2}, /* 2^64 + 1 */
        {"Content-Length: 99999999999999999999999999999999", -2},
        {"Content-Length: -1", -2},
        {"Content-Length: +1", -2},
        {"Content-Length: 0x10", -2},
        {"Content-Length: 1.5", -2},
        {"Content-Length: 1 000", -2},
        {"Content-Length: 1e3", -2},
        {"Content-Length:", -2},
        {"Content-Length: 1,", -2},
        {"Content-Length: 1, 2", -2},
        {"Content-Length: 1\nContent-Length: 1", 1},
        {"Content-Length: 1\nContent-Length: 01", 1},
        {"Content-Length: 1\nContent-Length: 2", -2},
        {"Content-Length: 1\nContent-Length: 2\nContent-Length: 1", -2},
        {"Content-Length: x\nContent-Length: 1", -2},
        {"Content-Length: 1\n 2", -2},    /* folded */
        {"Content-Length:\n 2", -2},      /* folded */
        {"Content-Length: 1\n  \n\t", 1}, /* folded, but nothing in it */
        {"Content-Length: 1\n 2\nContent-Length: 1", -2},
        {"Content-Length: 1\nVia: a\n 2", 1}, /* another field's fold */
        {"Content-Length: 1\nTransfer-Encoding: chunked", -1},
        {"Transfer-Encoding: chunked\nContent-Length: 1", -1},
        {"Transfer-Encoding: gzip,\n chunked\nContent-Length: 1", -1},
        {"Transfer-Encoding: identity\nContent-Length: 1", 1},
        {"Transfer-Encoding: chunked\nContent-Length: x\n y", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct adl_answer answer = read_head(rows[i].head);
        if (answer.content_length != rows[i].want)
            fail_msg("'%s': %lld", rows[i].head, (long long)answer.content_length);
    }
}

static void content_range_is_well_formed_or_marked_as_bad(void **state)
{
    static const struct {
        const char *head;
        bool good;
        int64_t first, last, total;
    } rows[] = {
        {"Content-Range: bytes 0-0/1", true, 0, 0, 1},
        {"Content-Range: bytes 5-9/*", true, 5, 9, -1},
        {"Content-Range: bytes */10", true, -1, -1, 10},
        {"Content-Range: bytes */0", true, -1, -1, 0},
        {"content-range:BYTES\t 5-9/10 ", true, 5, 9, 10},
        {"Content-Range: bytes 5-9/9223372036854775807", true, 5, 9, INT64_MAX},
        {"Content-Range: bytes 0-9223372036854775807/*", true, 0, INT64_MAX, -1},
        {"Content-Range: bytes 5-9/10\nContent-Range: bytes 5-9/10", true, 5, 9, 10},
        {"Content-Range: bytes 5-9/10\nContent-Range: bytes 5-9/11", false, -1, -1, -1},
        {"Content-Range: bytes 5-9/10\nContent-Range: bytes 5-9/*", false, -1, -1, -1},
        {"Content-Range: x\nContent-Range: bytes 5-9/10", false, -1, -1, -1},
        {"Content-Range: bytes 5-9/10\nContent-Range: x\nContent-Range: bytes 5-9/10", false, -1,
         -1, -1},
        {"Content-Range: bytes 5-9/1\n 0", false, -1, -1, -1}, /* folded */
        {"Content-Range: bytes 5-9/10, bytes 5-9/10", false, -1, -1, -1},
        {"Content-Range:", false, -1, -1, -1},
        {"Content-Range: bytes", false, -1, -1, -1},
        {"Content-Range: bytes ", false, -1, -1, -1},
        {"Content-Range: 5-9/10", false, -1, -1, -1},
        {"Content-Range: bytes5-9/10", false, -1, -1, -1},
        {"Content-Range: bytes=5-9/10", false, -1, -1, -1},
        {"Content-Range: bytes 5-9", false, -1, -1, -1},
        {"Content-Range: bytes 5-9/", false, -1, -1, -1},
        {"Content-Range: bytes 5-/10", false, -1, -1, -1},
        {"Content-Range: bytes -9/10", false, -1, -1, -1},
        {"Content-Range: bytes */*", false, -1, -1, -1},
        {"Content-Range: bytes */", false, -1, -1, -1},
        {"Content-Range: bytes *", false, -1, -1, -1},
        {"Content-Range: bytes **/10", false, -1, -1, -1},
        {"Content-Range: bytes 9-5/10", false, -1, -1, -1},
        {"Content-Range: bytes 5-10/10", false, -1, -1, -1},
        {"Content-Range: bytes 0-0/0", false, -1, -1, -1},
        {"Content-Range: bytes +5-9/10", false, -1, -1, -1},
        {"Content-Range: bytes 5--9/10", false, -1, -1, -1},
        {"Content-Range: bytes 5-9/-1", false, -1, -1, -1},
        {"Content-Range: bytes 5 - 9/10", false, -1, -1, -1},
        {"Content-Range: bytes 5-9 /10", false, -1, -1, -1},
        {"Content-Range: bytes 5-9/10x", false, -1, -1, -1},
        {"Content-Range: bytes 5-9/9223372036854775808", false, -1, -1, -1},
        {"Content-Range: bytes 5-9223372036854775808/*", false, -1, -1, -1},
        {"Content-Range: bytes 18446744073709551616-18446744073709551616/18446744073709551617",
         false, -1, -1, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct adl_answer answer = read_head(rows[i].head);
        if (!answer.has_content_range || answer.bad_content_range == rows[i].good ||
            answer.first != rows[i].first || answer.last != rows[i].last ||
            answer.total != rows[i].total)
            fail_msg("'%s': %d %lld-%lld/%lld", rows[i].head, answer.bad_content_range,
                     (long long)answer.first, (long long)answer.last, (long long)answer.total);
    }
    assert_false(read_head(HTTP206).has_content_range);
}

static void every_coding_but_identity_encodes(void **state)
{
    static const struct {
        const char *head;
        bool encoded;
        const char *name;
    } rows[] = {
        {"Content-Encoding: gzip", true, "gzip"},
        {"Content-Encoding: X-GZIP", true, "X-GZIP"},
        {"Content-Encoding: identity", false, ""},
        {"Content-Encoding: IDENTITY , identity", false, ""},
        {"Content-Encoding:", false, ""},
        {"Content-Encoding: ,", false, ""},
        {"Content-Encoding: identity, br", true, "br"},
        {"Content-Encoding: identity\nContent-Encoding: zstd", true, "zstd"},
        {"Content-Encoding: gzip\nContent-Encoding: identity", true, "gzip"},
        {"Content-Encoding: gzip, br", true, "gzip"},
        {"Content-Encoding:\n gzip", true, ""}, /* folded */
        {"Content-Encoding: identity-ish", true, "identity-ish"},
        {"Content-Encoding: \x1b[2J\xff", true, "?[2J?"},
        {"Content-Encoding: abcdefghijklmnopqrstuvwxyz", true, "abcdefghijklmnopqrstuvw"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct adl_answer answer = read_head(rows[i].head);
        if (answer.encoded != rows[i].encoded || strcmp(answer.encoding, rows[i].name) != 0)
            fail_msg("'%s': %d '%s'", rows[i].head, answer.encoded, answer.encoding);
    }
}

static void multipart_is_known_by_its_type(void **state)
{
    (void)state;
    assert_true(read_head("Content-Type: multipart/byteranges; boundary=x").multipart);
    assert_true(read_head("content-type: Multipart/ByteRanges").multipart);
    assert_false(read_head("Content-Type: text/plain; x=multipart/byteranges").multipart);
    assert_false(read_head("Content-Type: multipartish").multipart);
    assert_false(read_head("Content-Type: text/html;\n multipart/x").multipart);
}

#define FIFTY "12345678901234567890123456789012345678901234567890"

static void an_etag_is_kept_as_sent_or_not_at_all(void **state)
{
    static const struct {
        const char *head, *want;
        bool strong;
    } rows[] = {
        {"ETag: \"v1\"", "\"v1\"", true},
        {"etag:\"v1\" ", "\"v1\"", true},
        {"ETAG: \"a b\\\xc3\xa4\"", "\"a b\\\xc3\xa4\"", true},
        {"ETag: W/\"v1\"", "W/\"v1\"", false},
        {"ETag: w/\"v1\"", "", false},
        {"ETag: v1", "", false},
        {"ETag: \"v1", "", false},
        {"ETag: v1\"", "", false},
        {"ETag: \"", "", false},
        {"ETag: \"\"", "", false},
        {"ETag: W/\"\"", "", false},
        {"ETag: W/", "", false},
        {"ETag:", "", false},
        {"ETag: \"v\"1\"", "", false},
        {"ETag: \"v1\", \"v2\"", "", false},
        {"ETag: \"v\x01\"", "", false},
        {"ETag: \"v\r1\"", "", false},
        {"ETag: \"v1\"\nETag: \"v1\"", "\"v1\"", true},
        {"ETag: \"v1\"\nETag: \"v2\"", "", false},
        {"ETag: \"v1\"\nETag: \"v2\"\nETag: \"v1\"", "", false},
        {"ETag: \"v1\"\nETag: \"v11\"", "", false},
        {"ETag: v1\nETag: \"v1\"", "", false},
        {"ETag: \"v1\"\n v2", "", false},                       /* folded */
        {"ETag: \"12345678" FIFTY FIFTY FIFTY "\"", "", false}, /* no room for the NUL */
        {"ETag: \"1234567" FIFTY FIFTY FIFTY "\"", "\"1234567" FIFTY FIFTY FIFTY "\"", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct adl_answer answer = read_head(rows[i].head);
        if (strcmp(answer.validator.etag, rows[i].want) != 0 ||
            adl_validator_strong(&answer.validator) != rows[i].strong)
            fail_msg("'%s': '%s'", rows[i].head, answer.validator.etag);
    }
}

static void a_nul_in_an_etag_makes_it_none(void **state)
{
    (void)state;
    struct adl_answer answer;
    adl_answer_reset(&answer);
    adl_answer_line(&answer, "ETag: \"v\0001\"", 11, NOW);
    assert_string_equal(answer.validator.etag, "");
}

static void a_strong_etag_or_a_date_pins(void **state)
{
    static const struct {
        struct adl_validator validator;
        bool pins, strong;
    } rows[] = {
        {{"\"v1\"", UNKNOWN}, true, true},     {{"\"v1\"", NOV_6}, true, true},
        {{"W/\"v1\"", UNKNOWN}, false, false}, {{"W/\"v1\"", NOV_6}, true, false},
        {{"", UNKNOWN}, false, false},         {{"", NOV_6}, true, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(adl_validator_pins(&rows[i].validator), rows[i].pins);
        assert_int_equal(adl_validator_strong(&rows[i].validator), rows[i].strong);
    }
}

static void last_modified_and_date_given_twice_must_agree(void **state)
{
    (void)state;
    assert_int_equal(read_head(DATED).validator.last_modified, NOV_6);
    assert_int_equal(read_head(DATED DATED).validator.last_modified, NOV_6);
    assert_int_equal(
        read_head(DATED "Last-Modified: Sun Nov  6 08:49:37 1994").validator.last_modified, NOV_6);
    assert_int_equal(
        read_head(DATED "Last-Modified: Sun Nov  6 08:49:38 1994\n" DATED).validator.last_modified,
        UNKNOWN);
    assert_int_equal(read_head("Last-Modified: 0\n" DATED).validator.last_modified, UNKNOWN);
    assert_int_equal(read_head(DATED " PST").validator.last_modified, UNKNOWN); /* folded */
    assert_int_equal(read_head("Date: Sun Nov  6 08:49:37 1994\nDate: x").date, UNKNOWN);
    assert_int_equal(read_head("Date: Sun Nov  6 08:49:37 1994\n x").date, UNKNOWN);
}

static void retry_after_is_seconds_from_now(void **state)
{
    static const struct {
        const char *head;
        int64_t want;
    } rows[] = {
        {"", -1},
        {"Retry-After: 0", 0},
        {"Retry-After: 120", 120},
        {"Retry-After: 86400", 86400},
        {"Retry-After: 86401", 86400},
        {"Retry-After: 99999999999999999999999999", 86400},
        {"Retry-After: -1", -1},
        {"Retry-After: +1", -1},
        {"Retry-After: 1.5", -1},
        {"Retry-After:", -1},
        {"Retry-After: soon", -1},
        {"Retry-After: Thu, 01 Jan 2026 00:00:09 GMT", 9},
        {"Retry-After: Thursday, 01-Jan-26 00:00:09 GMT", 9},
        {"Retry-After: Wed, 31 Dec 2025 23:59:59 GMT", 0},
        {"Retry-After: Fri, 02 Jan 2026 00:00:00 GMT", 86400},
        {"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", 86400},
        {"Retry-After: Fri, 31 Dec 0001 23:59:59 GMT", 0},
        {"Retry-After: 5\nRetry-After: 5", 5},
        {"Retry-After: 5\nRetry-After: 6", -1},
        {"Retry-After: 5\n 6", -1}, /* folded */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct adl_answer answer = read_head(rows[i].head);
        if (answer.retry_after != rows[i].want)
            fail_msg("'%s': %lld", rows[i].head, (long long)answer.retry_after);
    }
}

static void retry_after_bears_any_clock(void **state)
{
    static const int64_t clocks[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    static const int64_t want[] = {86400, 86400, 86400, 86400, 0, 0};
    static const char *const line = "Retry-After: Sunday, 06-Nov-94 08:49:37 GMT";
    (void)state;
    for (size_t i = 0; i < COUNT(clocks); i++) {
        struct adl_answer answer;
        adl_answer_reset(&answer);
        adl_answer_line(&answer, line, strlen(line), clocks[i]);
        assert_int_equal(answer.retry_after, want[i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_lines_of_all_versions_are_read),
        cmocka_unit_test(a_status_line_forgets_the_head_before_it),
        cmocka_unit_test(an_unreadable_status_line_forgets_the_head_before_it),
        cmocka_unit_test(interim_answers_are_followed_by_the_final_one),
        cmocka_unit_test(a_status_line_within_a_head_is_no_status_line),
        cmocka_unit_test(a_transfer_coding_is_chunked_once_or_not_to_be_decoded),
        cmocka_unit_test(names_are_read_in_any_case_and_space),
        cmocka_unit_test(lines_that_are_no_fields_change_nothing),
        cmocka_unit_test(a_line_need_not_end_where_memory_goes_on),
        cmocka_unit_test(content_length_is_a_number_or_marked_as_wrong),
        cmocka_unit_test(content_range_is_well_formed_or_marked_as_bad),
        cmocka_unit_test(every_coding_but_identity_encodes),
        cmocka_unit_test(multipart_is_known_by_its_type),
        cmocka_unit_test(an_etag_is_kept_as_sent_or_not_at_all),
        cmocka_unit_test(a_nul_in_an_etag_makes_it_none),
        cmocka_unit_test(a_strong_etag_or_a_date_pins),
        cmocka_unit_test(last_modified_and_date_given_twice_must_agree),
        cmocka_unit_test(retry_after_is_seconds_from_now),
        cmocka_unit_test(retry_after_bears_any_clock),
    };
    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
