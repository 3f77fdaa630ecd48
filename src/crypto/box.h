/* A box that only the holder of an X25519 private key opens (RFC 7748): one fresh key pair for each
 * box, HKDF-SHA256 (RFC 5869) over the shared secret, AES-256-GCM.
 *
 *     shared = X25519(ephemeral, recipient)
 *     key 32 | nonce 12 = HKDF(salt none, shared, "chaperone box 1" | ephemeral public | recipient)
 *     box = ephemeral public 32 | encrypted text | tag 16
 *
 * The sender is not authenticated: who holds the public half can make boxes. */
#ifndef CRYPTO_BOX_H
#define CRYPTO_BOX_H

#include "base/buf.h"

enum { BOX_KEY = 32, BOX_EXTRA = BOX_KEY + 16 };

/* The public half of any 32 random bytes. */
Err box_public(const uint8_t private_key[BOX_KEY], uint8_t ret[BOX_KEY]) MUST_CHECK;
/* Appends a box. `ephemeral` is a fresh private key, used for this box and nothing else. `aad` is
 * authenticated and not in the box. ERR_MALFORMED: `recipient` is no key that can be agreed on. */
Err box_seal(const uint8_t ephemeral[BOX_KEY], const uint8_t recipient[BOX_KEY], Bytes aad,
             Bytes text, Buf *out) MUST_CHECK;
/* Appends the text. ERR_MALFORMED: another one's, or altered. */
Err box_open(const uint8_t private_key[BOX_KEY], Bytes aad, Bytes box, Buf *out) MUST_CHECK;

#endif
