/* The root key and everything derived from it. Nothing here leaves the keeper but what a
 * session is lent: its own record keys, its resource's pseudonym keys.
 *
 *     root (32 bytes, a file or a reference)
 *      ├─ wrap          AES-256-GCM: keys and texts in the store
 *      ├─ fake salt     HMAC: salts of users that do not exist
 *      ├─ record salt   HMAC: salts of the leaves' commitments, by session
 *      ├─ token lookup  HMAC: finds a token without PBKDF2
 *      └─ pseudonym     HMAC: 64 bytes for each (resource, scope, epoch) */
#ifndef KEEPER_KEYS_H
#define KEEPER_KEYS_H

#include "base/buf.h"
#include "config/config.h"
#include "crypto/aead.h"
#include "crypto/hmac.h"
#include "model/pack.h"

enum { ROOT_KEY_BYTES = 32, PSEUDONYM_EPOCH = 1 };

typedef struct Keys {
    HmacKey fake_salt, record_salt, token_lookup, pseudonym, fake_verifier;
    Aead wrap;
} Keys;

/* Makes `path` with a new key when it is not there; ERR_MALFORMED: it is not 32 bytes. */
Err root_key_file(const char *path, uint8_t ret[ROOT_KEY_BYTES]) MUST_CHECK;
/* As the configuration says: `auto` makes root.key beside the state where there is none; of a
 * reference's text the key is the SHA-256. errno tells why on ERR_IO. */
Err keys_root(const Storage *storage, uint8_t ret[ROOT_KEY_BYTES]) MUST_CHECK;
Err keys_init(Keys *k, const uint8_t root[ROOT_KEY_BYTES]) MUST_CHECK;
void keys_done(Keys *k); /* wipes; safe on a zeroed Keys */

/* Appends nonce, text and tag. `name` is authenticated: what this is and whose. */
Err keys_seal(Keys *k, Bytes name, Bytes plain, Buf *out) MUST_CHECK;
/* ERR_MALFORMED: altered, or another one's. */
Err keys_open(Keys *k, Bytes name, Bytes sealed, Buf *out) MUST_CHECK;

/* Of the commitments in a session's leaves (zero: the keeper's own). */
PackKey keys_record_salt(const Keys *k, const Id *session);
PackKey keys_token_lookup(const Keys *k, Bytes token);
/* 64 bytes in two halves. */
void keys_pseudonym(const Keys *k, Bytes resource, Bytes scope, PackKey *ret_low,
                    PackKey *ret_high);

/* A secret by reference: "file:/path" (read again at each use, newline at the end left out) or
 * "env:NAME". ERR_REFUSED: no such kind; ERR_IO: not to be had. Appends. */
Err secret_resolve(Bytes reference, Buf *out) MUST_CHECK;

#endif
