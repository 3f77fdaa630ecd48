/* AES-256-GCM (NIST SP 800-38D) under one key: 12-byte nonce, 16-byte tag.
 *
 * The key schedule is computed once, at aead_init; a message then sets the nonce only. The caller
 * answers for nonces never repeating under a key. ERR_LIMIT when libcrypto cannot allocate. */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "base/base.h"

enum { AEAD_KEY = 32, AEAD_NONCE = 12, AEAD_TAG = 16 };
enum { AEAD_TEXT_MAX = 1 << 30 }; /* bytes of one message: libcrypto counts in int */

typedef struct Aead {
    struct evp_cipher_ctx_st *ctx; /* NULL while it rests */
    uint8_t key[AEAD_KEY];
    bool keyed;
} Aead;

typedef struct AeadMessage {
    uint8_t nonce[AEAD_NONCE];
    Bytes aad;  /* authenticated, not encrypted */
    Bytes text; /* plain to seal, encrypted to open */
} AeadMessage;

Err aead_init(Aead *a, const uint8_t key[AEAD_KEY]) MUST_CHECK;
/* Gives back what the key schedule takes, a KiB, until the next message. */
void aead_rest(Aead *a);
void aead_done(Aead *a); /* wipes the key; safe on a zeroed Aead */

/* Writes message->text.len bytes and the tag; may work in place. */
Err aead_seal(Aead *a, const AeadMessage *m, uint8_t *ret_text, uint8_t *ret_tag) MUST_CHECK;
/* ERR_MALFORMED when anything was altered; then ret_text is wiped: nobody sees unproven text. */
Err aead_open(Aead *a, const AeadMessage *m, const uint8_t *tag, uint8_t *ret_text) MUST_CHECK;

#endif
