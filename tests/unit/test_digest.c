#include "digest.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const _Atomic bool go = false;

/* A file of these bytes. The caller closes it. */
static int file_of(const void *bytes, size_t length)
{
    int fd = memfd_create("digest", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, length, 0), length);
    return fd;
}

static struct adl_digest digest_of(enum adl_digest_kind kind, const char *hex)
{
    struct adl_digest digest = {.kind = kind};
    size_t length = adl_digest_length(kind);
    assert_int_equal(strlen(hex), 2 * length);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &digest.bytes[i]), 1);
    return digest;
}

/* "abc": RFC 1321 A.5, FIPS 180-4's examples. */
static const struct {
    enum adl_digest_kind kind;
    const char *hex;
} of_abc[] = {
    {ADL_MD5, "900150983cd24fb0d6963f7d28e17f72"},
    {ADL_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {ADL_SHA224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
    {ADL_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {ADL_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                 "8086072ba1e7cc2358baeca134c825a7"},
    {ADL_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
};

static void every_kind_finds_its_digest_equal(void **state)
{
    (void)state;
    cleanup_fd int fd = file_of("abc", 3);
    for (size_t i = 0; i < COUNT(of_abc); i++) {
        struct adl_digest digest = digest_of(of_abc[i].kind, of_abc[i].hex);
        assert_int_equal(adl_digest_check(&digest, fd, 3, &go), 1);
    }
}

static void every_kind_finds_any_wrong_byte_of_a_digest(void **state)
{
    (void)state;
    cleanup_fd int fd = file_of("abc", 3);
    for (size_t i = 0; i < COUNT(of_abc); i++)
        for (size_t k = 0; k < adl_digest_length(of_abc[i].kind); k++) {
            struct adl_digest digest = digest_of(of_abc[i].kind, of_abc[i].hex);
            digest.bytes[k] ^= 1;
            assert_int_equal(adl_digest_check(&digest, fd, 3, &go), 0);
        }
}

static void an_empty_file_has_a_digest(void **state)
{
    (void)state;
    cleanup_fd int fd = file_of("", 0);
    struct adl_digest digest = digest_of(ADL_MD5, "d41d8cd98f00b204e9800998ecf8427e");
    assert_int_equal(adl_digest_check(&digest, fd, 0, &go), 1);
}

/* FIPS 180's million times 'a', and a file of several pieces that ends within one. */
static void large_files_are_read_to_their_end(void **state)
{
    (void)state;
    size_t length = 5 * 1000 * 1000;
    cleanup_free char *bytes = malloc(length);
    assert_non_null(bytes);
    memset(bytes, 'a', length);
    cleanup_fd int fd = file_of(bytes, length);
    struct adl_digest million = digest_of(ADL_SHA1, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    assert_int_equal(adl_digest_check(&million, fd, 1000 * 1000, &go), 1);
    struct adl_digest five = digest_of(ADL_MD5, "ca6e2f55ffd30e828d900707296d91d9");
    assert_int_equal(adl_digest_check(&five, fd, (int64_t)length, &go), 1);
    assert_int_equal(pwrite(fd, "b", 1, (off_t)length - 1), 1);
    assert_int_equal(adl_digest_check(&five, fd, (int64_t)length, &go), 0);
}

static void bytes_behind_the_size_do_not_count(void **state)
{
    (void)state;
    cleanup_fd int fd = file_of("abcdef", 6);
    struct adl_digest digest = digest_of(of_abc[0].kind, of_abc[0].hex);
    assert_int_equal(adl_digest_check(&digest, fd, 3, &go), 1);
}

static void the_file_offset_stays_where_it_is(void **state)
{
    (void)state;
    cleanup_fd int fd = file_of("abc", 3);
    assert_int_equal(lseek(fd, 2, SEEK_SET), 2);
    struct adl_digest digest = digest_of(of_abc[0].kind, of_abc[0].hex);
    assert_int_equal(adl_digest_check(&digest, fd, 3, &go), 1);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 2);
}

static void a_short_file_is_an_error_and_not_a_mismatch(void **state)
{
    (void)state;
    cleanup_fd int fd = file_of("abc", 3);
    struct adl_digest digest = digest_of(of_abc[0].kind, of_abc[0].hex);
    assert_int_equal(adl_digest_check(&digest, fd, 4, &go), -EIO);
}

static void errors_of_reading_are_passed_on(void **state)
{
    (void)state;
    struct adl_digest digest = digest_of(of_abc[0].kind, of_abc[0].hex);
    cleanup_fd int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(directory >= 0);
    assert_int_equal(adl_digest_check(&digest, directory, 3, &go), -EISDIR);
    assert_int_equal(adl_digest_check(&digest, -1, 3, &go), -EBADF);
}

static void stopping_ends_it(void **state)
{
    (void)state;
    cleanup_fd int fd = file_of("abc", 3);
    struct adl_digest digest = digest_of(of_abc[0].kind, of_abc[0].hex);
    _Atomic bool stop = true;
    assert_int_equal(adl_digest_check(&digest, fd, 3, &stop), -ECANCELED);
}

static void no_digest_and_unknown_kinds_are_not_supported(void **state)
{
    (void)state;
    cleanup_fd int fd = file_of("abc", 3);
    struct adl_digest none = {.kind = ADL_DIGEST_NONE}, unknown = {.kind = ADL_SHA512 + 1};
    assert_int_equal(adl_digest_length(none.kind), 0);
    assert_int_equal(adl_digest_length(unknown.kind), 0);
    assert_int_equal(adl_digest_check(&none, fd, 3, &go), -EOPNOTSUPP);
    assert_int_equal(adl_digest_check(&unknown, fd, 3, &go), -EOPNOTSUPP);
}

static void bytes_that_go_by_have_the_same_digest(void **state)
{
    (void)state;
    struct adl_digest digest =
        digest_of(ADL_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (int wrong = 0; wrong < 2; wrong++) {
        int error;
        struct adl_digester *digester = adl_digester_new(&digest, &error);
        assert_non_null(digester);
        assert_int_equal(adl_digester_feed(digester, "a", 1), 0);
        assert_int_equal(adl_digester_feed(digester, "", 0), 0);
        assert_int_equal(adl_digester_feed(digester, wrong ? "bd" : "bc", 2), 0);
        assert_int_equal(adl_digester_check(digester), !wrong);
        adl_digester_free(digester);
    }
    digest.kind = ADL_DIGEST_NONE;
    int error;
    assert_null(adl_digester_new(&digest, &error));
    assert_int_equal(error, -EOPNOTSUPP);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_finds_its_digest_equal),
        cmocka_unit_test(every_kind_finds_any_wrong_byte_of_a_digest),
        cmocka_unit_test(an_empty_file_has_a_digest),
        cmocka_unit_test(large_files_are_read_to_their_end),
        cmocka_unit_test(bytes_behind_the_size_do_not_count),
        cmocka_unit_test(the_file_offset_stays_where_it_is),
        cmocka_unit_test(a_short_file_is_an_error_and_not_a_mismatch),
        cmocka_unit_test(errors_of_reading_are_passed_on),
        cmocka_unit_test(stopping_ends_it),
        cmocka_unit_test(bytes_that_go_by_have_the_same_digest),
        cmocka_unit_test(no_digest_and_unknown_kinds_are_not_supported),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
