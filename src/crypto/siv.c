#include "crypto/siv.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <string.h>

enum { BLOCK = SIV_TAG };

static EVP_CIPHER_CTX *ecb_new(Bytes key)
{
    EVP_CIPHER *cipher =
        EVP_CIPHER_fetch(NULL, key.len == 16 ? "AES-128-ECB" : "AES-256-ECB", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    const bool ready = cipher != NULL && ctx != NULL &&
                       EVP_EncryptInit_ex(ctx, cipher, NULL, key.ptr, NULL) == 1 &&
                       EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;
    EVP_CIPHER_free(cipher);
    if (ready)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

/* Whole blocks, in place allowed. */
static Err encrypt(EVP_CIPHER_CTX *ctx, const uint8_t *in, size_t len, uint8_t *out)
{
    int done;

    return EVP_EncryptUpdate(ctx, out, &done, in, (int)len) == 1 ? OK : ERR_LIMIT;
}

static void mix(uint8_t *into, const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        into[i] ^= from[i];
}

/* Multiplication by x in GF(2^128), RFC 5297 §2.3, without a branch on the secret. */
static void twice(uint8_t block[BLOCK])
{
    const uint8_t reduce = (uint8_t)(0x87 & (0 - (block[0] >> 7)));

    for (size_t i = 0; i < BLOCK - 1; i++)
        block[i] = (uint8_t)(block[i] << 1 | block[i + 1] >> 7);
    block[BLOCK - 1] = (uint8_t)(block[BLOCK - 1] << 1 ^ reduce);
}

/* CMAC (RFC 4493) of `text`, whose last 16 bytes are first mixed with `tail` unless it is NULL:
 * S2V's "xorend" without a copy of the text. `tail` needs text.len >= 16. */
static Err cmac(const Siv *s, Bytes text, const uint8_t *tail, uint8_t ret[BLOCK])
{
    uint8_t state[BLOCK] = { 0 };
    const size_t blocks = text.len == 0 ? 1 : (text.len + BLOCK - 1) / BLOCK;
    const size_t tail_at = tail != NULL ? text.len - BLOCK : text.len;

    for (size_t b = 0; b < blocks; b++) {
        const size_t at = b * BLOCK;
        const size_t held = text.len - at < BLOCK ? text.len - at : (size_t)BLOCK;
        for (size_t i = 0; i < held; i++) {
            const size_t here = at + i;
            state[i] ^=
                here < tail_at ? text.ptr[here] : (uint8_t)(text.ptr[here] ^ tail[here - tail_at]);
        }
        if (held < BLOCK)
            state[held] ^= 0x80;
        if (b + 1 == blocks)
            mix(state, held == BLOCK ? s->k1 : s->k2, BLOCK);
        TRY(encrypt(s->mac, state, BLOCK, state));
    }
    memcpy(ret, state, BLOCK);
    return OK;
}

void siv_rest(Siv *s)
{
    EVP_CIPHER_CTX_free(s->mac);
    EVP_CIPHER_CTX_free(s->ctr);
    s->mac = s->ctr = NULL;
}

static Err wake(Siv *s)
{
    const Bytes key = bytes_upto(VIEW(s->key), s->key_bytes);

    if (key.len == 0)
        return ERR_LIMIT;
    s->mac = ecb_new(bytes_upto(key, key.len / 2));
    s->ctr = ecb_new(bytes_from(key, key.len / 2));
    if (s->mac != NULL && s->ctr != NULL)
        return OK;
    siv_rest(s);
    return ERR_LIMIT;
}

Err siv_init(Siv *s, Bytes key)
{
    static const uint8_t ZERO[BLOCK] = { 0 };

    if (key.len != 32 && key.len != 64)
        return ERR_MALFORMED;
    *s = (Siv){ .key_bytes = key.len };
    memcpy(s->key, key.ptr, key.len);
    if (wake(s) != OK || encrypt(s->mac, ZERO, BLOCK, s->k1) != OK) {
        siv_done(s);
        return ERR_LIMIT;
    }
    twice(s->k1);
    memcpy(s->k2, s->k1, BLOCK);
    twice(s->k2);
    if (cmac(s, VIEW(ZERO), NULL, s->start) != OK) {
        siv_done(s);
        return ERR_LIMIT;
    }
    return OK;
}

void siv_done(Siv *s)
{
    siv_rest(s);
    explicit_bzero(s, sizeof *s);
}

/* S2V, RFC 5297 §2.4; the associated strings first, the text last. */
static Err s2v(const Siv *s, const Bytes *aad, size_t count, Bytes text, uint8_t ret[BLOCK])
{
    uint8_t d[BLOCK], one[BLOCK];

    if (count > SIV_AAD_MAX || text.len > SIV_TEXT_MAX)
        return ERR_LIMIT;
    memcpy(d, s->start, BLOCK);
    for (size_t i = 0; i < count; i++) {
        TRY(cmac(s, aad[i], NULL, one));
        twice(d);
        mix(d, one, BLOCK);
    }
    if (text.len >= BLOCK)
        return cmac(s, text, d, ret);
    twice(d);
    mix(d, text.ptr, text.len);
    d[text.len] ^= 0x80;
    return cmac(s, VIEW(d), NULL, ret);
}

/* CTR from the tag with two bits cleared (RFC 5297 §2.5), so that the counter cannot carry
 * across them; eight blocks a call. */
static Err apply_ctr(const Siv *s, const uint8_t tag[BLOCK], uint8_t *text, size_t len)
{
    enum { AT_ONCE = 8 };
    uint8_t counter[BLOCK], pad[AT_ONCE * BLOCK];

    memcpy(counter, tag, BLOCK);
    counter[8] &= 0x7f;
    counter[12] &= 0x7f;
    for (size_t at = 0; at < len;) {
        const size_t held = len - at < sizeof pad ? len - at : sizeof pad;
        const size_t blocks = (held + BLOCK - 1) / BLOCK;
        for (size_t b = 0; b < blocks; b++) {
            memcpy(pad + b * BLOCK, counter, BLOCK);
            for (size_t i = BLOCK; i-- > 0 && ++counter[i] == 0;) {
            }
        }
        TRY(encrypt(s->ctr, pad, blocks * BLOCK, pad));
        mix(text + at, pad, held);
        at += held;
    }
    explicit_bzero(pad, sizeof pad);
    return OK;
}

Err siv_seal(Siv *s, const Bytes *aad, size_t count, Bytes plain, Buf *out)
{
    uint8_t *room;
    size_t size;

    if (plain.len > SIV_TEXT_MAX)
        return ERR_LIMIT;
    TRY(buf_room(out, SIV_TAG + plain.len, &room, &size));
    if (s->mac == NULL)
        TRY(wake(s));
    TRY(s2v(s, aad, count, plain, room));
    if (plain.len > 0)
        memcpy(room + SIV_TAG, plain.ptr, plain.len);
    TRY(apply_ctr(s, room, room + SIV_TAG, plain.len));
    buf_filled(out, SIV_TAG + plain.len);
    return OK;
}

Err siv_open(Siv *s, const Bytes *aad, size_t count, Bytes sealed, Buf *out)
{
    uint8_t tag[SIV_TAG];
    uint8_t *room;
    size_t size;

    if (sealed.len < SIV_TAG)
        return ERR_MALFORMED;
    const Bytes text = bytes_from(sealed, SIV_TAG);
    if (text.len > SIV_TEXT_MAX)
        return ERR_LIMIT;
    TRY(buf_room(out, text.len > 0 ? text.len : 1, &room, &size));
    memcpy(room, text.ptr, text.len);
    if (s->mac == NULL)
        TRY(wake(s));
    TRY(apply_ctr(s, sealed.ptr, room, text.len));
    TRY(s2v(s, aad, count, (Bytes){ room, text.len }, tag));
    if (!secret_eq(VIEW(tag), bytes_upto(sealed, SIV_TAG))) {
        explicit_bzero(room, text.len);
        return ERR_MALFORMED;
    }
    buf_filled(out, text.len);
    return OK;
}
