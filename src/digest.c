#include "digest.h"

#include "cleanup.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define PIECE (1024 * 1024) /* bytes read at a time, and between two looks at *stop */

static const struct {
    const char *name; /* as OpenSSL spells it */
    size_t length;    /* bytes */
} kinds[] = {
    [ADL_MD5] = {"MD5", 16},       [ADL_SHA1] = {"SHA1", 20},     [ADL_SHA224] = {"SHA224", 28},
    [ADL_SHA256] = {"SHA256", 32}, [ADL_SHA384] = {"SHA384", 48}, [ADL_SHA512] = {"SHA512", 64},
};

static void free_algorithm(EVP_MD **algorithm)
{
    EVP_MD_free(*algorithm);
}

size_t adl_digest_length(enum adl_digest_kind kind)
{
    return kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[kind].length : 0;
}

/* Starts `context`. A refusal (MD5 where only FIPS 140 algorithms are allowed) is an answer and
 * leaves nothing in the thread's queue of errors. */
static int start(EVP_MD_CTX *context, enum adl_digest_kind kind)
{
    if (!adl_digest_length(kind))
        return -EOPNOTSUPP;
    ERR_set_mark();
    _cleanup_(free_algorithm) EVP_MD *algorithm = EVP_MD_fetch(NULL, kinds[kind].name, NULL);
    bool started = algorithm && EVP_DigestInit_ex(context, algorithm, NULL);
    ERR_pop_to_mark();
    return started ? 0 : -EOPNOTSUPP;
}

struct adl_digester {
    struct adl_digest digest;
    EVP_MD_CTX *context; /* owned */
};

void adl_digester_free(struct adl_digester *digester)
{
    if (!digester)
        return;
    EVP_MD_CTX_free(digester->context);
    free(digester);
}

static void free_digester(struct adl_digester **digester)
{
    adl_digester_free(*digester);
}

struct adl_digester *adl_digester_new(const struct adl_digest *digest, int *error)
{
    _cleanup_(free_digester) struct adl_digester *digester = calloc(1, sizeof(*digester));
    *error = -ENOMEM;
    if (!digester || !(digester->context = EVP_MD_CTX_new()))
        return NULL;
    digester->digest = *digest;
    *error = start(digester->context, digest->kind);
    return *error < 0 ? NULL : steal_pointer(digester);
}

int adl_digester_feed(struct adl_digester *digester, const void *bytes, size_t length)
{
    return EVP_DigestUpdate(digester->context, bytes, length) ? 0 : -EIO;
}

int adl_digester_check(struct adl_digester *digester)
{
    unsigned char found[EVP_MAX_MD_SIZE];
    unsigned length;
    if (!EVP_DigestFinal_ex(digester->context, found, &length))
        return -EIO;
    return length == adl_digest_length(digester->digest.kind) &&
           memcmp(found, digester->digest.bytes, length) == 0;
}

/* Feeds [0, size) of `fd`, whose file offset, which others may use, stays where it is. */
static int feed(struct adl_digester *digester, int fd, int64_t size, const _Atomic bool *stop)
{
    cleanup_free unsigned char *buffer = malloc(PIECE);
    if (!buffer)
        return -ENOMEM;
    for (int64_t at = 0; at < size;) {
        if (atomic_load_explicit(stop, memory_order_relaxed))
            return -ECANCELED;
        ssize_t n = pread(fd, buffer, size - at < PIECE ? (size_t)(size - at) : PIECE, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        int r = adl_digester_feed(digester, buffer, (size_t)n);
        if (r < 0)
            return r;
        at += n;
    }
    return 0;
}

int adl_digest_check(const struct adl_digest *digest, int fd, int64_t size,
                     const _Atomic bool *stop)
{
    assert(size >= 0);
    int r;
    _cleanup_(free_digester) struct adl_digester *digester = adl_digester_new(digest, &r);
    if (digester)
        r = feed(digester, fd, size, stop);
    return r < 0 ? r : adl_digester_check(digester);
}
