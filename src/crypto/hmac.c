#include "crypto/hmac.h"

#include <string.h>

enum { HMAC_BLOCK = 64 };

static void start_half(Hasher *h, const uint8_t *block, uint8_t pad)
{
    uint8_t mixed[HMAC_BLOCK];

    for (size_t i = 0; i < HMAC_BLOCK; i++)
        mixed[i] = block[i] ^ pad;
    hash_begin(h);
    hash_add(h, VIEW(mixed));
    explicit_bzero(mixed, sizeof mixed);
}

void hmac_key_init(HmacKey *k, Bytes key)
{
    uint8_t block[HMAC_BLOCK] = { 0 };

    if (key.len > HMAC_BLOCK) {
        const Hash shorter = hash_of(key);
        memcpy(block, shorter.bytes, HASH_BYTES);
    } else if (key.len > 0) {
        memcpy(block, key.ptr, key.len);
    }
    start_half(&k->inner, block, 0x36);
    start_half(&k->outer, block, 0x5c);
    explicit_bzero(block, sizeof block);
}

void hmac_key_done(HmacKey *k)
{
    explicit_bzero(k, sizeof *k);
}

void hmac_begin(Hmac *m, const HmacKey *k)
{
    *m = (Hmac){ k->inner, k->outer };
}

void hmac_add(Hmac *m, Bytes data)
{
    hash_add(&m->inner, data);
}

Hash hmac_end(Hmac *m)
{
    const Hash inner = hash_end(&m->inner);

    hash_add(&m->outer, VIEW(inner));
    return hash_end(&m->outer);
}

Hash hmac_of(const HmacKey *k, Bytes message)
{
    Hmac m;

    hmac_begin(&m, k);
    hmac_add(&m, message);
    return hmac_end(&m);
}

Hash hmac_once(Bytes key, Bytes message)
{
    HmacKey k;

    hmac_key_init(&k, key);
    const Hash out = hmac_of(&k, message);
    hmac_key_done(&k);
    return out;
}

Err hkdf(Bytes salt, Bytes secret, Bytes purpose, uint8_t *ret, size_t len)
{
    HmacKey key;
    Hash block;

    if (len > HKDF_MAX)
        return ERR_LIMIT;
    Hash extracted = hmac_once(salt, secret);
    hmac_key_init(&key, VIEW(extracted));

    uint8_t number = 1;
    for (size_t at = 0; at < len; at += HASH_BYTES, number++) {
        const size_t take = len - at < HASH_BYTES ? len - at : (size_t)HASH_BYTES;
        Hmac m;
        hmac_begin(&m, &key);
        if (at > 0)
            hmac_add(&m, VIEW(block));
        hmac_add(&m, purpose);
        hmac_add(&m, (Bytes){ &number, 1 });
        block = hmac_end(&m);
        memcpy(ret + at, block.bytes, take);
    }
    explicit_bzero(&extracted, sizeof extracted);
    explicit_bzero(&block, sizeof block);
    hmac_key_done(&key);
    return OK;
}

Hash hkdf_key(const HmacKey *from, Bytes purpose)
{
    static const uint8_t FIRST = 1;
    Hmac m;

    hmac_begin(&m, from);
    hmac_add(&m, purpose);
    hmac_add(&m, (Bytes){ &FIRST, 1 });
    return hmac_end(&m);
}

Hash pbkdf2(Bytes password, Bytes salt, uint32_t rounds)
{
    static const uint8_t FIRST_BLOCK[] = { 0, 0, 0, 1 };
    HmacKey key;
    Hmac m;

    assert(rounds >= 1);
    hmac_key_init(&key, password);
    hmac_begin(&m, &key);
    hmac_add(&m, salt);
    hmac_add(&m, VIEW(FIRST_BLOCK));
    Hash u = hmac_end(&m);
    Hash sum = u;
    for (uint32_t round = 1; round < rounds; round++) {
        u = hmac_of(&key, VIEW(u));
        for (size_t i = 0; i < HASH_BYTES; i++)
            sum.bytes[i] ^= u.bytes[i];
    }
    explicit_bzero(&u, sizeof u);
    hmac_key_done(&key);
    return sum;
}
