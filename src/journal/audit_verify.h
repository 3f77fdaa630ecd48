/* The verification engine: what is here was not altered (integrity), and nothing is missing
 * (completeness). Always both, as a stream of named findings and two answers.
 *
 * No keys to content are needed. Nothing is kept of a record once it was walked: state grows with
 * open sessions, writers, segments and unresolved checkpoints, inside a budget. Give, in order:
 *
 *     epochs                     oldest first
 *     seals and live sessions    any order
 *     checkpoints                before the log reaches their size; any order otherwise
 *     the log                    every entry, by index: which segment, which leaf hash
 *     segments                   by ascending id, one whole file at a time
 *
 * then finish. The merge keeps a segment's records in order; so a log entry needs to name its
 * segment only. ERR_LIMIT: the budget is used up or memory failed; there is no verdict then. */
#ifndef JOURNAL_AUDIT_VERIFY_H
#define JOURNAL_AUDIT_VERIFY_H

#include "base/arena.h"
#include "journal/checkpoint.h"
#include "journal/epoch.h"
#include "journal/segment.h"

/* Names are for people and for machines; they are never reused for something else. */
#define AUDIT_FINDINGS(INTEGRITY, COMPLETENESS)                                                    \
    INTEGRITY(AUDIT_SEGMENT_HEADER, "segment.header") /* no header, or another segment's */        \
    INTEGRITY(AUDIT_SEGMENT_REPEAT, "segment.repeat") /* given twice, or out of order */           \
    INTEGRITY(AUDIT_SEGMENT_LONG, "segment.long")     /* longer than its seal */                   \
    INTEGRITY(AUDIT_SEGMENT_SEAL, "segment.seal")     /* writer, count or last hash differ */      \
    INTEGRITY(AUDIT_FRAME_LENGTH, "frame.length")     /* a length that cannot be */                \
    INTEGRITY(AUDIT_FRAME_MARKER, "frame.marker")     /* no commit marker where one was */         \
    INTEGRITY(AUDIT_FRAME_CRC, "frame.crc")                                                        \
    INTEGRITY(AUDIT_FRAME_LEAF, "frame.leaf")       /* sound frame, impossible leaf */             \
    INTEGRITY(AUDIT_PAYLOAD_HASH, "payload.hash")   /* payload is not the leaf's */                \
    INTEGRITY(AUDIT_LEAF_PLACE, "leaf.place")       /* leaf was written elsewhere */               \
    INTEGRITY(AUDIT_LEAF_LOG, "leaf.log")           /* segment and log disagree */                 \
    INTEGRITY(AUDIT_WRITER_REPEAT, "writer.repeat") /* seq seen before, or going back */           \
    INTEGRITY(AUDIT_WRITER_CHAIN, "writer.chain")   /* segment does not follow the last */         \
    INTEGRITY(AUDIT_SESSION_CHAIN, "session.chain") /* record does not follow the last */          \
    INTEGRITY(AUDIT_CHECKPOINT_FORMAT, "checkpoint.format")                                        \
    INTEGRITY(AUDIT_CHECKPOINT_KEY, "checkpoint.key") /* not signed by the log's key */            \
    INTEGRITY(AUDIT_CHECKPOINT_SIGNATURE, "checkpoint.signature")                                  \
    INTEGRITY(AUDIT_CHECKPOINT_ROOT, "checkpoint.root")    /* the log is another one */            \
    COMPLETENESS(AUDIT_CHECKPOINT_SIZE, "checkpoint.size") /* the log ends before it */            \
    COMPLETENESS(AUDIT_WRITER_HOLE, "writer.hole")         /* seq missing */                       \
    COMPLETENESS(AUDIT_SEGMENT_MISSING, "segment.missing")                                         \
    COMPLETENESS(AUDIT_SEGMENT_SHORT, "segment.short")       /* shorter than its seal */           \
    COMPLETENESS(AUDIT_SEGMENT_UNSEALED, "segment.unsealed") /* its writer went on without seal */ \
    COMPLETENESS(AUDIT_SEGMENT_TAIL, "segment.tail")         /* torn, and no recovery says so */   \
    COMPLETENESS(AUDIT_LOG_HOLE, "log.hole")                 /* the log knows more records */      \
    COMPLETENESS(AUDIT_SESSION_START, "session.start")       /* no record of its beginning */      \
    COMPLETENESS(AUDIT_SESSION_HOLE, "session.hole")         /* records missing in the middle */   \
    COMPLETENESS(AUDIT_SESSION_END, "session.end")           /* open, and not known to be live */  \
    COMPLETENESS(AUDIT_EPOCH_LOST, "epoch.lost")             /* an epoch went on, elsewhere */

typedef enum AuditKind {
#define AUDIT_ENUM(kind, text) kind,
    AUDIT_FINDINGS(AUDIT_ENUM, AUDIT_ENUM) AUDIT_KINDS
#undef AUDIT_ENUM
} AuditKind;

/* Where: what does not apply is zero. For checkpoints, `seq` is their size. */
typedef struct AuditFinding {
    AuditKind kind;
    uint64_t segment, offset, seq;
    uint8_t session_id[LEAF_ID];
} AuditFinding;

typedef void (*AuditFound)(void *ctx, const AuditFinding *finding);

typedef struct AuditVerdict {
    bool intact, complete;
    uint64_t findings;
    uint64_t segments, records, log_size;
    uint64_t unlogged; /* records behind what the log has merged of their segment */
    uint64_t sessions_closed, sessions_live;
    MerkleHead last_checkpoint; /* largest that holds; size 0: none, self-consistent at best */

    uint64_t lost_from, lost_to; /* leaves of an earlier epoch that a checkpoint proves; 0, 0 */
} AuditVerdict;

typedef struct AuditState AuditState;

enum { AUDIT_EPOCHS_MAX = 64 };

typedef struct AuditVerify {
    Arena arena;
    AuditState *state;
    NoteKey key;
    Epoch epochs[AUDIT_EPOCHS_MAX]; /* earlier ones, oldest first */
    size_t epoch_count;
    AuditFound found;
    void *ctx;
    AuditVerdict verdict;
} AuditVerify;

/* `key` is the log's; its name is the origin, and is borrowed. The budget covers tables (100 KiB),
 * 300 bytes for each segment and about 250 for each open session; 64 MiB is plenty. */
Err audit_verify_init(AuditVerify *v, const NoteKey *key, AuditFound found, void *ctx,
                      size_t budget_bytes) MUST_CHECK;
void audit_verify_done(AuditVerify *v); /* safe on a zeroed AuditVerify */

Err audit_verify_seal(AuditVerify *v, const Seal *seal) MUST_CHECK;
/* The census says that this session is open: then its missing end is no finding. */
Err audit_verify_live(AuditVerify *v, const uint8_t session_id[LEAF_ID]) MUST_CHECK;
/* The next epoch, oldest first, all before any checkpoint: then `key` at init may be of any of
 * them. The note is borrowed. One that does not follow the one before is a finding. */
Err audit_verify_epoch(AuditVerify *v, Bytes note) MUST_CHECK;
/* ERR_REFUSED: the log is past its size already; the caller's mistake. */
Err audit_verify_checkpoint(AuditVerify *v, Bytes note) MUST_CHECK;
Err audit_verify_log(AuditVerify *v, uint64_t segment, const Hash *leaf) MUST_CHECK;
/* `segment` is the id that the file's name claims. */
Err audit_verify_segment(AuditVerify *v, uint64_t segment, Bytes file) MUST_CHECK;
AuditVerdict audit_verify_finish(AuditVerify *v);

/* "writer.hole" */
Bytes audit_kind_name(AuditKind kind);
bool audit_kind_is_integrity(AuditKind kind);

#endif
