/* The recovery key: its private half is shown once and kept offline, its public half stands in the
 * configuration. Both are written so that people can copy them. */
#ifndef BACKUP_RECOVERY_KEY_H
#define BACKUP_RECOVERY_KEY_H

#include "crypto/box.h"

typedef struct RecoveryKey {
    uint8_t private_key[BOX_KEY], public_key[BOX_KEY];
} RecoveryKey;

Err recovery_key_new(RecoveryKey *ret) MUST_CHECK;
void recovery_key_done(RecoveryKey *k); /* wipes */
/* "rk1-XXXXXX-…": base32 of the private half and 4 bytes of its SHA-256, in groups of six. */
Err recovery_key_write(const RecoveryKey *k, Buf *out) MUST_CHECK;
/* Blanks and dashes do not matter, nor case. ERR_MALFORMED: a slip of the pen, mostly. */
Err recovery_key_read(Bytes text, RecoveryKey *ret) MUST_CHECK;
/* "x25519:" and hex digits. */
Err recovery_public_write(const uint8_t public_key[BOX_KEY], Buf *out) MUST_CHECK;
Err recovery_public_read(Bytes text, uint8_t ret[BOX_KEY]) MUST_CHECK;

#endif
