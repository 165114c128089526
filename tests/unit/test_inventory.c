#include "inventory.h"

#include "copy_fixture.h"

#include <errno.h>
#include <sys/wait.h>

static struct adl_copy *open_as(struct fixture *f, const char *url)
{
    f->want.key = adl_store_key(url);
    snprintf(f->want.url, sizeof(f->want.url), "%s", url);
    return open_copy(f, true);
}

/* An entry that was left in order, with [first, end) of its bytes. */
static struct adl_key leave(struct fixture *f, const char *url, int64_t first, int64_t end)
{
    struct adl_copy *copy = open_as(f, url);
    assert_int_equal(put(copy, NULL, first, end), 0);
    adl_copy_close(copy);
    return f->want.key;
}

static void set_used(struct fixture *f, const struct adl_key *key, time_t when)
{
    char name[ADL_NAME_ROOM];
    struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
    adl_store_name(key, ".map", name);
    assert_int_equal(utimensat(f->scratch.store->dir, name, times, 0), 0);
}

static const struct adl_item *find(const struct adl_inventory *inventory, const struct adl_key *key)
{
    for (size_t i = 0; i < inventory->count; i++)
        if (memcmp(inventory->items[i].key.bytes, key->bytes, ADL_KEY_SIZE) == 0)
            return &inventory->items[i];
    return NULL;
}

static void make_file(struct fixture *f, const char *name)
{
    int fd = openat(f->scratch.store->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(pwrite(fd, truth, BLOCK, 0), BLOCK);
    close(fd);
}

static void entries_are_listed_with_what_is_here_and_when_they_were_used(void **state)
{
    struct fixture *f = *state;
    struct adl_key one = leave(f, "http://example.org/1", 0, 2 * BLOCK);
    struct adl_key two = leave(f, "http://example.org/2", 9 * BLOCK, SIZE);
    set_used(f, &one, 1000);
    make_file(f, "README"); /* nobody's business */

    struct adl_inventory inventory;
    assert_int_equal(adl_inventory_take(f->scratch.store, true, &inventory), 0);
    assert_int_equal(inventory.count, 2);
    const struct adl_item *item = find(&inventory, &one);
    assert_true(item->data && item->map && !item->garbage);
    assert_string_equal(item->url, "http://example.org/1");
    assert_int_equal(item->size, SIZE);
    assert_int_equal(item->cached, 2 * BLOCK);
    assert_int_equal(item->used, INT64_C(1000000000000));
    assert_in_range(item->allocated, 2 * BLOCK, 12 * BLOCK);
    item = find(&inventory, &two);
    assert_int_equal(item->cached, SIZE - 9 * BLOCK);
    assert_true(item->used > INT64_C(1700000000000000000));
    assert_true(inventory.available > 0);
    adl_inventory_free(&inventory);

    assert_int_equal(adl_inventory_take(f->scratch.store, false, &inventory), 0);
    assert_int_equal(inventory.count, 2);
    assert_int_equal(find(&inventory, &one)->size, -1);
    assert_null(find(&inventory, &one)->url);
    assert_int_equal(find(&inventory, &one)->used, INT64_C(1000000000000));
    adl_inventory_free(&inventory);
}

static void opening_and_closing_is_using(void **state)
{
    struct fixture *f = *state;
    struct adl_key key = leave(f, "http://example.org/1", 0, BLOCK);
    set_used(f, &key, 1000);
    adl_copy_close(open_as(f, "http://example.org/1"));
    struct adl_inventory inventory;
    assert_int_equal(adl_inventory_take(f->scratch.store, false, &inventory), 0);
    assert_true(inventory.items[0].used > INT64_C(1700000000000000000));
    adl_inventory_free(&inventory);
}

static void an_entry_that_is_open_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct adl_copy *copy = open_as(f, "http://example.org/1");
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    int64_t freed = -1;
    assert_int_equal(adl_inventory_remove(f->scratch.store, &f->want.key, &freed), -EWOULDBLOCK);
    assert_int_equal(adl_inventory_shrink(f->scratch.store, &f->want.key, SIZE, &freed),
                     -EWOULDBLOCK);
    assert_true(right(copy, 0, SIZE));
    adl_copy_close(copy);
    assert_int_equal(adl_inventory_remove(f->scratch.store, &f->want.key, &freed), 0);
    assert_true(freed >= SIZE);
    assert_int_equal(scratch_count(&f->scratch), 0);
    assert_int_equal(adl_inventory_remove(f->scratch.store, &f->want.key, &freed), -ENOENT);
    assert_int_equal(adl_inventory_shrink(f->scratch.store, &f->want.key, 1, &freed), -ENOENT);
    assert_int_equal(scratch_count(&f->scratch), 0);
}

static void a_shrunk_entry_keeps_its_beginning_its_trust_and_its_age(void **state)
{
    struct fixture *f = *state;
    struct adl_key key = leave(f, "http://example.org/1", 0, SIZE);
    set_used(f, &key, 1000);
    int64_t freed = -1;
    assert_int_equal(adl_inventory_shrink(f->scratch.store, &key, 4 * BLOCK, &freed), 0);
    assert_in_range(freed, 3 * BLOCK, 5 * BLOCK);
    struct adl_inventory inventory;
    assert_int_equal(adl_inventory_take(f->scratch.store, true, &inventory), 0);
    assert_int_equal(inventory.items[0].cached, 7 * BLOCK);
    assert_int_equal(inventory.items[0].used, INT64_C(1000000000000));
    adl_inventory_free(&inventory);

    struct adl_copy *copy = open_as(f, "http://example.org/1");
    assert_true(adl_copy_has(copy, 0, 7 * BLOCK));
    assert_true(right(copy, 0, 7 * BLOCK));
    assert_missing(copy, 0, SIZE, 7 * BLOCK, SIZE);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    assert_true(right(copy, 0, SIZE));
    adl_copy_close(copy);

    /* More than there is: nothing is left, and that is no error. */
    assert_int_equal(adl_inventory_shrink(f->scratch.store, &key, INT64_MAX / 2, &freed), 0);
    assert_true(freed >= SIZE - BLOCK);
    copy = open_as(f, "http://example.org/1");
    assert_missing(copy, 0, SIZE, 0, SIZE);
    adl_copy_close(copy);
}

static void garbage_is_swept_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    leave(f, "http://example.org/1", 0, BLOCK);
    struct adl_copy *open = open_as(f, "http://example.org/2");
    f->want.key = adl_store_key("http://example.org/noted"); /* asked about, never read */
    assert_int_equal(adl_sidecar_note(f->scratch.store, &f->want), 0);
    make_file(f, "00112233445566778899aabbccddeeff.data");
    make_file(f, "10112233445566778899aabbccddeeff.map");
    make_file(f, "20112233445566778899aabbccddeeff.map");
    make_file(f, "20112233445566778899aabbccddeeff.data");
    make_file(f, "0123456789abcdef.tmp");
    make_file(f, "notes.tmp");
    /* One that is being made has no head yet either: its lock keeps it. */
    struct adl_key made = adl_store_key("http://example.org/made");
    int lock;
    assert_int_equal(adl_store_lock(f->scratch.store, &made, &lock), 0);

    struct adl_inventory inventory;
    int64_t freed;
    assert_int_equal(adl_inventory_take(f->scratch.store, true, &inventory), 0);
    assert_int_equal(adl_inventory_sweep(f->scratch.store, &inventory, &freed), 0);
    adl_inventory_free(&inventory);
    assert_int_equal(freed, 5 * BLOCK);
    assert_int_equal(scratch_count(&f->scratch), 2 + 2 + 1 + 1 + 1);
    adl_copy_close(open);
    close(lock);
}

/* Opening waits for whoever has an entry locked only to take something out. */
static void an_open_waits_out_who_takes_things_out(void **state)
{
    struct fixture *f = *state;
    int held, lock, other;
    assert_int_equal(adl_store_hold(f->scratch.store, &held), 0);
    assert_int_equal(adl_store_lock_held(f->scratch.store, &f->want.key, &lock), 0);
    assert_int_equal(adl_store_lock_held(f->scratch.store, &f->want.key, &other), -EWOULDBLOCK);
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        _exit(0); /* with the last descriptors of both */
    }
    close(lock);
    close(held);
    assert_int_equal(adl_store_lock(f->scratch.store, &f->want.key, &other), 0);
    close(other);
    waitpid(child, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(entries_are_listed_with_what_is_here_and_when_they_were_used),
        T(opening_and_closing_is_using),
        T(an_entry_that_is_open_is_left_alone),
        T(a_shrunk_entry_keeps_its_beginning_its_trust_and_its_age),
        T(garbage_is_swept_and_nothing_else),
        T(an_open_waits_out_who_takes_things_out),
    };
    return cmocka_run_group_tests(tests, make_truth, NULL);
}
