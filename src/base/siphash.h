/* SipHash-2-4, 64 bits: the keyed hash of every table whose keys a peer can choose.
 * https://www.aumasson.jp/siphash/siphash.pdf */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/base.h"

typedef struct SipKey {
    uint64_t k0, k1;
} SipKey;

uint64_t siphash(SipKey key, Bytes text);
/* A key from 16 random bytes. */
SipKey siphash_key(const uint8_t bytes[16]);

#endif
