#include "crypto/aead.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

static Err wake(Aead *a)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    const bool ready =
        cipher != NULL && ctx != NULL && EVP_EncryptInit_ex(ctx, cipher, NULL, a->key, NULL) == 1;
    EVP_CIPHER_free(cipher); /* the context holds its own reference */
    if (!ready) {
        EVP_CIPHER_CTX_free(ctx);
        return ERR_LIMIT;
    }
    a->ctx = ctx;
    return OK;
}

Err aead_init(Aead *a, const uint8_t key[AEAD_KEY])
{
    *a = (Aead){ .keyed = true };
    memcpy(a->key, key, sizeof a->key);
    const Err err = wake(a);
    if (err != OK)
        aead_done(a);
    return err;
}

void aead_rest(Aead *a)
{
    EVP_CIPHER_CTX_free(a->ctx);
    a->ctx = NULL;
}

void aead_done(Aead *a)
{
    EVP_CIPHER_CTX_free(a->ctx);
    explicit_bzero(a, sizeof *a);
}

static Err begin(Aead *a, const AeadMessage *m, int seal)
{
    int done;

    if (!a->keyed || m->aad.len > AEAD_TEXT_MAX || m->text.len > AEAD_TEXT_MAX)
        return ERR_LIMIT;
    if (a->ctx == NULL)
        TRY(wake(a));
    if (EVP_CipherInit_ex(a->ctx, NULL, NULL, NULL, m->nonce, seal) != 1)
        return ERR_LIMIT;
    if (m->aad.len > 0 && EVP_CipherUpdate(a->ctx, NULL, &done, m->aad.ptr, (int)m->aad.len) != 1)
        return ERR_LIMIT;
    return OK;
}

Err aead_seal(Aead *a, const AeadMessage *m, uint8_t *ret_text, uint8_t *ret_tag)
{
    uint8_t none[AEAD_TAG];
    int done;

    TRY(begin(a, m, 1));
    if (m->text.len > 0 &&
        EVP_CipherUpdate(a->ctx, ret_text, &done, m->text.ptr, (int)m->text.len) != 1)
        return ERR_LIMIT;
    if (EVP_CipherFinal_ex(a->ctx, none, &done) != 1)
        return ERR_LIMIT;
    OSSL_PARAM tag[] = { OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, ret_tag, AEAD_TAG),
                         OSSL_PARAM_END };

    return EVP_CIPHER_CTX_get_params(a->ctx, tag) == 1 ? OK : ERR_LIMIT;
}

Err aead_open(Aead *a, const AeadMessage *m, const uint8_t *tag, uint8_t *ret_text)
{
    uint8_t expected[AEAD_TAG], none[AEAD_TAG];
    int done;

    memcpy(expected, tag, AEAD_TAG); /* the ctrl call wants it mutable */
    TRY(begin(a, m, 0));
    if (m->text.len > 0 &&
        EVP_CipherUpdate(a->ctx, ret_text, &done, m->text.ptr, (int)m->text.len) != 1)
        return ERR_LIMIT;
    if (EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, expected) != 1)
        return ERR_LIMIT;
    if (EVP_CipherFinal_ex(a->ctx, none, &done) == 1)
        return OK;
    if (m->text.len > 0)
        explicit_bzero(ret_text, m->text.len);
    return ERR_MALFORMED;
}
