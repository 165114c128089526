#include "reading.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* One read, as the kernel would send it. */
#define READ_SIZE (1 << 20)

/* When the disk has not taken so much in a row, it is no hiccup, and the rest is not fetched. */
#define UNKEPT_MAX (16 << 20)

/* What goes to the stream is taken along: the descriptor may be good until this returns only. */
static int take_bytes(struct adl_piece *piece, int fd, int64_t offset, size_t length)
{
    if (piece->reading->stream < 0 || length == 0)
        return 0;
    if (!piece->bytes && !(piece->bytes = malloc(READ_SIZE)))
        return -ENOMEM;
    return adl_io_read(fd, piece->bytes, length, offset);
}

static int on_piece(void *ctx, int error, int fd, int64_t offset, size_t length)
{
    struct adl_piece *piece = ctx;
    struct adl_reading *reading = piece->reading;
    if (error == 0) {
        int r = take_bytes(piece, fd, offset, length);
        if (r < 0 && r != -ENOMEM)
            return r; /* it is called again */
        error = r;
    }
    piece->error = error;
    piece->length = length;
    piece->unkept = length > 0 && fd != adl_handle_data(reading->handle);
    adl_inbox_post(reading->inbox, &piece->message);
    return 0;
}

/* All of it, whatever the reader's pace. 0, -EINTR when told to stop, -errno. */
static int put(const struct adl_reading *reading, const char *bytes, size_t length)
{
    while (length > 0) {
        if (*reading->stop)
            return -EINTR;
        ssize_t n = write(reading->stream, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

/* What went out is not needed any more; a file system that cannot do that keeps it until the end.
 */
static void punch(const struct adl_reading *reading)
{
    int64_t whole = reading->done & -(int64_t)4096;
    int fd = adl_handle_data(reading->handle);
    if (reading->passing && whole > 0 && fd >= 0)
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, whole);
}

static int stream_piece(struct adl_reading *reading, const struct adl_piece *piece)
{
    if (reading->digester)
        adl_digester_feed(reading->digester, piece->bytes, piece->length);
    return put(reading, piece->bytes, piece->length);
}

static enum adl_reading_outcome take_piece(struct adl_reading *reading,
                                           const struct adl_piece *piece)
{
    bool streams = reading->stream >= 0;
    if ((reading->error = piece->error) < 0)
        return ADL_READING_FAILED;
    if (streams && (reading->error = stream_piece(reading, piece)) < 0)
        return ADL_READING_UNPUT;
    reading->done += (int64_t)piece->length;
    reading->unkept = piece->unkept ? reading->unkept + (int64_t)piece->length : 0;
    if (streams)
        punch(reading);
    else if (reading->unkept > UNKEPT_MAX)
        return ADL_READING_UNKEPT;
    bool last = piece->length < piece->asked || reading->done == reading->size;
    return last ? ADL_READING_ALL : ADL_READING_ON;
}

static struct adl_piece *piece_at(struct adl_reading *reading, int64_t offset)
{
    return &reading->pieces[offset / READ_SIZE % ADL_READING_READS];
}

/* The next pieces in order, as far as they are here. */
static void take_pieces(struct adl_reading *reading)
{
    while (reading->outcome == ADL_READING_ON) {
        struct adl_piece *piece = piece_at(reading, reading->done);
        if (!piece->ready || piece->offset != reading->done)
            return;
        piece->ready = false;
        reading->outcome = take_piece(reading, piece);
    }
}

static void read_on(struct adl_reading *reading);

static void piece_came(struct adl_message *message)
{
    struct adl_piece *piece = (struct adl_piece *)message;
    struct adl_reading *reading = piece->reading;
    reading->under_way--;
    piece->ready = true;
    if (*reading->stop)
        return;
    take_pieces(reading);
    if (reading->outcome == ADL_READING_ON)
        read_on(reading);
    else if (reading->under_way == 0)
        reading->over(reading);
}

/* Asks for what comes next. */
static void read_on(struct adl_reading *reading)
{
    int64_t end = reading->size >= 0 ? reading->size : INT64_MAX;
    int64_t room = reading->done + ADL_READING_READS * READ_SIZE;
    while (reading->next < room && reading->next < end) {
        struct adl_piece *piece = piece_at(reading, reading->next);
        int64_t left = end - reading->next;
        piece->reading = reading;
        piece->message.act = piece_came;
        piece->ready = false;
        piece->offset = reading->next;
        piece->asked = left < READ_SIZE ? (size_t)left : READ_SIZE;
        reading->next += (int64_t)piece->asked;
        reading->under_way++;
        adl_file_read(reading->handle, adl_engine_ticket(reading->engine), piece->offset,
                      piece->asked, on_piece, piece);
    }
}

void adl_reading_start(struct adl_reading *reading, struct adl_handle *handle, int64_t size)
{
    reading->handle = handle;
    reading->size = size;
    reading->next = reading->done = 0;
    reading->error = 0;
    reading->outcome = size == 0 ? ADL_READING_ALL : ADL_READING_ON;
    for (unsigned i = 0; i < ADL_READING_READS; i++)
        reading->pieces[i].ready = false;
    if (size == 0)
        reading->over(reading);
    else
        read_on(reading);
}

void adl_reading_free(struct adl_reading *reading)
{
    for (unsigned i = 0; i < ADL_READING_READS; i++)
        free(reading->pieces[i].bytes);
}
