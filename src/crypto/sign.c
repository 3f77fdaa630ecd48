#include "crypto/sign.h"

#include "crypto/hash.h"

#include <openssl/evp.h>
#include <string.h>

Err sign_key_init(SignKey *k, const uint8_t seed[SIGN_SEED])
{
    size_t len = SIGN_PUBLIC;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGN_SEED);

    if (pkey == NULL)
        return ERR_LIMIT;
    if (EVP_PKEY_get_raw_public_key(pkey, k->public_key, &len) != 1 || len != SIGN_PUBLIC) {
        EVP_PKEY_free(pkey);
        return ERR_LIMIT;
    }
    k->pkey = pkey;
    return OK;
}

void sign_key_done(SignKey *k)
{
    EVP_PKEY_free(k->pkey); /* libcrypto cleanses the private half */
    *k = (SignKey){ 0 };
}

Err sign_message(const SignKey *k, Bytes message, uint8_t ret_signature[SIGN_BYTES])
{
    size_t len = SIGN_BYTES;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    const bool made = ctx != NULL && k->pkey != NULL &&
                      EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
                      EVP_DigestSign(ctx, ret_signature, &len, message.ptr, message.len) == 1 &&
                      len == SIGN_BYTES;
    EVP_MD_CTX_free(ctx);
    return made ? OK : ERR_LIMIT;
}

Err sign_verify(const uint8_t public_key[SIGN_PUBLIC], Bytes message,
                const uint8_t signature[SIGN_BYTES])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, SIGN_PUBLIC);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    Err err = ERR_LIMIT;

    if (ctx != NULL && pkey != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1)
        err = EVP_DigestVerify(ctx, signature, SIGN_BYTES, message.ptr, message.len) == 1
                  ? OK
                  : ERR_REFUSED;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return err;
}

void note_key_id(Bytes name, NoteAlgorithm algorithm, const uint8_t public_key[SIGN_PUBLIC],
                 uint8_t ret_id[NOTE_KEY_ID])
{
    const uint8_t separator[] = { '\n', (uint8_t)algorithm };
    Hasher h;

    hash_begin(&h);
    hash_add(&h, name);
    hash_add(&h, VIEW(separator));
    hash_add(&h, (Bytes){ public_key, SIGN_PUBLIC });
    const Hash full = hash_end(&h);
    memcpy(ret_id, full.bytes, NOTE_KEY_ID);
}
