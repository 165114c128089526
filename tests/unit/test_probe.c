/* What an answer means: a row for each rule of probe.h and for each origin that was met or is to be
 * feared. To add one, add a line: what is promised, the head as it is sent (with '\n' for CRLF),
 * what was asked, what is pinned, what it is to mean. */
#include "answer_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The rules. */

struct rule {
    const char *promise;
    const char *head;
    struct adl_question asked;
    const struct adl_pin *pin;
    struct adl_verdict want; /* its reason is not compared */
};

static const struct adl_pin sized = {1000, {"", UNKNOWN}};
static const struct adl_pin tagged = {1000, {"\"v1\"", UNKNOWN}};
static const struct adl_pin weak = {1000, {"W/\"v1\"", NOV_6}};
static const struct adl_pin dated = {1000, {"", NOV_6}};
static const struct adl_pin both = {1000, {"\"v1\"", NOV_6}};
static const struct adl_pin unsized = {-1, {"\"v1\"", UNKNOWN}};
static const struct adl_pin nothing = {0, {"", UNKNOWN}};

/* What was asked. */
#define BYTES(first, last) .asked = {true, (first), (last), false}
#define WHOLE              .asked = {false, 0, 0, false}
#define IF_CHANGED         .asked = {true, 0, 0, true}

/* What it is to mean. */
#define SPLIT(size, first, length) .want = {ADL_SPLIT, 0, (size), (first), (length), NULL}
#define SINGLE(size)               .want = {ADL_SINGLE, 0, (size), 0, (size), NULL}
#define EMPTY                      .want = {ADL_EMPTY, 0, 0, 0, 0, NULL}
#define CHANGED(size)              .want = {ADL_CHANGED, 0, (size), 0, -1, NULL}
#define NO_BODY(outcome, error)    .want = {(outcome), (error), -1, 0, -1, NULL}
#define PLAIN                      NO_BODY(ADL_PLAIN, 0)
#define UNCHANGED                  NO_BODY(ADL_UNCHANGED, 0)
#define REDIRECT                   NO_BODY(ADL_REDIRECT, 0)
#define FAILED(error)              NO_BODY(ADL_FAILED, -(error))
#define TRANSIENT(err)             NO_BODY(ADL_TRANSIENT, -(err))

#define HTTP206 "HTTP/1.1 206 Partial Content\n"
#define HTTP200 "HTTP/1.1 200 OK\n"
#define HTTP416 "HTTP/1.1 416 Range Not Satisfiable\n"
#define DATED   "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n"

static const struct rule rules[] = {
    /* 206 */
    {"a 206 for the range asked is split", HTTP206 "Content-Range: bytes 0-0/1000\n", BYTES(0, 0),
     NULL, SPLIT(1000, 0, 1)},
    {"a fitting Content-Length is fine",
     HTTP206 "Content-Range: bytes 0-99/1000\nContent-Length: 100\n", BYTES(0, 99), NULL,
     SPLIT(1000, 0, 100)},
    {"the end of the file may cut a range", HTTP206 "Content-Range: bytes 900-999/1000\n",
     BYTES(900, 4095), NULL, SPLIT(1000, 900, 100)},
    {"an origin may cap a range", HTTP206 "Content-Range: bytes 100-4195/9000\n", BYTES(100, 8999),
     NULL, SPLIT(9000, 100, 4096)},
    {"but not to a few bytes: each would be a request",
     HTTP206 "Content-Range: bytes 100-4194/9000\n", BYTES(100, 8999), NULL, PLAIN},
    {"chunked ranges are ranges",
     HTTP206 "Transfer-Encoding: chunked\nContent-Range: bytes 0-0/9\n", BYTES(0, 0), NULL,
     SPLIT(9, 0, 1)},
    {"a body that may not be decoded is no part of the file",
     HTTP206 "Transfer-Encoding: gzip, chunked\nContent-Range: bytes 0-0/9\n", BYTES(0, 0), NULL,
     FAILED(EIO)},
    {"nor is it the file", HTTP200 "Transfer-Encoding:\n chunked\nContent-Length: 1000\n",
     BYTES(0, 0), NULL, FAILED(EIO)},
    {"a Content-Length beside chunked is not looked at",
     HTTP206 "Content-Length: 7\nTransfer-Encoding: chunked\nContent-Range: bytes 0-0/9\n",
     BYTES(0, 0), NULL, SPLIT(9, 0, 1)},
    {"'Accept-Ranges: none' beside working ranges is not looked at",
     HTTP206 "Accept-Ranges: none\nContent-Range: bytes 0-0/9\n", BYTES(0, 0), NULL,
     SPLIT(9, 0, 1)},
    {"the last byte of the largest file there can be",
     HTTP206 "Content-Range: bytes 9223372036854775806-9223372036854775806/9223372036854775807\n",
     BYTES(INT64_MAX - 1, INT64_MAX - 1), NULL, SPLIT(INT64_MAX, INT64_MAX - 1, 1)},
    {"the largest range there can be",
     HTTP206 "Content-Range: bytes 0-9223372036854775806/9223372036854775807\n",
     BYTES(0, INT64_MAX), NULL, SPLIT(INT64_MAX, 0, INT64_MAX)},
    {"identity is no encoding", HTTP206 "Content-Encoding: Identity\nContent-Range: bytes 0-0/9\n",
     BYTES(0, 0), NULL, SPLIT(9, 0, 1)},

    {"a range without the total is no use", HTTP206 "Content-Range: bytes 0-0/*\n", BYTES(0, 0),
     NULL, PLAIN},
    {"a 206 that starts later than asked", HTTP206 "Content-Range: bytes 10-99/1000\n",
     BYTES(0, 99), NULL, PLAIN},
    {"a 206 that starts earlier than asked", HTTP206 "Content-Range: bytes 0-99/1000\n",
     BYTES(50, 99), NULL, PLAIN},
    {"a 206 that ends later than asked", HTTP206 "Content-Range: bytes 0-999/1000\n", BYTES(0, 0),
     NULL, PLAIN},
    {"a 206 for no range at all", HTTP206 "Content-Range: bytes */1000\n", BYTES(0, 0), NULL,
     PLAIN},
    {"a 206 without Content-Range", HTTP206 "Content-Length: 1\n", BYTES(0, 0), NULL, PLAIN},
    {"a 206 with a malformed Content-Range", HTTP206 "Content-Range: bytes 0-0\n", BYTES(0, 0),
     NULL, PLAIN},
    {"a 206 in lines", HTTP206 "Content-Range: lines 0-0/9\n", BYTES(0, 0), NULL, PLAIN},
    {"a 206 with two Content-Ranges",
     HTTP206 "Content-Range: bytes 0-0/9\nContent-Range: bytes 0-0/8\n", BYTES(0, 0), NULL, PLAIN},
    {"a total that the range does not fit in", HTTP206 "Content-Range: bytes 0-9/9\n", BYTES(0, 9),
     NULL, PLAIN},
    {"a 206 in parts",
     HTTP206 "Content-Type: multipart/byteranges; boundary=x\nContent-Length: 97\n", BYTES(0, 0),
     NULL, PLAIN},
    {"a 206 in parts that has a Content-Range too",
     HTTP206 "Content-Type: multipart/byteranges; boundary=x\nContent-Range: bytes 0-0/9\n",
     BYTES(0, 0), NULL, PLAIN},
    {"a 206 with the whole's Content-Length",
     HTTP206 "Content-Range: bytes 0-0/1000\nContent-Length: 1000\n", BYTES(0, 0), NULL, PLAIN},
    {"a 206 with a Content-Length of 0",
     HTTP206 "Content-Range: bytes 0-0/1000\nContent-Length: 0\n", BYTES(0, 0), NULL, PLAIN},
    {"a 206 with two Content-Lengths",
     HTTP206 "Content-Range: bytes 0-0/9\nContent-Length: 1\nContent-Length: 9\n", BYTES(0, 0),
     NULL, PLAIN},
    {"a 206 with a malformed Content-Length",
     HTTP206 "Content-Range: bytes 0-0/9\nContent-Length: one\n", BYTES(0, 0), NULL, PLAIN},
    {"a 206 that nobody asked for", HTTP206 "Content-Range: bytes 0-0/9\n", WHOLE, NULL,
     TRANSIENT(EIO)},
    {"an encoded range is not the file's bytes",
     HTTP206 "Content-Encoding: gzip\nContent-Range: bytes 0-0/9\n", BYTES(0, 0), NULL,
     FAILED(EIO)},

    /* 200 */
    {"a 200 to a range is single", HTTP200 "Content-Length: 1000\n", BYTES(0, 0), NULL,
     SINGLE(1000)},
    {"a 200 in the middle of a file begins at its start", HTTP200 "Content-Length: 1000\n",
     BYTES(500, 599), NULL, SINGLE(1000)},
    {"a 200 without a range is single", HTTP200 "Content-Length: 1000\n", WHOLE, NULL,
     SINGLE(1000)},
    {"'Accept-Ranges: bytes' beside ignored ranges is not looked at",
     HTTP200 "Accept-Ranges: bytes\nContent-Length: 1000\n", BYTES(0, 0), NULL, SINGLE(1000)},
    {"a chunked 200 does not tell its size", HTTP200 "Transfer-Encoding: chunked\n", BYTES(0, 0),
     NULL, SINGLE(-1)},
    {"a 200 that ends with its connection does not either", "HTTP/1.0 200 OK\n", BYTES(0, 0), NULL,
     SINGLE(-1)},
    {"chunked goes before Content-Length",
     HTTP200 "Transfer-Encoding: chunked\nContent-Length: 1000\n", BYTES(0, 0), NULL, SINGLE(-1)},
    {"a 200's Content-Range says nothing",
     HTTP200 "Content-Range: bytes 0-0/9\nContent-Length: 1000\n", BYTES(0, 0), NULL, SINGLE(1000)},
    {"a 200 of a multipart file is a file",
     HTTP200 "Content-Type: multipart/related\nContent-Length: 1000\n", BYTES(0, 0), NULL,
     SINGLE(1000)},
    {"a 200 of length 0 is empty", HTTP200 "Content-Length: 0\n", BYTES(0, 0), NULL, EMPTY},
    {"a 200 with two Content-Lengths has no end", HTTP200 "Content-Length: 1\nContent-Length: 9\n",
     BYTES(0, 0), NULL, TRANSIENT(EIO)},
    {"a 200 with a malformed Content-Length has no end", HTTP200 "Content-Length: -1\n",
     BYTES(0, 0), NULL, TRANSIENT(EIO)},
    {"an encoded 200 is not the file's bytes",
     HTTP200 "Content-Encoding: gzip\nContent-Length: 1000\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"an encoded 200 is not the file's bytes, whatever is pinned",
     HTTP200 "Content-Encoding: br\nContent-Length: 10\n", WHOLE, &sized, FAILED(EIO)},

    /* 416 */
    {"an empty file has no byte 0", HTTP416 "Content-Range: bytes */0\n", BYTES(0, 0), NULL, EMPTY},
    {"an empty file is still empty", HTTP416 "Content-Range: bytes */0\n", BYTES(0, 0), &nothing,
     EMPTY},
    {"a 416's own length is its message's",
     HTTP416 "Content-Range: bytes */0\nContent-Length: 190\nContent-Encoding: gzip\n", BYTES(0, 0),
     NULL, EMPTY},
    {"a 416 for byte 0 of a file that is not empty", HTTP416 "Content-Range: bytes */1000\n",
     BYTES(0, 0), NULL, PLAIN},
    {"a 416 for byte 0 that does not tell why", HTTP416, BYTES(0, 0), NULL, PLAIN},
    {"a 416 for a range that there should be", HTTP416 "Content-Range: bytes */1000\n",
     BYTES(500, 599), &tagged, PLAIN},
    {"a 416 that tells the range that it refuses", HTTP416 "Content-Range: bytes 0-0/500\n",
     BYTES(500, 599), &tagged, PLAIN},
    {"a file that has become shorter", HTTP416 "Content-Range: bytes */500\n", BYTES(500, 599),
     &tagged, CHANGED(500)},
    {"a file that has become empty", HTTP416 "Content-Range: bytes */0\n", BYTES(0, 0), &tagged,
     CHANGED(0)},
    {"a 416 that nobody asked for", HTTP416 "Content-Range: bytes */1000\n", WHOLE, NULL,
     FAILED(EIO)},

    /* 304 */
    {"a 304 to a condition", "HTTP/1.1 304 Not Modified\n", IF_CHANGED, &tagged, UNCHANGED},
    {"a 304 that nobody asked for", "HTTP/1.1 304 Not Modified\n", BYTES(0, 0), &tagged,
     TRANSIENT(EIO)},

    /* The pin */
    {"the same version", HTTP206 "ETag: \"v1\"\nContent-Range: bytes 0-0/1000\n", BYTES(0, 0),
     &tagged, SPLIT(1000, 0, 1)},
    {"the same version as a whole", HTTP200 "ETag: \"v1\"\nContent-Length: 1000\n", BYTES(0, 0),
     &tagged, SINGLE(1000)},
    {"the same version, its size now known", HTTP200 "ETag: \"v1\"\nContent-Length: 1000\n", WHOLE,
     &unsized, SINGLE(1000)},
    {"the same version, its size not told", HTTP200 "ETag: \"v1\"\n", WHOLE, &tagged, SINGLE(-1)},
    {"another size", HTTP206 "ETag: \"v1\"\nContent-Range: bytes 0-0/1001\n", BYTES(0, 0), &tagged,
     CHANGED(1001)},
    {"another size in a 200", HTTP200 "ETag: \"v1\"\nContent-Length: 1001\n", BYTES(0, 0), &tagged,
     CHANGED(1001)},
    {"another size where nothing else is pinned", HTTP206 "Content-Range: bytes 0-0/1001\n",
     BYTES(0, 0), &sized, CHANGED(1001)},
    {"a size is all that can be compared", HTTP206 "ETag: \"v2\"\nContent-Range: bytes 0-0/1000\n",
     BYTES(0, 0), &sized, SPLIT(1000, 0, 1)},
    {"a file that was empty", HTTP206 "Content-Range: bytes 0-0/1\n", BYTES(0, 0), &nothing,
     CHANGED(1)},
    {"a file that is empty now", HTTP200 "Content-Length: 0\n", BYTES(0, 0), &sized, CHANGED(0)},
    {"another ETag", HTTP206 "ETag: \"v2\"\nContent-Range: bytes 0-0/1000\n", BYTES(0, 0), &tagged,
     CHANGED(1000)},
    {"another ETag in a 200", HTTP200 "ETag: \"v2\"\nContent-Length: 1000\n", BYTES(0, 0), &tagged,
     CHANGED(1000)},
    {"the pinned ETag in other letters", HTTP206 "ETag: \"V1\"\nContent-Range: bytes 0-0/1000\n",
     BYTES(0, 0), &tagged, CHANGED(1000)},
    {"a strong ETag that became weak", HTTP206 "ETag: W/\"v1\"\nContent-Range: bytes 0-0/1000\n",
     BYTES(0, 0), &tagged, CHANGED(1000)},
    {"no ETag any more", HTTP206 DATED "Content-Range: bytes 0-0/1000\n", BYTES(0, 0), &both,
     CHANGED(1000)},
    {"the same weak ETag", HTTP206 "ETag: W/\"v1\"\nContent-Range: bytes 0-0/1000\n", BYTES(0, 0),
     &weak, SPLIT(1000, 0, 1)},
    {"another weak ETag", HTTP206 DATED "ETag: W/\"v2\"\nContent-Range: bytes 0-0/1000\n",
     BYTES(0, 0), &weak, CHANGED(1000)},
    {"Last-Modified need not come with the pinned ETag",
     HTTP206 "ETag: \"v1\"\nContent-Range: bytes 0-0/1000\n", BYTES(0, 0), &both,
     SPLIT(1000, 0, 1)},
    {"the same date", HTTP206 DATED "Content-Range: bytes 0-0/1000\n", BYTES(0, 0), &dated,
     SPLIT(1000, 0, 1)},
    {"another date",
     HTTP206 "Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT\nContent-Range: bytes 0-0/1000\n",
     BYTES(0, 0), &dated, CHANGED(1000)},
    {"no date any more", HTTP206 "Content-Range: bytes 0-0/1000\n", BYTES(0, 0), &dated,
     CHANGED(1000)},
    {"a date that cannot be read any more",
     HTTP206 "Last-Modified: yesterday\nContent-Range: bytes 0-0/1000\n", BYTES(0, 0), &dated,
     CHANGED(1000)},
    {"an ETag beside the pinned date is no change",
     HTTP206 DATED "ETag: \"v1\"\nContent-Range: bytes 0-0/1000\n", BYTES(0, 0), &dated,
     SPLIT(1000, 0, 1)},
    {"a change goes before a range that makes no sense",
     HTTP206 "ETag: \"v2\"\nContent-Range: bytes 5-9/1000\n", BYTES(0, 0), &tagged, CHANGED(1000)},

    /* Without the file's bytes */
    {"301 redirects", "HTTP/1.1 301 -\n", BYTES(0, 0), NULL, REDIRECT},
    {"302 redirects", "HTTP/1.1 302 -\n", BYTES(0, 0), NULL, REDIRECT},
    {"303 redirects", "HTTP/1.1 303 -\n", BYTES(0, 0), NULL, REDIRECT},
    {"307 redirects", "HTTP/1.1 307 -\n", BYTES(0, 0), &tagged, REDIRECT},
    {"308 redirects", "HTTP/1.1 308 -\n", BYTES(0, 0), NULL, REDIRECT},
    {"a redirect's length is its message's", "HTTP/1.1 302 -\nContent-Length: 0\n", BYTES(0, 0),
     &tagged, REDIRECT},
    {"300 is a choice that nobody makes", "HTTP/1.1 300 -\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"305 is not followed", "HTTP/1.1 305 -\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"400 fails", "HTTP/1.1 400 -\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"401 denies", "HTTP/1.1 401 -\n", BYTES(0, 0), NULL, FAILED(EACCES)},
    {"403 denies", "HTTP/1.1 403 -\n", BYTES(0, 0), NULL, FAILED(EACCES)},
    {"404 is not there", "HTTP/1.1 404 -\n", BYTES(0, 0), NULL, FAILED(ENOENT)},
    {"404 is not there, also when it was", "HTTP/1.1 404 -\nETag: \"v2\"\n", BYTES(0, 0), &tagged,
     FAILED(ENOENT)},
    {"405 fails", "HTTP/1.1 405 -\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"407 denies", "HTTP/1.1 407 -\n", BYTES(0, 0), NULL, FAILED(EACCES)},
    {"408 is late", "HTTP/1.1 408 -\n", BYTES(0, 0), NULL, TRANSIENT(ETIMEDOUT)},
    {"410 is not there", "HTTP/1.1 410 -\n", BYTES(0, 0), NULL, FAILED(ENOENT)},
    {"412 fails", "HTTP/1.1 412 -\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"425 passes", "HTTP/1.1 425 -\n", BYTES(0, 0), NULL, TRANSIENT(EIO)},
    {"429 passes", "HTTP/1.1 429 -\n", BYTES(0, 0), NULL, TRANSIENT(EIO)},
    {"451 fails", "HTTP/1.1 451 -\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"500 passes", "HTTP/1.1 500 -\n", BYTES(0, 0), NULL, TRANSIENT(EIO)},
    {"501 fails", "HTTP/1.1 501 -\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"502 passes", "HTTP/1.1 502 -\n", BYTES(0, 0), NULL, TRANSIENT(EIO)},
    {"503 passes", "HTTP/1.1 503 -\n", BYTES(0, 0), NULL, TRANSIENT(EIO)},
    {"504 is late", "HTTP/1.1 504 -\n", BYTES(0, 0), NULL, TRANSIENT(ETIMEDOUT)},
    {"505 fails", "HTTP/1.1 505 -\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"599 passes", "HTTP/1.1 599 -\n", BYTES(0, 0), NULL, TRANSIENT(EIO)},
    {"999 is like a 5xx", "HTTP/1.1 999 -\n", BYTES(0, 0), NULL, TRANSIENT(EIO)},
    {"201 fails", "HTTP/1.1 201 -\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"203 is not the origin's file", "HTTP/1.1 203 -\nContent-Length: 9\n", BYTES(0, 0), NULL,
     FAILED(EIO)},
    {"204 is no file", "HTTP/1.1 204 -\n", BYTES(0, 0), NULL, FAILED(EIO)},
    {"no status passes", "Content-Length: 9\n", BYTES(0, 0), NULL, TRANSIENT(EIO)},
    {"a 1xx is no answer", "HTTP/1.1 101 -\n", BYTES(0, 0), NULL, TRANSIENT(EIO)},
};

static void follows(void **state)
{
    const struct rule *rule = *state;
    struct adl_answer answer = read_head(rule->head);
    struct adl_verdict got;
    memset(&got, 0x5a, sizeof(got));
    adl_probe_classify(&rule->asked, rule->pin, &answer, &got);
    assert_int_equal(got.outcome, rule->want.outcome);
    assert_int_equal(got.error, rule->want.error);
    assert_int_equal(got.size, rule->want.size);
    assert_int_equal(got.body_first, rule->want.body_first);
    assert_int_equal(got.body_length, rule->want.body_length);
    assert_non_null(got.reason);
    assert_int_equal(got.reason[0] == '\0', got.outcome == ADL_SPLIT);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rules)];
    struct rule rows[COUNT(rules)]; /* cmocka wants what it passes to a test writable */
    memcpy(rows, rules, sizeof(rules));
    for (size_t i = 0; i < COUNT(rules); i++)
        tests[i] = (struct CMUnitTest){.name = rules[i].promise,
                                       .test_func = follows,
                                       .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
