#include "crypto/hash.h"

#include "base/text.h"

#include <openssl/sha.h>
#include <string.h>

static_assert(sizeof(Hasher) >= sizeof(SHA256_CTX), "a Hasher holds libcrypto's state");
static_assert((int)HASH_BYTES == (int)SHA256_DIGEST_LENGTH, "one length");

static SHA256_CTX *state_of(Hasher *h)
{
    return (SHA256_CTX *)(void *)h->opaque;
}

/* The return values are 1 in every version of libcrypto: there is nothing that could fail. */
void hash_begin(Hasher *h)
{
    (void)SHA256_Init(state_of(h));
}

void hash_add(Hasher *h, Bytes data)
{
    if (data.len > 0)
        (void)SHA256_Update(state_of(h), data.ptr, data.len);
}

Hash hash_end(Hasher *h)
{
    Hash out;

    (void)SHA256_Final(out.bytes, state_of(h));
    explicit_bzero(h, sizeof *h);
    return out;
}

Hash hash_of(Bytes data)
{
    Hasher h;

    hash_begin(&h);
    hash_add(&h, data);
    return hash_end(&h);
}

bool hash_eq(const Hash *a, const Hash *b)
{
    return secret_eq(VIEW(*a), VIEW(*b));
}

bool hash_is_zero(const Hash *h)
{
    static const Hash ZERO = { { 0 } };

    return hash_eq(h, &ZERO);
}
