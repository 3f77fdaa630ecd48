/* Checkpoints of the ledger: C2SP tlog-checkpoint in a signed-note, byte for byte
 * (https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note), and the cosignatures of
 * witnesses (https://c2sp.org/tlog-cosignature, version 1).
 *
 *     <origin>\n<size>\n<base64 root>\n[<extension>\n ...]\n
 *     \xe2\x80\x94 <key name> <base64 of key id || signature>\n ...
 *
 * Parsing says what is written; believing it is checkpoint_trust(), key by key. Views borrow from
 * the note. Extension lines are covered by signatures, and otherwise none of our business. */
#ifndef JOURNAL_CHECKPOINT_H
#define JOURNAL_CHECKPOINT_H

#include "base/buf.h"
#include "crypto/sign.h"
#include "journal/merkle.h"

enum {
    CHECKPOINT_MAX = 16 << 10, /* bytes of a whole note */
    CHECKPOINT_SIGNATURES_MAX = 32,
    NOTE_NAME_MAX = 256,
};

typedef struct Checkpoint {
    Bytes origin;
    MerkleHead head;
    Bytes extension;  /* lines behind the root; mostly empty */
    Bytes text;       /* what is signed: up to and including the newline before the empty line */
    Bytes signatures; /* the lines behind the empty line; checked for form */
} Checkpoint;

/* A verifier key, "name+hexid+base64(algorithm || public key)". */
typedef struct NoteKey {
    Bytes name;
    NoteAlgorithm algorithm;
    uint8_t id[NOTE_KEY_ID];
    uint8_t public_key[SIGN_PUBLIC];
} NoteKey;

typedef enum CheckpointTrust {
    CHECKPOINT_UNSIGNED, /* no signature line of this key */
    CHECKPOINT_FORGED,   /* a line with its name and id, and a signature that is wrong */
    CHECKPOINT_SIGNED,
} CheckpointTrust;

/* Appends text, empty line and one signature. `origin` is the key's name too. */
Err checkpoint_sign(Bytes origin, const MerkleHead *head, const SignKey *key, Buf *out) MUST_CHECK;
/* The same with extension lines, each ended by a newline, behind the root. */
Err checkpoint_sign_extended(Bytes origin, const MerkleHead *head, Bytes extension,
                             const SignKey *key, Buf *out) MUST_CHECK;
/* Appends a witness's line for a checkpoint; `unix_seconds` is part of what it signs. */
Err checkpoint_cosign(const Checkpoint *c, Bytes name, const SignKey *key, uint64_t unix_seconds,
                      Buf *out) MUST_CHECK;

/* ERR_MALFORMED: anything that is not exactly the format, leading zeros and base64 with loose
 * bits included. ERR_LIMIT: memory, or above CHECKPOINT_MAX. */
Err checkpoint_parse(Bytes note, Checkpoint *ret) MUST_CHECK;
/* *ret_unix_seconds is the time of a cosignature, 0 for the log's own signature. */
Err checkpoint_trust(const Checkpoint *c, const NoteKey *key, CheckpointTrust *ret,
                     uint64_t *ret_unix_seconds) MUST_CHECK;

/* `name` is borrowed: the key's own view of it. */
NoteKey note_key_of(Bytes name, NoteAlgorithm algorithm, const uint8_t public_key[SIGN_PUBLIC]);
/* ERR_MALFORMED also when the id in the text is not the key's. */
Err note_key_parse(Bytes text, NoteKey *ret) MUST_CHECK;
Err note_key_write(const NoteKey *k, Buf *out) MUST_CHECK;

#endif
