/* Looking the cache over, and taking one entry out of a running engine: without any network. */
#include "evict.h"

#include "copy_fixture.h"
#include "file.h"

#include <errno.h>
#include <semaphore.h>

/* An entry that was left in order, all of it here, last used at `when`. */
static struct adl_key leave(struct fixture *f, const char *url, time_t when)
{
    f->want.key = adl_store_key(url);
    struct adl_copy *copy = open_copy(f, true);
    assert_int_equal(put(copy, NULL, 0, SIZE), 0);
    adl_copy_close(copy);
    char name[ADL_NAME_ROOM];
    struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
    adl_store_name(&f->want.key, ".map", name);
    assert_int_equal(utimensat(f->scratch.store->dir, name, times, 0), 0);
    return f->want.key;
}

static bool is_there(const struct fixture *f, const struct adl_key *key)
{
    struct adl_head head;
    return adl_sidecar_peek(f->scratch.store, key, &head) == 0;
}

static void the_oldest_go_but_for_those_that_are_open(void **state)
{
    struct fixture *f = *state;
    struct adl_key oldest = leave(f, "http://example.org/1", 1000);
    struct adl_key older = leave(f, "http://example.org/2", 2000);
    struct adl_key newer = leave(f, "http://example.org/3", 3000);
    struct adl_key newest = leave(f, "http://example.org/4", 4000);
    struct adl_inventory inventory;
    assert_int_equal(adl_inventory_take(f->scratch.store, false, &inventory), 0);
    int64_t each = inventory.allocated / 4;
    adl_inventory_free(&inventory);

    int lock;
    assert_int_equal(adl_store_lock(f->scratch.store, &oldest, &lock), 0);
    struct adl_look look;
    _Atomic bool stop = false;
    struct adl_quota quota = {.most = 3 * each};
    adl_evict_look(f->scratch.store, &quota, &stop, &look);
    assert_int_equal(look.error, 0);
    assert_int_equal(look.excess, 0);
    assert_int_equal(look.freed, 2 * each); /* and an eighth */
    assert_int_equal(look.allocated, 2 * each);
    assert_true(is_there(f, &oldest) && is_there(f, &newest));
    assert_false(is_there(f, &older) || is_there(f, &newer));

    int other;
    assert_int_equal(adl_store_lock(f->scratch.store, &newest, &other), 0);
    quota.most = each;
    adl_evict_look(f->scratch.store, &quota, &stop, &look);
    assert_int_equal(look.freed, 0);
    assert_int_equal(look.excess, each);
    close(lock);
    close(other);
    stop = true; /* nothing more is taken out */
    adl_evict_look(f->scratch.store, &quota, &stop, &look);
    assert_true(is_there(f, &oldest) && is_there(f, &newest));
}

struct waiter {
    sem_t done;
    int error;
    int64_t freed;
    struct adl_handle *handle;
};

static void opened(void *ctx, int error, struct adl_handle *handle, const struct adl_attr *attr)
{
    struct waiter *waiter = ctx;
    (void)attr;
    waiter->error = error;
    waiter->handle = handle;
    sem_post(&waiter->done);
}

static void evicted(void *ctx, int error, int64_t freed)
{
    struct waiter *waiter = ctx;
    waiter->error = error;
    waiter->freed = freed;
    sem_post(&waiter->done);
}

static int evict(struct adl_engine *engine, struct waiter *waiter)
{
    adl_file_evict(engine, 0, evicted, waiter);
    sem_wait(&waiter->done);
    return waiter->error;
}

static void an_entry_goes_unless_it_is_open(void **state)
{
    struct fixture *f = *state;
    leave(f, "http://127.0.0.1:9/a", 1000);
    leave(f, "http://127.0.0.1:9/b", 1000);
    static const char list[] = "http://127.0.0.1:9/a\n";
    struct adl_manifest manifest = {0};
    struct adl_engine *engine;
    struct adl_settings settings;
    struct waiter waiter = {.freed = -1};
    sem_init(&waiter.done, 0, 0);
    adl_settings_init(&settings);
    settings.cache_dir = f->scratch.path;
    settings.revalidate = ADL_REVALIDATE_NEVER;
    assert_int_equal(adl_manifest_parse(list, sizeof(list) - 1, NULL, &manifest), 0);
    assert_int_equal(adl_engine_new(&settings, &manifest, NULL, &engine), 0);

    adl_file_open(engine, 0, 0, ADL_ANY_VERSION, opened, &waiter);
    sem_wait(&waiter.done);
    assert_int_equal(waiter.error, 0);
    assert_true(adl_handle_complete(waiter.handle) >= 0);
    assert_int_equal(evict(engine, &waiter), -EBUSY);
    adl_file_release(waiter.handle);
    assert_int_equal(evict(engine, &waiter), 0);
    assert_true(waiter.freed >= SIZE);
    assert_int_equal(evict(engine, &waiter), -ENOENT);
    assert_int_equal(scratch_count(&f->scratch), 2); /* the other entry's */

    adl_file_open(engine, 0, 0, ADL_ANY_VERSION, opened, &waiter); /* as new */
    sem_wait(&waiter.done);
    assert_int_equal(waiter.error, 0);
    assert_int_equal(adl_handle_complete(waiter.handle), -1);
    adl_file_release(waiter.handle);
    adl_engine_free(engine);
    adl_manifest_free(&manifest);
    sem_destroy(&waiter.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_oldest_go_but_for_those_that_are_open),
        T(an_entry_goes_unless_it_is_open),
    };
    return cmocka_run_group_tests(tests, make_truth, NULL);
}
