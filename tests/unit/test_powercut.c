/* A thousand power cuts. Whatever was written since the last one may have reached the disk or not,
 * in any order: pages of 4096 bytes of the data file, of the sidecar or of both are rolled back to
 * any earlier state, zeroed, torn between two states at 512-byte boundaries, exchanged, or full of
 * noise; files may be shorter than they were, or not there. And the boot id is another one.
 *
 * The file has three pages of blocks, of which thirteen blocks around the pages' borders are used.
 * A case is a few lives of a copy (opened, read, written, flushed; closed in order, killed, or
 * neither), each ended by a cut. After each cut nothing is trusted, every byte that the copy gives
 * is the origin's, and a block of which bit, checksum and bytes survived is still there.
 *
 * POWERCUT_CASES and POWERCUT_SEED choose other cases than those of every run. */
#include "copy.h"

#include "effort.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <xxhash.h>

#include <cmocka.h>

#define CASES  1000
#define LIVES  4  /* of a case, at most */
#define STATES 24 /* of the disk that a life goes through, at most */
#define BLOCK  4096
#define SECTOR 512
#define PAGES  4 /* of the sidecar: its head, and three of blocks */
#define BLOCKS 1003
#define LAST   (BLOCKS - 1)
#define SHORT  100 /* bytes of the last block */
#define SIZE   ((int64_t)LAST * BLOCK + SHORT)

static const uint64_t spots[] = {0, 1, 2, 3, 498, 499, 500, 501, 998, 999, 1000, 1001, LAST};
#define SPOTS (sizeof(spots) / sizeof(spots[0]))

/* What the disk has, or may have. */
struct state {
    unsigned char map[PAGES][ADL_MAP_PAGE], data[SPOTS][BLOCK];
    int64_t map_size, data_size; /* -1: no such file */
    bool claims[SPOTS];          /* what the pages say, if they are in order */
    int version;                 /* ... of this version of the file */
};

struct fixture {
    struct scratch scratch;
    struct adl_copy *copy;
    uint64_t random;
    int version;         /* of the file at its origin */
    bool flushed[SPOTS]; /* what the sidecar's pages on the disk claim */
    struct state now;
    struct state past[STATES]; /* since the last cut; past[0] is what that left */
    size_t n_past;
    uint64_t lives, changed, survived; /* over all cases */
};

static unsigned char truth[SPOTS][2 * LIVES][BLOCK];

static uint64_t draw(struct fixture *f, uint64_t below)
{
    return next_random(&f->random) % below;
}

static size_t length_of(size_t spot)
{
    return spots[spot] == LAST ? SHORT : BLOCK;
}

static int64_t first_of(size_t spot)
{
    return (int64_t)spots[spot] * BLOCK;
}

static struct adl_head wanted(const struct fixture *f)
{
    return (struct adl_head){.key = adl_store_key("http://example.org/a"),
                             .validator = {.etag = {'"', (char)('a' + f->version), '"'},
                                           .last_modified = ADL_TIME_UNKNOWN},
                             .size = SIZE,
                             .block_size = BLOCK};
}

/* --- the disk */

static int64_t size_of(int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : -1;
}

/* What lies behind the end of a file is zeros. */
static void read_page(int fd, unsigned char page[BLOCK], int64_t at)
{
    memset(page, 0, BLOCK);
    if (fd >= 0)
        assert_true(pread(fd, page, BLOCK, at) >= 0);
}

static void remember(struct fixture *f)
{
    struct adl_head head = wanted(f);
    struct state *now = &f->now;
    int map = scratch_file(&f->scratch, &head.key, ".map", O_RDONLY);
    int data = scratch_file(&f->scratch, &head.key, ".data", O_RDONLY);
    now->map_size = size_of(map);
    now->data_size = size_of(data);
    for (size_t i = 0; i < PAGES; i++)
        read_page(map, now->map[i], (int64_t)i * ADL_MAP_PAGE);
    for (size_t i = 0; i < SPOTS; i++)
        read_page(data, now->data[i], first_of(i));
    memcpy(now->claims, f->flushed, sizeof(now->claims));
    now->version = f->version;
    close(map);
    close(data);
    if (f->n_past < STATES)
        f->past[f->n_past++] = *now;
}

static void write_file(struct fixture *f, const char *suffix, int64_t size,
                       unsigned char (*pages)[BLOCK], size_t count, const uint64_t *places)
{
    struct adl_head head = wanted(f);
    char name[ADL_NAME_ROOM];
    adl_store_name(&head.key, suffix, name);
    unlinkat(f->scratch.store->dir, name, 0);
    if (size < 0)
        return;
    int fd = scratch_file(&f->scratch, &head.key, suffix, O_RDWR | O_CREAT);
    assert_true(fd >= 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pwrite(fd, pages[i], BLOCK, (off_t)places[i] * BLOCK), BLOCK);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

/* --- the cut */

static const struct state *any_past(struct fixture *f)
{
    return &f->past[draw(f, f->n_past)];
}

/* The same page in another state of the disk: `page` lies within f->now. */
static const unsigned char *page_then(const struct fixture *f, const struct state *then,
                                      const unsigned char *page)
{
    return (const unsigned char *)then + (page - (const unsigned char *)&f->now);
}

static bool is_recent(const struct fixture *f, const unsigned char *page)
{
    for (size_t i = 0; i < f->n_past; i++)
        if (memcmp(page_then(f, &f->past[i], page), page, BLOCK) != 0)
            return true;
    return false;
}

static void noise(struct fixture *f, unsigned char *out, size_t length)
{
    for (size_t i = 0; i < length; i++)
        out[i] = (unsigned char)draw(f, 256);
}

static void tear(struct fixture *f, unsigned char *page)
{
    for (size_t at = 0; at < BLOCK; at += SECTOR) {
        uint64_t how = draw(f, 4);
        if (how == 0)
            memset(page + at, 0, SECTOR);
        else if (how < 3)
            memcpy(page + at, page_then(f, any_past(f), page) + at, SECTOR);
    }
}

static void swap(unsigned char *one, unsigned char *other)
{
    unsigned char kept[BLOCK];
    memcpy(kept, one, BLOCK);
    memcpy(one, other, BLOCK);
    memcpy(other, kept, BLOCK);
}

static void damage_page(struct fixture *f, unsigned char (*pages)[BLOCK], size_t count, size_t i)
{
    size_t other = draw(f, count);
    switch (draw(f, 16)) {
    case 0:
    case 1:
    case 2:
        memcpy(pages[i], page_then(f, any_past(f), pages[i]), BLOCK);
        break;
    case 3:
        memset(pages[i], 0, BLOCK);
        break;
    case 4:
        tear(f, pages[i]);
        break;
    case 5:
        if (is_recent(f, pages[other]))
            swap(pages[i], pages[other]);
        break;
    case 6:
        noise(f, pages[i] + SECTOR * draw(f, BLOCK / SECTOR), SECTOR);
        break;
    default: /* it has reached the disk */
        break;
    }
}

static void damage_file(struct fixture *f, unsigned char (*pages)[BLOCK], size_t count,
                        int64_t *size, int64_t then)
{
    for (size_t i = 0; i < count; i++)
        if (is_recent(f, pages[i]))
            damage_page(f, pages, count, i);
    uint64_t how = draw(f, 16);
    if (how == 0)
        *size = then;
    else if (how == 1 && *size > 0)
        *size = (int64_t)draw(f, (uint64_t)*size / SECTOR + 1) * SECTOR;
}

/* Offsets in the head page, see src/README.md. */
enum {
    SUM_AT = 8,
    SUMMED_AT = 16,
    RANDOM_AT = 48,
    LEFT_BOOT_AT = 64,
    INODE_AT = 80,
    FLAGS_AT = 100
};

static bool head_in_order(const unsigned char *head)
{
    XXH64_hash_t sum = XXH3_64bits(head + SUMMED_AT, ADL_MAP_PAGE - SUMMED_AT);
    return memcmp(head, "adlfsmap", 8) == 0 && memcmp(head + SUM_AT, &sum, sizeof(sum)) == 0;
}

/* The inode and its ctime may have reached the disk though the bytes did not: then the boot id
 * alone tells that the data file is not as it was left. */
static void keep_inode(struct fixture *f)
{
    struct adl_head want = wanted(f);
    struct stat st;
    unsigned char *head = f->now.map[0];
    int data = scratch_file(&f->scratch, &want.key, ".data", O_RDONLY);
    if (data < 0 || !head_in_order(head))
        return;
    assert_int_equal(fstat(data, &st), 0);
    close(data);
    struct {
        uint64_t inode;
        int64_t ctime;
        uint32_t ctime_nsec;
    } left = {st.st_ino, st.st_ctim.tv_sec, (uint32_t)st.st_ctim.tv_nsec};
    memcpy(head + INODE_AT, &left, FLAGS_AT - INODE_AT);
    XXH64_hash_t sum = XXH3_64bits(head + SUMMED_AT, ADL_MAP_PAGE - SUMMED_AT);
    memcpy(head + SUM_AT, &sum, sizeof(sum));
}

/* Everything that the kernel had not written is gone, and the machine is up again. */
static void cut_power(struct fixture *f)
{
    static const uint64_t map_places[PAGES] = {0, 1, 2, 3};
    uint64_t which = draw(f, 3); /* the data, the sidecar, or both */
    remember(f);
    if (which != 1)
        damage_file(f, f->now.data, SPOTS, &f->now.data_size, any_past(f)->data_size);
    if (which != 0)
        damage_file(f, f->now.map, PAGES, &f->now.map_size, any_past(f)->map_size);
    write_file(f, ".data", f->now.data_size, f->now.data, SPOTS, spots);
    keep_inode(f);
    write_file(f, ".map", f->now.map_size, f->now.map, PAGES, map_places);
    for (size_t i = 0; i < ADL_BOOT_ID_SIZE; i++)
        f->scratch.store->boot[i] = (unsigned char)draw(f, 256);
}

/* --- what must have survived */

/* But for what keep_inode() changed. */
static bool same_head(const unsigned char *one, const unsigned char *other)
{
    return memcmp(one + SUMMED_AT, other + SUMMED_AT, INODE_AT - SUMMED_AT) == 0 &&
           memcmp(one + FLAGS_AT, other + FLAGS_AT, ADL_MAP_PAGE - FLAGS_AT) == 0;
}

/* The state in which the disk had that head, of the version that the origin has; NULL: never. */
static const struct state *head_of(const struct fixture *f)
{
    if (f->now.map_size < ADL_MAP_PAGE || f->now.data_size != SIZE || !head_in_order(f->now.map[0]))
        return NULL;
    for (size_t i = 0; i < f->n_past; i++)
        if (f->past[i].version == f->version && f->past[i].map_size >= ADL_MAP_PAGE &&
            same_head(f->past[i].map[0], f->now.map[0]))
            return &f->past[i];
    return NULL;
}

/* Whether the page that speaks for the spot is as it was once, below that head, and claimed it. */
static bool claimed_on_disk(const struct fixture *f, const struct state *head, size_t spot)
{
    size_t page = 1 + spots[spot] / ADL_BLOCKS_PER_PAGE;
    if (f->now.map_size < (int64_t)(page + 1) * ADL_MAP_PAGE)
        return false;
    for (size_t i = 0; i < f->n_past; i++)
        if (f->past[i].claims[spot] &&
            memcmp(f->past[i].map[0] + RANDOM_AT, head->map[0] + RANDOM_AT, 8) == 0 &&
            memcmp(f->past[i].map[page], f->now.map[page], ADL_MAP_PAGE) == 0)
            return true;
    return false;
}

/* The copy was just opened after a cut. */
static void check_survivors(struct fixture *f)
{
    unsigned char buffer[BLOCK];
    const struct adl_bitmap *claimed = &f->copy->sidecar->claimed;
    const struct state *head = head_of(f);
    uint64_t count = 0;
    assert_true(f->copy->named);
    assert_int_equal(adl_bitmap_count(&f->copy->sidecar->trusted), 0);
    for (size_t i = 0; i < SPOTS; i++) {
        f->flushed[i] = adl_bitmap_test(claimed, spots[i]);
        count += f->flushed[i];
        if (!head || !claimed_on_disk(f, head, i) ||
            memcmp(f->now.data[i], truth[i][f->version], length_of(i)) != 0)
            continue;
        f->survived++;
        assert_true(f->flushed[i]);
        assert_int_equal(adl_copy_verify(f->copy, spots[i], buffer), 1);
    }
    assert_int_equal(adl_bitmap_count(claimed), count);
}

/* --- a life */

static void open_copy(struct fixture *f)
{
    struct adl_head want = wanted(f);
    assert_int_equal(adl_copy_open(f->scratch.store, &want, true, &f->copy), 0);
    for (size_t i = 0; i < SPOTS; i++)
        f->flushed[i] = adl_bitmap_test(&f->copy->sidecar->claimed, spots[i]);
}

static bool has(const struct fixture *f, size_t spot)
{
    return adl_copy_has(f->copy, first_of(spot), first_of(spot) + (int64_t)length_of(spot));
}

/* As a reader does: what is trusted is read, what is claimed is compared first. */
static void read_spot(struct fixture *f, size_t spot)
{
    unsigned char buffer[BLOCK];
    uint64_t block = spots[spot];
    if (adl_bitmap_test(&f->copy->sidecar->claimed, block) && !has(f, spot)) {
        bool right = adl_copy_verify(f->copy, block, buffer) == 1;
        adl_copy_verified(f->copy, block, right);
        assert_int_equal(has(f, spot), right);
        assert_int_equal(adl_bitmap_test(&f->copy->sidecar->claimed, block), right);
    }
    if (!has(f, spot))
        return;
    size_t length = length_of(spot);
    assert_int_equal(pread(f->copy->data, buffer, length, first_of(spot)), length);
    assert_memory_equal(buffer, truth[spot][f->version], length);
}

/* Some bytes come, of one block or of a few that are neighbours. */
static void write_some(struct fixture *f)
{
    struct adl_run run = {0};
    size_t spot = draw(f, SPOTS), count = 1 + draw(f, 3);
    size_t skip = draw(f, 2) ? draw(f, length_of(spot)) : 0;
    for (size_t i = spot; i < spot + count && i < SPOTS; i++) {
        if (i > spot && spots[i] != spots[i - 1] + 1)
            break;
        size_t length = length_of(i) - skip;
        if (i + 1 == spot + count && draw(f, 2))
            length = 1 + draw(f, length);
        assert_int_equal(adl_copy_write(f->copy, &run, truth[i][f->version] + skip, length,
                                        first_of(i) + (int64_t)skip),
                         0);
        skip = 0;
    }
    adl_run_free(&run);
}

static void flush(struct fixture *f)
{
    assert_int_equal(adl_sidecar_flush(f->copy->sidecar), 0);
    for (size_t i = 0; i < SPOTS; i++)
        f->flushed[i] = adl_bitmap_test(&f->copy->sidecar->claimed, spots[i]);
}

static void close_copy(struct fixture *f)
{
    flush(f);
    adl_copy_close(f->copy);
    f->copy = NULL;
}

/* As kill -9 ends it: nothing more is written. */
static void kill_copy(struct fixture *f)
{
    adl_sidecar_detach(f->copy->sidecar);
    adl_copy_close(f->copy);
    f->copy = NULL;
}

static void work(struct fixture *f)
{
    for (uint64_t i = 2 + draw(f, 12); i > 0; i--) {
        uint64_t what = draw(f, 10);
        if (what < 6)
            write_some(f);
        else if (what < 8)
            read_spot(f, draw(f, SPOTS));
        else
            flush(f);
        remember(f);
    }
}

/* Opens what the last cut left, works, is perhaps closed and opened again, and ends somehow. */
static void live(struct fixture *f)
{
    f->lives++;
    if (draw(f, 5) == 0) {
        f->version++;
        f->changed++;
    }
    open_copy(f);
    check_survivors(f);
    f->n_past = 0;
    f->now.version = f->version;
    f->past[f->n_past++] = f->now; /* what the cut left, with what it claims unknown */
    memset(f->past[0].claims, 0, sizeof(f->past[0].claims));
    remember(f);
    work(f);
    while (draw(f, 3) == 0) { /* ended, and mounted again in the same boot */
        (draw(f, 2) ? close_copy : kill_copy)(f);
        remember(f);
        open_copy(f);
        work(f);
    }
    (draw(f, 2) ? close_copy : kill_copy)(f);
    cut_power(f);
}

/* What is missing is fetched, everything is read, and then all of it is here and stays. */
static void read_everything(struct fixture *f)
{
    open_copy(f);
    check_survivors(f);
    for (size_t i = 0; i < SPOTS; i++) {
        read_spot(f, i);
        assert_int_equal(adl_copy_write(f->copy, NULL, truth[i][f->version], length_of(i),
                                        first_of(i)),
                         0);
        assert_true(has(f, i));
        read_spot(f, i);
    }
    close_copy(f);
    open_copy(f);
    assert_int_equal(adl_bitmap_count(&f->copy->sidecar->trusted), SPOTS);
    for (size_t i = 0; i < SPOTS; i++)
        read_spot(f, i);
    close_copy(f);
}

static void run_case(struct fixture *f)
{
    struct adl_head head = wanted(f);
    adl_store_remove(f->scratch.store, &head.key);
    memset(f->flushed, 0, sizeof(f->flushed));
    f->version = 0;
    f->n_past = 0;
    f->now = (struct state){.map_size = -1, .data_size = -1};
    for (uint64_t lives = 1 + draw(f, LIVES); lives > 0; lives--)
        live(f);
    read_everything(f);
}

/* --- the cases */

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    for (size_t i = 0; i < SPOTS; i++)
        for (int version = 0; version < 2 * LIVES; version++)
            for (size_t at = 0; at < BLOCK; at++)
                truth[i][version][at] =
                    (unsigned char)(true_byte(first_of(i) + (int64_t)at) ^ version * 37);
    return scratch_open_fast(&f->scratch, BLOCK);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    adl_copy_close(f->copy);
    scratch_close(&f->scratch);
    free(f);
    return 0;
}

static void no_power_cut_gives_a_wrong_byte_or_loses_a_right_one(void **state)
{
    struct fixture *f = *state;
    uint64_t cases = number_from("POWERCUT_CASES", (uint64_t)effort(CASES, 40));
    uint64_t seed = number_from("POWERCUT_SEED", 1);
    for (uint64_t i = 0; i < cases; i++) {
        f->random = (seed + i) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        fprintf(stderr, "POWERCUT_CASES=1 POWERCUT_SEED=%llu%c", (unsigned long long)(seed + i),
                i + 1 < cases ? '\r' : '\n');
        run_case(f);
        f->scratch.said[0] = '\0';
    }
    print_message("%llu cases, %llu cuts, %llu new versions; %llu blocks survived, and were kept\n",
                  (unsigned long long)cases, (unsigned long long)f->lives,
                  (unsigned long long)f->changed, (unsigned long long)f->survived);
    assert_true(f->survived > 0 || cases < CASES); /* else nothing was tested */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_power_cut_gives_a_wrong_byte_or_loses_a_right_one, setup,
                                        teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
