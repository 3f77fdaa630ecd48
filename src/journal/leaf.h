/* A leaf: what the ledger says about one record. Fixed order, fixed width, big-endian, 300 bytes;
 * the layout is specified in chaperone-journal(5). It commits to content and holds none: no PHI,
 * no names, and no bare hash of either.
 *
 * Encoding and decoding are exact inverses: every accepted leaf has one encoding. */
#ifndef JOURNAL_LEAF_H
#define JOURNAL_LEAF_H

#include "crypto/hash.h"
#include "crypto/hmac.h"

enum { LEAF_BYTES = 300, LEAF_VERSION = 1, LEAF_ID = 16 };
/* AES-GCM's additional data is the leaf with its payload hash zero. */
enum { LEAF_KEY_ID_AT = 236, LEAF_PAYLOAD_HASH_AT = 252 };

/* On disk for ever: a number is never given to another type. */
#define LEAF_TYPES(X)                                                                              \
    X(LEAF_SESSION_START, 1, "session.start")                                                      \
    X(LEAF_AUTH, 2, "auth")                                                                        \
    X(LEAF_COMMAND, 3, "command")                                                                  \
    X(LEAF_VERDICT, 4, "verdict")                                                                  \
    X(LEAF_APPROVAL_REQUEST, 5, "approval.request")                                                \
    X(LEAF_APPROVAL_ANSWER, 6, "approval.answer")                                                  \
    X(LEAF_RESPONSE_CHUNK, 7, "response.chunk")                                                    \
    X(LEAF_RESPONSE_END, 8, "response.end")                                                        \
    X(LEAF_SESSION_END, 9, "session.end")                                                          \
    X(LEAF_CONFIG_CHANGE, 10, "config.change")                                                     \
    X(LEAF_ADMIN_ACCESS, 11, "admin.access")                                                       \
    X(LEAF_EVIDENCE_ACCESS, 12, "evidence.access")                                                 \
    X(LEAF_KEY_CREATE, 13, "key.create")                                                           \
    X(LEAF_KEY_ROTATE, 14, "key.rotate")                                                           \
    X(LEAF_KEY_SHRED, 15, "key.shred")                                                             \
    X(LEAF_RECOVERY, 16, "recovery")                                                               \
    X(LEAF_GAP, 17, "gap")                                                                         \
    X(LEAF_CLOCK_JUMP, 18, "clock.jump")                                                           \
    X(LEAF_HEARTBEAT, 19, "heartbeat")                                                             \
    X(LEAF_CHECKPOINT_ANCHOR, 20, "checkpoint.anchor")                                             \
    X(LEAF_COMMAND_DATA, 21, "command.data")

typedef enum LeafType {
#define LEAF_ENUM(name, number, text) name = number,
    LEAF_TYPES(LEAF_ENUM)
#undef LEAF_ENUM
} LeafType;

enum {
    LEAF_FLAG_CONTENT =
        1 << 0,              /* the payload is under the session's content key, not its audit key */
    LEAF_FLAG_SEEN = 1 << 1, /* behind the payload: what the client saw, under the content key */
    LEAF_FLAGS_KNOWN = LEAF_FLAG_CONTENT | LEAF_FLAG_SEEN,
};

typedef struct Leaf {
    LeafType type;
    uint16_t flags;
    uint64_t seq; /* within the writer, from 1 */
    uint64_t time_unix_ns, mono_ns;
    uint8_t writer[LEAF_ID];
    uint8_t session_id[LEAF_ID]; /* zero: about no session. recovery outside a chain: dead writer */
    uint32_t session_seq;        /* within the session, from 1; 0: not in the session's chain */
    Hash session_prev; /* leaf hash of the session's previous record; zero for its first */
    Hash actor_commit, target_commit; /* leaf_commit() */
    uint8_t protocol;
    uint16_t effects;
    uint8_t ruling;
    Hash policy_hash;
    Hash approval_leaf;       /* leaf hash of the approval.answer this rests on, or zero */
    uint32_t payload_bytes;   /* encrypted length without nonce and tag; 0: no payload */
    uint8_t key_id[LEAF_ID];  /* zero without payload */
    Hash payload_hash;        /* SHA-256 of all that follows the leaf; zero without payload */
    uint64_t segment, offset; /* where the record's frame begins */
} Leaf;

void leaf_encode(const Leaf *leaf, uint8_t ret[LEAF_BYTES]);
/* ERR_MALFORMED: wrong length, magic, version, type, unknown flag, seq 0, a payload's fields
 * without a payload, or a chain's fields outside a chain. */
Err leaf_decode(Bytes bytes, Leaf *ret) MUST_CHECK;

/* RFC 6962 §2.1: SHA-256(0x00 || leaf). The name of a record everywhere in the journal. */
Hash leaf_hash(Bytes leaf);
/* Hiding and binding: nobody tests guesses without the record's salt. */
Hash leaf_commit(const HmacKey *salt, Bytes value);

/* "session.start"; empty for a number that is not a type. */
Bytes leaf_type_name(unsigned type);

#endif
