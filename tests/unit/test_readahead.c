/* The promises of src/readahead.h. */
#include "readahead.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define K    INT64_C(1024)
#define M    (1024 * K)
#define G    (1024 * M)
#define MOST (64 * M)

/* A handle and what was asked for ahead of it, in units of 4 KiB. */
struct reader {
    struct adl_readahead readahead;
    int64_t size, most;
    unsigned char *asked; /* how often each unit was asked for ahead */
    int64_t bytes;        /* asked for ahead in all */
    unsigned windows;     /* said */
};

#define UNIT (4 * K)

static int set_up(void **state)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    *state = reader;
    return reader ? 0 : -1;
}

static int tear_down(void **state)
{
    struct reader *reader = *state;
    free(reader->asked);
    free(reader);
    return 0;
}

static void open_file(struct reader *reader, int64_t size)
{
    free(reader->asked);
    *reader = (struct reader){.size = size, .most = MOST};
    reader->asked = calloc((size_t)(size / UNIT) + 1, 1);
    assert_non_null(reader->asked);
}

/* Reads, and checks what is true of every answer. */
static struct adl_ahead read_at(struct reader *reader, int64_t offset, int64_t length)
{
    int64_t end = offset + length < reader->size ? offset + length : reader->size;
    struct adl_ahead ahead =
        adl_readahead_read(&reader->readahead, offset, end - offset, reader->size, reader->most);
    assert_true(ahead.stream < ADL_STREAMS);
    if (ahead.first == ahead.end)
        return ahead;
    assert_true(end <= ahead.first && ahead.first < ahead.end && ahead.end <= reader->size);
    assert_true(ahead.end - end <= reader->most);
    for (int64_t at = ahead.first / UNIT; at < (ahead.end + UNIT - 1) / UNIT; at++)
        reader->asked[at]++;
    reader->bytes += ahead.end - ahead.first;
    reader->windows++;
    return ahead;
}

static const struct adl_stream *stream_of(const struct reader *reader, struct adl_ahead said)
{
    return &reader->readahead.streams[said.stream];
}

/* A stream that reads [first, last) in pieces of `length`, its windows whole: each begins where the
 * one before it ended, or where the reader is if he has passed it. */
static void read_in_order(struct reader *reader, int64_t first, int64_t last, int64_t length)
{
    int64_t ahead = 0;
    for (int64_t at = first; at < last; at += length) {
        int64_t end = at + length < last ? at + length : last;
        struct adl_ahead said = read_at(reader, at, end - at);
        if (at == first && (first || length < 128 * K)) {
            assert_true(said.first == said.end);
            continue;
        }
        if (said.first < said.end) {
            assert_int_equal(said.first, ahead > end ? ahead : end);
            ahead = said.end;
        }
        int64_t half = stream_of(reader, said)->window / 2;
        assert_true(half > 0);
        assert_true(ahead == reader->size || end == reader->size || ahead - end >= half);
    }
}

static void a_first_read_asks_for_nothing_ahead(void **state)
{
    struct reader *reader = *state;
    open_file(reader, G);
    struct adl_ahead said = read_at(reader, 0, 32 * K);
    assert_true(said.fresh);
    open_file(reader, G);
    said = read_at(reader, M, M);
    assert_true(said.fresh);
    assert_int_equal(reader->windows, 0);
}

static void a_large_first_read_at_the_start_is_the_first_of_many(void **state)
{
    struct reader *reader = *state;
    open_file(reader, G);
    struct adl_ahead said = read_at(reader, 0, 256 * K);
    assert_true(said.fresh);
    assert_int_equal(said.first, 256 * K);
    assert_int_equal(said.end, 256 * K + 32 * M);
}

static void readers_in_order_keep_half_a_window_ahead(void **state)
{
    static const int64_t lengths[] = {4 * K,   5000,    16 * K,   64 * K, 100000,
                                      128 * K, 256 * K, 1000 * K, M};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct reader *reader = *state;
        open_file(reader, 300 * M + 12345);
        read_in_order(reader, 7 * UNIT, reader->size, lengths[i]);
    }
}

static void nothing_is_asked_for_twice(void **state)
{
    struct reader *reader = *state;
    for (int64_t length = UNIT; length <= M; length *= 2) {
        open_file(reader, 300 * M);
        read_in_order(reader, 0, reader->size, length);
        for (int64_t at = 0; at < reader->size / UNIT; at++)
            assert_true(reader->asked[at] <= 1);
    }
}

static void nearly_all_of_a_file_comes_ahead_of_its_reader(void **state)
{
    struct reader *reader = *state;
    for (int64_t length = UNIT; length <= M; length *= 4) {
        open_file(reader, 300 * M);
        read_in_order(reader, 0, reader->size, length);
        assert_true(reader->bytes > reader->size - 3 * length);
    }
}

static void a_window_grows_with_reads_up_to_the_most(void **state)
{
    struct reader *reader = *state;
    static const int64_t windows[] = {2 * M, 16 * M, 64 * M, 64 * M};
    size_t step = 0;
    open_file(reader, G);
    read_at(reader, 128 * K, 128 * K);
    for (int64_t at = 256 * K; step < sizeof(windows) / sizeof(windows[0]); at += 128 * K) {
        struct adl_ahead said = read_at(reader, at, 128 * K);
        if (said.first == said.end)
            continue;
        assert_int_equal(stream_of(reader, said)->window, windows[step++]);
        assert_int_equal(said.end, at + 128 * K + stream_of(reader, said)->window);
    }
}

/* A caller that passes on windows alone, since reads of what is cached need nobody, must hear of it
 * that another stream has taken the place. */
static void a_streams_first_window_gives_up_what_was_asked_in_its_place(void **state)
{
    struct reader *reader = *state;
    open_file(reader, G);
    read_in_order(reader, 500 * M, 600 * M, 128 * K);
    for (unsigned i = 0; i < ADL_STREAMS; i++) {
        assert_true(read_at(reader, i * 100 * M, 128 * K).fresh);
        struct adl_ahead said = read_at(reader, i * 100 * M + 128 * K, 128 * K);
        assert_true(said.fresh && said.first < said.end);
        said = read_at(reader, i * 100 * M + 256 * K, M);
        assert_true(!said.fresh && said.first < said.end);
    }
}

static void a_reader_that_reads_the_same_again_gets_no_more(void **state)
{
    struct reader *reader = *state;
    open_file(reader, G);
    read_in_order(reader, 0, 4 * M, 128 * K);
    int64_t bytes = reader->bytes;
    for (int i = 0; i < 1000; i++)
        read_at(reader, 4 * M - 128 * K, 128 * K);
    assert_int_equal(reader->bytes, bytes);
}

static void without_readahead_there_is_none(void **state)
{
    struct reader *reader = *state;
    open_file(reader, 100 * M);
    reader->most = 0;
    for (int64_t at = 0; at < reader->size; at += 128 * K)
        read_at(reader, at, 128 * K);
    assert_int_equal(reader->windows, 0);
}

static void a_window_may_be_smaller_than_a_read(void **state)
{
    struct reader *reader = *state;
    open_file(reader, 100 * M);
    reader->most = 64 * K;
    read_in_order(reader, 0, reader->size, M);
    assert_true(reader->windows > 90);
}

static void windows_end_with_the_file(void **state)
{
    struct reader *reader = *state;
    open_file(reader, M + 1);
    read_in_order(reader, 0, reader->size, 128 * K);
    assert_int_equal(reader->asked[M / UNIT], 1);

    /* A file that is read with its first read. */
    open_file(reader, 1);
    read_at(reader, 0, 1);
    read_at(reader, 0, 1);
    assert_int_equal(reader->windows, 0);
}

static void random_readers_get_nothing_ahead(void **state)
{
    struct reader *reader = *state;
    uint64_t random = 0xd1ce;
    open_file(reader, 64 * G);
    for (int i = 0; i < 10000; i++)
        read_at(reader, (int64_t)(next_random(&random) % (uint64_t)(reader->size / UNIT)) * UNIT,
                UNIT);
    /* One read in 50,000 falls close behind one of the last four by chance. */
    assert_true(reader->windows <= 1);
}

static void readers_that_skip_far_get_nothing_ahead(void **state)
{
    struct reader *reader = *state;
    open_file(reader, 2 * G);
    for (int64_t at = M; at < reader->size; at += 5 * M)
        read_at(reader, at, 128 * K);
    assert_int_equal(reader->windows, 0);
}

static void backward_readers_get_nothing_ahead(void **state)
{
    struct reader *reader = *state;
    for (int64_t length = UNIT; length <= M; length *= 2) {
        open_file(reader, 64 * M);
        for (int64_t at = reader->size - length; at >= 0; at -= length)
            read_at(reader, at, length);
        assert_int_equal(reader->windows, 0);
    }
}

static void each_of_four_streams_has_its_window(void **state)
{
    struct reader *reader = *state;
    open_file(reader, G);
    int64_t ahead[ADL_STREAMS] = {0};
    unsigned streams[ADL_STREAMS];
    for (int64_t done = 0; done < 100 * M; done += 128 * K)
        for (unsigned i = 0; i < ADL_STREAMS; i++) {
            int64_t at = i * 256 * M + done, end = at + 128 * K;
            struct adl_ahead said = read_at(reader, at, 128 * K);
            if (done == 0)
                streams[i] = said.stream;
            assert_int_equal(said.stream, streams[i]);
            if (said.first < said.end) {
                assert_int_equal(said.first, ahead[i] ? ahead[i] : end);
                ahead[i] = said.end;
            }
            assert_true(done == 0 || ahead[i] - end >= stream_of(reader, said)->window / 2);
        }
}

static void streams_of_different_pace_do_not_disturb_each_other(void **state)
{
    struct reader *reader = *state;
    open_file(reader, G);
    uint64_t random = 0xab;
    int64_t video = 0, audio = 800 * M, ahead = 0;
    unsigned audio_windows = 0;
    while (video < 700 * M) {
        if (next_random(&random) % 16) {
            struct adl_ahead said = read_at(reader, video, 128 * K);
            video += 128 * K;
            if (said.first < said.end)
                ahead = said.end;
            assert_true(video == 128 * K || ahead - video >= stream_of(reader, said)->window / 2);
        } else {
            struct adl_ahead said = read_at(reader, audio, 16 * K);
            audio += 16 * K;
            audio_windows += said.first < said.end;
        }
    }
    assert_in_range(audio_windows, 2, 10);
}

static void the_stream_that_was_idle_longest_makes_way(void **state)
{
    struct reader *reader = *state;
    open_file(reader, 64 * G);
    unsigned streams[ADL_STREAMS];
    for (unsigned i = 0; i < ADL_STREAMS; i++) {
        streams[i] = read_at(reader, i * G, 128 * K).stream;
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(streams[i], streams[j]);
    }
    assert_int_equal(read_at(reader, 128 * K, 128 * K).stream, streams[0]);
    struct adl_ahead said = read_at(reader, 32 * G, 128 * K);
    assert_int_equal(said.stream, streams[1]);
    assert_true(said.fresh);
    said = read_at(reader, 256 * K, 128 * K);
    assert_int_equal(said.stream, streams[0]);
    assert_false(said.fresh);
}

/* Some threads take the kernel's requests of 1 MiB in order, and call in any: a request is
 * overtaken by as many others as there are threads at most. Returns how many reads behind the first
 * 16 MiB nobody had asked for ahead. */
static int read_with_threads(struct reader *reader, unsigned threads, uint64_t random)
{
    struct {
        int64_t at;
        unsigned overtaken;
    } held[8];
    unsigned n = 0, late = 0;
    int64_t next = 0;
    while (next < reader->size || n > 0) {
        while (n < threads && next < reader->size) {
            held[n].at = next;
            held[n++].overtaken = 0;
            next += M;
        }
        unsigned k = held[0].overtaken < threads ? (unsigned)(next_random(&random) % n) : 0;
        for (unsigned i = 0; i < k; i++)
            held[i].overtaken++;
        int64_t at = held[k].at;
        memmove(held + k, held + k + 1, (--n - k) * sizeof(held[0]));
        late += at >= 16 * M && !reader->asked[at / UNIT];
        assert_true(!read_at(reader, at, M).fresh || at < 32 * M);
    }
    return (int)late;
}

static void reads_that_overtake_each_other_are_in_order(void **state)
{
    struct reader *reader = *state;
    for (unsigned threads = 2; threads <= 3; threads++)
        for (uint64_t seed = 1; seed <= 200; seed++) {
            open_file(reader, 256 * M);
            int late = read_with_threads(reader, threads, seed * 0x9e3779b97f4a7c15);
            assert_int_equal(late, 0);
            /* At the start it may look like two streams; one of them then goes on. */
            for (int64_t at = 32 * M; at < reader->size; at += UNIT)
                assert_true(reader->asked[at / UNIT] <= 1);
        }
}

static void a_seek_back_over_what_was_read_is_the_same_stream(void **state)
{
    struct reader *reader = *state;
    open_file(reader, G);
    read_in_order(reader, 100 * M, 110 * M, 128 * K);
    int64_t bytes = reader->bytes;
    for (int64_t at = 104 * M; at < 110 * M; at += 128 * K)
        assert_false(read_at(reader, at, 128 * K).fresh);
    assert_int_equal(reader->bytes, bytes);
}

static void a_seek_back_to_before_a_streams_beginning_is_another(void **state)
{
    struct reader *reader = *state;
    open_file(reader, G);
    read_in_order(reader, 100 * M, 101 * M, 128 * K);
    read_in_order(reader, 99 * M, 100 * M, 128 * K);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_first_read_asks_for_nothing_ahead),
        TEST(a_large_first_read_at_the_start_is_the_first_of_many),
        TEST(readers_in_order_keep_half_a_window_ahead),
        TEST(nothing_is_asked_for_twice),
        TEST(nearly_all_of_a_file_comes_ahead_of_its_reader),
        TEST(a_window_grows_with_reads_up_to_the_most),
        TEST(a_streams_first_window_gives_up_what_was_asked_in_its_place),
        TEST(a_reader_that_reads_the_same_again_gets_no_more),
        TEST(without_readahead_there_is_none),
        TEST(a_window_may_be_smaller_than_a_read),
        TEST(windows_end_with_the_file),
        TEST(random_readers_get_nothing_ahead),
        TEST(readers_that_skip_far_get_nothing_ahead),
        TEST(backward_readers_get_nothing_ahead),
        TEST(each_of_four_streams_has_its_window),
        TEST(streams_of_different_pace_do_not_disturb_each_other),
        TEST(the_stream_that_was_idle_longest_makes_way),
        TEST(a_seek_back_over_what_was_read_is_the_same_stream),
        TEST(a_seek_back_to_before_a_streams_beginning_is_another),
        TEST(reads_that_overtake_each_other_are_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
