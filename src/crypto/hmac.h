/* HMAC-SHA256 (RFC 2104) and what is built on it: HKDF (RFC 5869), PBKDF2 (RFC 8018 §5.2).
 *
 * An HmacKey is the two half-done hashes of a key: a short message then costs two compressions
 * and no set-up. Keys are wiped by hmac_key_done. Nothing here allocates. */
#ifndef CRYPTO_HMAC_H
#define CRYPTO_HMAC_H

#include "crypto/hash.h"

typedef struct HmacKey {
    Hasher inner, outer;
} HmacKey;

/* A message that comes in pieces. */
typedef struct Hmac {
    Hasher inner, outer;
} Hmac;

void hmac_key_init(HmacKey *k, Bytes key);
void hmac_key_done(HmacKey *k);
Hash hmac_of(const HmacKey *k, Bytes message);

void hmac_begin(Hmac *m, const HmacKey *k);
void hmac_add(Hmac *m, Bytes data);
Hash hmac_end(Hmac *m); /* wipes the state */

/* For a key used once. */
Hash hmac_once(Bytes key, Bytes message);

enum { HKDF_MAX = 255 * HASH_BYTES };
/* Fills `len` bytes, at most HKDF_MAX: ERR_LIMIT above. An empty salt is HASH_BYTES zeros. */
Err hkdf(Bytes salt, Bytes secret, Bytes purpose, uint8_t *ret, size_t len) MUST_CHECK;
/* One 32-byte key from a key that is uniformly random already (HKDF-Expand, one block). */
Hash hkdf_key(const HmacKey *from, Bytes purpose);

/* PBKDF2 with one block of output. `rounds` >= 1; the caller bounds it: it is the cost. */
Hash pbkdf2(Bytes password, Bytes salt, uint32_t rounds);

#endif
