/* digest: the whole-file checksum that a manifest may ask for, by OpenSSL's EVP. */
#ifndef ADL_DIGEST_H
#define ADL_DIGEST_H

#include "manifest.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Reads [0, size) of `fd` and compares. 1: equal; 0: not; -errno of read(2), -EIO for a short file,
 * -EOPNOTSUPP for a digest that this OpenSSL refuses, -ECANCELED once *stop is set (looked at every
 * few MiB). Takes seconds for large files: not for the fetch loop. Any thread. */
int adl_digest_check(const struct adl_digest *digest, int fd, int64_t size,
                     const _Atomic bool *stop);

/* The same for bytes that go by once, in order. NULL: -ENOMEM or -EOPNOTSUPP in *error. */
struct adl_digester;
struct adl_digester *adl_digester_new(const struct adl_digest *digest, int *error);
/* 0 or -EIO. */
int adl_digester_feed(struct adl_digester *digester, const void *bytes, size_t length);
/* 1: what was fed has that digest; 0: not; -EIO. To be called once. */
int adl_digester_check(struct adl_digester *digester);
void adl_digester_free(struct adl_digester *digester);

/* Bytes of a digest of that kind; 0 for none. */
size_t adl_digest_length(enum adl_digest_kind kind);

#endif
