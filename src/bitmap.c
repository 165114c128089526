#include "bitmap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define WORD_BITS 64

static uint64_t words_for(uint64_t bits)
{
    return bits / WORD_BITS + (bits % WORD_BITS != 0);
}

static _Atomic uint64_t *make_words(uint64_t bits)
{
    uint64_t words = words_for(bits);
    if (words > SIZE_MAX / sizeof(_Atomic uint64_t))
        return NULL;
    /* calloc, not malloc and memset: the C library knows that fresh pages are zero already. */
    return calloc(words ? (size_t)words : 1, sizeof(_Atomic uint64_t));
}

static uint64_t word_at(const struct adl_bitmap *bitmap, uint64_t bit)
{
    return atomic_load_explicit(&bitmap->words[bit / WORD_BITS], memory_order_acquire);
}

/* There is one writer, so a load and a store will do where several would need an exchange. */
static void change(struct adl_bitmap *bitmap, uint64_t bit, uint64_t word, int64_t difference)
{
    uint64_t set = atomic_load_explicit(&bitmap->set, memory_order_relaxed);
    atomic_store_explicit(&bitmap->words[bit / WORD_BITS], word, memory_order_release);
    atomic_store_explicit(&bitmap->set, set + (uint64_t)difference, memory_order_release);
}

int adl_bitmap_init(struct adl_bitmap *bitmap, uint64_t bits)
{
    _Atomic uint64_t *words = make_words(bits);
    if (!words)
        return -ENOMEM;
    bitmap->bits = bits;
    bitmap->words = words;
    atomic_init(&bitmap->set, 0);
    return 0;
}

void adl_bitmap_free(struct adl_bitmap *bitmap)
{
    free(bitmap->words);
    bitmap->words = NULL;
    bitmap->bits = 0;
    atomic_store_explicit(&bitmap->set, 0, memory_order_relaxed);
}

int adl_bitmap_grow(struct adl_bitmap *bitmap, uint64_t bits)
{
    assert(bits >= bitmap->bits);
    uint64_t used = words_for(bitmap->bits);
    if (words_for(bits) > used) {
        _Atomic uint64_t *words = make_words(bits);
        if (!words)
            return -ENOMEM;
        for (uint64_t i = 0; i < used; i++) {
            uint64_t word = atomic_load_explicit(&bitmap->words[i], memory_order_relaxed);
            if (word) /* writing a zero would make its page cost memory */
                atomic_store_explicit(&words[i], word, memory_order_relaxed);
        }
        free(bitmap->words);
        bitmap->words = words;
    }
    bitmap->bits = bits;
    return 0;
}

void adl_bitmap_set(struct adl_bitmap *bitmap, uint64_t bit)
{
    assert(bit < bitmap->bits);
    uint64_t word = word_at(bitmap, bit), mask = UINT64_C(1) << bit % WORD_BITS;
    if (!(word & mask))
        change(bitmap, bit, word | mask, 1);
}

void adl_bitmap_clear(struct adl_bitmap *bitmap, uint64_t bit)
{
    assert(bit < bitmap->bits);
    uint64_t word = word_at(bitmap, bit), mask = UINT64_C(1) << bit % WORD_BITS;
    if (word & mask)
        change(bitmap, bit, word & ~mask, -1);
}

bool adl_bitmap_test(const struct adl_bitmap *bitmap, uint64_t bit)
{
    assert(bit < bitmap->bits);
    return word_at(bitmap, bit) >> bit % WORD_BITS & 1;
}

/* The first bit in [from, to) that is set in the words after they were XORed with `flip`. */
static uint64_t scan(const struct adl_bitmap *bitmap, uint64_t from, uint64_t to, uint64_t flip)
{
    assert(from >= to || to <= bitmap->bits);
    while (from < to) {
        uint64_t word = (word_at(bitmap, from) ^ flip) >> from % WORD_BITS;
        if (word) {
            uint64_t found = from + (unsigned)__builtin_ctzll(word);
            return found < to ? found : to;
        }
        from += WORD_BITS - from % WORD_BITS;
    }
    return to;
}

uint64_t adl_bitmap_next_set(const struct adl_bitmap *bitmap, uint64_t from, uint64_t to)
{
    return scan(bitmap, from, to, 0);
}

uint64_t adl_bitmap_next_clear(const struct adl_bitmap *bitmap, uint64_t from, uint64_t to)
{
    return scan(bitmap, from, to, UINT64_MAX);
}

bool adl_bitmap_all(const struct adl_bitmap *bitmap, uint64_t from, uint64_t to)
{
    return adl_bitmap_next_clear(bitmap, from, to) == to;
}

uint64_t adl_bitmap_count(const struct adl_bitmap *bitmap)
{
    return atomic_load_explicit(&bitmap->set, memory_order_acquire);
}

uint64_t adl_bitmap_count_in(const struct adl_bitmap *bitmap, uint64_t from, uint64_t to)
{
    uint64_t count = 0;
    while (from < to) {
        uint64_t word = atomic_load_explicit(&bitmap->words[from / 64], memory_order_acquire);
        uint64_t end = (from / 64 + 1) * 64;
        word >>= from % 64;
        if (end > to) {
            end = to;
            word &= (UINT64_C(1) << (to - from)) - 1;
        }
        count += (uint64_t)__builtin_popcountll(word);
        from = end;
    }
    return count;
}
