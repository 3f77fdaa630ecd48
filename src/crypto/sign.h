/* Ed25519 (RFC 8032) and the key ids of C2SP signed-note (https://c2sp.org/signed-note).
 *
 * ERR_LIMIT when libcrypto cannot allocate. */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include "base/base.h"

enum { SIGN_SEED = 32, SIGN_PUBLIC = 32, SIGN_BYTES = 64, NOTE_KEY_ID = 4 };

/* Algorithm bytes of signed-note; part of what a key id commits to. */
typedef enum NoteAlgorithm {
    NOTE_ED25519 = 0x01,
    NOTE_COSIGNATURE_V1 = 0x04,
} NoteAlgorithm;

typedef struct SignKey {
    struct evp_pkey_st *pkey;
    uint8_t public_key[SIGN_PUBLIC];
} SignKey;

Err sign_key_init(SignKey *k, const uint8_t seed[SIGN_SEED]) MUST_CHECK;
void sign_key_done(SignKey *k); /* wipes; safe on a zeroed SignKey */
Err sign_message(const SignKey *k, Bytes message, uint8_t ret_signature[SIGN_BYTES]) MUST_CHECK;

/* ERR_REFUSED: not a signature of this message by this key. */
Err sign_verify(const uint8_t public_key[SIGN_PUBLIC], Bytes message,
                const uint8_t signature[SIGN_BYTES]) MUST_CHECK;

/* First 4 bytes of SHA-256(name || "\n" || algorithm || public key). */
void note_key_id(Bytes name, NoteAlgorithm algorithm, const uint8_t public_key[SIGN_PUBLIC],
                 uint8_t ret_id[NOTE_KEY_ID]);

#endif
