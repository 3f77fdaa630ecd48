/* SHA-256 (FIPS 180-4). Never fails and never allocates.
 *
 * Uses libcrypto's SHA256_* functions rather than EVP: the state lies in the caller's memory and
 * can be copied, which is what makes short HMACs cheap; see docs/decisions/sha256-low-level.md. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/base.h"

enum { HASH_BYTES = 32 };

/* A digest as a value: compared, copied and stored by assignment. */
typedef struct Hash {
    uint8_t bytes[HASH_BYTES];
} Hash;

/* A hash in progress. Opaque; may be copied to fork the computation. */
typedef struct Hasher {
    uint64_t opaque[14];
} Hasher;

Hash hash_of(Bytes data);

void hash_begin(Hasher *h);
void hash_add(Hasher *h, Bytes data);
Hash hash_end(Hasher *h); /* wipes the state; hash_begin before the next use */

bool hash_eq(const Hash *a, const Hash *b); /* in constant time */
bool hash_is_zero(const Hash *h);

#endif
