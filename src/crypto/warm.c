#include "crypto/warm.h"

#include "crypto/aead.h"
#include "crypto/siv.h"

#include <openssl/crypto.h>

static Err warm_aead(void)
{
    static const uint8_t KEY[AEAD_KEY] = { 0 };
    uint8_t text[1], tag[AEAD_TAG];
    const AeadMessage message = { .text = LIT("x") };
    Aead aead;

    TRY(aead_init(&aead, KEY));
    Err err = aead_seal(&aead, &message, text, tag);
    const AeadMessage back = { .text = VIEW(text) };
    if (err == OK)
        err = aead_open(&aead, &back, tag, text);
    aead_done(&aead);
    return err;
}

static Err warm_siv(void)
{
    static const uint8_t KEY[64] = { 0 };
    CLEANUP(buf_done) Buf sealed = { 0 };
    Siv siv;

    buf_init(&sealed, 64);
    TRY(siv_init(&siv, VIEW(KEY)));
    const Err err = siv_seal(&siv, NULL, 0, LIT("x"), &sealed);
    siv_done(&siv);
    return err;
}

Err crypto_warm(void)
{
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) !=
        1)
        return ERR_LIMIT;
    TRY(warm_aead());
    return warm_siv();
}
