#include "crypto/box.h"

#include "crypto/aead.h"
#include "crypto/hmac.h"

#include <openssl/evp.h>
#include <string.h>

typedef struct BoxKey {
    uint8_t key[AEAD_KEY], nonce[AEAD_NONCE];
} BoxKey;

Err box_public(const uint8_t private_key[BOX_KEY], uint8_t ret[BOX_KEY])
{
    size_t len = BOX_KEY;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, BOX_KEY);

    const bool made =
        pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, ret, &len) == 1 && len == BOX_KEY;
    EVP_PKEY_free(pkey);
    return made ? OK : ERR_LIMIT;
}

/* RFC 7748 §6.1: libcrypto refuses the all-zero secret, so a key of small order is malformed. */
static Err agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t ret[BOX_KEY])
{
    size_t len = BOX_KEY;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    Err err = ERR_LIMIT;

    if (ctx != NULL && EVP_PKEY_derive_init(ctx) == 1)
        err = EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, ret, &len) == 1 &&
                      len == BOX_KEY
                  ? OK
                  : ERR_MALFORMED;
    EVP_PKEY_CTX_free(ctx);
    return err;
}

static Err shared_secret(const uint8_t own[BOX_KEY], const uint8_t peer[BOX_KEY],
                         uint8_t ret[BOX_KEY])
{
    EVP_PKEY *own_key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, own, BOX_KEY);
    EVP_PKEY *peer_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, BOX_KEY);
    const Err err = own_key != NULL && peer_key != NULL ? agree(own_key, peer_key, ret) : ERR_LIMIT;

    EVP_PKEY_free(own_key);
    EVP_PKEY_free(peer_key);
    return err;
}

/* `ephemeral` and `recipient` are public halves here. */
static Err derive(const uint8_t shared[BOX_KEY], const uint8_t ephemeral[BOX_KEY],
                  const uint8_t recipient[BOX_KEY], BoxKey *ret)
{
    static const uint8_t PURPOSE[] = "chaperone box 1";
    uint8_t purpose[sizeof PURPOSE - 1 + 2 * BOX_KEY];
    uint8_t out[AEAD_KEY + AEAD_NONCE];

    memcpy(purpose, PURPOSE, sizeof PURPOSE - 1);
    memcpy(purpose + sizeof PURPOSE - 1, ephemeral, BOX_KEY);
    memcpy(purpose + sizeof PURPOSE - 1 + BOX_KEY, recipient, BOX_KEY);
    TRY(hkdf((Bytes){ 0 }, (Bytes){ shared, BOX_KEY }, VIEW(purpose), out, sizeof out));
    memcpy(ret->key, out, AEAD_KEY);
    memcpy(ret->nonce, out + AEAD_KEY, AEAD_NONCE);
    explicit_bzero(out, sizeof out);
    return OK;
}

static Err seal_under(const BoxKey *key, Bytes aad, Bytes text, Buf *out)
{
    AeadMessage m = { .aad = aad, .text = text };
    Aead aead = { 0 };
    uint8_t *room;
    size_t size;

    memcpy(m.nonce, key->nonce, sizeof m.nonce);
    TRY(buf_room(out, text.len + AEAD_TAG, &room, &size));
    Err err = aead_init(&aead, key->key);
    if (err == OK)
        err = aead_seal(&aead, &m, room, room + text.len);
    aead_done(&aead);
    if (err == OK)
        buf_filled(out, text.len + AEAD_TAG);
    return err;
}

Err box_seal(const uint8_t ephemeral[BOX_KEY], const uint8_t recipient[BOX_KEY], Bytes aad,
             Bytes text, Buf *out)
{
    const size_t before = buf_len(out);
    uint8_t public_key[BOX_KEY], shared[BOX_KEY] = { 0 };
    BoxKey key = { 0 };

    TRY(box_public(ephemeral, public_key));
    Err err = shared_secret(ephemeral, recipient, shared);
    if (err == OK)
        err = derive(shared, public_key, recipient, &key);
    if (err == OK)
        err = buf_append(out, VIEW(public_key));
    if (err == OK)
        err = seal_under(&key, aad, text, out);
    explicit_bzero(shared, sizeof shared);
    explicit_bzero(&key, sizeof key);
    if (err != OK)
        buf_truncate(out, before);
    return err;
}

static Err open_under(const BoxKey *key, Bytes aad, Bytes sealed, Buf *out)
{
    AeadMessage m = { .aad = aad, .text = bytes_upto(sealed, sealed.len - AEAD_TAG) };
    Aead aead = { 0 };
    uint8_t *room;
    size_t size;

    memcpy(m.nonce, key->nonce, sizeof m.nonce);
    TRY(buf_room(out, m.text.len + 1, &room, &size));
    Err err = aead_init(&aead, key->key);
    if (err == OK)
        err = aead_open(&aead, &m, sealed.ptr + m.text.len, room);
    aead_done(&aead);
    if (err == OK)
        buf_filled(out, m.text.len);
    return err;
}

Err box_open(const uint8_t private_key[BOX_KEY], Bytes aad, Bytes box, Buf *out)
{
    uint8_t public_key[BOX_KEY], shared[BOX_KEY] = { 0 };
    BoxKey key = { 0 };

    if (box.len < BOX_EXTRA)
        return ERR_MALFORMED;
    TRY(box_public(private_key, public_key));
    Err err = shared_secret(private_key, box.ptr, shared);
    if (err == OK)
        err = derive(shared, box.ptr, public_key, &key);
    if (err == OK)
        err = open_under(&key, aad, bytes_from(box, BOX_KEY), out);
    explicit_bzero(shared, sizeof shared);
    explicit_bzero(&key, sizeof key);
    return err;
}
