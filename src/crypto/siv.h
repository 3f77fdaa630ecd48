/* AES-SIV (RFC 5297): deterministic authenticated encryption. Equal inputs give equal outputs,
 * which is the point: pseudonyms. 32-byte keys are AES-128-SIV, 64-byte keys AES-256-SIV.
 *
 * Own S2V over AES-ECB: libcrypto's AES-SIV duplicates a CMAC context for each value, which costs
 * microseconds where a cell has 400 ns. */
#ifndef CRYPTO_SIV_H
#define CRYPTO_SIV_H

#include "base/buf.h"

enum { SIV_KEY_MAX = 64, SIV_TAG = 16, SIV_TEXT_MAX = 1 << 20, SIV_AAD_MAX = 126 };

typedef struct Siv {
    /* AES-ECB under the two halves of the key; NULL while it rests */
    struct evp_cipher_ctx_st *mac, *ctr;
    uint8_t key[SIV_KEY_MAX];
    size_t key_bytes;                 /* 0: none */
    uint8_t k1[SIV_TAG], k2[SIV_TAG]; /* CMAC's subkeys, RFC 4493 §2.3 */
    uint8_t start[SIV_TAG];           /* CMAC of zero: where S2V begins */
} Siv;

Err siv_init(Siv *s, Bytes key) MUST_CHECK; /* ERR_MALFORMED: not 32 or 64 bytes */
/* Gives back what the key schedules take until the next value. */
void siv_rest(Siv *s);
void siv_done(Siv *s); /* wipes; safe on a zeroed Siv */

/* Appends tag || ciphertext. `aad` are `count` associated strings, in order. ERR_LIMIT above
 * SIV_TEXT_MAX or SIV_AAD_MAX. */
Err siv_seal(Siv *s, const Bytes *aad, size_t count, Bytes plain, Buf *out) MUST_CHECK;
/* Appends the plain text. ERR_MALFORMED when altered; then `out` is as before. */
Err siv_open(Siv *s, const Bytes *aad, size_t count, Bytes sealed, Buf *out) MUST_CHECK;

#endif
